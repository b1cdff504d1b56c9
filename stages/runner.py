"""How every stage starts and how it fails: one clear line instead of a traceback for what a user can cause."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from bsn.disk import FULL
from bsn.errors import InputError

# Two stages side by side (dvc repro -s in two shells) would otherwise spin on each other's cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def run_stage(stage: Callable[..., None]) -> None:
    """Call `stage` with the command line's arguments; an InputError becomes its own text and exit status 1."""
    try:
        stage(*sys.argv[1:])
    except InputError as error:
        sys.exit(f"{stage.__name__}: {error}")
    except OSError as error:
        if error.errno not in FULL:
            raise
        place = error.filename or Path.cwd()
        sys.exit(f"{stage.__name__}: the disk of {place} is full; free some space and run the same command again")
