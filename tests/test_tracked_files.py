"""What git tracks is a function of code, parameters and data: the committed results tell of no machine or moment."""

from pathlib import Path

import pytest

from tests.traces import traces

ROOT = Path(__file__).parents[1]
RESULTS = sorted(
    file
    for pattern in ("metrics/**/*", "reports/**/*", "dvc.lock", "trials/dvc.lock")
    for file in ROOT.glob(pattern)
    if file.is_file()
)


def test_no_committed_result_holds_a_trace_of_the_machine_or_the_moment_that_made_it():
    assert len(RESULTS) > 30
    found = {str(file.relative_to(ROOT)): traces(file) for file in RESULTS}
    assert {name: traced for name, traced in found.items() if traced} == {}


@pytest.mark.parametrize(
    ("text", "trace"),
    [
        ("| BSN | Seconds a photo |", "Seconds"),
        ("at commit 7d525339a1, seed 1", "7d525339a1"),
        ("at commit d10cc20", "d10cc20"),
        ("made on 2026-11-25", "2026-11-25"),
        ("with torch 2.11.0, numpy 2.4.6", "torch 2.11.0"),
        ("on 2 cores of AMD EPYC", "2 cores"),
        ("in /home/me/bsn/data", "/home/me"),
        ('"weights": "36f44fb4a2c94b1cb3ee4b8e9f4f7a6d", 0.8446071, photo 0001234, COCO-Stuff 10K', None),
    ],
)
def test_each_kind_of_trace_is_seen_and_numbers_and_hashes_of_content_are_none(tmp_path, text, trace):
    (tmp_path / "file").write_text(text)
    assert [found.startswith(trace) for found in traces(tmp_path / "file")[:1]] == ([True] if trace else [])
