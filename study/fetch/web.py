"""One GET over HTTP, and asking again as long as the trouble may pass.

What can go wrong is one of two things: `Refused`, this address will not serve what is wanted, or `Broken`, it may if it
is asked again. Both carry a reason of a few words for the line that the user gets to read.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import requests
import urllib3
from requests.exceptions import InvalidHeader, InvalidSchema, InvalidURL, MissingSchema, SSLError, TooManyRedirects
from urllib3.util import Retry

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 30.0  # seconds
ATTEMPTS = 5  # failures in a row without a new byte; then the address is given up
BACKOFF = 1.0  # seconds before the second attempt, doubled before each further one
LONGEST_WAIT = 60.0  # seconds, whatever a server's Retry-After asks for
CHUNK = 1 << 16
# Bodies are wanted as they are stored: a compressed one could be neither resumed nor compared with a published size.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "bsn (a reproduction study; python-requests)"}
PASSING = (408, 425, 429)

Result = TypeVar("Result")
_threads = threading.local()


class Refused(Exception):
    """This address will not serve what is wanted; the text is the reason."""


class Broken(Exception):
    """It may work when asked again, after `wait` seconds where the server said so; the text is the reason."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Stopped(Exception):
    """The work was called off, by Ctrl-C for one."""


@contextmanager
def get(url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
    """The answer to one GET, redirects followed: status 200, 206 or 416, its body yet to be read with `body`.

    Raises Refused or Broken for any other, for one whose body is encoded, and when there is none.
    """
    with _told_as_reasons():
        response = _session().get(
            url, headers={**HEADERS, **headers}, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
        )
    with response:
        status = f"{response.status_code} {response.reason or ''}".strip()
        if response.status_code in PASSING or response.status_code >= 500:
            raise Broken(status, _retry_after(response))
        if response.status_code not in (200, 206, 416):
            raise Refused(status)
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise Refused(f"answers with the encoding {encoding}, which was not asked for")
        yield response


def body(response: requests.Response, stop: threading.Event) -> Iterator[bytes]:
    """The body's bytes as they come in. Raises Broken when it ends early or stalls, Stopped when `stop` is set."""
    with _told_as_reasons():
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            if stop.is_set():
                raise Stopped
            yield chunk


def persist(attempt: Callable[[], Result], *, stop: threading.Event, gained: Callable[[], int] = lambda: 0) -> Result:
    """`attempt()`, again and again with growing pauses while it is Broken; Refused after ATTEMPTS in a row.

    `gained` counts what the attempts have won for good; when it has grown, the failures are counted from new.
    """
    failures, before = 0, gained()
    while True:
        try:
            return attempt()
        except Broken as broken:
            if gained() > before:
                failures, before = 0, gained()
            failures += 1
            if failures == ATTEMPTS:
                raise Refused(f"{broken}, {ATTEMPTS} times") from None
            pause(BACKOFF * 2 ** (failures - 1) if broken.wait is None else broken.wait, stop)


def pause(seconds: float, stop: threading.Event) -> None:
    """Wait, LONGEST_WAIT at most. Raises Stopped as soon as `stop` is set."""
    if stop.wait(min(seconds, LONGEST_WAIT)):
        raise Stopped


def content_range(response: requests.Response) -> tuple[int, int, int | None] | None:
    """(first byte, last byte, size of the whole or None where it is *) of a 206; None when it does not say."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if found is None:
        return None
    first, last, whole = found.groups()
    return int(first), int(last), None if whole == "*" else int(whole)


def announced_size(response: requests.Response) -> int | None:
    """Bytes of the body, where the server told them before."""
    return response.raw.length_remaining


def is_page(response: requests.Response) -> bool:
    """Whether the answer calls itself a page for people, as Google Drive and Dropbox send in place of the file."""
    return response.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml"))


def validator(response: requests.Response) -> str | None:
    """What tells this content from another at the same address: a strong ETag, else Last-Modified, else None."""
    etag = response.headers.get("ETag")
    # A weak ETag stands for "as good as the same", which is not enough to join two halves.
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _session() -> requests.Session:
    """One a thread: requests does not promise that a session can be shared."""
    if not hasattr(_threads, "session"):
        _threads.session = requests.Session()
    return _threads.session


@contextmanager
def _told_as_reasons() -> Iterator[None]:
    try:
        yield
    except TooManyRedirects:
        raise Refused("its redirects never end") from None
    except SSLError:
        raise Refused("its certificate is not valid") from None
    except (InvalidURL, InvalidSchema, MissingSchema):
        raise Refused("it is or leads to no http address") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise Broken(_why(error)) from None


def _why(error: BaseException | None) -> str:
    """The operating system's word for it, which lies some exceptions deep."""
    while error is not None:
        if isinstance(error, TimeoutError):
            return "no answer in time"
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return "the connection broke off"


def _retry_after(response: requests.Response) -> float | None:
    """Seconds; the header holds them or a date."""
    header = response.headers.get("Retry-After")
    try:
        return None if header is None else Retry().parse_retry_after(header)
    except (InvalidHeader, urllib3.exceptions.InvalidHeader):
        return None
