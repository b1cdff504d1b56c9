"""trials/dvc.yaml: readings of eq. (1) and (6), and several seeds per method."""

import json

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

STAGE_OF_TRIAL = {
    "base": "base",
    "plain": "phase_two",
    "printed": "hard_labels",
    "bsn_ac": "phase_two",
    "closeness": "soft_labels",
    "bsn": "both_kernels",
}


def trial_stage(trial: str) -> str:
    stage, variant = STAGE_OF_TRIAL[trial.split("-")[0]], trial.removeprefix("base-")
    return f"trials/dvc.yaml:{stage}@{variant}"


def test_the_trials_pipeline_runs_readings_and_seeds_and_reruns_only_affected_trials(project):
    tried = ("base-1", "base-2", "plain-1", "plain-2", "bsn_ac-1", "closeness-1", "printed-1", "bsn-1", "bsn-2")
    project.run("dvc", "repro", "--single-item", *map(trial_stage, tried))
    assert set(map(trial_stage, tried)) <= project.stages_that_ran()
    found = json.loads((project.folder / "metrics/trials/mini/closeness-1.json").read_text())
    assert (found["method"], found["seed"], found["pfcn"]["photos"]) == ("bsn_ik", 1, 3)
    photos = pd.read_csv(project.folder / "metrics/trials/mini/photos/closeness-1.csv")
    assert photos["set"].value_counts().to_dict() == {"pfcn": 3, "validation": 2}
    assert photos[photos["set"] == "pfcn"]["iou"].mean() == pytest.approx(found["pfcn"]["mean_iou"], abs=1e-5)

    curves = pd.read_csv(project.folder / "metrics/trials/mini/curves/closeness-1.csv")
    assert (curves["iteration"].tolist(), curves["phase"].tolist()) == ([3, 6], [1, 2])

    # The reports cover the trials that have run, here not all.
    project.run("python", "-m", "stages.readings")
    table = (project.folder / "reports/mini/readings.md").read_text()
    assert "| BSN_IK, eq. (1), `closeness`: 1 - d / d_max (in params.yaml) | 1 |" in table
    assert "| BSN_GK, eq. (6), `printed`: likely boundary places weigh a | 1 |" in table
    project.run("python", "-m", "stages.seeds")
    table = pd.read_csv(project.folder / "reports/mini/seeds.csv").set_index("method")
    assert table["seeds"].to_dict() == {"portrait_deeplab": 2, "bsn_ac": 1, "bsn_ik": 1, "bsn": 2}
    assert table.loc["bsn", "mean_iou_gain_low"] <= table.loc["bsn", "mean_iou_gain"]

    client = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("bsn-mini").experiment_id
    (run,) = client.search_runs([experiment], "attributes.run_name = 'trial closeness-1'")
    assert run.data.params["kernel.reading"] == "closeness"
    assert run.data.metrics["pfcn/mean_iou"] == pytest.approx(found["pfcn"]["mean_iou"])
    trials = client.get_run(run.data.tags["mlflow.parentRunId"])
    assert (trials.info.run_name, trials.info.status) == ("trials", "FINISHED")
    files = {file.path for file in client.list_artifacts(trials.info.run_id, "tables")}
    assert files == {f"tables/{name}.{kind}" for name in ("readings", "seeds", "seeds_bands") for kind in ("csv", "md")}

    # BSN_AC continues from PortraitDeepLabv2's first phase.
    curves = [pd.read_json(project.folder / f"data/phase_one/plain-{seed}/state.json") for seed in (1, 2)]
    assert not curves[0].equals(curves[1])
    assert set(pd.read_csv(project.folder / "metrics/trials/mini/photos/bsn_ac-1.csv")["hair"]) <= {"long", "short"}

    # A change reruns only the trials that depend on it.
    text = (project.folder / "params.yaml").read_text()
    for section, name, value, again in (
        ("kernel", "reading", "sum", {"bsn-1", "bsn-2"}),
        ("kernel", "width", 15, {"bsn-1", "bsn-2", "closeness-1"}),
        ("global_kernel", "reading", "printed", {"bsn-1", "bsn-2"}),
        ("global_kernel", "a", 0.5, {"bsn-1", "bsn-2", "printed-1"}),
    ):
        params = yaml.safe_load(text)
        params[section][name] = value
        (project.folder / "params.yaml").write_text(yaml.safe_dump(params))
        invalidated = project.invalidated()
        assert {trial for trial in tried if trial_stage(trial) in invalidated} == again
