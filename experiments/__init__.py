"""Around DVC, where stages/ is inside of it: sweeps, their comparison, what MLflow is told of them, verification."""

from bsn import program

program.begin()
