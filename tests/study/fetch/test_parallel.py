import shutil
import subprocess
import threading

import pytest

from bsn.disk import FullDisk
from bsn.errors import InputError
from study.fetch import Download, FetchError, fetch_archives, fetch_files, http
from tests.study.fetch.fetching import CONTENT, HALF, fetch, part_size, published, refusal, unpublished
from tests.waiting import wait_until


def test_a_file_is_fetched_in_one_request_without_content_encoding(site, tmp_path):
    assert fetch(tmp_path, published(site.put("/a", CONTENT))) == CONTENT
    assert [(r.range, r.encoding, r.sent) for r in site.asked("/a")] == [(None, "identity", 300_000)]


def test_a_broken_connection_is_resumed_at_the_same_byte(site, tmp_path):
    url = site.put("/a", CONTENT, etag='"one"')
    site.fail("/a", breaks_after=HALF)
    assert fetch(tmp_path, published(url)) == CONTENT
    assert [(r.range, r.if_range, r.sent) for r in site.asked("/a")] == [
        (None, None, HALF),
        (f"bytes={HALF}-", '"one"', HALF),
    ]


def test_the_error_lists_the_mirrors_tried_and_the_path_for_a_manual_download(site, tmp_path):
    gone, busy = site.always("/gone", status=410), site.always("/busy", status=503)
    assert refusal(tmp_path, published(gone, busy)) == (
        f"a.bin could not be fetched: {gone} (410 Gone); {busy} (503 Service Unavailable, 5 times). "
        f"Fetch it by hand and put it at {tmp_path / 'a.bin'}"
    )
    assert list(tmp_path.iterdir()) == [], "not even an empty part"


def test_other_files_are_still_fetched_after_a_failure(site, tmp_path):
    dead = published(site.always("/dead", status=404))
    dead_too = published(site.url("/dead"), name="c.bin")
    alive = published(site.put("/alive", CONTENT), name="sub/b.bin")
    with pytest.raises(FetchError) as caught:
        fetch_archives([dead, alive, dead_too], tmp_path, at_once=1)
    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["a.bin", "c.bin"]
    assert (tmp_path / "sub/b.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["../a.bin", "/a.bin", "x/../../a.bin", "C:a.bin"])
def test_a_name_outside_the_folder_is_refused(site, tmp_path, name):
    folder = tmp_path / "folder"
    refusal(folder, published(site.put("/a", CONTENT), name=name))
    assert site.requests == []
    assert list(tmp_path.rglob("*")) == [folder]


def test_too_little_disk_space_is_reported_before_any_request(site, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    both = [published(site.put("/a", CONTENT[:60_000]), content=CONTENT[:60_000], name=name) for name in "xy"]
    with pytest.raises(FullDisk, match=rf"{tmp_path} has 20,000 bytes too little"):
        fetch_archives(both, tmp_path)
    assert site.requests == []


def test_too_little_disk_space_for_the_announced_size_is_reported(site, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    with pytest.raises(FullDisk, match=r"a\.bin.* has 200,000 bytes too little"):
        fetch_archives([unpublished(site.put("/a", CONTENT))], tmp_path)
    assert list(tmp_path.glob("a.bin")) == []


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 128 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not permitted here")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_disk_that_fills_up_during_the_download_keeps_the_partial_file(site, small_disk):
    site.put("/a", CONTENT)
    # Without a Content-Length, the shortage cannot be seen before.
    site.fail("/a", chunked=True)
    with pytest.raises(FullDisk, match=r"a\.bin has no room left"):
        fetch_archives([unpublished(site.url("/a"))], small_disk)
    assert (small_disk / "a.bin.part").read_bytes() == CONTENT[: part_size(small_disk)]
    assert part_size(small_disk) > 100_000


def test_a_full_disk_error_gives_the_missing_bytes_and_the_download_can_be_resumed(site, small_disk, monkeypatch):
    usage = shutil.disk_usage(small_disk)
    monkeypatch.setattr("study.fetch.download.require_room", lambda needed, file: None)
    with pytest.raises(FullDisk) as caught:
        fetch_archives([published(site.put("/a", CONTENT))], small_disk)
    missing = len(CONTENT) - part_size(small_disk) - shutil.disk_usage(small_disk).free
    assert f"{small_disk / 'a.bin'} has {missing:,} bytes too little" in str(caught.value)
    assert missing > len(CONTENT) - usage.total
    subprocess.run(["mount", "-o", "remount,size=1m", small_disk], check=True)
    site.requests.clear()
    kept = part_size(small_disk)
    assert fetch(small_disk, published(site.url("/a"))) == CONTENT
    assert [r.range for r in site.requests] == [f"bytes={kept}-"]


def test_a_folder_that_cannot_be_created_is_refused(site, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.* cannot be read or written: Not a directory"):
        fetch_archives([published(site.put("/a", CONTENT))], tmp_path / "file/folder")


def photos(site, count: int) -> list[Download]:
    return [Download(name=f"{i}.jpg", urls=(site.put(f"/{i}", b"photo %d" % i),)) for i in range(count)]


def test_fetch_files_yields_results_in_order_including_failures(site, tmp_path):
    downloads = photos(site, 30)
    site.always("/7", status=404)
    site.fail("/8", status=429, headers={"Retry-After": "0"})
    site.always("/9", status=302, headers={"Location": "/10"})
    site.fail("/11", breaks_after=3)
    results = list(fetch_files(iter(downloads), tmp_path, label="photos"))
    assert [download for download, _ in results] == downloads
    dead = results.pop(7)[1]
    assert isinstance(dead, FetchError)
    assert "(404 Not Found)" in str(dead)
    expected = [f"photo {10 if i == 9 else i}".encode() for i in range(30) if i != 7]
    assert [path.read_bytes() for _, path in results] == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{i}.jpg" for i in range(30) if i != 7)


def test_fetch_files_keeps_existing_files_unless_empty_or_of_a_wrong_size(site, tmp_path):
    downloads = photos(site, 4)
    downloads[2] = Download(name="2.jpg", urls=downloads[2].urls, size=7)
    for name, content in (("0.jpg", b"mine"), ("1.jpg", b""), ("2.jpg", b"cut")):
        (tmp_path / name).write_bytes(content)
    files = [path.read_bytes() for _, path in fetch_files(downloads, tmp_path, label="photos")]
    assert files == [b"mine", b"photo 1", b"photo 2", b"photo 3"]
    assert {r.path for r in site.requests} == {"/1", "/2", "/3"}


def test_fetch_files_yields_a_failure_for_a_name_outside_the_folder(site, tmp_path):
    evil = Download(name="../x.jpg", urls=(site.put("/x", b"x"),))
    ((_, result),) = fetch_files([evil], tmp_path, label="photos")
    assert isinstance(result, FetchError)
    assert site.requests == []


def test_closing_fetch_files_early_stops_its_workers(site, tmp_path, monkeypatch):
    def workers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.endswith("(worker)")]

    monkeypatch.setattr(http, "RETRIES", http.RETRIES.new(retry_after_max=3600))
    site.always("/1", status=503, headers={"Retry-After": "3600"})
    others = workers()
    results = fetch_files(photos(site, 100), tmp_path, at_once=2, label="photos")
    assert next(results)[1].read_bytes() == b"photo 0"
    wait_until(lambda: site.asked("/1"))
    results.close()
    # The worker that would wait for an hour is cancelled too.
    wait_until(lambda: not set(workers()) - set(others))


def test_fetch_files_raises_if_the_disk_is_full(site, small_disk):
    downloads = [Download(name=f"{i}.jpg", urls=(site.put(f"/{i}", CONTENT[:60_000]),)) for i in range(5)]
    with pytest.raises(FullDisk, match=r"\d\.jpg"):
        list(fetch_files(downloads, small_disk, label="photos", at_once=1))
