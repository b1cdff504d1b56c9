import random

import pytest

from study.fetch import web
from tests.study.fetch.fetching import CONTENT, HALF, broken_off, fetch, part_size, published, refusal, unpublished


def test_a_changed_content_is_not_joined_to_the_old_half(site, tmp_path):
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
def test_a_206_that_does_not_fit_is_answered_by_a_new_start(site, tmp_path, headers, why):
    url = site.put("/a", CONTENT, etag='"one"')
    broken_off(site, tmp_path, unpublished(url), "/a")
    site.fail("/a", headers=headers)
    assert fetch(tmp_path, unpublished(url)) == CONTENT, why
    assert [(r.range, r.status) for r in site.asked("/a")] == [(f"bytes={HALF}-", 206), (None, 200)]


def test_a_206_of_a_piece_is_followed_by_the_next(site, tmp_path):
    url = site.put("/a", CONTENT, etag='"one"')
    broken_off(site, tmp_path, unpublished(url), "/a")
    piece = CONTENT[HALF:200_000]
    site.fail("/a", body=piece, headers={"Content-Range": "bytes 150000-199999/300000"})
    assert fetch(tmp_path, unpublished(url)) == CONTENT
    assert [r.range for r in site.asked("/a")] == ["bytes=150000-", "bytes=200000-"]


def test_a_server_without_ranges_sends_the_whole(site, tmp_path):
    url = site.put("/a", CONTENT, ranges=False)
    broken_off(site, tmp_path, published(url), "/a")
    assert fetch(tmp_path, published(url)) == CONTENT
    assert [(r.range, r.status) for r in site.asked("/a")] == [(f"bytes={HALF}-", 200)]


def test_416_with_the_length_that_is_here_means_that_it_is_whole(site, tmp_path):
    url = site.put("/a", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch(tmp_path, published(url, size=None)) == CONTENT
    assert [(r.range, r.status) for r in site.requests] == [("bytes=300000-", 416)]


def test_416_for_a_part_that_is_too_long_restarts(site, tmp_path):
    url = site.put("/a", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(tmp_path, published(url, size=None)) == CONTENT
    assert [(r.range, r.status) for r in site.requests] == [("bytes=300004-", 416), (None, 200)]


def test_416_to_a_plain_request_is_final(site, tmp_path):
    assert "416 to a request for the whole" in refusal(tmp_path, published(site.always("/a", status=416)))


def test_a_length_told_too_long_never_makes_a_file(site, tmp_path):
    site.put("/a", CONTENT, etag='"one"')
    site.always("/a", headers={"Content-Length": "300100"})
    message = refusal(tmp_path, unpublished(site.url("/a")))
    assert f"{web.ATTEMPTS} times" in message
    assert not (tmp_path / "a.bin").exists()


def test_a_length_told_too_long_once_is_resumed(site, tmp_path):
    """The first answer claims a byte more than it sends; what is there is all of it, as the hash shows."""
    url = site.put("/a", CONTENT)
    site.fail("/a", headers={"Content-Length": "300001"})
    assert fetch(tmp_path, published(url, size=None)) == CONTENT
    assert [(r.range, r.status) for r in site.requests] == [(None, 200), ("bytes=300000-", 416)]


@pytest.mark.parametrize("claimed", [299_999, 300_001])
def test_a_length_that_is_not_the_published_one_is_refused_before_the_body(site, tmp_path, claimed):
    site.put("/a", CONTENT)
    site.always("/a", headers={"Content-Length": str(claimed)})
    message = refusal(tmp_path, published(site.url("/a")))
    assert f"announces {claimed} bytes, published are 300000" in message
    assert len(site.asked("/a")) == 1


def test_a_length_told_too_short_is_caught_by_the_hash(site, tmp_path):
    site.put("/a", CONTENT)
    site.always("/a", headers={"Content-Length": "299999"})
    assert "its sha256 is" in refusal(tmp_path, published(site.url("/a"), size=None))
    assert list(tmp_path.glob("a.bin*")) == []


def test_more_than_the_published_size_is_refused_while_it_comes(site, tmp_path):
    site.put("/a", CONTENT)
    site.always("/a", chunked=True)
    message = refusal(tmp_path, unpublished(site.url("/a"), size=HALF))
    assert f"sends more than the {HALF} bytes that it should" in message


def test_a_body_without_any_length_is_refused_without_a_hash(site, tmp_path):
    site.put("/a", CONTENT)
    site.always("/a", headers={"Content-Length": None})
    assert "tells no length" in refusal(tmp_path, unpublished(site.url("/a")))
    assert fetch(tmp_path, published(site.url("/a"), size=None)) == CONTENT


def test_an_empty_answer_is_refused(site, tmp_path):
    assert "the answer is empty" in refusal(tmp_path, unpublished(site.put("/a", b"")))
    assert list(tmp_path.glob("a.bin*")) == []


def test_a_page_does_not_cost_the_part(site, tmp_path):
    url = site.put("/a", CONTENT, etag='"one"')
    broken_off(site, tmp_path, unpublished(url), "/a")
    site.fail("/a", status=200, body=b"<html>Too many downloads</html>", headers={"Content-Type": "text/html"})
    refusal(tmp_path, unpublished(url))
    assert part_size(tmp_path) == HALF
