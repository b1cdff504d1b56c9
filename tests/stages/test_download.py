import csv
import json
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from bsn.errors import InputError
from stages import download as stage
from stages.portraits import portraits
from study.datasets import SETS, SOURCE_FILE, absence, coco_year, tree
from study.datasets.downloads import Downloaded, MissingPhoto
from study.datasets.index import read_index
from study.datasets.portraits import PortraitRule
from study.fetch import Download
from tests.study.datasets.publishers import publish_coco, publish_cocostuff, publish_pfcn, publish_voc, serve

ROOT = Path(__file__).parents[2]


class Project:
    """params.yaml, sources.yaml and the lite profile in the current folder, with another `data` section."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.raw = folder, folder / "data/raw"
        (folder / "profiles").mkdir()
        params = (ROOT / "params.yaml").read_text().replace("profile: sketch", "profile: lite")
        (folder / "params.yaml").write_text(params)
        self.sources = yaml.safe_load((ROOT / "sources.yaml").read_text())
        self.save_sources()

    def save_sources(self) -> None:
        (self.folder / "sources.yaml").write_text(yaml.safe_dump(self.sources))

    def data(self, **section: object) -> None:
        profile = yaml.safe_load((ROOT / "profiles/lite.yaml").read_text())
        profile.update(data=section, validation=[])
        (self.folder / "profiles/lite.yaml").write_text(yaml.safe_dump(profile))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return Project(tmp_path)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A user's folder with two of the four sets."""
    for name in ("pfcn", "coco"):
        (tmp_path / "user" / name).mkdir(parents=True)
    return tmp_path / "user"


DOWNLOAD = {"folder": "downloads", "sets": ["pfcn", "coco"], "voc_years": [2007, 2012]}


def test_a_relative_folder_is_beside_the_users_params_in_a_job_of_the_queue_as_well(project, folder, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(folder.parent))
    (project.folder / "elsewhere").mkdir()
    for name in ("params.yaml", "sources.yaml", "profiles"):
        (project.folder / "elsewhere" / name).symlink_to(project.folder / name)
    monkeypatch.chdir(project.folder / "elsewhere")
    project.data(folder="user")
    stage.download("pfcn")
    assert tree(Path("data/raw/pfcn")) == folder / "pfcn"
    # The same bytes wherever the checkout lies.
    assert json.loads(Path("data/raw/pfcn", SOURCE_FILE).read_text()) == {"folder": "user/pfcn"}


def test_a_users_folder_is_pointed_at_and_nothing_is_copied(project, folder):
    project.data(folder=str(folder), coco_year=2014)
    stage.download("coco")
    assert tree(project.raw / "coco") == folder / "coco"
    assert absence(project.raw / "coco") is None
    assert coco_year(project.raw / "coco") == 2014
    assert [file.name for file in (project.raw / "coco").iterdir()] == [SOURCE_FILE]


def test_a_set_that_the_user_does_not_have_is_absent_with_a_reason(project, folder):
    project.data(folder=str(folder))
    stage.download("voc")
    assert tree(project.raw / "voc") is None
    assert absence(project.raw / "voc") == f"data.folder = {str(folder)!r} holds no voc/"


def test_a_set_that_is_not_to_be_downloaded_is_absent_with_a_reason(project):
    project.data(download=DOWNLOAD)
    stage.download("voc")
    assert absence(project.raw / "voc") == "data.download.sets in profiles/lite.yaml does not name it"


def test_without_pfcn_nothing_can_be_trained(project, folder):
    (folder / "pfcn").rmdir()
    project.data(folder=str(folder))
    with pytest.raises(InputError, match="every network is trained on PFCN"):
        stage.download("pfcn")


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({}, r"data names no photos; allowed: draw, folder or download in it"),
        ({"folder": "nowhere"}, r"data\.folder = 'nowhere' in profiles/lite\.yaml is not a folder"),
        ({"folder": "profiles"}, f"holds none of {', '.join(SETS)}"),
        ({"download": {**DOWNLOAD, "voc_years": [2011]}}, "voc_years.0 = 2011 is refused; allowed: a list of 2007"),
        ({"download": DOWNLOAD, "coco_year": 2015}, "data.coco_year = 2015 is refused; allowed: 2014 or 2017"),
    ],
)
def test_a_missing_folder_is_named(project, section, line):
    project.data(**section)
    with pytest.raises(InputError, match=line):
        stage.download("pfcn")


def test_what_was_fetched_lies_beside_the_users_own_checkout_and_what_is_missing_is_listed(project, monkeypatch):
    elsewhere = project.folder / "checkout"
    elsewhere.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(elsewhere))
    project.data(download=DOWNLOAD)
    asked = []

    def download(folder: Path, archives: Path, *, release: Download) -> Downloaded:
        asked.append((folder, archives, release.name))
        lost = MissingPhoto(id="00007", url="http://example.org/7.jpg", reason="404")
        return Downloaded(root=folder / "release", summary="8 of 9 photos", missing=(lost,))

    monkeypatch.setattr("study.datasets.pfcn.download_pfcn", download)
    stage.download("pfcn")
    downloads = elsewhere / "downloads"
    assert asked == [(downloads / "pfcn", downloads / "archives", "EG_code_data_release.zip")]
    assert tree(project.raw / "pfcn") == elsewhere / "downloads/pfcn/release"
    with (project.raw / "pfcn/missing.csv").open(newline="") as stream:
        assert list(csv.DictReader(stream)) == [{"id": "00007", "url": "http://example.org/7.jpg", "reason": "404"}]
    # The same bytes on every machine: what was fetched and what failed may differ between attempts.
    assert set(json.loads((project.raw / "pfcn" / SOURCE_FILE).read_text())) == {"folder"}


@pytest.mark.parametrize(("years", "names"), [([2012], {"2012"}), ([2007, 2008, 2012], {"2007", "2008", "2012"})])
def test_years_of_voc_choose_the_archives(project, monkeypatch, years, names):
    project.data(download={**DOWNLOAD, "sets": ["voc"], "voc_years": years})
    asked = []

    def download(folder: Path, archives: Path, *, releases: list[Download], rule: PortraitRule) -> Downloaded:
        asked.extend(releases)
        return Downloaded(root=folder, summary="")

    monkeypatch.setattr("study.datasets.voc.download_voc", download)
    stage.download("voc")
    assert {archive.name.removesuffix(".tar")[-4:] for archive in asked} == names


def test_four_sets_from_the_network_give_the_portraits_that_a_folder_of_them_gives(project, site, drawn):
    published = project.folder / "published"
    published.mkdir()
    here = site.url("")
    project.sources["pfcn"]["release"] = _entry(publish_pfcn(drawn, published, here))
    project.sources["coco"]["annotations_2017"] = _entry(publish_coco(drawn, published, here))
    project.sources["cocostuff"]["release"] = _entry(publish_cocostuff(drawn, published, here))
    releases = publish_voc(drawn, published, here)
    project.sources["voc"] = {f"{entry.name[3:7]}_trainval": _entry(entry) for entry in releases}
    serve(site, published)
    project.save_sources()
    verdicts = {}
    fetched = {"download": {**DOWNLOAD, "sets": list(SETS), "voc_years": [2007, 2008, 2012]}}
    for way, section in {"folder": {"folder": str(drawn)}, "network": fetched}.items():
        project.data(**section)
        for name in SETS:
            stage.download(name)
            portraits(name)
        rows = {name: read_index(project.folder / "data/portraits" / name / "index.csv") for name in SETS}
        verdicts[way] = {name: [(row.id, row.split, row.kept, row.reason) for row in rows[name]] for name in SETS}
    assert verdicts["network"] == verdicts["folder"]
    assert {name: sum(kept for _, _, kept, _ in rows) for name, rows in verdicts["network"].items()} == {
        "pfcn": 9,
        "coco": 3,
        "cocostuff": 2,
        "voc": 4,
    }


def _entry(download: Download) -> dict:
    """The archive as sources.yaml has it."""
    entry = {key: value for key, value in asdict(download).items() if value is not None}
    return {**entry, "urls": list(entry["urls"])}
