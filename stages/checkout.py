"""The user's own checkout: where to keep what must outlive a job of `dvc exp run --temp` or `--queue`."""

import os
from pathlib import Path


def checkout() -> Path:
    """The project's folder; DVC names it in DVC_ROOT even when it works in a copy that it deletes afterwards."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()
