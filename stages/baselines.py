"""Write a baseline's parameters as a model folder, models/<name>/; nothing is trained."""

from pathlib import Path

from bsn.model_format import ModelDescription
from study.checking import require_choice
from study.params import load
from study.runner import run_stage

OUT = Path("models")


def baselines(name: str) -> None:
    """Write one baseline's model folder."""
    options = {"graph_cut": load().graph_cut.model_dump(), "mean_mask": {}}
    require_choice("baseline", name, options)
    (OUT / name).mkdir(parents=True, exist_ok=True)
    ModelDescription(network=name, options=options[name]).write(OUT / name)


if __name__ == "__main__":
    run_stage(baselines)
