"""Speeds of the study's programs, as the study runs them."""

import stages  # noqa: F401  (its variables, before a benchmark loads what reads them)
