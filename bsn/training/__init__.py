"""Training: recipe, patches, loop, checkpoints, and the launch of one or several processes."""
