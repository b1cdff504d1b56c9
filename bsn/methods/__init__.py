"""What makes a mask of a photo: the trained networks of Table 1, Graph-cut, and the mean mask."""
