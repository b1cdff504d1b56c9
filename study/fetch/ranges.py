"""One address of a large file, read piece by piece."""

import threading
from collections.abc import Callable

from study.fetch.web import Broken, Refused, body, content_range, get, is_page, persist, validator


class WholeOnly(Refused):
    """The address has the file, but answers a Range request with the whole of it."""


class Ranges:
    """`url`, several threads at a time. size: bytes of the whole; learnt from the first answer where not given."""

    def __init__(self, url: str, *, size: int | None = None) -> None:
        self.url = url
        self.size = size
        self._validator: str | None = None

    def read(self, first: int, end: int, *, stop: threading.Event, came: Callable[[int], None]) -> bytes:
        """The bytes `first` to `end` - 1. came: is told of each block's length, also of what is then thrown away.

        Asks again as web.persist does. Raises web.Refused, also when the content is not that of the pieces before.
        """
        return persist(lambda: self._request(first, end, stop, came), stop=stop)

    def _request(self, first: int, end: int, stop: threading.Event, came: Callable[[int], None]) -> bytes:
        same = {} if self._validator is None else {"If-Range": self._validator}
        with get(self.url, {"Range": f"bytes={first}-{end - 1}", **same}) as response:
            if response.status_code == 416:
                raise Refused(f"416, has no bytes {first} to {end - 1}")
            if is_page(response):
                raise Refused("answers with a page, not with the file")
            if response.status_code == 200:
                raise Refused("changed while it was read") if same else WholeOnly("serves no parts of it")
            span = content_range(response)
            if span is None or span[:2] != (first, end - 1):
                raise Broken("answers with another range than it was asked for")
            if self.size is None:
                self.size = span[2]
            if span[2] is None or span[2] != self.size or self._validator not in (None, validator(response)):
                raise Refused("is not the file that it was before")
            self._validator = validator(response)
            data = bytearray()
            for chunk in body(response, stop):
                came(len(chunk))
                data += chunk
        if len(data) != end - first:
            raise Broken(f"broke off at {len(data)} of {end - first} bytes")
        return bytes(data)
