"""The table of seconds per photo, from the files that the evaluations leave."""

import json

import pytest

from stages import timings as stage
from study.provenance import environment, read_timing, write_timing


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def test_a_method_is_kept_with_what_it_was_measured_on(project):
    write_timing("bsn", {"pfcn": 0.02137}, profile="mini", weights="f00d")
    assert json.loads((project / "timings/bsn.json").read_text()) == {
        "method": "bsn",
        "weights": "f00d",
        "made": {"profile": "mini", **environment(), "commit": "unknown"},
        "seconds": {"pfcn": 0.02137},
    }


def test_the_methods_are_in_one_table_in_the_paper_s_order(project, capsys):
    write_timing("bsn", {"pfcn": 0.02137, "voc": 1.5}, profile="mini", weights=None)
    write_timing("a_users_own", {"pfcn": 0.01}, profile="mini", weights=None)
    write_timing("graph_cut", {"pfcn": 0.3}, profile="mini", weights=None)
    stage.timings()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Seconds per photo. Profile mini."
    rule = next(place for place, line in enumerate(lines) if line.startswith("---"))
    assert [line.split() for line in lines[rule + 1 : rule + 4]] == [
        ["Graph-cut", "0.30", "-", "-", "-"],
        ["BSN", "0.021", "-", "-", "1.5"],
        ["a_users_own", "0.010", "-", "-", "-"],
    ]
    text = " ".join(" ".join(lines).split())
    assert f"On {environment()['machine']}, {environment()['instructions']}; networks on one thread" in text
    assert f"Commit unknown; {environment()['packages']}." in text


def test_measurements_at_another_commit_are_in_a_table_of_their_own(project, capsys):
    write_timing("bsn", {"pfcn": 0.1}, profile="mini", weights=None)
    write_timing("graph_cut", {"pfcn": 0.2}, profile="mini", weights=None)
    older = json.loads((project / "timings/bsn.json").read_text())
    older["made"]["commit"] = "0123456789"
    (project / "timings/bsn.json").write_text(json.dumps(older))
    stage.timings()
    shown = capsys.readouterr().out
    assert shown.count("Seconds per photo.") == 2
    assert shown.index("Commit 0123456789") < shown.index("Graph-cut")


def test_without_measurements_the_command_says_how_to_make_one(capsys):
    stage.timings()
    shown = capsys.readouterr().out
    assert shown == "No method was evaluated on this machine; dvc repro -s -f evaluate@bsn measures one\n"


def test_a_timing_is_that_of_the_same_weights_and_profile(project):
    write_timing("bsn", {"pfcn": 0.5}, profile="mini", weights="f00d")
    write_timing("graph_cut", {"pfcn": 0.5}, profile="mini", weights=None)
    found = read_timing(project, "bsn", profile="mini", weights="f00d")
    assert (found.seconds, found.environment) == ({"pfcn": 0.5}, environment())
    assert read_timing(project, "graph_cut", profile="mini", weights=None).seconds == {"pfcn": 0.5}
    for name, profile, weights in (("bsn", "lite", "f00d"), ("bsn", "mini", "beef"), ("other", "mini", None)):
        assert read_timing(project, name, profile=profile, weights=weights).seconds == {}
