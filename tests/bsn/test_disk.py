"""Fingerprints of files; what a full disk does is tested where files are written."""

from bsn.disk import file_fingerprint


def test_files_have_equal_fingerprints_where_their_content_is_equal(tmp_path):
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    one.write_bytes(b"a")
    same.write_bytes(b"a")
    other.write_bytes(b"b")
    assert file_fingerprint(one) == file_fingerprint(same) != file_fingerprint(other)
