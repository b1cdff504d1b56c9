"""Writing to links and pipes, and fingerprints of files; a full disk is tested where files are written."""

import os
import threading

from bsn.disk import file_fingerprint, write_atomically


def test_the_target_of_a_link_is_replaced_and_a_pipe_is_written_to(tmp_path):
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(target)
    assert write_atomically(link, [b"ab", b"c"]) == 3
    assert (link.is_symlink(), target.read_bytes()) == (True, b"abc")
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert write_atomically(pipe, [b"ab", b"c"]) == 3
    reader.join()
    assert (read, pipe.is_fifo()) == ([b"abc"], True)


def test_files_have_equal_fingerprints_where_their_content_is_equal(tmp_path):
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    one.write_bytes(b"a")
    same.write_bytes(b"a")
    other.write_bytes(b"b")
    assert file_fingerprint(one) == file_fingerprint(same) != file_fingerprint(other)
