"""Files that one process has to itself. The lock ends with the process, however that ends."""

import fcntl
from typing import BinaryIO


def take(stream: BinaryIO) -> bool:
    """Lock the open file, unless another has it: then False, at once."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
