"""Boundary-sensitive network for portrait segmentation: the method, importable, free of DVC and MLflow."""
