import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.fetch import fetch_archives, http
from tests.study.fetch.fetching import (
    CONTENT,
    HALF,
    broken_off,
    fetch,
    part_size,
    published,
    refusal,
    sha256,
    unpublished,
)
from tests.waiting import HUNG, wait_until

ROOT = Path(__file__).parents[3]
SCRIPT = f"""
import signal, sys
from pathlib import Path
from study.fetch import Download, fetch_archives, http
http.READ_TIMEOUT = {HUNG}
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
folder, url, size, digest = sys.argv[1:]
print("begins", file=sys.stderr)
fetch_archives([Download(name="a.bin", urls=(url,), size=int(size), sha256=digest or None)], Path(folder))
"""


def start(folder: Path, url: str, digest: str = sha256(CONTENT)) -> subprocess.Popen:
    arguments = [str(folder), url, str(len(CONTENT)), digest]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)


# Server responses


def test_changed_content_is_not_appended_to_the_old_partial_file(site, tmp_path):
    url = site.put("/a", CONTENT, etag='"one"')
    broken_off(site, tmp_path, unpublished(url), "/a")
    other = random.Random(2).randbytes(300_000)
    site.put("/a", other, etag='"two"')
    assert fetch(tmp_path, unpublished(url)) == other
    assert [(r.range, r.if_range, r.status) for r in site.asked("/a")] == [(f"bytes={HALF}-", '"one"', 200)]


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"ETag": '"two"'}, "a server that ignores If-Range"),
        ({"Content-Range": "bytes 0-149999/300000"}, "another start"),
        ({"Content-Range": "bytes 150000-299999/300001"}, "another size"),
        ({"Content-Range": "nonsense"}, "no range"),
        ({"Content-Range": None}, "no range told"),
    ],
)
def test_a_mismatched_206_restarts_the_download(site, tmp_path, headers, why):
    url = site.put("/a", CONTENT, etag='"one"')
    broken_off(site, tmp_path, unpublished(url), "/a")
    site.fail("/a", headers=headers)
    assert fetch(tmp_path, unpublished(url)) == CONTENT, why
    assert [(r.range, r.status) for r in site.asked("/a")] == [(f"bytes={HALF}-", 206), (None, 200)]


def test_after_a_shorter_206_the_remaining_range_is_requested(site, tmp_path):
    url = site.put("/a", CONTENT, etag='"one"')
    broken_off(site, tmp_path, unpublished(url), "/a")
    piece = CONTENT[HALF:200_000]
    site.fail("/a", body=piece, headers={"Content-Range": "bytes 150000-199999/300000"})
    assert fetch(tmp_path, unpublished(url)) == CONTENT
    assert [r.range for r in site.asked("/a")] == ["bytes=150000-", "bytes=200000-"]


def test_a_server_without_ranges_sends_the_whole_file(site, tmp_path):
    url = site.put("/a", CONTENT, ranges=False)
    broken_off(site, tmp_path, published(url), "/a")
    assert fetch(tmp_path, published(url)) == CONTENT
    assert [(r.range, r.status) for r in site.asked("/a")] == [(f"bytes={HALF}-", 200)]


def test_416_with_the_length_of_the_partial_file_means_it_is_complete(site, tmp_path):
    url = site.put("/a", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch(tmp_path, published(url, size=None)) == CONTENT
    assert [(r.range, r.status) for r in site.requests] == [("bytes=300000-", 416)]


def test_416_for_a_partial_file_that_is_too_long_restarts_the_download(site, tmp_path):
    url = site.put("/a", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(tmp_path, published(url, size=None)) == CONTENT
    assert [(r.range, r.status) for r in site.requests] == [("bytes=300004-", 416), (None, 200)]


def test_416_to_a_request_without_a_range_is_an_error(site, tmp_path):
    assert "416 to a request for the whole" in refusal(tmp_path, published(site.always("/a", status=416)))


def test_a_content_length_that_is_always_too_long_gives_no_file(site, tmp_path):
    site.put("/a", CONTENT, etag='"one"')
    site.always("/a", headers={"Content-Length": "300100"})
    message = refusal(tmp_path, unpublished(site.url("/a")))
    assert f"{http.ATTEMPTS} times" in message
    assert not (tmp_path / "a.bin").exists()


def test_a_content_length_that_is_once_too_long_is_resumed(site, tmp_path):
    """The first response claims one byte more than it sends; the file is complete, as its hash shows."""
    url = site.put("/a", CONTENT)
    site.fail("/a", headers={"Content-Length": "300001"})
    assert fetch(tmp_path, published(url, size=None)) == CONTENT
    assert [(r.range, r.status) for r in site.requests] == [(None, 200), ("bytes=300000-", 416)]


@pytest.mark.parametrize("claimed", [299_999, 300_001])
def test_a_content_length_other_than_the_published_size_is_refused_before_the_body(site, tmp_path, claimed):
    site.put("/a", CONTENT)
    site.always("/a", headers={"Content-Length": str(claimed)})
    message = refusal(tmp_path, published(site.url("/a")))
    assert f"announces {claimed} bytes, published are 300000" in message
    assert len(site.asked("/a")) == 1


def test_a_content_length_that_is_too_short_is_caught_by_the_hash(site, tmp_path):
    site.put("/a", CONTENT)
    site.always("/a", headers={"Content-Length": "299999"})
    assert "its sha256 is" in refusal(tmp_path, published(site.url("/a"), size=None))
    assert list(tmp_path.glob("a.bin*")) == []


def test_a_body_larger_than_the_published_size_is_refused_while_reading(site, tmp_path):
    site.put("/a", CONTENT)
    site.always("/a", chunked=True)
    message = refusal(tmp_path, unpublished(site.url("/a"), size=HALF))
    assert f"sends more than the {HALF} bytes that it should" in message


def test_a_body_without_content_length_needs_a_published_hash(site, tmp_path):
    site.put("/a", CONTENT)
    site.always("/a", headers={"Content-Length": None})
    assert "tells no length" in refusal(tmp_path, unpublished(site.url("/a")))
    assert fetch(tmp_path, published(site.url("/a"), size=None)) == CONTENT


def test_an_empty_body_is_refused(site, tmp_path):
    assert "the answer is empty" in refusal(tmp_path, unpublished(site.put("/a", b"")))
    assert list(tmp_path.glob("a.bin*")) == []


def test_an_html_page_does_not_change_the_partial_file(site, tmp_path):
    url = site.put("/a", CONTENT, etag='"one"')
    broken_off(site, tmp_path, unpublished(url), "/a")
    site.fail("/a", status=200, body=b"<html>Too many downloads</html>", headers={"Content-Type": "text/html"})
    refusal(tmp_path, unpublished(url))
    assert part_size(tmp_path) == HALF


# Which server's bytes a partial file may continue


@pytest.mark.parametrize("validator", [None, 'W/"weak"'])
def test_without_a_strong_validator_and_a_hash_the_whole_file_is_fetched_again(site, tmp_path, validator):
    url = site.put("/a", CONTENT, etag=validator)
    broken_off(site, tmp_path, unpublished(url), "/a")
    assert fetch(tmp_path, unpublished(url)) == CONTENT
    assert [r.range for r in site.asked("/a")] == [None]


def test_without_a_validator_a_published_hash_allows_resuming(site, tmp_path):
    url = site.put("/a", CONTENT)
    broken_off(site, tmp_path, published(url), "/a")
    assert fetch(tmp_path, published(url)) == CONTENT
    assert [(r.range, r.if_range, r.sent) for r in site.asked("/a")] == [(f"bytes={HALF}-", None, HALF)]


def test_another_mirror_resumes_the_download_if_the_hash_is_published(site, tmp_path):
    one, two = site.put("/one", CONTENT, etag='"x"'), site.put("/two", CONTENT, etag='"y"')
    site.fail("/one", breaks_after=HALF)
    site.always("/one", status=404)
    assert fetch(tmp_path, published(one, two)) == CONTENT
    assert [(r.range, r.if_range, r.sent) for r in site.asked("/two")] == [(f"bytes={HALF}-", None, HALF)]


def test_another_mirror_restarts_the_download_without_a_published_hash(site, tmp_path):
    one, two = site.put("/one", CONTENT, etag='"x"'), site.put("/two", CONTENT[::-1], etag='"x"')
    site.fail("/one", breaks_after=HALF)
    site.always("/one", status=404)
    assert fetch(tmp_path, unpublished(one, two)) == CONTENT[::-1]
    assert [r.range for r in site.asked("/two")] == [None]


def test_a_damaged_sidecar_discards_the_partial_file_only_without_a_hash(site, tmp_path):
    url = site.put("/a", CONTENT, etag='"one"')
    for download, asked in ((unpublished(url), None), (published(url), f"bytes={HALF}-")):
        folder = tmp_path / str(asked)
        broken_off(site, folder, download, "/a")
        (folder / "a.bin.part.json").write_text("{")
        assert fetch(folder, download) == CONTENT
        assert [r.range for r in site.asked("/a")] == [asked]


# Ended processes, wrong bytes, concurrent downloads


@pytest.mark.parametrize("digest", [sha256(CONTENT), ""], ids=["published", "unpublished"])
def test_the_download_of_a_killed_process_is_resumed(site, tmp_path, digest):
    url = site.put("/a", CONTENT, last_modified="Wed, 01 Jan 2025 00:00:00 GMT")
    site.fail("/a", stalls_after=HALF)
    process = start(tmp_path, url, digest)
    wait_until(lambda: part_size(tmp_path) == HALF)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert not (tmp_path / "a.bin").exists()
    assert part_size(tmp_path) == HALF
    assert fetch(tmp_path, unpublished(url, size=len(CONTENT), sha256=digest or None)) == CONTENT
    last = site.asked("/a")[-1]
    assert (last.range, last.status, last.sent) == (f"bytes={HALF}-", 206, HALF)


def test_ctrl_c_ends_at_once_and_keeps_the_partial_file(site, tmp_path):
    site.put("/a", CONTENT)
    site.fail("/a", stalls_after=HALF)
    process = start(tmp_path, site.url("/a"))
    wait_until(lambda: part_size(tmp_path) == HALF)
    process.send_signal(signal.SIGINT)
    # The server stalls until the test ends, so a process that waits for the connection hangs.
    _, errors = process.communicate(timeout=HUNG)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors
    assert part_size(tmp_path) == HALF


def test_a_complete_partial_file_is_not_requested_again(site, tmp_path):
    url = site.put("/a", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch(tmp_path, published(url)) == CONTENT
    assert site.requests == []


@pytest.mark.parametrize("part", [CONTENT[:-1] + b"?", CONTENT + b"?"], ids=["wrong", "too long"])
def test_a_partial_file_with_a_wrong_hash_or_too_long_is_discarded(site, tmp_path, part):
    (tmp_path / "a.bin.part").write_bytes(part)
    assert fetch(tmp_path, published(site.put("/a", CONTENT))) == CONTENT
    assert [r.range for r in site.requests] == [None]


def test_a_partial_file_with_wrong_bytes_is_resumed_then_fetched_again_whole(site, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"?" * HALF)
    assert fetch(tmp_path, published(site.put("/a", CONTENT))) == CONTENT
    assert [r.range for r in site.requests] == [f"bytes={HALF}-", None]


def test_resuming_starts_with_the_mirror_of_the_partial_file(site, tmp_path):
    one, two = site.url("/one"), site.put("/two", CONTENT, etag='"y"')
    broken_off(site, tmp_path, unpublished(one, two), "/two")
    site.put("/one", CONTENT)
    assert fetch(tmp_path, unpublished(one, two)) == CONTENT
    assert [(r.path, r.range) for r in site.requests] == [("/two", f"bytes={HALF}-")]


def test_a_complete_partial_file_of_unknown_origin_is_not_trusted_without_a_hash(site, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT[::-1])
    assert fetch(tmp_path, unpublished(site.put("/a", CONTENT), size=len(CONTENT))) == CONTENT
    assert [r.range for r in site.requests] == [None]


def test_wrong_bytes_are_dropped_and_the_next_mirror_is_tried(site, tmp_path):
    wrong, right = site.put("/wrong", CONTENT[::-1]), site.put("/right", CONTENT)
    assert fetch(tmp_path, published(wrong, right)) == CONTENT
    assert [(r.path, r.range) for r in site.requests] == [("/wrong", None), ("/right", None)]


def test_a_file_with_wrong_bytes_never_gets_its_final_name(site, tmp_path):
    message = refusal(tmp_path, published(site.put("/a", CONTENT[::-1])))
    assert f"its sha256 is {sha256(CONTENT[::-1])}, published is {sha256(CONTENT)}" in message
    assert list(tmp_path.glob("a.bin*")) == []


def test_two_processes_share_one_download(site, tmp_path):
    url = site.put("/a", CONTENT)
    site.fail("/a", stalls_after=HALF)
    first = start(tmp_path, url)
    wait_until(lambda: part_size(tmp_path) == HALF)
    second = start(tmp_path, url)
    assert second.stderr.readline() == "begins\n"
    time.sleep(0.5)  # the second waits for the first
    first.kill()
    first.communicate()
    _, errors = second.communicate(timeout=HUNG)
    assert second.returncode == 0, errors
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [(r.range, r.sent) for r in site.requests] == [(None, HALF), (f"bytes={HALF}-", HALF)]


def test_concurrent_requests_for_one_file_fetch_it_once(site, tmp_path):
    download = published(site.put("/a", CONTENT))
    assert fetch_archives([download] * 4, tmp_path) == [tmp_path / "a.bin"] * 4
    assert len(site.requests) == 1
