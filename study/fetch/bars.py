"""The two progress bars of downloads; both write to stderr."""

from threading import Lock

from tqdm import tqdm


class FileBar:
    """One large file: bytes, speed, ETA."""

    def __init__(self, name: str) -> None:
        self._bar = tqdm(desc=name, unit="B", unit_scale=True)

    def __enter__(self) -> "FileBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def starts(self, position: int, total: int | None) -> None:
        """The next bytes are those from `position` on; what was there before does not count for the speed."""
        self._bar.total = total
        self._bar.n = self._bar.initial = position
        self._bar.refresh()

    def adds(self, count: int) -> None:
        """So many more bytes have come."""
        self._bar.update(count)


class CountBar:
    """Many small files: how many, ETA, bytes so far. Several threads may tell it something at once."""

    def __init__(self, label: str, total: int) -> None:
        self._bar = tqdm(desc=label, total=total, unit=" files")
        self._lock = Lock()
        self.bytes = 0

    def __enter__(self) -> "CountBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def starts(self, position: int, total: int | None) -> None:
        """A file's size is not shown."""

    def adds(self, count: int) -> None:
        """So many more bytes have come, of whichever file."""
        with self._lock:
            self.bytes += count

    def done(self) -> None:
        """One more file needs nothing more."""
        with self._lock:
            self._bar.set_postfix_str(f"{self.bytes / 1e6:.1f} MB", refresh=False)
            self._bar.update()
