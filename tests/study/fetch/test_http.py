import socket
import threading

import pytest

from study.fetch import http
from tests.study.fetch.fetching import CONTENT, HALF, fetch, published, refusal, unpublished

RETRIES = http.RETRIES  # as released: the fixture `site` shortens the pauses


def test_broken_connections_that_delivered_data_are_retried_without_limit(site, tmp_path):
    url = site.put("/a", CONTENT, etag='"one"')
    site.fail("/a", breaks_after=10_000, times=3 * http.ATTEMPTS)
    assert fetch(tmp_path, published(url)) == CONTENT
    assert sum(r.sent for r in site.asked("/a")) == len(CONTENT)


def test_broken_connections_without_progress_fail_after_the_retry_limit(site, tmp_path):
    site.put("/a", CONTENT, ranges=False)
    site.always("/a", breaks_after=HALF)
    assert f"the connection broke off, {http.ATTEMPTS} times" in refusal(tmp_path, published(site.url("/a")))
    assert len(site.asked("/a")) == http.ATTEMPTS


def test_a_truncated_chunked_response_is_detected(site, tmp_path):
    url = site.put("/a", CONTENT, ranges=False)
    site.fail("/a", chunked=True, breaks_after=HALF)
    site.fail("/a", chunked=True)
    assert fetch(tmp_path, unpublished(url)) == CONTENT
    assert len(site.asked("/a")) == 2


def test_a_response_with_a_content_encoding_is_refused(site, tmp_path):
    site.put("/a", CONTENT)
    site.always("/a", headers={"Content-Encoding": "gzip"})
    assert "the encoding gzip, which was not asked for" in refusal(tmp_path, unpublished(site.url("/a")))


@pytest.mark.parametrize("status", [401, 403, 404, 410, 204])
def test_permanent_errors_go_to_the_next_mirror_at_once(site, tmp_path, status):
    dead, alive = site.always("/dead", status=status), site.put("/alive", CONTENT)
    assert fetch(tmp_path, published(dead, alive)) == CONTENT
    assert len(site.asked("/dead")) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_temporary_errors_are_retried_before_the_next_mirror(site, tmp_path, status):
    busy, alive = site.put("/busy", CONTENT), site.put("/alive", CONTENT)
    site.fail("/busy", times=http.ATTEMPTS - 1, status=status)
    assert fetch(tmp_path / "a", published(busy, alive)) == CONTENT
    assert site.asked("/alive") == []
    site.always("/busy", status=status)
    assert fetch(tmp_path / "b", published(busy, alive)) == CONTENT
    assert len(site.asked("/busy")) == 2 * http.ATTEMPTS


def test_pauses_between_retries_double(site, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(http, "pause", lambda seconds, stop: pauses.append(seconds))
    monkeypatch.setattr(http, "RETRIES", RETRIES)
    refusal(tmp_path, published(site.always("/a", status=500)))
    assert pauses == [0, 2, 4, 8]


def test_retry_after_is_honoured_and_capped(site, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(http, "RETRIES", RETRIES)
    monkeypatch.setattr(http, "pause", lambda seconds, stop: pauses.append(seconds))
    site.put("/a", CONTENT)
    site.fail("/a", status=429, headers={"Retry-After": "7"})
    site.fail("/a", status=503, headers={"Retry-After": "Wed, 01 Jan 2020 00:00:00 GMT"})
    site.fail("/a", status=503, headers={"Retry-After": "soon"})
    site.fail("/a", status=503, headers={"Retry-After": "7200"})
    fetch(tmp_path, published(site.url("/a")))
    assert pauses == [7, 0, 4, 60]


def test_a_refused_connection_is_reported(tmp_path, site):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/a"
        assert f"{url} (Connection refused, {http.ATTEMPTS} times)" in refusal(tmp_path, published(url))


def test_a_connection_that_breaks_off_before_it_is_encrypted_is_retried(tmp_path, site):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            for _ in range(http.ATTEMPTS):
                server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        told = refusal(tmp_path, published(f"https://127.0.0.1:{server.getsockname()[1]}/a"))
    assert f", {http.ATTEMPTS} times)" in told
    assert "certificate" not in told


def test_a_stalled_download_is_resumed(site, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.2)
    url = site.put("/a", CONTENT)
    site.fail("/a", stalls_after=HALF)
    assert fetch(tmp_path, published(url)) == CONTENT
    assert site.requests[0].sent == HALF
    assert {r.range for r in site.requests[1:]} == {f"bytes={HALF}-"}
    site.always("/b", stalls_after=0)
    site.put("/b", CONTENT)
    assert "no answer in time" in refusal(tmp_path / "b", published(site.url("/b")))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(site, tmp_path, status):
    site.put("/new", CONTENT)
    old = site.always("/old", status=status, headers={"Location": "/new"})
    site.fail("/new", breaks_after=HALF)
    assert fetch(tmp_path, published(old)) == CONTENT
    assert [(r.path, r.range) for r in site.requests][2:] == [("/old", f"bytes={HALF}-"), ("/new", f"bytes={HALF}-")]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("/a", "its redirects never end"),
        ("file:///etc/passwd", "it is or leads to no http address"),
        (None, "302 Found"),
    ],
)
def test_invalid_redirects_are_refused_with_the_reason(site, tmp_path, location, reason):
    site.always("/a", status=302, headers={"Location": location})
    assert reason in refusal(tmp_path, published(site.url("/a")))


def test_a_missing_or_non_http_url_is_refused(tmp_path):
    assert "could not be fetched: no address is known. Fetch it by hand" in refusal(tmp_path, published())
    assert "ftp://x (it is or leads to no http address)" in refusal(tmp_path, published("ftp://x"))


def test_reading_a_body_stops_when_the_download_is_cancelled(site):
    stop = threading.Event()
    with http.get(site.put("/a", CONTENT), {}) as response:
        blocks = http.body(response, stop)
        assert CONTENT.startswith(next(blocks))
        stop.set()
        with pytest.raises(http.Cancelled):
            next(blocks)
