"""Commands around DVC: repair and run it, sweeps over machines, comparison, verification, copies to MLflow."""

from bsn import program

program.begin()
