import json

import pytest

from bsn.data.sources import SETS, absence, tree
from bsn.errors import InputError
from stages import download as stage
from stages.params import Data


@pytest.fixture
def folder(tmp_path):
    """A user's folder with two of the four sets."""
    for name in ("pfcn", "voc"):
        (tmp_path / "user" / name).mkdir(parents=True)
    return tmp_path / "user"


def source(name, folder):
    return stage._source(name, Data(folder=str(folder)), "lite")


def test_a_users_folder_is_pointed_at_and_nothing_is_copied(folder, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "source.json").write_text(json.dumps(source("pfcn", folder)))
    assert tree(raw) == folder / "pfcn"
    assert absence(raw) is None


def test_a_set_that_the_user_does_not_have_is_absent_with_a_reason(folder, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "source.json").write_text(json.dumps(source("coco", folder)))
    assert tree(raw) is None
    assert absence(raw) == f"{folder} holds no coco/"


def test_without_pfcn_nothing_can_be_trained(folder):
    (folder / "pfcn").rmdir()
    with pytest.raises(InputError, match="every network is trained on PFCN"):
        source("pfcn", folder)


@pytest.mark.parametrize(
    ("name", "line"),
    [(None, r"data\.folder in profiles/lite\.yaml names no folder"), ("nowhere", "is not a folder")],
)
def test_a_folder_that_is_not_there_is_named(tmp_path, name, line):
    with pytest.raises(InputError, match=line):
        stage._source("pfcn", Data(folder=name and str(tmp_path / name)), "lite")


def test_a_folder_without_any_set_is_refused(tmp_path):
    with pytest.raises(InputError, match=f"holds none of {', '.join(SETS)}"):
        source("pfcn", tmp_path)
