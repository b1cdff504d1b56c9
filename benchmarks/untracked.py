"""A stage as it is without MLflow: `python -m benchmarks.untracked stages.train bsn`."""

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import study.tracking.stages
from study.tracking import Run


@contextmanager
def _silent(*_: Any) -> Iterator[Run]:
    yield Run()


def silence() -> None:
    """Have the stages of this process tell MLflow nothing."""
    study.tracking.stages.tracked_run = _silent
    study.tracking.stages.post = lambda *_, **__: None


def main() -> None:
    silence()
    _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main()
