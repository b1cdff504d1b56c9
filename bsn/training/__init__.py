"""Training: recipe, patches, loop, checkpoints, and the launch of one process or several."""
