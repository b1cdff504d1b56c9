"""Records of a finished pipeline run in MLflow and `dvc plots`."""

import json
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from tests.miniature import TRAINED

CURVES = ["Training loss", "Band IoU", "BSN by photo"]


def test_dvc_plots_show_and_diff_have_the_curves_and_the_figures_of_the_page(project):
    def plotted(*command: str) -> dict[str, list[dict]]:
        shown = json.loads(project.run("dvc", "plots", *command, "--json", "--out", "plots").split("\n")[0])
        assert "errors" not in shown
        return shown["data"]

    shown = plotted("show", "--split")
    points = {name: shown[name][0]["anchor_definitions"]["<DVC_METRIC_DATA>"] for name in CURVES}
    # The template methods.json distinguishes the methods by these two.
    assert {point["field"] for point in points["Training loss"]} == {"loss_segmentation"}
    losses = {Path(point["filename"]).parent.name for point in points["Training loss"]}
    assert losses == set(TRAINED)
    assert {point["field"] for point in points["Band IoU"]} == {"graph_cut", "mean_mask", *TRAINED}
    assert len(points["BSN by photo"]) == 3
    captions = json.loads((project.folder / "reports/captions.json").read_text("utf-8"))
    assert set(shown) == {*CURVES, *(f"reports/figures/{caption['file']}" for caption in captions)}
    both = plotted("diff", "HEAD", "--split", "--targets", "Band IoU")
    assert set(both["Band IoU"][0]["revisions"]) == {"HEAD", "workspace"}
    project.run("git", "clean", "--force", "--quiet", "-d", "plots")


def test_mlflow_has_one_child_run_per_method_with_parameters_curves_metrics_and_pictures(project):
    client = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("bsn-mini")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    study = runs.pop("repro without a commit")
    assert set(runs) == {"mean_mask", "graph_cut", *TRAINED}
    assert {run.info.status for run in (study, *runs.values())} == {"FINISHED"}
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {study.info.run_id}
    tables = {file.path for file in client.list_artifacts(study.info.run_id, "tables")}
    assert tables == {f"tables/table{number}.{kind}" for number in (1, 2, 3) for kind in ("csv", "md")}
    assert {file.path for file in client.list_artifacts(study.info.run_id, "figures")} >= {"figures/figure7.jpg"}

    bsn = runs["bsn"]
    assert bsn.data.params["kernel.width"] == study.data.params["kernel.width"] == "10"
    assert bsn.data.params["methods.bsn.weight"] == "global"
    data = yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]["download@pfcn"]["outs"][0]["md5"]
    assert bsn.data.tags["data.pfcn"] == study.data.tags["data.pfcn"] == data
    assert bsn.data.tags["profile"] == "mini"
    assert "cores of" in bsn.data.tags["machine"]
    assert "cores of" in study.data.tags["machine"]
    assert set(bsn.data.tags) >= {"instructions", "packages"}
    assert bsn.data.metrics["pfcn/seconds_per_photo"] > 0
    metrics = json.loads((project.folder / "metrics/methods/bsn.json").read_text())
    assert bsn.data.metrics["pfcn/mean_iou"] == pytest.approx(metrics["sets"]["pfcn"]["mean_iou"])
    assert study.data.metrics["bsn/mean_iou"] == pytest.approx(metrics["sets"]["pfcn"]["mean_iou"], abs=1e-4)
    assert [point.step for point in client.get_metric_history(bsn.info.run_id, "train/loss")] == [3, 6]
    assert len(client.list_artifacts(bsn.info.run_id, "examples")) == 4
    models = client.search_logged_models([experiment.experiment_id])
    assert {model.name for model in models} == set(TRAINED)
    (model,) = [model for model in models if model.name == "bsn"]
    assert model.source_run_id == bsn.info.run_id
    assert "mlflow models serve -m models:/" in project.first_output
