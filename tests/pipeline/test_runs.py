"""The pipeline's stages run in one command, and a change reruns only the stages that depend on it."""

import json

import pytest
import yaml
from mlflow import MlflowClient
from safetensors.torch import load_file

from study.datasets.index import read_faces, read_index
from tests.miniature import TRAINED


def test_every_stage_of_the_graph_runs_in_one_command(project):
    listed = project.run("dvc", "stage", "list", "--name-only").split()
    assert project.first == set(listed)


def test_the_tables_have_all_methods_and_are_marked_as_drawn(project):
    table = (project.folder / "reports/table1.md").read_text()
    for name in ("Graph-cut", "PortraitFCN+", "PortraitDeepLabv2", "BSN_AC", "BSN_GK", "BSN_IK", "BSN"):
        assert f"| {name} " in table
    assert "drawn data, not comparable with the paper" in table
    headline = json.loads((project.folder / "metrics/tables.json").read_text())
    assert set(headline["pfcn"]) == {"graph_cut", *TRAINED}
    assert (project.folder / "reports/index.html").stat().st_size > 1000


@pytest.mark.parametrize("name", ["pfcn", "coco", "cocostuff", "voc"])
def test_every_kept_photo_has_landmarks_and_an_alignment_or_is_recorded_without_a_face(project, name):
    kept = [row.id for row in read_index(project.folder / "data/portraits" / name / "index.csv") if row.kept]
    faces = read_faces(project.folder / "data/faces" / f"{name}.csv")
    assert kept
    assert list(faces) == kept
    for face in faces.values():
        assert face.source in (("tracker", "mtcnn", "none") if name == "pfcn" else ("mtcnn",))
        assert (face.points is None) == (face.affine is None) == (face.source == "none")


def test_a_second_repro_runs_nothing_and_leaves_git_clean(project):
    project.run("dvc", "repro")
    assert project.stages_that_ran() == set()
    assert project.run("git", "status", "--porcelain") == ""
    assert json.loads(project.run("dvc", "status", "--json", "dvc.yaml")) == {}


def test_an_invalid_parameter_stops_the_run_at_the_check_stage(project):
    with pytest.raises(AssertionError) as caught:
        project.run("dvc", "exp", "run", "--set-param", "kernel.width=0")
    assert "kernel.width = 0 is refused; allowed: pixels of the 800x600 frame" in str(caught.value)
    assert project.stages_that_ran() == {"check"}
    project.run("git", "checkout", "--quiet", ".")
    project.run("dvc", "checkout", "--force", "--quiet")  # the check's out, which its failure has removed


@pytest.mark.parametrize(
    ("section", "name", "value", "reached"),
    [
        ("methods", "bsn_gk", {"attribute": "hair"}, {"train@bsn_gk", "evaluate@bsn_gk"}),
        (
            "global_kernel",
            "a",
            0.5,
            {
                "loss_weights@global",
                "train_base@deeplab-hard-global",
                "train_base@deeplab-soft-global",
                "train@bsn_gk",
                "train@bsn",
                "evaluate@bsn_gk",
                "evaluate@bsn",
            },
        ),
    ],
)
def test_a_parameter_change_invalidates_only_the_stages_that_depend_on_it(project, section, name, value, reached):
    params = yaml.safe_load((project.folder / "params.yaml").read_text())
    known = params[section][name]
    params[section][name] = {**known, **value} if isinstance(known, dict) else value
    (project.folder / "params.yaml").write_text(yaml.safe_dump(params))
    again = {name for name in project.invalidated() if not name.startswith("trials/")}
    project.run("git", "checkout", "--quiet", ".")
    # Tables, figures and the page depend on every evaluation.
    assert again == reached | {"tables", "figures", "report", "record"}


def test_torchrun_with_two_processes_gives_the_stage_s_weights_and_logs_one_run(project):
    weights = project.folder / "models/bsn/weights.safetensors"
    client = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("bsn-mini").experiment_id
    alone, runs = load_file(weights), len(client.search_runs([experiment], "tags.kind = 'method'"))
    weights.unlink()
    project.run("torchrun", "--nproc-per-node", "2", "--module", "stages.train", "bsn")
    together = load_file(weights)
    assert max((alone[name] - together[name]).abs().max().item() for name in alone) < 1e-4
    assert len(client.search_runs([experiment], "tags.kind = 'method'")) == runs + 1
    project.run("dvc", "checkout", "--force", "--quiet")
