"""One address of a download, and the requests that bring a part to its full length from there."""

import threading
from typing import Protocol

import requests

from bsn.disk import require_room
from study.fetch.downloads import Download
from study.fetch.parts import Origin, Part
from study.fetch.web import Broken, Refused, announced_size, body, content_range, get, is_page, persist, validator


class Progress(Protocol):
    """Is told how a file comes in."""

    def starts(self, position: int, total: int | None) -> None:
        """The next bytes are those from `position` on, of `total`."""

    def adds(self, count: int) -> None:
        """So many more bytes have come."""


class Mirror:
    """`url` as one of the places that have `download`."""

    def __init__(self, url: str, download: Download, *, stop: threading.Event, progress: Progress) -> None:
        self.url = url
        self._download = download
        self._stop = stop
        self._progress = progress
        # A server that answered with another range than it was asked for is not asked for one again.
        self._ranges = True

    def fill(self, part: Part) -> None:
        """Until the part is as long as the server says it is. Raises web.Refused, and FullDisk."""
        persist(lambda: self._request(part), stop=self._stop, gained=lambda: part.continued)

    def _request(self, part: Part) -> None:
        asked = part.range_headers(self.url, any_origin=self._download.hashed) if self._ranges else {}
        with get(self.url, asked) as response:
            if response.status_code == 416:
                self._past_the_end(response, part)
                return
            if response.status_code == 206:
                total = self._go_on(response, part, asked=bool(asked))
            else:
                total = self._begin(response, part)
            goes_on = response.status_code == 206
            limit = self._download.size or total
            self._progress.starts(part.length, limit)
            for chunk in body(response, self._stop):
                part.append(chunk)
                part.continued += len(chunk) if goes_on else 0
                self._progress.adds(len(chunk))
                if limit is not None and part.length > limit:
                    part.discard()
                    raise Refused(f"sends more than the {limit} bytes that it should")
        if part.length == 0:
            raise Refused("the answer is empty")
        if limit is not None and part.length < limit:
            raise Broken(f"broke off at {part.length} of {limit} bytes")

    def _begin(self, response: requests.Response, part: Part) -> int | None:
        """A 200: the whole comes, and replaces what is here. Returns its size."""
        total = announced_size(response)
        # Refused before the part is given up for it: it may be gigabytes, and another address may go on with it.
        if is_page(response):
            raise Refused("answers with a page, not with the file")
        self._require_size(total)
        checkable = self._download.hashed or self._download.size is not None
        if total is None and not response.raw.chunked and not checkable:
            raise Refused("tells no length, so a break could not be noticed")
        if total is not None:
            require_room(total - part.length, part.file)
        part.begin(Origin(url=self.url, validator=validator(response), total=total))
        return total

    def _go_on(self, response: requests.Response, part: Part, *, asked: bool) -> int | None:
        """A 206: what follows comes, if it fits what is here. Returns the size of the whole."""
        span = content_range(response)
        origin = Origin(url=self.url, validator=validator(response), total=span[2] if span else None)
        if not asked or span is None or span[0] != part.length or not self._fits(origin, part):
            self._ranges = False
            raise Broken("answers with another range than it was asked for")
        self._require_size(origin.total)
        if origin.total is not None:
            require_room(origin.total - part.length, part.file)
        part.go_on(origin)
        return origin.total

    def _fits(self, origin: Origin, part: Part) -> bool:
        """Whether a 206 of this origin is of the content that the part is of, as far as the server tells."""
        before = part.origin
        if before is None or before.url != origin.url:
            return True  # asked for only under a published hash
        return before.validator in (None, origin.validator) and (
            None in (before.total, origin.total) or before.total == origin.total
        )

    def _past_the_end(self, response: requests.Response, part: Part) -> None:
        """A 416: the part is all there is, or is of something longer."""
        if not self._ranges:
            raise Refused("416 to a request for the whole")
        whole = response.headers.get("Content-Range", "").strip()
        announced = part.origin.total if part.origin else None
        if whole == f"bytes */{part.length}" and (self._download.hashed or announced == part.length):
            return
        self._ranges = False
        raise Broken("416, what is here does not fit what it has")

    def _require_size(self, total: int | None) -> None:
        published = self._download.size
        if None not in (total, published) and total != published:
            raise Refused(f"announces {total} bytes, published are {published}")
