import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from study.fetch import fetch_archives
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
    wait_until,
)

ROOT = Path(__file__).parents[3]
SCRIPT = """
import signal, sys
from pathlib import Path
from study.fetch import Download, fetch_archives
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
folder, url, size, digest = sys.argv[1:]
fetch_archives([Download(name="a.bin", urls=(url,), size=int(size), sha256=digest or None)], Path(folder))
"""


def start(folder: Path, url: str, digest: str = sha256(CONTENT)) -> subprocess.Popen:
    arguments = [str(folder), url, str(len(CONTENT)), digest]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("digest", [sha256(CONTENT), ""], ids=["published", "unpublished"])
def test_a_killed_process_is_resumed(site, tmp_path, digest):
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


def test_ctrl_c_ends_at_once_and_keeps_the_part(site, tmp_path):
    site.put("/a", CONTENT)
    site.fail("/a", stalls_after=HALF)
    process = start(tmp_path, site.url("/a"))
    wait_until(lambda: part_size(tmp_path) == HALF)
    process.send_signal(signal.SIGINT)
    # The server stalls until the test ends, so waiting for the connection would end in the read time-out of 30 s.
    _, errors = process.communicate(timeout=25)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors
    assert part_size(tmp_path) == HALF


def test_a_part_that_was_whole_when_killed_is_not_asked_for(site, tmp_path):
    url = site.put("/a", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch(tmp_path, published(url)) == CONTENT
    assert site.requests == []


@pytest.mark.parametrize("part", [CONTENT[:-1] + b"?", CONTENT + b"?"], ids=["wrong", "too long"])
def test_a_part_that_cannot_be_right_is_dropped(site, tmp_path, part):
    (tmp_path / "a.bin.part").write_bytes(part)
    assert fetch(tmp_path, published(site.put("/a", CONTENT))) == CONTENT
    assert [r.range for r in site.requests] == [None]


def test_a_part_with_older_wrong_bytes_is_fetched_whole_once_more(site, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"?" * HALF)
    assert fetch(tmp_path, published(site.put("/a", CONTENT))) == CONTENT
    assert [r.range for r in site.requests] == [f"bytes={HALF}-", None]


def test_the_mirror_that_a_part_is_from_goes_first(site, tmp_path):
    one, two = site.url("/one"), site.put("/two", CONTENT, etag='"y"')
    broken_off(site, tmp_path, unpublished(one, two), "/two")
    site.put("/one", CONTENT)
    assert fetch(tmp_path, unpublished(one, two)) == CONTENT
    assert [(r.path, r.range) for r in site.requests] == [("/two", f"bytes={HALF}-")]


def test_whole_bytes_of_unknown_origin_are_not_believed_without_a_hash(site, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT[::-1])
    assert fetch(tmp_path, unpublished(site.put("/a", CONTENT), size=len(CONTENT))) == CONTENT
    assert [r.range for r in site.requests] == [None]


def test_wrong_bytes_are_dropped_and_the_next_mirror_is_tried(site, tmp_path):
    wrong, right = site.put("/wrong", CONTENT[::-1]), site.put("/right", CONTENT)
    assert fetch(tmp_path, published(wrong, right)) == CONTENT
    assert [(r.path, r.range) for r in site.requests] == [("/wrong", None), ("/right", None)]


def test_wrong_bytes_never_get_the_name(site, tmp_path):
    message = refusal(tmp_path, published(site.put("/a", CONTENT[::-1])))
    assert f"its sha256 is {sha256(CONTENT[::-1])}, published is {sha256(CONTENT)}" in message
    assert list(tmp_path.glob("a.bin*")) == []


def has_open(process: subprocess.Popen, file: Path) -> bool:
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in the meantime
            if os.readlink(link) == str(file):
                return True
    return False


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what the second process waits for cannot be seen here")
def test_two_processes_share_one_download(site, tmp_path):
    url = site.put("/a", CONTENT)
    site.fail("/a", stalls_after=HALF)
    first = start(tmp_path, url)
    wait_until(lambda: part_size(tmp_path) == HALF)
    second = start(tmp_path, url)
    wait_until(lambda: has_open(second, tmp_path / "a.bin.part"))
    first.kill()
    first.communicate()
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 0, errors
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [(r.range, r.sent) for r in site.requests] == [(None, HALF), (f"bytes={HALF}-", HALF)]


def test_one_file_asked_for_twice_at_a_time_is_fetched_once(site, tmp_path):
    download = published(site.put("/a", CONTENT))
    assert fetch_archives([download] * 4, tmp_path) == [tmp_path / "a.bin"] * 4
    assert len(site.requests) == 1
