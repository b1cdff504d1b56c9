"""`make verify`: compared values, their tolerances, and the command on a project of three small stages."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from experiments import verify
from tests.study.test_provenance import git
from tests.waiting import HUNG

ROOT = Path(__file__).parents[2]
METHOD = {
    "method": "bsn",
    "parameters": 209902,
    "sets": {
        "pfcn": {"photos": 60, "mean_iou": 0.9, "boundary_f": 0.5, "band": {"2": 0.3}},
        "coco": {"photos": 15, "mean_iou": 0.8},
    },
}
TABLES = {"pfcn": {"bsn": {"mean_iou": 0.9}}, "coco": {"bsn": {"mean_iou": 0.8}}, "portraits": {"coco": 15}}
TABLE_1 = """set,method,mean_iou_paper,mean_iou,gain,photos
pfcn,graph_cut,0.8,0.84,-0.08,60
pfcn,bsn,0.967,0.9,,60
"""


def checkout(folder, *, method=METHOD, tables=TABLES, table=TABLE_1):
    for name in ("metrics/methods", "reports"):
        (folder / name).mkdir(parents=True)
    (folder / "metrics/methods/bsn.json").write_text(json.dumps(method))
    (folder / "metrics/methods/graph_cut.json").write_text(json.dumps({**method, "method": "graph_cut"}))
    (folder / "metrics/tables.json").write_text(json.dumps(tables))
    (folder / "reports/table1.csv").write_text(table)
    return verify.read(folder)


@pytest.fixture
def committed(tmp_path):
    return checkout(tmp_path / "committed")


def test_equal_numbers_are_verified(tmp_path, committed):
    again = checkout(tmp_path / "again")
    assert verify.find_differences(committed, again, exact=True) == []
    assert verify.verdict("0123456789ab", committed, []) == (
        "commit 0123456789 is verified: all 27 values are the committed ones"
    )


def test_a_small_difference_fails_if_bytes_are_pinned_and_passes_otherwise(tmp_path, committed):
    again = checkout(tmp_path / "again", table=TABLE_1.replace("bsn,0.967,0.9,", "bsn,0.967,0.900001,"))
    (found,) = verify.find_differences(committed, again, exact=True)
    assert str(found) == (
        "reports/table1.csv pfcn.bsn.mean_iou: committed 0.9, now 0.900001, difference 0.000001, "
        "allowed 0 <- more than allowed"
    )
    (found,) = verify.find_differences(committed, again, exact=False)
    assert not found.too_large
    assert verify.verdict("0123456789ab", committed, [found]) == (
        "commit 0123456789 is verified: 1 of 27 values differ, none by more than is allowed"
    )


@pytest.mark.parametrize(
    ("file", "key", "allowed"),
    [
        ("metrics/methods/bsn.json", "sets.pfcn.mean_iou", 0.03),
        ("metrics/methods/bsn.json", "sets.coco.mean_iou", 0.06),  # a quarter of the photos, so twice the tolerance
        ("metrics/tables.json", "coco.bsn.mean_iou", 0.06),
        ("metrics/methods/bsn.json", "sets.pfcn.band.2", 0.1),
        ("metrics/methods/graph_cut.json", "sets.pfcn.mean_iou", 0.005),
        ("reports/table1.csv", "pfcn.graph_cut.mean_iou", 0.005),
        ("reports/table1.csv", "pfcn.graph_cut.gain", 0.04),  # the gain over a trained network
        ("reports/table1.csv", "pfcn.bsn.mean_iou_paper", 0),
        ("reports/table1.csv", "pfcn.bsn.photos", 0),
        ("metrics/methods/bsn.json", "parameters", 0),
        ("metrics/tables.json", "portraits.coco", 0),
    ],
)
def test_each_metric_has_its_own_tolerance_and_counts_have_none(file, key, allowed):
    assert verify.allowance(file, key, {"pfcn": 60, "coco": 15}) == pytest.approx(allowed)


def test_a_difference_equal_to_the_tolerance_passes_and_a_larger_one_or_nan_fails():
    assert not verify.Difference("", "", 0.9, 0.93, 0.03).too_large
    assert verify.Difference("", "", 0.9, 0.93001, 0.03).too_large
    assert verify.Difference("", "", 0.9, float("nan"), 0.03).too_large


def test_missing_and_added_values_count_as_too_large_differences(tmp_path, committed):
    sets = {**METHOD["sets"], "coco": {"absent": "no photo"}}
    again = checkout(tmp_path / "again", method={**METHOD, "sets": sets})
    del again["metrics/tables.json"]
    found = verify.find_differences(committed, again, exact=False)
    assert all(difference.too_large for difference in found)
    lines = [str(difference) for difference in found]
    assert (
        "metrics/methods/bsn.json sets.coco.absent: committed None, now no photo, difference -, allowed 0 <- more"
        in lines[0]
    )
    assert sum("metrics/tables.json" in line for line in lines) == 3


@pytest.mark.parametrize(("profile", "expected"), [("instructions: avx2", True), ("instructions: native", False)])
def test_bytes_are_pinned_if_the_profile_fixes_the_instruction_set(tmp_path, profile, expected):
    set_profile(tmp_path, profile)
    assert verify.pins_instructions(tmp_path) is expected
    set_profile(tmp_path, "data: {}")
    assert not verify.pins_instructions(tmp_path)


def set_profile(folder, text):
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "params.yaml").write_text("profile: toy\n")
    (folder / "profiles/toy.yaml").write_text(text)


STAGES = {
    "draw": {"cmd": "printf 3 > drawn", "outs": ["drawn"]},
    "measure": {
        "cmd": "python measure.py",
        "deps": ["drawn", "measure.py"],
        "metrics": [{"metrics/methods/bsn.json": {"cache": False}}],
    },
    "tables": {
        "cmd": "mkdir -p reports && printf 'set,method,mean_iou\\npfcn,bsn,0.3\\n' > reports/table1.csv",
        "deps": ["metrics/methods/bsn.json"],
        "outs": [{"reports/table1.csv": {"cache": False}}],
    },
}
MEASURE = """import json, os, pathlib
assert "MLFLOW_TRACKING_URI" not in os.environ
pathlib.Path("metrics/methods").mkdir(parents=True, exist_ok=True)
value = int(pathlib.Path("drawn").read_text()) / 10
pathlib.Path("metrics/methods/bsn.json").write_text(json.dumps({"sets": {"pfcn": {"photos": 60, "mean_iou": value}}}))
"""


@pytest.fixture
def project(tmp_path):
    """Three stages, run once in a git repository."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    (folder / "measure.py").write_text(MEASURE)
    set_profile(folder, "instructions: native")
    git(folder, "init", "--quiet")
    for command in (["init", "--quiet"], ["repro", "--quiet"]):
        subprocess.run([Path(sys.executable).parent / "dvc", *command], cwd=folder, env=variables(), check=True)
    return folder


def variables():
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**{k: v for k, v in os.environ.items() if not k.startswith("DVC")}, "PATH": path, "PYTHONPATH": str(ROOT)}


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "the study")
    return git(folder, "rev-parse", "HEAD")[:10]


def run(folder, *options):
    done = subprocess.run(
        [sys.executable, "-m", "experiments.verify", *options],
        cwd=folder,
        env={**variables(), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()


def test_verify_reruns_the_commit_in_a_clone_and_finds_a_number_that_it_does_not_give(project, tmp_path):
    head = commit(project)
    keep = tmp_path / "kept"
    code, lines = run(project, "--keep", str(keep))
    assert (code, lines[-1]) == (0, f"commit {head} is verified: all 3 values are the committed ones"), lines
    assert {line for line in lines if line.startswith("Running stage")} == {
        f"Running stage '{name}':" for name in STAGES
    }
    assert (keep / "drawn").exists()
    assert run(project, "--keep", str(keep)) == (1, [f"verify: {keep} is not empty; name a new folder"])

    # Neither the user's cache nor the committed lock may replace a run of the stage.
    file = project / "metrics/methods/bsn.json"
    file.write_text(file.read_text().replace("0.3", "0.4"))
    code, lines = run(project)
    assert (code, lines) == (
        1,
        [
            "verify: metrics/methods/bsn.json: changed since the last commit, which is what is cloned; "
            "commit or stash it"
        ],
    )
    subprocess.run([Path(sys.executable).parent / "dvc", "commit", "--force", "--quiet"], cwd=project, check=True)
    head = commit(project)
    code, lines = run(project)
    assert code == 1
    assert lines[-2:] == [
        "metrics/methods/bsn.json sets.pfcn.mean_iou: committed 0.4, now 0.3, difference 0.100000, allowed 0.03 "
        "<- more than allowed",
        f"commit {head} is NOT verified: 1 of 3 values differ by more than is allowed",
    ]


@pytest.mark.parametrize("whole_group", [True, False], ids=["Ctrl-C in a terminal", "SIGINT to the parent only"])
def test_an_interrupt_waits_for_dvc_and_ends_with_one_line(project, tmp_path, whole_group):
    (project / "measure.py").write_text(
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\ntime.sleep(60)"
    )
    commit(project)
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.verify"],
        cwd=project,
        env={**variables(), "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines = []
    while not lines or "python measure.py" not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    time.sleep(0.5)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=HUNG)
    assert process.returncode == 130
    assert rest.splitlines()[-1] == "verify: interrupted; nothing was compared; run the same command again"
    assert "Traceback" not in rest
    assert "failed to run: python measure.py" in rest  # DVC's own error message
    assert not list(tmp_path.glob("verify-*"))


def test_a_failing_stage_s_message_is_shown_and_the_last_line_says_not_verified(project):
    (project / "measure.py").write_text(
        "raise SystemExit('data.folder = /nowhere is refused; there is no such folder')"
    )
    head = commit(project)
    code, lines = run(project)
    assert code == 1
    assert "data.folder = /nowhere is refused; there is no such folder" in lines
    assert lines[-1] == f"verify: commit {head} is not verified: dvc repro failed in the clone, see above"
