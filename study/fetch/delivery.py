"""One file, brought under its name: from what is here of it, and from its addresses."""

import threading
from pathlib import Path

from bsn.disk import disk_errors
from study.fetch.checksums import Record
from study.fetch.downloads import Download, FetchError, by_hand
from study.fetch.mirror import Mirror, Progress
from study.fetch.parts import Part, part_of
from study.fetch.verification import checked
from study.fetch.web import Refused


class Delivery:
    """`download` on its way to `target`. record: None for small files whose change is of no interest."""

    def __init__(self, download: Download, target: Path, *, record: Record | None) -> None:
        self._download = download
        self._target = target
        self._record = record

    def is_there(self) -> bool:
        """Whether the file bears its name already. Raises FetchError when there is another under that name."""
        if not self._target.is_file():
            return False
        if self._record is None:
            size = self._target.stat().st_size
            return size > 0 and self._download.size in (None, size)
        try:
            found = checked(self._download, self._target, self._record)
        except Refused as reason:
            raise FetchError(
                f"{self._target.absolute()} is not the file that it should be ({reason}); "
                "delete it to have it fetched again"
            ) from None
        self._record.remember(self._target, self._download.name, found)
        return True

    def bring(self, *, stop: threading.Event, progress: Progress) -> None:
        """Fetch what is missing of it. Raises FetchError, FullDisk, InputError, and web.Stopped."""
        with part_of(self._target, stop) as part, disk_errors(self._target, lambda: self._lacks(part)):
            # Another process may have finished it while this one waited.
            if self.is_there():
                part.discard()
                return
            found = self._whole_part(part)
            if found is None:
                found = self._from_addresses(part, stop, progress)
            part.finish(self._target)
            if self._record is not None:
                self._record.remember(self._target, self._download.name, found)

    def _lacks(self, part: Part) -> int | None:
        total = self._expected(part)
        return None if total is None else total - part.length

    def _expected(self, part: Part) -> int | None:
        return self._download.size or (part.origin.total if part.origin else None)

    def _whole_part(self, part: Part) -> dict[str, str] | None:
        """The digests of a part that was whole when the last start ended; a wrong one is dropped."""
        expected = self._expected(part)
        if not part.length or expected is None or part.length < expected:
            return None
        # Without a hash only the origin tells what the bytes are of.
        if self._download.hashed or part.origin is not None:
            try:
                return checked(self._download, part.file, self._record)
            except Refused:
                pass
        part.discard()
        return None

    def _from_addresses(self, part: Part, stop: threading.Event, progress: Progress) -> dict[str, str]:
        """Fill the part from the first address that can; returns its digests. Raises FetchError."""
        # The address that the part is from goes first: only there can a part without a published hash go on.
        own = part.origin.url if part.origin else None
        tried = []
        for url in sorted(self._download.urls, key=lambda url: url != own):
            mirror = Mirror(url, self._download, stop=stop, progress=progress)
            try:
                return self._from_mirror(mirror, part)
            except Refused as reason:
                tried.append((url, str(reason)))
        raise FetchError(by_hand(self._download.name, tried, self._target))

    def _from_mirror(self, mirror: Mirror, part: Part) -> dict[str, str]:
        """The digests of the part as this mirror completes it. Raises Refused; wrong bytes are dropped."""
        older = part.length > 0
        while True:
            mirror.fill(part)
            try:
                return checked(self._download, part.file, self._record)
            except Refused:
                part.discard()
                # The fault may lie in what was here before: once more, with all of it from this mirror.
                if not older:
                    raise
                older = False
