import json
import shutil

import cv2
import numpy as np
import pytest

from bsn.errors import InputError
from study.datasets import coco, cocostuff, downloads, pfcn, voc
from study.datasets.coco import download_coco
from study.datasets.cocostuff import download_cocostuff
from study.datasets.pfcn import download_pfcn
from study.datasets.portraits import PortraitRule, annotated_rejection
from study.datasets.voc import download_voc
from study.fetch import Download
from tests.bsn.mat_files import save_v5, save_v73
from tests.ports import free_port
from tests.study.datasets.publishers import (
    files,
    pack_zip,
    publish_coco,
    publish_cocostuff,
    publish_pfcn,
    publish_voc,
    serve,
)

RULE = PortraitRule(min_face=0.1, min_on_mask=0.5, box_margin=0.0)


@pytest.fixture
def place(tmp_path) -> dict:
    """Target folder of a data set, and the folder of its archives."""
    return {"folder": tmp_path / "downloads/set", "archives": tmp_path / "downloads/archives"}


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    return folder


def without(name: str, text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(name))


def names_of(drawn, split: str) -> list[str]:
    return [c.id for c in pfcn.candidates(drawn / "pfcn") if c.split == split]


def coco_from(site, drawn, out, place):
    annotations = publish_coco(drawn, out, site.url(""))
    serve(site, out)
    return download_coco(**place, annotations=annotations, mirrors=[], whole=10**9, year=2017, rule=RULE)


def test_coco_downloads_the_annotations_and_only_the_photos_that_could_be_portraits(site, drawn, out, place):
    result = coco_from(site, drawn, out, place)
    expected = {c.photo.name for c in coco.candidates(drawn / "coco") if annotated_rejection(c, RULE) is None}
    photos = [file for file in files(result.root) if file.suffix == ".jpg"]
    assert 3 <= len(expected) < 9
    assert {file.name for file in photos} == expected
    assert all(file.read_bytes() == (drawn / "coco" / file.relative_to(result.root)).read_bytes() for file in photos)
    assert sorted(file.name for file in files(result.root / "annotations")) == [
        "instances_train2017.json",
        "instances_val2017.json",
    ]
    assert f"{len(expected)} of 9 photos, 0.00 GB in place of 1.00 GB: 1.00 GB saved" in result.summary


def test_a_second_call_fetches_nothing(site, drawn, out, place):
    annotations = publish_coco(drawn, out, site.url(""))
    serve(site, out)
    options = {"annotations": annotations, "mirrors": [], "whole": 10**9, "year": 2017, "rule": RULE}
    first = download_coco(**place, **options)
    asked = len(site.requests)
    assert download_coco(**place, **options) == first
    assert len(site.requests) == asked


def test_a_photo_missing_at_its_own_url_is_fetched_from_the_mirror(site, drawn, out, place):
    annotations = publish_coco(drawn, out, site.url(""))
    serve(site, out)
    chosen = next(c for c in coco.candidates(drawn / "coco") if annotated_rejection(c, RULE) is None)
    path = "/" + chosen.photo.relative_to(drawn / "coco").as_posix()
    site.put("/mirror" + path, site.pages.pop(path).content)
    mirrors = [site.url("/mirror")]
    result = download_coco(**place, annotations=annotations, mirrors=mirrors, whole=10**9, year=2017, rule=RULE)
    assert result.missing == ()
    assert (result.root / path[1:]).read_bytes() == chosen.photo.read_bytes()


def test_a_photo_that_cannot_be_fetched_is_listed_and_not_fatal(site, drawn, out, place):
    annotations = publish_coco(drawn, out, site.url(""))
    serve(site, out)
    chosen = next(c for c in coco.candidates(drawn / "coco") if annotated_rejection(c, RULE) is None)
    del site.pages["/" + chosen.photo.relative_to(drawn / "coco").as_posix()]
    result = download_coco(**place, annotations=annotations, mirrors=[], whole=10**9, year=2017, rule=RULE)
    (missing,) = result.missing
    assert missing.id == chosen.id
    assert "404" in missing.reason


def test_coco_finds_the_person_category_by_name(site, drawn, out, place):
    # Many exporters number categories from 0, so person is 0 and bicycle 1.
    annotations = publish_coco(drawn, out, site.url(""))
    for file in (out.parent / "coco" / "annotations").glob("instances_*.json"):
        content = json.loads(file.read_text())
        for category in content["categories"]:
            category["id"] -= 1
        for annotation in content["annotations"]:
            annotation["category_id"] -= 1
        file.write_text(json.dumps(content))
    pack_zip(out / "annotations.zip", out.parent / "coco", files(out.parent / "coco"))
    serve(site, out)
    exported = Download(name=annotations.name, urls=annotations.urls)
    result = download_coco(**place, annotations=exported, mirrors=[], whole=10**9, year=2017, rule=RULE)
    expected = {c.photo.name for c in coco.candidates(drawn / "coco") if annotated_rejection(c, RULE) is None}
    assert {file.name for file in files(result.root) if file.suffix == ".jpg"} == expected
    assert coco.person_counts(result.root) == coco.person_counts(drawn / "coco")


def test_photos_in_a_row_for_which_no_server_answers_stop_the_download(tmp_path, site, monkeypatch):
    monkeypatch.setattr(downloads, "UNREACHABLE_IN_A_ROW", 2)
    closed = f"http://127.0.0.1:{free_port()}/"
    photos = {name: Download(name=f"{name}.jpg", urls=(closed,)) for name in "abc"}
    with pytest.raises(InputError, match=r"no server answered for 2 photos in a row.*it continues where it stopped"):
        downloads.fetch_photos(photos, tmp_path, label="photos")


def test_dead_links_in_a_row_are_listed_with_their_reason_and_do_not_stop_the_download(tmp_path, site, monkeypatch):
    monkeypatch.setattr(downloads, "UNREACHABLE_IN_A_ROW", 2)
    photos = {name: Download(name=f"{name}.jpg", urls=(site.url(f"/{name}"),)) for name in "abc"}
    missing = downloads.fetch_photos(photos, tmp_path, label="photos")
    assert [(photo.id, photo.reason) for photo in missing] == [(name, "404 Not Found") for name in "abc"]


def test_cocostuff_fetches_only_the_needed_parts_of_its_zip(site, drawn, out, place):
    release = publish_cocostuff(drawn, out, site.url(""))
    serve(site, out)
    counts = coco.person_counts(drawn / "coco")
    result = download_cocostuff(**place, release=release, person_counts=counts, rule=RULE)
    drawn_ones = list(cocostuff.candidates(drawn / "cocostuff", person_counts=counts))
    looked_at = {c.photo.name for c in drawn_ones if annotated_rejection(c, RULE) is None}
    assert 2 <= len(looked_at) < 8
    assert {file.name for file in files(result.root / "images")} == looked_at
    alone = {f"{c.photo.stem}.mat" for c in drawn_ones if counts[int(c.id)] == 1}
    assert {file.name for file in files(result.root / "annotations")} == alone
    whole = len(site.pages["/cocostuff-10k.zip"].content)
    assert 0 < sum(request.sent for request in site.requests) < whole
    assert all(request.status == 206 for request in site.requests)


@pytest.mark.parametrize("by_hand", [True, False])
def test_cocostuff_reads_a_local_zip_or_the_whole_zip_of_a_server_without_ranges(site, drawn, out, place, by_hand):
    release = publish_cocostuff(drawn, out, site.url(""))
    if by_hand:
        place["archives"].mkdir(parents=True)
        (out / release.name).rename(place["archives"] / release.name)
    else:
        site.put("/cocostuff-10k.zip", (out / release.name).read_bytes(), ranges=False)
    counts = coco.person_counts(drawn / "coco")
    result = download_cocostuff(**place, release=release, person_counts=counts, rule=RULE)
    found = cocostuff.candidates(result.root, person_counts=counts)
    assert sum(annotated_rejection(c, RULE) is None and c.photo.is_file() for c in found) >= 2
    if by_hand:
        assert site.requests == []


def test_voc_unpacks_only_segmented_photos_of_one_person_from_each_year(site, drawn, out, place):
    releases = publish_voc(drawn, out, site.url(""))
    serve(site, out)
    result = download_voc(**place, releases=releases, rule=RULE)
    expected = [c for c in voc.candidates(drawn / "voc") if annotated_rejection(c, RULE) is None]
    photos = {file.relative_to(result.root) for file in files(result.root) if file.suffix == ".jpg"}
    assert photos == {c.photo.relative_to(drawn / "voc") for c in expected}
    assert len(photos) < len(list(voc.candidates(drawn / "voc")))
    again = {c.id: c for c in voc.candidates(result.root)}
    for candidate in expected:
        assert again[candidate.id].photo.read_bytes() == candidate.photo.read_bytes()
        np.testing.assert_array_equal(again[candidate.id].load_mask(), candidate.load_mask())
    assert sorted(file.name for file in files(place["archives"]) if file.suffix == ".tar") == [
        "VOC2007.tar",
        "VOC2008.tar",
        "VOC2012.tar",
    ]


def test_voc_with_boxes_in_another_encoding_is_downloaded(site, drawn, out, place):
    root = out.parent / "voc"
    shutil.copytree(drawn / "voc", root / "voc")
    for folder in root.rglob("SegmentationObject"):
        shutil.rmtree(folder)
    for file in root.rglob("Annotations/*.xml"):
        text = file.read_text().replace("<annotation>", "<annotation><owner>照片</owner>", 1)
        file.write_bytes(f'<?xml version="1.0" encoding="gb2312"?>\n{text}'.encode("gb2312"))
    releases = [Download(name=d.name, urls=d.urls) for d in publish_voc(root, out, site.url(""))]
    serve(site, out)
    result = download_voc(**place, releases=releases, rule=RULE)
    expected = {c.id for c in voc.candidates(drawn / "voc") if annotated_rejection(c, RULE) is None}
    assert {c.id for c in voc.candidates(result.root) if c.photo.is_file()} == expected


def test_pfcn_downloads_the_release_and_crops_each_owner_s_photo(site, drawn, out, place):
    release = publish_pfcn(drawn, out, site.url(""))
    serve(site, out)
    result = download_pfcn(**place, release=release)
    assert result.missing == ()
    assert not list(result.root.rglob("*.m"))
    for candidate in pfcn.candidates(result.root):
        ours = cv2.imread(str(candidate.photo)).astype(int)
        theirs = cv2.imread(str(drawn / "pfcn/data/images_data_crop" / candidate.photo.name)).astype(int)
        assert ours.shape == (800, 600, 3)
        # From scaling up by a quarter and back, and two JPEGs; a shift of one pixel would give three times as much.
        assert np.abs(ours - theirs).mean() < 4
    assert "9 of 9 photos; 0 cannot be had" in result.summary


def test_pfcn_with_lists_in_other_formats_is_downloaded(site, drawn, out, place):
    publish_pfcn(drawn, out, site.url(""))
    data = out.parent / "release" / "data"
    save_v73(data / "trainlist.mat", {"trainlist": [f"{name}.jpg" for name in names_of(drawn, "train")]})
    save_v5(data / "testlist.mat", {"testlist": [np.array([[int(name)]]) for name in names_of(drawn, "test")]})
    for name in ("crop.txt", "alldata_urls.txt"):
        (data / name).write_bytes((data / name).read_text().replace(" ", "\t").encode("utf-16"))
    pack_zip(out / "release.zip", data.parent, files(data.parent))
    serve(site, out)
    result = download_pfcn(**place, release=Download(name="release.zip", urls=(site.url("/release.zip"),)))
    assert result.missing == ()
    assert [(c.id, c.split) for c in pfcn.candidates(result.root)] == [
        (c.id, c.split) for c in pfcn.candidates(drawn / "pfcn")
    ]


def test_pfcn_reports_missing_replaced_and_truncated_photos_and_continues(site, drawn, out, place):
    release = publish_pfcn(drawn, out, site.url(""))
    serve(site, out)
    names = sorted(file.stem for file in files(out / "owners"))
    gone, other, broken = names[:3]
    del site.pages[f"/owners/{gone}.jpg"]
    small = cv2.imencode(".jpg", np.zeros((375, 500, 3), np.uint8))[1].tobytes()
    site.put("/gone.jpg", small)
    site.always(f"/owners/{other}.jpg", status=302, headers={"Location": site.url("/gone.jpg")})
    page = site.pages[f"/owners/{broken}.jpg"]
    page.content = page.content[: len(page.content) // 2]
    result = download_pfcn(**place, release=release)
    reasons = {photo.id: photo.reason for photo in result.missing}
    assert reasons.keys() == {gone, other, broken}
    assert "404" in reasons[gone]
    assert "is 375x500, its crop goes to row 1003 and column 755: another photo" in reasons[other]
    assert "truncated or broken" in reasons[broken]
    there = {c.id for c in pfcn.candidates(result.root) if c.photo.is_file()}
    assert there == set(names) - reasons.keys()


def test_pfcn_reports_photos_without_url_or_crop_as_missing(site, drawn, out, place):
    publish_pfcn(drawn, out, site.url(""))
    data = out.parent / "release" / "data"
    names = sorted(file.stem for file in files(out / "owners"))
    addresses = (data / "alldata_urls.txt").read_text()
    (data / "alldata_urls.txt").write_text(without(names[0], addresses) + f"{names[0]}.jpg None\n")
    (data / "crop.txt").write_text(without(names[1], (data / "crop.txt").read_text()))
    pack_zip(out / "release.zip", data.parent, files(data.parent))
    serve(site, out)
    result = download_pfcn(**place, release=Download(name="release.zip", urls=(site.url("/release.zip"),)))
    assert {photo.id: photo.reason for photo in result.missing} == {
        names[0]: "the release gives no address",
        names[1]: "crop.txt does not name it",
    }


def test_an_unavailable_release_names_its_url_and_the_path_for_a_manual_download(site, drawn, out, place):
    release = publish_pfcn(drawn, out, site.url(""))
    with pytest.raises(InputError) as caught:
        download_pfcn(**place, release=release)
    line = str(caught.value)
    assert site.url("/release.zip") in line
    assert "404" in line
    assert str(place["archives"] / "release.zip") in line
    # An archive put there by hand is used.
    (out / "release.zip").rename(place["archives"] / "release.zip")
    serve(site, out)
    assert download_pfcn(**place, release=release).missing == ()


def test_a_wrong_archive_under_the_release_s_name_is_refused(site, drawn, out, place):
    release = publish_coco(drawn, out, site.url(""))
    serve(site, out)
    with pytest.raises(InputError, match="holds 0 folders images_mask, not one: is it the PFCN release"):
        download_pfcn(**place, release=release)
    assert json.loads((place["archives"] / "verified.json").read_text())
