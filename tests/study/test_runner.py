"""Start of a stage from the command line; how it ends is tested with bsn.program."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bsn.errors import InputError
from study.runner import run_stage, user_path

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ended(monkeypatch, capsys):
    """Exit status, stdout and stderr of a stage called with these arguments."""

    def end(stage, *arguments):
        monkeypatch.setattr("sys.argv", ["stage", *arguments])
        with pytest.raises(SystemExit) as caught:
            run_stage(stage)
        return caught.value.code or 0, *capsys.readouterr()

    return end


def test_a_stage_gets_its_arguments_and_its_result_is_the_exit_status(ended):
    got = []

    def portraits(set_name: str, other: str = "none") -> int:
        got.append((set_name, other))
        return len(got)

    assert ended(portraits, "coco") == (1, "", "")
    assert ended(portraits, "voc", "some") == (2, "", "")
    assert got == [("coco", "none"), ("voc", "some")]


@pytest.mark.parametrize("arguments", [(), ("coco", "voc", "pfcn")])
def test_a_wrong_number_of_arguments_prints_the_usage(ended, arguments):
    def portraits(set_name: str, other: str = "none") -> None:
        raise AssertionError

    status, _, told = ended(portraits, *arguments)
    assert status == 2
    assert told == f"usage: python -m {__name__} SET_NAME [OTHER]\n"


def test_help_prints_usage_and_the_module_s_docstring_and_exits_with_0(ended):
    def portraits(set_name: str) -> None:
        raise AssertionError

    assert ended(portraits, "--help") == (0, f"usage: python -m {__name__} SET_NAME\n\n{__doc__}\n", "")


def test_a_stage_with_variable_arguments_also_receives_help(ended):
    got = []

    def verify(*arguments: str) -> None:
        got.extend(arguments)

    assert ended(verify, "--help", "x")[0] == 0
    assert got == ["--help", "x"]


def test_a_stage_called_without_its_argument_prints_its_usage():
    done = subprocess.run(
        [sys.executable, "-m", "stages.labels"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "usage: python -m stages.labels KIND\n")


@pytest.mark.parametrize("stage", ["tables", "report", "figures", "labels soft", "train bsn"])
def test_a_stage_run_before_its_inputs_are_made_names_one_and_writes_no_table(tmp_path, stage):
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    shutil.copytree(ROOT / "metrics/methods", tmp_path / "metrics/methods")
    for name in ("params.yaml", "sources.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", *f"stages.{stage}".split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"^\w+: (data|metrics)/\S+\.csv is missing; `dvc repro` makes it$", done.stderr, re.MULTILINE)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert [file for file in tmp_path.glob("reports/*") if file.is_file()] == []


def test_a_users_path_is_beside_the_checkout_in_their_home_or_refused(monkeypatch):
    monkeypatch.setenv("DVC_ROOT", "/project")
    monkeypatch.setenv("HOME", "/home/me")
    assert [str(user_path(text)) for text in ("data", "/data", "~/data")] == ["/project/data", "/data", "/home/me/data"]
    with pytest.raises(InputError, match=r"^'~nobody-of-that-name/data' is in the home of an unknown user"):
        user_path("~nobody-of-that-name/data")
