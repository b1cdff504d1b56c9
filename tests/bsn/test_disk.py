"""Fingerprints of files; what a full disk does is tested where files are written."""

from bsn.disk import file_fingerprint


def test_a_file_s_fingerprint_follows_its_bytes(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"a")
    before = file_fingerprint(file)
    file.write_bytes(b"b")
    assert file_fingerprint(file) != before
