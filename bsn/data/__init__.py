"""What the stages hand to each other: tables and photos of a set, and where its official tree is."""
