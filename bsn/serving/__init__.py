"""A trained method outside of this project: its network as one ONNX file, and an MLflow model that takes photos."""

# Names in the ONNX file.
INPUT, SCORE, CELLS = "photo", "score", "cells"
