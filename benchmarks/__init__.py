"""Benchmarks: each prints a ratio to a peer or to a floor, measured in the same run."""

import stages  # noqa: F401  (sets environment variables before a benchmark imports libraries that read them)
