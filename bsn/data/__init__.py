"""Reading the four official data sets, and turning them into portraits and training samples."""
