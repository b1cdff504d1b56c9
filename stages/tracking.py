"""What every tracked stage tells MLflow about where it runs."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

from stages.params import Params


def track(params: Params, name: str, *, weights: str | None = None) -> AbstractContextManager:
    """A run of `name` in this project's MLflow: MLFLOW_TRACKING_URI, or mlflow.db beside dvc.yaml.

    DVC_ROOT is the user's own checkout even when DVC works in a temporary copy (`dvc exp run --temp`).
    """
    from bsn.tracking import Store, tracked_run

    root = Path(os.environ.get("DVC_ROOT", ".")).resolve()
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    store = Store(
        uri=uri or f"sqlite:///{root}/mlflow.db",
        experiment=f"bsn-{params.profile}",
        artifacts=None if uri else root / "mlartifacts",
    )
    tags = {"method": name, "profile": params.profile, "dvc.experiment": os.environ.get("DVC_EXP_NAME", "")}
    return tracked_run(store, name=name, params=params.flat(), tags=tags, weights=weights)
