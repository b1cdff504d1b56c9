import hashlib
import json

import pytest

from bsn.errors import InputError
from study.fetch import checksums, fetch_archives
from tests.study.fetch.fetching import CONTENT, fetch, published, refusal, sha256, unpublished


def test_an_existing_file_is_hashed_once_and_never_requested(site, tmp_path, monkeypatch):
    (tmp_path / "a.bin").write_bytes(CONTENT)
    download = published(site.put("/a", CONTENT))
    assert fetch(tmp_path, download) == CONTENT
    monkeypatch.setattr(checksums, "digests", lambda file: pytest.fail("it was hashed again"))
    assert fetch(tmp_path, download) == CONTENT
    assert site.requests == []


def test_a_fetched_file_is_not_hashed_or_requested_again(site, tmp_path, monkeypatch):
    download = published(site.put("/a", CONTENT))
    fetch(tmp_path, download)
    monkeypatch.setattr(checksums, "digests", lambda file: pytest.fail("it was hashed again"))
    fetch(tmp_path, download)
    assert len(site.requests) == 1


def test_a_changed_file_is_refused_and_kept(site, tmp_path):
    download = published(site.put("/a", CONTENT))
    fetch(tmp_path, download)
    changed = CONTENT[:-1] + b"?"
    (tmp_path / "a.bin").write_bytes(changed)
    message = refusal(tmp_path, download)
    assert f"{tmp_path / 'a.bin'} is not the file that it should be (its sha256 is {sha256(changed)}" in message
    assert "delete it to have it fetched again" in message
    assert (tmp_path / "a.bin").read_bytes() == changed


def test_a_new_published_hash_is_checked_against_the_existing_file(site, tmp_path):
    url = site.put("/a", CONTENT)
    fetch(tmp_path, published(url))
    assert "published is 00" in refusal(tmp_path, published(url, sha256="00"))


def test_without_a_published_hash_the_first_hash_is_recorded_and_another_refused(site, tmp_path):
    url = site.put("/a", CONTENT)
    fetch(tmp_path, unpublished(url))
    record = tmp_path / "first_seen.json"
    assert json.loads(record.read_text()) == {"a.bin": {"sha256": sha256(CONTENT), "size": 300_000}}
    (tmp_path / "a.bin").unlink()
    site.put("/a", CONTENT[::-1])
    message = refusal(tmp_path, unpublished(url))
    assert f"its sha256 is {sha256(CONTENT[::-1])}, but {sha256(CONTENT)} was seen first" in message
    assert f"delete the entry 'a.bin' of {record} if the change is wanted" in message
    assert not (tmp_path / "a.bin").exists()
    record.write_text("{}")
    assert fetch(tmp_path, unpublished(url)) == CONTENT[::-1]


def test_a_published_hash_is_not_recorded(site, tmp_path):
    fetch(tmp_path, published(site.put("/a", CONTENT)))
    assert not (tmp_path / "first_seen.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"a.bin": 1}'])
def test_an_invalid_hash_record_is_refused_and_kept(site, tmp_path, content):
    (tmp_path / "first_seen.json").write_text(content)
    with pytest.raises(InputError, match=r"first_seen\.json is not a JSON object of objects; repair it"):
        fetch_archives([unpublished(site.put("/a", CONTENT))], tmp_path)
    assert (tmp_path / "first_seen.json").read_text() == content


def test_hashes_of_parallel_downloads_are_all_recorded(site, tmp_path):
    downloads = [unpublished(site.put(f"/{i}", b"%d" % i * 1000), name=f"{i}.bin") for i in range(20)]
    files = fetch_archives(downloads, tmp_path, at_once=8)
    assert [file.read_bytes()[:2] for file in files[10:12]] == [b"10", b"11"]
    assert set(json.loads((tmp_path / "first_seen.json").read_text())) == {f"{i}.bin" for i in range(20)}


def test_a_published_md5_without_sha256_is_checked(site, tmp_path):
    md5 = hashlib.md5(CONTENT).hexdigest()
    url = site.put("/a", CONTENT)
    assert fetch(tmp_path / "right", unpublished(url, md5=md5.upper())) == CONTENT
    assert f"its md5 is {md5}, published is 00" in refusal(tmp_path / "wrong", unpublished(url, md5="00"))


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_an_html_page_instead_of_the_file_is_refused_and_not_recorded(site, tmp_path, kind):
    site.put("/a", b"\n <!DOCTYPE html><html>Virus scan warning</html>")
    site.always("/a", headers={"Content-Type": kind})
    assert "page, not" in refusal(tmp_path, unpublished(site.url("/a")))
    assert not (tmp_path / "first_seen.json").exists()
