"""The whole study on a miniature: the real stages, the real DVC, a few photos and a few steps."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml
from dvc.repo import Repo
from mlflow import MlflowClient
from networkx import ancestors
from safetensors.torch import load_file

from study.datasets.index import read_faces, read_index
from tests.traces import traces

ROOT = Path(__file__).parents[1]
CURVES = ["Training loss", "Band IoU", "BSN by photo"]
TRAINED = ["portrait_fcn", "portrait_deeplab", "bsn_ac", "bsn_gk", "bsn_ik", "bsn"]
# By the clone of the miniature.
TAKEN = [
    *(f"train_base@deeplab-{kind}" for kind in ("hard-uniform", "hard-global", "soft-uniform")),
    *(f"{stage}@{name}" for stage in ("train", "evaluate") for name in TRAINED if name not in ("portrait_fcn", "bsn")),
]


def miniature() -> dict:
    """The sketch profile with almost nothing of everything."""
    profile = yaml.safe_load((ROOT / "profiles/sketch.yaml").read_text())
    profile["data"]["draw"].update(
        pfcn={"train": 6, "test": 3},
        coco={"portraits": 2, "others": 1},
        cocostuff={"portraits": 1, "others": 1},
        voc={"portraits": 2, "others": 1},
    )
    profile["data"]["validation"] = [2, 3]
    for network in profile["networks"].values():
        network.update(size=[64, 48], crop=[48, 40], base_width=8, batch=2)
        for phase in network["phases"]:
            phase["iterations"] = 3
    return profile


class Project:
    """A clone of this project in a folder of its own, with its own git and DVC."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = ""

    def run(self, *command: str) -> str:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        # The tests' own settings must not leak in: the clone tracks into a database of its own.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("DVC", "MLFLOW", "GIT"))}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**environment, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        self.output = done.stdout + done.stderr
        assert done.returncode == 0, self.output[-4000:]
        return self.output

    def stages_that_ran(self) -> set[str]:
        return set(re.findall(r"Running stage '([^']+)'", self.output))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder, none = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("none")
    # Listed by an empty repository, as this may be a ZIP download, or another user's folder in a container.
    subprocess.run(["git", "init", "--quiet", "--bare", none], check=True)
    listed = subprocess.run(
        ["git", f"--git-dir={none}", f"--work-tree={ROOT}", "ls-files", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        # What the last run of the pipeline left in git is not part of a fresh start.
        if (
            (name.split("/")[0] in ("metrics", "reports", "tests") and not name.endswith(".gitignore"))
            or name.endswith("dvc.lock")
            or not (ROOT / name).is_file()
        ):
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "profiles/mini.yaml").write_text(yaml.safe_dump(miniature()))
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace("profile: sketch", "profile: mini"))
    made = Project(folder)
    made.run("git", "init", "--quiet")
    made.run("git", "config", "user.email", "test@example.org")
    made.run("git", "config", "user.name", "test")
    made.run("dvc", "repro")
    made.first, made.first_output = made.stages_that_ran(), made.output
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "the miniature study")
    return made


def test_every_stage_of_the_graph_runs_in_one_command(project):
    listed = project.run("dvc", "stage", "list", "--name-only").split()
    assert project.first == set(listed)


def test_the_tables_hold_all_methods_and_all_sets(project):
    table = (project.folder / "reports/table1.md").read_text()
    for name in ("Graph-cut", "PortraitFCN+", "PortraitDeepLabv2", "BSN_AC", "BSN_GK", "BSN_IK", "BSN"):
        assert f"| {name} " in table
    assert "drawn data: not comparable with the paper" in table
    headline = json.loads((project.folder / "metrics/tables.json").read_text())
    assert set(headline["pfcn"]) == {"graph_cut", *TRAINED}
    assert (project.folder / "reports/index.html").stat().st_size > 1000


@pytest.mark.parametrize("name", ["pfcn", "coco", "cocostuff", "voc"])
def test_every_kept_photo_of_every_set_has_its_landmarks_and_alignment_or_says_that_no_face_was_found(project, name):
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


def test_dvc_leaves_every_gitignore_as_it_is_committed(project):
    listed = project.run("git", "ls-files", "*.gitignore").splitlines()
    assert "reports/.gitignore" in listed
    for name in listed:
        assert (project.folder / name).read_text() == (ROOT / name).read_text(), name


@pytest.fixture(scope="module")
def twin(project, tmp_path_factory) -> Project:
    """A clone of the committed miniature, run from nothing on one core, in another time zone and with other hashes.

    Of the networks only PortraitFCN+ and BSN are made again: the others are parts of BSN, and cost a minute.
    """
    made = Project(tmp_path_factory.mktemp("elsewhere") / "clone")
    project.run("git", "clone", "--quiet", str(project.folder), str(made.folder))
    made.run("dvc", "remote", "add", "--local", "--default", "first", str(project.folder / ".dvc/cache"))
    made.run("dvc", "pull", "--quiet", *TAKEN)
    available = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(available)})
    try:
        made.run("env", "TZ=Asia/Tokyo", "PYTHONHASHSEED=7", "dvc", "repro")
    finally:
        os.sched_setaffinity(0, available)
    made.first = made.stages_that_ran()
    return made


def test_a_clone_that_runs_everything_again_has_the_same_outs_and_a_clean_git_status(project, twin):
    assert twin.first <= project.first - set(TAKEN)
    # The start of FCN-8s has the bytes of DeepLabv2's, which DVC has by then; all outs of the tables are in git.
    assert project.first - set(TAKEN) - twin.first <= {"pretrained@fcn8s", "tables"}
    assert twin.run("git", "status", "--porcelain") == ""
    # DVC's hash of every out, in git or not.
    assert (twin.folder / "dvc.lock").read_bytes() == (project.folder / "dvc.lock").read_bytes()


def test_no_out_holds_a_trace_of_the_machine_or_the_moment(twin):
    stages = yaml.safe_load((twin.folder / "dvc.lock").read_text())["stages"]
    outs = {twin.folder / out["path"] for stage in stages.values() for out in stage["outs"]}
    files = {file for out in outs for file in (out, *out.rglob("*")) if file.is_file()}
    # Drawn in the official formats, which have dates of their own.
    files = {file for file in files if "raw" not in file.parts}
    assert {str(file): found for file in files if (found := traces(file))} == {}


def test_the_seconds_per_photo_of_every_method_that_was_evaluated_here_are_printed(twin):
    shown = twin.run("python", "-m", "stages.timings")
    head = twin.run("git", "rev-parse", "HEAD")[:10]
    assert f"Commit {head}; torch" in shown
    rows = re.findall(r"^(\S+|Mean mask)(?: +[\d.]+){4}$", shown, re.MULTILINE)
    assert rows == ["Graph-cut", "PortraitFCN+", "BSN", "Mean mask"]


def test_mlflow_has_the_study_of_a_clone_whose_numbers_are_all_the_committed_ones(twin):
    client = MlflowClient(f"sqlite:///{twin.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("bsn-mini").experiment_id
    (study,) = client.search_runs([experiment], "tags.kind = 'study'")
    assert study.info.status == "FINISHED"
    assert "bsn/mean_iou" in study.data.metrics
    assert {file.path for file in client.list_artifacts(study.info.run_id)} == {"tables", "figures"}


def test_dvc_plots_show_and_compare_what_the_page_shows(project):
    def plotted(*command: str) -> dict[str, list[dict]]:
        shown = json.loads(project.run("dvc", "plots", *command, "--json", "--out", "plots").split("\n")[0])
        assert "errors" not in shown
        return shown["data"]

    shown = plotted("show", "--split")
    points = {name: shown[name][0]["anchor_definitions"]["<DVC_METRIC_DATA>"] for name in CURVES}
    # By these two the template methods.json tells the methods apart.
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


def test_mlflow_holds_the_study_over_one_run_a_method_with_parameters_curves_metrics_and_pictures(project):
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
    assert not list((project.folder / "outbox").glob("[0-9]*"))


def test_a_bad_parameter_stops_the_run_before_any_stage_works(project):
    with pytest.raises(AssertionError) as caught:
        project.run("dvc", "exp", "run", "--set-param", "kernel.width=0")
    assert "kernel.width = 0 is refused; allowed: pixels of the 800x600 frame" in str(caught.value)
    assert project.stages_that_ran() == {"check"}
    project.run("git", "checkout", "--quiet", ".")
    project.run("dvc", "checkout", "--force", "--quiet")  # the check's output, which its failure has removed


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
def test_a_change_reaches_what_depends_on_it_and_nothing_else(project, section, name, value, reached):
    params = yaml.safe_load((project.folder / "params.yaml").read_text())
    known = params[section][name]
    params[section][name] = {**known, **value} if isinstance(known, dict) else value
    (project.folder / "params.yaml").write_text(yaml.safe_dump(params))
    # The check reads every parameter, and writes what it wrote before.
    changed = set(json.loads(project.run("dvc", "status", "--json", "dvc.yaml"))) - {"check"}
    with Repo(str(project.folder)) as repo:
        own = {stage.name: stage for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"}
        after = {later.name for name in changed for later in ancestors(repo.index.graph, own[name])}
    project.run("git", "checkout", "--quiet", ".")
    # Tables, figures and the page are made from what was evaluated.
    assert (changed | after) & set(own) == reached | {"tables", "figures", "report", "record"}


def until(done: Callable[[], bool], *, within: float = 600) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + within
    while not done():
        assert time.monotonic() < end
        time.sleep(0.2)


def trainings(project: Project, method: str) -> Iterator[psutil.Process]:
    """Processes that train the method in a job of the project's queue."""
    for process in psutil.process_iter():
        try:
            command, folder = process.cmdline(), Path(process.cwd())
        except (psutil.Error, OSError):
            continue
        if command[-2:] == ["stages.train", method] and project.folder / ".dvc" in folder.parents:
            yield process


def kill_a_training(project: Project, method: str) -> bool:
    for process in trainings(project, method):
        process.send_signal(signal.SIGKILL)
        return True
    return False


@pytest.fixture(scope="module")
def sweep(project) -> dict[str, str]:
    """Three widths through the queue, beside one that is refused and one whose training dies: experiment -> state."""
    for change, name, *targets in (
        # Only as far as the training that is to die.
        ("kernel.width=20", "dies", "train@bsn_ik"),
        ("kernel.width=0", "refused"),
        # The last is what the workspace holds already.
        ("kernel.width=5", "width-5"),
        ("kernel.width=15", "width-15"),
        ("kernel.width=10", "width-10"),
    ):
        project.run("dvc", "exp", "run", "--queue", "--set-param", change, "--name", name, *targets)
    # The worker keeps the streams that it was started with.
    project.run("sh", "-c", "dvc queue start > /dev/null 2>&1")
    until(lambda: kill_a_training(project, "bsn_ik"))
    until(lambda: not re.search(r"Running|Queued|[1-9] (active|idle)", project.run("dvc", "queue", "status")))
    return dict(re.findall(r"^\w{7} +(\S+) .* (\w+)$", project.run("dvc", "queue", "status"), re.MULTILINE))


def test_a_sweep_keeps_all_good_results_beside_jobs_that_fail_and_those_say_why(project, sweep):
    assert sweep == {
        "dies": "Failed",
        "refused": "Failed",
        "width-5": "Success",
        "width-15": "Success",
        "width-10": "Success",
    }
    _, commit = json.loads(project.run("dvc", "exp", "show", "--json", "--hide-failed"))
    shown = {entry["name"]: entry["revs"][0]["data"] for entry in commit["experiments"]}
    for width in (5, 10, 15):
        data = shown[f"width-{width}"]
        assert data["params"]["params.yaml"]["data"]["kernel"]["width"] == width
        assert {method for file in data["metrics"].values() for method in file["data"]} >= set(TRAINED)
    # 10 is the commit's own width: nothing ran, and the numbers are the commit's.
    assert shown["width-10"]["metrics"] == commit["data"]["metrics"]
    project.run("dvc", "queue", "logs", "width-10")
    assert project.stages_that_ran() == set()
    project.run("dvc", "queue", "logs", "width-5")
    bases = {f"train_base@deeplab-soft-{weight}" for weight in ("uniform", "global")}
    reached = {"labels@soft", *bases, "train@bsn_ik", "train@bsn", "evaluate@bsn_ik", "evaluate@bsn"}
    assert project.stages_that_ran() == {"check", *reached, "tables", "figures", "report", "record"}

    table = project.run("python", "-m", "experiments.compare")
    for width in (5, 15):
        assert re.search(rf"^width-{width} +kernel.width={width} +\d", table, re.MULTILINE)
    assert re.search(r"^width-10 +nothing +\d", table, re.MULTILINE)
    assert "\nrefused: check: kernel.width = 0 is refused; allowed: pixels of the 800x600 frame" in table
    assert "\ndies: python -m stages.train bsn_ik was ended by SIGKILL; queue it again" in table
    assert project.run("git", "status", "--porcelain") == ""


def test_mlflow_agrees_with_dvc_on_every_experiment_and_both_know_the_cached_one(project, sweep):
    project.run("python", "-m", "experiments.sync")
    _, commit = json.loads(project.run("dvc", "exp", "show", "--json", "--hide-failed"))
    shown = {}
    for entry in commit["experiments"]:
        data = entry["revs"][0]["data"]
        numbers = {
            f"{method}/{measure}": value
            for file in data["metrics"].values()
            for method, measured in file["data"].items()
            for measure, value in measured.items()
        }
        shown[entry["name"]] = (data["params"]["params.yaml"]["data"]["kernel"]["width"], numbers)

    client = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("bsn-mini").experiment_id
    studies = client.search_runs([experiment], "tags.kind = 'study' and tags.dvc.experiment != ''")
    told = {run.info.run_name: (int(run.data.params["kernel.width"]), run.data.metrics) for run in studies}
    finished = {name: told[name] for name in shown}
    assert finished == shown
    # A job that died may have a run too, and no numbers.
    statuses = {run.info.run_name: (run.info.status, run.data.metrics) for run in studies}
    assert statuses.get("dies", ("FAILED", {})) == ("FAILED", {})  # where it came as far as that
    assert set(statuses) - set(shown) <= {"dies"}

    names = {run.info.run_id: run.info.run_name for run in client.search_runs([experiment], max_results=500)}
    for study in studies:
        parts = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{study.info.run_id}'")
        origins = {run.info.run_name: names.get(run.data.tags.get("trained_in")) for run in parts}
        if study.info.run_name == "width-10":
            assert origins == {"mean_mask": None, "graph_cut": None, **{name: name for name in TRAINED}}
        elif study.info.run_name != "dies":
            untrained = set(TRAINED) - {"bsn", "bsn_ik"}
            fresh = dict.fromkeys(("mean_mask", "graph_cut", "bsn", "bsn_ik"))
            assert origins == {**fresh, **{name: name for name in untrained}}
    # Told once.
    assert "of 0 of DVC's studies" in project.run("python", "-m", "experiments.sync")


STAGE_OF_TRIAL = {
    "base": "base",
    "plain": "hard_labels",
    "printed": "hard_labels",
    "bsn_ac": "hard_labels",
    "closeness": "soft_labels",
    "bsn": "both_kernels",
}


def trial_stage(trial: str) -> str:
    stage, variant = STAGE_OF_TRIAL[trial.split("-")[0]], trial.removeprefix("base-")
    return f"trials/dvc.yaml:{stage}@{variant}"


def trials_that_ran(project: Project, trials: Sequence[str]) -> set[str]:
    return {trial for trial in trials if trial_stage(trial) in project.stages_that_ran()}


def test_the_readings_are_tried_by_a_pipeline_of_their_own_and_the_seeds_beside_them(project):
    tried = ("base-1", "base-2", "plain-1", "plain-2", "bsn_ac-1", "closeness-1", "printed-1", "bsn-1", "bsn-2")
    project.run("dvc", "repro", "--single-item", *map(trial_stage, tried))
    assert trials_that_ran(project, tried) == set(tried)
    found = json.loads((project.folder / "metrics/trials/mini/closeness-1.json").read_text())
    assert (found["method"], found["seed"], found["pfcn"]["photos"]) == ("bsn_ik", 1, 3)
    photos = pd.read_csv(project.folder / "metrics/trials/mini/photos/closeness-1.csv")
    assert photos["set"].value_counts().to_dict() == {"pfcn": 3, "validation": 2}
    assert photos[photos["set"] == "pfcn"]["iou"].mean() == pytest.approx(found["pfcn"]["mean_iou"], abs=1e-5)

    # The reports are of whatever was tried; here not all of it.
    project.run("python", "-m", "stages.readings")
    table = (project.folder / "reports/mini/readings.md").read_text()
    assert "| BSN_IK, eq. (1): 1 - d / d_max | 1 |" in table
    assert "| BSN_GK, eq. (6): uncertain places weigh a | 1 |" in table
    project.run("python", "-m", "stages.seeds")
    table = pd.read_csv(project.folder / "reports/mini/seeds.csv").set_index("method")
    assert table["seeds"].to_dict() == {"portrait_deeplab": 2, "bsn_ac": 1, "bsn": 2}
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

    # BSN_AC goes on from PortraitDeepLabv2's phase one.
    curves = [pd.read_json(project.folder / f"data/phase_one/plain-{seed}/state.json") for seed in (1, 2)]
    assert not curves[0].equals(curves[1])
    assert set(pd.read_csv(project.folder / "metrics/trials/mini/photos/bsn_ac-1.csv")["hair"]) <= {"long", "short"}

    # Nothing that a trial does not need runs it again.
    text = (project.folder / "params.yaml").read_text()
    for section, name, value, again in (
        ("kernel", "reading", "sum", {"bsn-1", "bsn-2"}),
        ("kernel", "width", 15, {"bsn-1", "bsn-2", "closeness-1"}),
        ("global_kernel", "reading", "printed", {"bsn-1", "bsn-2"}),
        ("global_kernel", "a", 0.5, {"bsn-1", "bsn-2", "plain-1", "plain-2", "bsn_ac-1", "printed-1"}),
    ):
        params = yaml.safe_load(text)
        params[section][name] = value
        (project.folder / "params.yaml").write_text(yaml.safe_dump(params))
        project.run("dvc", "repro", "--single-item", "labels@soft", "loss_weights@global")
        project.run("dvc", "repro", "--dry", "--single-item", *map(trial_stage, tried))
        assert trials_that_ran(project, tried) == again
        project.run("git", "checkout", "--quiet", "params.yaml", "dvc.lock")
        project.run("dvc", "checkout", "--force", "--quiet", "labels@soft", "loss_weights@global")
    project.run("git", "checkout", "--quiet", ".")
    project.run("git", "clean", "--force", "-d", "--quiet")


def test_two_processes_of_torchrun_train_the_stage_s_weights_and_log_one_run(project):
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


def test_a_method_of_the_users_own_learns_two_attributes(project):
    trained = [row.id for row in read_index(project.folder / "data/portraits/pfcn/index.csv") if row.split == "train"]
    rows = [f"{name},{'yes' if number % 2 else 'no'}" for number, name in enumerate(trained[:-1])]
    (project.folder / "attributes/glasses.csv").write_text("\n".join(["id,glasses", *rows, ""]))
    own = "{network: deeplab, labels: hard, weight: uniform, attribute: both}"
    project.run("dvc", "exp", "run", "-S", "+attributes.both=[hair,glasses]", "-S", f"+methods.own={own}")
    # attributes@hair and attributes@none run, as a CSV beside hair's is new, and change nothing.
    assert {"attributes@both", "train@own", "evaluate@own"} <= project.stages_that_ran()
    assert "train@bsn" not in project.stages_that_ran()
    labels = (project.folder / "data/attributes/both.csv").read_text().splitlines()
    assert labels[0] == "id,hair,hair.source,glasses,glasses.source"
    model = json.loads((project.folder / "models/own/model.json").read_text())
    assert model["options"]["attributes"] == 2
    assert json.loads((project.folder / "metrics/methods/own.json").read_text())["sets"]["pfcn"]["photos"] == 3
