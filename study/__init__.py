"""The reproduction around the method: parameters, data sets, downloads, MLflow, tables, figures and the page."""

import bsn  # noqa: F401  (it sets the variables that numpy, OpenCV and torch read while they load)
