"""The four data sets as they are published, and which of their photos are portraits (section 4.3)."""
