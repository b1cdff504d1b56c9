"""Committed results depend on code, parameters and data alone: they hold no trace of a machine or a time."""

from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from tests.traces import traces

ROOT = Path(__file__).parents[1]
RESULTS = sorted(
    file
    for pattern in ("metrics/**/*", "reports/**/*", "dvc.lock", "trials/dvc.lock")
    for file in ROOT.glob(pattern)
    if file.is_file()
)


def test_dvc_lock_has_exactly_the_stages_of_dvc_yaml():
    # DVC keeps the entries of stages that are removed.
    with Repo(str(ROOT)) as repo:
        stages = {stage.name for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"}
    assert yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"].keys() == stages


def test_no_committed_result_holds_a_trace_of_a_machine_or_a_time():
    assert len(RESULTS) > 30
    found = {str(file.relative_to(ROOT)): traces(file) for file in RESULTS}
    assert {name: traced for name, traced in found.items() if traced} == {}


@pytest.mark.parametrize(
    ("text", "trace"),
    [
        ("| BSN | Seconds per photo |", "Seconds"),
        ("at commit 7d525339a1, seed 1", "7d525339a1"),
        ("at commit d10cc20", "d10cc20"),
        ("made on 2026-11-25", "2026-11-25"),
        ("with torch 2.11.0, numpy 2.4.6", "torch 2.11.0"),
        ("on 2 cores of AMD EPYC", "2 cores"),
        ("in /home/me/bsn/data", "/home/me"),
        ('"weights": "36f44fb4a2c94b1cb3ee4b8e9f4f7a6d", 0.8446071, photo 0001234, COCO-Stuff 10K', None),
    ],
)
def test_each_kind_of_trace_is_found_and_numbers_and_content_hashes_are_not_traces(tmp_path, text, trace):
    (tmp_path / "file").write_text(text)
    assert [found.startswith(trace) for found in traces(tmp_path / "file")[:1]] == ([True] if trace else [])
