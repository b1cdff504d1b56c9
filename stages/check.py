"""Check params.yaml, its profile and sources.yaml before any other stage starts."""

from pathlib import Path

from bsn.errors import InputError
from study.checking import read_yaml
from study.datasets.downloads import load_sources
from study.params import load
from study.runner import run_stage

# Its content never changes, so that a changed parameter re-runs this stage and not all others.
OUT = Path("data/checked")
PIPELINE = Path("dvc.yaml")


def check() -> None:
    """Raise InputError, one line per invalid value."""
    params = load()
    load_sources()
    trained = read_yaml(PIPELINE)["stages"]["train_base"]["foreach"]
    for key, method in params.methods.items():
        if method.base not in trained:
            raise InputError(
                f"methods.{key}: {PIPELINE} has no train_base@{method.base}; add it beside the others there"
            )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("params.yaml, its profile and sources.yaml were read and found good\n", "utf-8")


if __name__ == "__main__":
    run_stage(check)
