from pathlib import Path

import pytest

from bsn.errors import InputError
from study.checking import read_yaml, validated
from study.datasets.downloads import Sources

ROOT = Path(__file__).parents[3]


@pytest.fixture
def content() -> dict:
    return read_yaml(ROOT / "sources.yaml")


def test_committed_sources_are_valid_and_have_the_published_hashes(content):
    sources = validated(Sources, content)
    archive = sources.coco.annotations_2017.download()
    assert (archive.name, archive.size) == ("annotations_trainval2017.zip", 252907541)
    assert archive.sha256.startswith("113a836d")
    assert len(archive.urls) == 2
    assert sources.voc["2012_trainval"].download().md5 == "6cd6e144f989b92b3379bac3b3de84fd"


def test_no_two_archives_share_a_name(content):
    sources = validated(Sources, content)
    entries = [sources.pfcn.release, sources.coco.annotations_2014, sources.coco.annotations_2017]
    names = [archive.name for archive in [*entries, sources.cocostuff.release, *sources.voc.values()]]
    assert len(set(names)) == len(names) == 8


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("name", "../x.zip", "pfcn.release.name = '../x.zip' is refused; allowed: a file's name without a folder"),
        ("urls", ["ftp://x"], "pfcn.release.urls.0 = 'ftp://x' is refused; allowed: an address that starts with http"),
        ("urls", [], "pfcn.release.urls = [] is refused; allowed: a list of addresses"),
        ("sha256", "12", "pfcn.release.sha256 = '12' is refused; allowed: 64 hexadecimal digits"),
        ("hash", "12", "pfcn.release.hash is not a parameter; allowed beside it: name, urls, size, sha256, md5"),
    ],
)
def test_bad_entry_is_refused_in_one_line(content, key, value, line):
    content["pfcn"]["release"][key] = value
    with pytest.raises(InputError) as caught:
        validated(Sources, content)
    assert line in str(caught.value)
