import hashlib

import pytest

from tests.study.fetch.fetching import (
    CONTENT,
    fetch,
    refusal,
    unpublished,
)


def test_md5_alone_is_checked(site, tmp_path):
    md5 = hashlib.md5(CONTENT).hexdigest()
    url = site.put("/a", CONTENT)
    assert fetch(tmp_path / "right", unpublished(url, md5=md5.upper())) == CONTENT
    assert f"its md5 is {md5}, published is 00" in refusal(tmp_path / "wrong", unpublished(url, md5="00"))


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_page_in_place_of_the_file_is_refused_and_not_recorded(site, tmp_path, kind):
    site.put("/a", b"\n <!DOCTYPE html><html>Virus scan warning</html>")
    site.always("/a", headers={"Content-Type": kind})
    assert "page, not" in refusal(tmp_path, unpublished(site.url("/a")))
    assert not (tmp_path / "first_seen.json").exists()
