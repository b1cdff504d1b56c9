"""Log the finished study to MLflow: one run with its tables and figures, and one run per method."""

from pathlib import Path

from study.params import load
from study.provenance import Origin, environment
from study.runner import run_stage
from study.tracking.recording import record_study
from study.tracking.runs import study_run
from study.tracking.sync import copy_briefly

OUT = Path("data/recorded")


def record() -> None:
    """Log the study, and copy it to the server that MLFLOW_TRACKING_URI names, if any."""
    params = load()
    record_study(study_run(params, Origin.here()), tags=environment())
    copy_briefly()
    OUT.write_text("mlflow.db has this study\n")


if __name__ == "__main__":
    run_stage(record)
