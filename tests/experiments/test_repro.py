"""`make repro` after a SIGKILL, also while DVC writes its files, and without git."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.utils.serialize import parse_yaml
from filelock import FileLock

from experiments.job import prepare
from experiments.repro import is_complete, repair, set_no_scm
from study.git import git
from tests.experiments.conftest import Clone, someone
from tests.study.test_git import someone_elses

KILLS, SEED = 20, 0
WHOLE = 5000  # minimum size of this project's complete dvc.lock in bytes
# Each stage writes its out in pieces, so that a kill may leave it incomplete.
STEPS = """
import json, sys, time
from pathlib import Path
import yaml

params = yaml.safe_load(Path("params.yaml").read_text())
if sys.argv[1] == "draw":
    Path("drawn").mkdir()
    for number in range(40):
        Path(f"drawn/{number}").write_text(f"{number * params['seed']}\\n" * 500)
elif sys.argv[1] == "train":
    with open("model", "w") as file:
        for number in range(40):
            file.write(Path(f"drawn/{number}").read_text() * 20)
            file.flush()
            time.sleep(0.002)
elif sys.argv[1] == "measure":
    Path("metrics.json").write_text(json.dumps({"size": Path("model").stat().st_size}))
else:
    Path("report").mkdir()
    for number in range(20):
        Path(f"report/{number}").write_text(Path("metrics.json").read_text() * number)
"""
STAGES = {
    # Hundreds of parameters, so that the lock is written in several pieces.
    "draw": {"cmd": "python steps.py draw", "deps": ["steps.py"], "params": ["seed", "more"], "outs": ["drawn"]},
    "train": {"cmd": "python steps.py train", "deps": ["drawn"], "outs": ["model"]},
    "measure": {"cmd": "python steps.py measure", "deps": ["model"], "metrics": [{"metrics.json": {"cache": False}}]},
    "report": {"cmd": "python steps.py report", "deps": ["metrics.json"], "outs": [{"report": {"cache": False}}]},
}
LOCK = """\
schema: '2.0'
stages:
  train@bsn:
    cmd: python -m stages.train bsn with so many arguments that the command does not
      fit into one line
    deps:
    - path: data/faces
      hash: md5
      md5: 0123456789abcdef0123456789abcdef.dir
      size: 1234
      nfiles: 4
    params:
      params.yaml:
        methods.bsn:
          network: deeplab
        seed: 1
    outs:
    - path: models/bsn
      hash: md5
      md5: 00000000000000000000000000000012.dir
      size: 56
      nfiles: 2
  record:
    cmd: python -m stages.record
    params:
      params.yaml:
        profile: mini
"""


@pytest.fixture
def project(tmp_path) -> Clone:
    """A committed project of four small stages, none of which has run."""
    clone = Clone(tmp_path / "project", someone(tmp_path / "home"))
    clone.folder.mkdir()
    (clone.folder / "steps.py").write_text(STEPS)
    (clone.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    settings(clone, 1)
    (clone.folder / ".dvc/tmp").mkdir(parents=True)
    (clone.folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (clone.folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    clone.run("git", "init", "--quiet")
    clone.commit("a project")
    return clone


def settings(clone: Clone, seed: int) -> None:
    params = {"seed": seed, "more": {f"parameter_{number:03}": number for number in range(400)}}
    (clone.folder / "params.yaml").write_text(yaml.safe_dump(params))


def killed(clone: Clone, *, after: float | None) -> bool:
    """Start `make repro` and kill its process group; return whether it was killed before its end.

    after: seconds until the kill; None: while DVC writes dvc.lock.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.repro"],
        cwd=clone.folder,
        env=clone.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    begun, was_whole = time.monotonic(), False
    while process.poll() is None:
        if after is None:
            is_whole = (clone.folder / "dvc.lock").stat().st_size > WHOLE
            if was_whole and not is_whole:
                break
            was_whole = is_whole
        elif time.monotonic() > begun + after:
            break
        time.sleep(0.0005)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def results(folder: Path) -> dict[str, bytes]:
    """Content of every file outside .git and .dvc, by relative path."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in files
        if file.relative_to(folder).parts[0] not in (".git", ".dvc")
    }


def test_after_20_kills_also_during_lock_writes_the_results_equal_an_uninterrupted_run(project):
    chance, kills, broken = random.Random(SEED), 0, 0
    settings(project, 2)
    begun = time.monotonic()
    project.run(sys.executable, "-m", "experiments.repro")
    took, unbroken = time.monotonic() - begun, results(project.folder)
    settings(project, 1)
    project.run(sys.executable, "-m", "experiments.repro")
    project.commit("the results of another seed")

    for seed in range(3, 3 + 3 * KILLS):  # a new seed each time, or all stages would soon be cached
        settings(project, seed)
        if not killed(project, after=None if kills % 2 else chance.uniform(0.1, 0.9) * took):
            continue
        kills += 1
        broken += not is_complete((project.folder / "dvc.lock").read_text())
        if kills % 5 == 0:  # as left by a kill just after DVC opened it
            (project.folder / ".dvc/tmp/rwlock").write_text("")
        if kills == KILLS:
            break
    assert (kills, broken >= KILLS // 3) == (KILLS, True), broken

    settings(project, 2)
    project.run(sys.executable, "-m", "experiments.repro")
    assert results(project.folder) == unbroken
    project.run("dvc", "status")
    assert "Data and pipelines are up to date" in project.output


def test_every_truncated_lock_that_dvc_refuses_is_detected_as_incomplete():
    assert is_complete(LOCK)
    broken = ("", "\n", "stages:\n", "[]\n", "stages: []\n", LOCK + "<<<<<<< HEAD\n")
    assert not any(map(is_complete, broken))
    refused = accepted = 0
    for length in range(len(LOCK)):
        beginning = LOCK[:length]
        try:
            Lockfile.validate(parse_yaml(beginning, "dvc.lock"))
        except DvcException:
            assert not is_complete(beginning), beginning
            refused += 1
        accepted += is_complete(beginning)
    # If cut between two lines, it may be a valid lock with fewer entries.
    assert refused > 100
    assert 5 < accepted < len(LOCK.splitlines())


def test_dvc_completes_a_truncated_lock_that_still_parses(tmp_path, monkeypatch):
    stages = {
        "first": {"cmd": "mkdir out && echo 1 > out/one", "params": ["seed"], "outs": ["out"]},
        "second": {
            "cmd": "cat out/one > two; cat two > three",
            "deps": ["out"],
            "params": ["seed"],
            "outs": ["two", "three"],
        },
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    monkeypatch.chdir(tmp_path)
    with Repo() as repo:
        repo.reproduce()
    lock, cuts = Path("dvc.lock").read_text(), 0
    for length in range(len(lock)):
        if is_complete(lock[:length]):
            Path("dvc.lock").write_text(lock[:length])
            with Repo() as repo:
                repo.reproduce()
            assert Path("dvc.lock").read_text() == lock, lock[:length]
            cuts += 1
    assert cuts > 5


def test_a_broken_lock_is_restored_from_git_and_finished_stages_come_from_the_cache(project):
    lock = project.folder / "dvc.lock"
    project.run("dvc", "repro")
    project.commit("the results")
    committed = lock.read_text()
    settings(project, 2)
    project.run("dvc", "repro")
    newer = lock.read_text()
    lock.write_text(newer[: len(newer) // 2])
    (line,) = repair(project.folder)
    aside = project.folder / ".dvc/tmp/dvc.lock.broken"
    assert line.startswith(
        "dvc.lock was truncated by a kill; it is now .dvc/tmp/dvc.lock.broken, and the committed one is restored; "
    )
    assert (lock.read_text(), aside.read_text()) == (committed, newer[: len(newer) // 2])
    assert repair(project.folder) == []
    project.run(sys.executable, "-m", "experiments.repro")
    assert "Stage 'train' is cached - skipping run" in project.output
    assert lock.read_text() == newer


def test_the_lock_of_the_trials_is_repaired_too(project):
    lock = project.folder / "trials/dvc.lock"
    lock.parent.mkdir()
    lock.write_text(LOCK)
    project.commit("trials")
    lock.write_text(LOCK[:-3])
    assert [line.partition(" ")[0] for line in repair(project.folder)] == ["trials/dvc.lock"]
    assert lock.read_text() == LOCK


def test_a_conflict_of_git_in_the_lock_is_left_to_the_user(project):
    lock = project.folder / "dvc.lock"
    lock.write_text(LOCK)
    project.commit("a lock")
    conflict = f"{LOCK}<<<<<<< HEAD\n  other:\n=======\n>>>>>>> theirs\n"
    lock.write_text(conflict)
    assert repair(project.folder) == []
    assert lock.read_text() == conflict


@pytest.mark.parametrize("config", [b"core = x\n", b"[core]\nno_scm = a, b\n", b"[core]\n# caf\xe9\n"])
def test_dvc_settings_that_cannot_be_read_are_left_as_they_are(project, config):
    file = project.folder / ".dvc/config.local"
    file.write_bytes(config)
    assert set_no_scm(project.folder) == []
    assert file.read_bytes() == config


def test_without_a_valid_committed_lock_the_broken_one_is_renamed_with_the_reason(project, monkeypatch):
    lock, aside = project.folder / "dvc.lock", project.folder / ".dvc/tmp/dvc.lock.broken"
    lock.write_text(LOCK[:50])
    (line,) = repair(project.folder)
    assert (
        "it is now .dvc/tmp/dvc.lock.broken, and DVC continues without it (git show: path 'dvc.lock' exists on disk"
        in line
    )
    assert (aside.read_text(), lock.exists()) == (LOCK[:50], False)

    lock.write_text(LOCK[:60])
    project.commit("committed as it was")
    (line,) = repair(project.folder)
    assert "(the committed one is broken as well)" in line
    assert (aside.read_text(), lock.exists()) == (LOCK[:60], False)

    lock.write_text(LOCK[:70])
    someone_elses(project.folder, monkeypatch)
    (line,) = repair(project.folder)
    assert f"git config --global --add safe.directory {project.folder})" in line
    assert (aside.read_text(), lock.exists()) == (LOCK[:70], False)


def test_a_lock_is_not_repaired_while_another_dvc_command_runs(project):
    (project.folder / "dvc.lock").write_text(LOCK[:50])
    with FileLock(project.folder / ".dvc/tmp/lock"):
        assert repair(project.folder) == []
    assert (project.folder / "dvc.lock").read_text() == LOCK[:50]
    assert len(repair(project.folder)) == 1


def test_rwlock_is_removed_if_unreadable_or_if_none_of_its_processes_is_alive(project):
    file = project.folder / ".dvc/tmp/rwlock"
    with subprocess.Popen(["sleep", "60"]) as living:
        ours = {"pid": living.pid, "cmd": "dvc repro"}
        gone = {"pid": 2**22 + 1, "cmd": "dvc repro"}
        long_ago = time.time() - 1000
        for text, written, goes in (
            ("", None, True),
            ('{"write": {"drawn": {"pid"', None, True),
            (json.dumps({"write": {}, "read": {}}), None, False),
            (json.dumps({"write": {"/drawn": gone}, "read": {"/steps.py": [gone]}}), None, True),
            (json.dumps({"write": {"/drawn": gone}, "read": {"/steps.py": [ours]}}), None, False),
            (json.dumps({"write": {"/drawn": ours}}), long_ago, True),  # another process has this PID by now
        ):
            file.write_text(text)
            if written:
                os.utime(file, (written, written))
            lines = repair(project.folder)
            assert (len(lines), file.exists()) == (int(goes), not goes), text
        living.kill()


def test_a_sweep_worker_starts_from_the_committed_lock_in_a_folder_of_a_larger_repository(project, tmp_path):
    larger, ours = Clone(tmp_path / "larger", project.environment), tmp_path / "larger/projects/ours"
    shutil.copytree(project.folder, ours, ignore=shutil.ignore_patterns(".git"))
    (ours / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    larger.run("git", "init", "--quiet")
    larger.commit("several projects")
    larger.run("git", "bundle", "create", "--quiet", str(tmp_path / "code.bundle"), "HEAD")
    head, clone = git("rev-parse", "HEAD", folder=ours).strip(), tmp_path / "worker"
    remote = {"name": "storage", "url": str(tmp_path / "storage")}
    lock, used = (clone / "projects/ours" / name for name in ("dvc.lock", ".dvc/tmp/rwlock"))
    used.parent.mkdir(parents=True)
    lock.write_text(LOCK[:50])  # left by a killed job
    used.touch()
    prepare(clone, "projects/ours/", tmp_path / "code.bundle", head, remote)
    assert lock.read_text() == (ours / "dvc.lock").read_text()
    assert "storage" in (clone / "projects/ours/.dvc/config.local").read_text()
    assert not used.exists()


def test_no_scm_is_true_without_git_and_false_once_the_project_is_in_git_again(project, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    config = project.folder / ".dvc/config.local"
    assert set_no_scm(project.folder) == []
    assert not config.exists()
    project.run("dvc", "config", "--local", "core.remote", "mine")
    (project.folder / ".git").rename(tmp_path / "git")
    told = "the project is not in git: core.no_scm = true in .dvc/config.local"
    project.run(sys.executable, "-m", "experiments.repro")
    assert f"repro: {told}" in project.output
    assert (project.folder / "report/19").exists()
    assert set_no_scm(project.folder) == []
    assert "remote = mine" in config.read_text()
    (tmp_path / "git").rename(project.folder / ".git")
    assert set_no_scm(project.folder) == ["the project is now in git: core.no_scm = false in .dvc/config.local"]
    project.run("dvc", "exp", "show")


def test_no_scm_stays_true_in_a_larger_repository_until_the_project_is_committed(tmp_path):
    larger = Clone(tmp_path, someone(tmp_path / "home"))
    (tmp_path / ".gitignore").write_text("*\n")  # as in a home folder whose settings are kept in git
    larger.run("git", "init", "--quiet")
    (tmp_path / "project/.dvc").mkdir(parents=True)
    (tmp_path / "project/dvc.yaml").touch()
    larger.run("git", "add", "--force", ".gitignore")
    larger.run("git", "commit", "--quiet", "--message", "settings")
    assert len(set_no_scm(tmp_path / "project")) == 1
    assert set_no_scm(tmp_path / "project") == []
    larger.run("git", "add", "--force", "project/dvc.yaml")
    larger.run("git", "commit", "--quiet", "--message", "the project")
    assert len(set_no_scm(tmp_path / "project")) == 1
    assert "no_scm = false" in (tmp_path / "project/.dvc/config.local").read_text()
