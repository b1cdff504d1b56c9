import hashlib
import io
import json
import random
import shutil
import struct
import zipfile

import pytest

from bsn.disk import FullDisk
from bsn.errors import InputError
from study.fetch import FetchError, remote_zip
from study.fetch.remote_zip import NoRanges, RemoteZip

random_bytes = random.Random(1).randbytes
PHOTOS = {f"images/{i:03}.jpg": random_bytes(20_000 + i) for i in range(200)}
LABELS = {f"annotations/{i:03}.mat": b"label %d " % i * 1000 for i in range(200)}
MEMBERS = {**PHOTOS, **LABELS, "imageLists/all.txt": b"a\nb\n", "empty.txt": b""}


def packed(members: dict[str, bytes], comment: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("images/", b"")
        for name, content in members.items():
            # As in official archives: photos are stored, labels are deflated.
            kind = zipfile.ZIP_STORED if name.endswith(".jpg") else zipfile.ZIP_DEFLATED
            opened.writestr(name, content, compress_type=kind)
        opened.comment = comment
    return stream.getvalue()


ARCHIVE = packed(MEMBERS)


def opened(site, folder, *paths: str) -> RemoteZip:
    return RemoteZip([site.url(path) for path in paths or ["/x.zip"]], name="x.zip", folder=folder)


def sent(site) -> int:
    return sum(request.sent for request in site.requests)


@pytest.fixture
def served(site):
    site.put("/x.zip", ARCHIVE, etag='"one"')
    return site


def test_the_directory_is_read_without_the_members(served, tmp_path):
    remote = opened(served, tmp_path)
    assert remote.names == list(MEMBERS)
    assert remote.size == len(ARCHIVE)
    assert sent(served) < 150_000 < len(ARCHIVE) / 20


@pytest.mark.parametrize("comment", [b"", b"c" * 65_535], ids=["plain", "with the longest comment"])
def test_only_the_wanted_members_are_fetched(site, tmp_path, comment):
    site.put("/x.zip", packed(MEMBERS, comment))
    remote = opened(site, tmp_path)
    site.requests.clear()
    wanted = ["annotations/007.mat", "images/199.jpg", "images/003.jpg", "empty.txt"]
    fetched = remote.fetch(wanted, tmp_path / "out", label="members")
    assert {str(f.relative_to(tmp_path / "out")) for f in (tmp_path / "out").rglob("*.*")} == set(wanted)
    for name in wanted:
        assert (tmp_path / "out" / name).read_bytes() == MEMBERS[name]
    assert fetched == sent(site)
    assert len(site.requests) <= 4, "what lies behind the directory's start is here already"
    # A deflated label is fetched with its header only, without its neighbours.
    assert fetched < len(MEMBERS["images/199.jpg"]) + len(MEMBERS["images/003.jpg"]) + 1_000


def test_existing_members_of_the_right_size_are_kept(served, tmp_path):
    remote = opened(served, tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "images/000.jpg").write_bytes(bytes(20_000))
    (tmp_path / "images/001.jpg").write_bytes(bytes(20_000))
    served.requests.clear()
    remote.fetch(["images/000.jpg", "images/001.jpg"], tmp_path, label="members")
    assert (tmp_path / "images/000.jpg").read_bytes() == bytes(20_000)
    assert (tmp_path / "images/001.jpg").read_bytes() == MEMBERS["images/001.jpg"]
    assert len(served.requests) == 1


def test_all_members_are_fetched_in_parallel(served, tmp_path):
    opened(served, tmp_path).fetch(list(MEMBERS), tmp_path / "out", label="members", at_once=16)
    assert all((tmp_path / "out" / name).read_bytes() == content for name, content in MEMBERS.items())


def test_broken_connections_and_busy_responses_are_retried(served, tmp_path):
    served.fail("/x.zip", status=503)
    served.fail("/x.zip", breaks_after=0)
    remote = opened(served, tmp_path)
    served.fail("/x.zip", breaks_after=10_000)
    served.fail("/x.zip", status=429, headers={"Retry-After": "0"})
    served.fail("/x.zip", status=500)
    served.requests.clear()
    fetched = remote.fetch(["images/000.jpg"], tmp_path, label="members")
    assert (tmp_path / "images/000.jpg").read_bytes() == MEMBERS["images/000.jpg"]
    assert [(r.status, r.sent >= 20_000) for r in served.requests] == [
        (206, False),
        (429, False),
        (500, False),
        (206, True),
    ]
    assert fetched == sent(served), "what was thrown away came over the network as well"


def test_a_wrong_or_short_range_is_requested_again(served, tmp_path):
    remote = opened(served, tmp_path)
    served.requests.clear()
    length = 30 + len("images/000.jpg") + 20_000
    other_range = {"Content-Range": f"bytes 0-{length - 1}/{len(ARCHIVE)}"}
    served.fail("/x.zip", body=ARCHIVE[:length], headers=other_range)
    served.fail("/x.zip", body=b"less")
    remote.fetch(["images/000.jpg"], tmp_path, label="members")
    assert (tmp_path / "images/000.jpg").read_bytes() == MEMBERS["images/000.jpg"]
    assert [r.sent for r in served.requests] == [length, 4, length]


def test_the_next_mirror_is_used_if_the_first_fails(served, tmp_path):
    served.put("/mirror.zip", ARCHIVE, etag='"of the mirror"')
    remote = opened(served, tmp_path, "/gone.zip", "/x.zip", "/mirror.zip")
    served.always("/x.zip", status=404)
    remote.fetch(["images/000.jpg", "images/001.jpg"], tmp_path, label="members", at_once=1)
    assert (tmp_path / "images/001.jpg").read_bytes() == MEMBERS["images/001.jpg"]
    assert [r.status for r in served.asked("/mirror.zip")] == [206, 206]


def test_a_mirror_with_a_different_archive_is_refused(served, tmp_path):
    served.put("/mirror.zip", ARCHIVE + b"\0")
    remote = opened(served, tmp_path, "/x.zip", "/mirror.zip")
    served.always("/x.zip", status=404)
    with pytest.raises(FetchError, match=r"mirror\.zip \(is not the file that it was before\)"):
        remote.fetch(["images/000.jpg"], tmp_path, label="members")


def test_only_a_server_without_ranges_raises_no_ranges(site, tmp_path):
    site.put("/x.zip", ARCHIVE, ranges=False)
    with pytest.raises(NoRanges, match=r"x\.zip \(serves no parts of it\)"):
        opened(site, tmp_path, "/gone.zip", "/x.zip")
    with pytest.raises(FetchError) as caught:
        opened(site, tmp_path, "/gone.zip")
    assert not isinstance(caught.value, NoRanges)
    assert f"Fetch it by hand and put it at {tmp_path / 'x.zip'}" in str(caught.value)


def test_an_html_page_is_not_taken_for_a_server_without_ranges(site, tmp_path):
    site.put("/x.zip", b"<html>")
    site.always("/x.zip", status=200, body=b"<html>", headers={"Content-Type": "text/html"})
    with pytest.raises(FetchError, match="answers with a web page") as caught:
        opened(site, tmp_path)
    assert not isinstance(caught.value, NoRanges)


def test_a_changed_archive_is_refused_when_opened_again(served, tmp_path):
    opened(served, tmp_path)
    opened(served, tmp_path)
    entry = json.loads((tmp_path / "first_seen.json").read_text())["x.zip (directory)"]
    assert hashlib.sha256(ARCHIVE[-entry["size"] :]).hexdigest() == entry["sha256"]
    changed = {**MEMBERS, "images/000.jpg": MEMBERS["images/000.jpg"][::-1]}
    served.put("/x.zip", packed(changed))
    with pytest.raises(FetchError, match=rf"but {entry['sha256']} was seen first: delete the entry"):
        opened(served, tmp_path)


@pytest.mark.parametrize("etag", ['"two"', None])
def test_an_archive_that_changes_while_it_is_read_is_refused(served, tmp_path, etag):
    remote = opened(served, tmp_path)
    served.put("/x.zip", packed({**MEMBERS, "images/000.jpg": b"?" * 20_000}), etag=etag)
    with pytest.raises(FetchError, match=r"not the file that it was before|other bytes than its directory"):
        remote.fetch(["images/000.jpg"], tmp_path / "out", label="members")
    assert not (tmp_path / "out").exists()


def test_a_member_with_wrong_bytes_is_refused(site, tmp_path):
    wrong = bytearray(ARCHIVE)
    wrong[ARCHIVE.index(MEMBERS["images/000.jpg"]) + 5_000] ^= 1
    site.put("/x.zip", bytes(wrong))
    remote = opened(site, tmp_path)
    with pytest.raises(FetchError, match=r"'images/000\.jpg' of x\.zip.* \(has other bytes than its directory decl"):
        remote.fetch(["images/000.jpg"], tmp_path / "out", label="members")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("declared", [10, 1_000_000])
def test_a_member_that_unpacks_to_another_size_is_refused(site, tmp_path, declared):
    lying = bytearray(ARCHIVE)
    entry = ARCHIVE.rindex(b"annotations/000.mat") - 46
    struct.pack_into("<I", lying, entry + 24, declared)
    site.put("/x.zip", bytes(lying))
    with pytest.raises(FetchError, match="has other bytes than its directory declares"):
        opened(site, tmp_path).fetch(["annotations/000.mat"], tmp_path / "out", label="members")


def test_a_directory_that_points_past_the_members_is_refused(site, tmp_path):
    lying = bytearray(ARCHIVE)
    entry = ARCHIVE.rindex(b"annotations/000.mat") - 46
    struct.pack_into("<I", lying, entry + 42, len(ARCHIVE) - 100)
    site.put("/x.zip", bytes(lying))
    with pytest.raises(FetchError, match="has a directory that points past the members"):
        opened(site, tmp_path)


def test_bytes_that_the_directory_does_not_list_are_not_fetched(site, tmp_path):
    stream = io.BytesIO(packed({"a": b"1"}))
    with zipfile.ZipFile(stream, "a") as appended:
        appended.writestr("forgotten", bytes(1_000_000))
        appended.writestr("b", b"2")
        del appended.filelist[-2]
    site.put("/x.zip", stream.getvalue())
    assert opened(site, tmp_path).fetch(["a", "b"], tmp_path, label="members") < 200_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no zip at all", "is no zip archive"),
        (ARCHIVE[:-100], "is no zip archive"),
        (ARCHIVE[:-22] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, 2**31, 0, 0), "is no zip archive"),
    ],
)
def test_a_truncated_or_invalid_zip_is_refused(site, tmp_path, content, reason):
    site.put("/x.zip", content)
    with pytest.raises(FetchError, match=reason):
        opened(site, tmp_path)


def test_an_empty_file_is_refused(site, tmp_path):
    site.put("/x.zip", b"")
    with pytest.raises(FetchError, match="416"):
        opened(site, tmp_path)


def test_a_directory_above_the_size_limit_is_not_fetched(served, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_zip, "LARGEST_DIRECTORY", 10_000)
    monkeypatch.setattr(remote_zip, "FIRST_READ", 100)
    with pytest.raises(FetchError, match="directory has more than 10,000 bytes"):
        opened(served, tmp_path)


def test_a_member_above_the_size_limit_is_refused(served, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_zip, "LARGEST_MEMBER", 20_000)
    remote = opened(served, tmp_path)
    remote.fetch(["images/000.jpg"], tmp_path, label="members")
    with pytest.raises(InputError, match=r"'images/001\.jpg' is larger than 20,000 bytes"):
        remote.fetch(["images/001.jpg"], tmp_path, label="members")


@pytest.mark.parametrize(
    ("name", "words"), [("../x", "leads out of its folder"), ("/x", "absolute name"), ("imageLists/all.txt", "twice")]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_unsafe_or_duplicate_names_are_refused(site, tmp_path, name, words):
    stream = io.BytesIO(ARCHIVE)
    with zipfile.ZipFile(stream, "a") as appended:
        appended.writestr(name, b"1")
    site.put("/x.zip", stream.getvalue())
    with pytest.raises(InputError, match=rf"x\.zip: member .*{words}"):
        opened(site, tmp_path)


def test_unknown_or_repeated_members_are_refused_before_any_request(served, tmp_path):
    remote = opened(served, tmp_path)
    served.requests.clear()
    with pytest.raises(InputError, match=r"holds no 'images/nobody\.jpg'"):
        remote.fetch(["images/nobody.jpg"], tmp_path, label="members")
    with pytest.raises(InputError, match="twice"):
        remote.fetch(["images/000.jpg", "images/000.jpg"], tmp_path, label="members")
    assert served.requests == []


def test_a_link_is_refused(site, tmp_path):
    stream = io.BytesIO(ARCHIVE)
    with zipfile.ZipFile(stream, "a") as appended:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        appended.writestr(info, b"/etc/passwd")
    site.put("/x.zip", stream.getvalue())
    with pytest.raises(InputError, match="'link' is a symbolic link"):
        opened(site, tmp_path).fetch(["link"], tmp_path, label="members")


def test_too_little_disk_space_is_reported_before_any_request(served, tmp_path, monkeypatch):
    remote = opened(served, tmp_path)
    served.requests.clear()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=30_000))
    with pytest.raises(FullDisk, match="10,001 bytes too little"):
        remote.fetch(["images/000.jpg", "images/001.jpg"], tmp_path, label="members")
    assert served.requests == []


def test_a_failure_cancels_the_remaining_requests(served, tmp_path):
    remote = opened(served, tmp_path)
    served.always("/x.zip", status=403)
    with pytest.raises(FetchError, match="403"):
        remote.fetch(list(PHOTOS), tmp_path / "out", label="members", at_once=2)
    assert len(served.requests) < len(PHOTOS)
