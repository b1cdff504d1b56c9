"""A trained method as an MLflow model that takes photos and returns masks."""
