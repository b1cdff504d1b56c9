import io

import pytest

from study.fetch.parts import Part
from tests.study.fetch.fetching import CONTENT, HALF, broken_off, fetch, published, unpublished


@pytest.mark.parametrize("validator", [None, 'W/"weak"'])
def test_without_validator_and_hash_the_whole_is_fetched(site, tmp_path, validator):
    url = site.put("/a", CONTENT, etag=validator)
    broken_off(site, tmp_path, unpublished(url), "/a")
    assert fetch(tmp_path, unpublished(url)) == CONTENT
    assert [r.range for r in site.asked("/a")] == [None]


def test_without_validator_a_published_hash_is_enough(site, tmp_path):
    url = site.put("/a", CONTENT)
    broken_off(site, tmp_path, published(url), "/a")
    assert fetch(tmp_path, published(url)) == CONTENT
    assert [(r.range, r.if_range, r.sent) for r in site.asked("/a")] == [(f"bytes={HALF}-", None, HALF)]


def test_another_mirror_goes_on_under_a_published_hash(site, tmp_path):
    one, two = site.put("/one", CONTENT, etag='"x"'), site.put("/two", CONTENT, etag='"y"')
    site.fail("/one", breaks_after=HALF)
    site.always("/one", status=404)
    assert fetch(tmp_path, published(one, two)) == CONTENT
    assert [(r.range, r.if_range, r.sent) for r in site.asked("/two")] == [(f"bytes={HALF}-", None, HALF)]


def test_another_mirror_starts_anew_without_one(site, tmp_path):
    one, two = site.put("/one", CONTENT, etag='"x"'), site.put("/two", CONTENT[::-1], etag='"x"')
    site.fail("/one", breaks_after=HALF)
    site.always("/one", status=404)
    assert fetch(tmp_path, unpublished(one, two)) == CONTENT[::-1]
    assert [r.range for r in site.asked("/two")] == [None]


def test_a_lost_sidecar_costs_the_part_only_without_a_hash(site, tmp_path):
    url = site.put("/a", CONTENT, etag='"one"')
    for download, asked in ((unpublished(url), None), (published(url), f"bytes={HALF}-")):
        folder = tmp_path / str(asked)
        broken_off(site, folder, download, "/a")
        (folder / "a.bin.part.json").write_text("{")
        assert fetch(folder, download) == CONTENT
        assert [r.range for r in site.asked("/a")] == [asked]


def test_a_write_that_takes_only_some_bytes_is_gone_on_with(tmp_path):
    class Short(io.FileIO):
        def write(self, data) -> int:
            return super().write(bytes(data[:7]))

    with Short(tmp_path / "a.part", "ab+") as stream:
        Part(tmp_path / "a.part", stream).append(CONTENT[:1000])
    assert (tmp_path / "a.part").read_bytes() == CONTENT[:1000]
