"""One HTTP GET, and the retries around it.

Errors are of two kinds: `PermanentError`, this URL does not serve the file, and `TransientError`, another attempt may
succeed. Both carry a reason of a few words, which ends up in the line that the user reads.
"""

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import requests
import urllib3
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, SSLError, TooManyRedirects
from urllib3.util import Retry

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 30.0  # seconds
ATTEMPTS = 5  # failures in a row without progress; then the URL is given up
RETRIES = Retry(
    total=ATTEMPTS - 1,
    status_forcelist=(408, 425, 429, *range(500, 600)),
    backoff_factor=1.0,
    backoff_max=60.0,
    retry_after_max=60,
)
CHUNK = 1 << 16  # bytes
# A compressed body can neither be resumed nor compared with a published size.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "bsn (a reproduction study; python-requests)"}

Result = TypeVar("Result")
_threads = threading.local()


class PermanentError(Exception):
    """This URL does not serve the file; the text is the reason."""


class GaveUp(PermanentError):
    """No attempt reached the file; a later one may."""


class TransientError(Exception):
    """Another attempt may succeed, after `wait` seconds where the server said so; the text is the reason."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Cancelled(Exception):
    """The caller stopped the work, by Ctrl-C for example."""


@contextmanager
def get(url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
    """Send one GET, following redirects; yield a response of status 200, 206 or 416 whose body is not read yet.

    Raises:
        PermanentError: for other responses, a web page, and a compressed body.
        TransientError: for a failed connection, and a status that may pass.
    """
    if not hasattr(_threads, "session"):
        _threads.session = requests.Session()  # one per thread: it is not thread-safe
    with _classified_errors():
        response = _threads.session.get(
            url, headers={**HEADERS, **headers}, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
        )
    with response:
        status, wait = f"{response.status_code} {response.reason or ''}".strip(), None
        if RETRIES.is_retry("GET", response.status_code):
            with suppress(urllib3.exceptions.InvalidHeader):
                wait = RETRIES.get_retry_after(response.raw)
            raise TransientError(status, wait)
        if response.status_code not in (200, 206, 416):
            raise PermanentError(status)
        # Google Drive and Dropbox send one in place of the file.
        is_page = response.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml"))
        if is_page and response.status_code != 416:
            raise PermanentError("answers with a web page, not with the file")
        if (encoding := response.headers.get("Content-Encoding", "identity")) != "identity":
            raise PermanentError(f"answers with the encoding {encoding}, which was not asked for")
        yield response


def body(response: requests.Response, stop: threading.Event) -> Iterator[bytes]:
    """Yield the body as it arrives. Raises TransientError if it breaks off or stalls, Cancelled if `stop` is set."""
    with _classified_errors():
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            if stop.is_set():
                raise Cancelled
            yield chunk


def retried(attempt: Callable[[], Result], *, stop: threading.Event, progress: Callable[[], int] = lambda: 0) -> Result:
    """Call `attempt` with urllib3's back-off until it raises no TransientError; at most ATTEMPTS times in a row.

    progress: bytes gained so far; failures are counted anew whenever it reaches a new maximum.
    """
    retries, most = RETRIES, progress()
    while True:
        try:
            return attempt()
        except TransientError as error:
            if progress() > most:
                retries, most = RETRIES, progress()
            try:
                retries = retries.increment(error=error)
            except urllib3.exceptions.MaxRetryError:
                raise GaveUp(f"{error}, {ATTEMPTS} times") from None
            pause(retries.get_backoff_time() if error.wait is None else error.wait, stop)


def pause(seconds: float, stop: threading.Event) -> None:
    """Wait. Raises Cancelled as soon as `stop` is set."""
    if stop.wait(seconds):
        raise Cancelled


def content_range(response: requests.Response) -> tuple[int | None, int | None, int | None]:
    """First byte, last byte and total size of a 206; the total of a 416; None for what the server does not tell."""
    found = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", "").strip())
    numbers = [int(group) if group else None for group in found.groups()] if found else [None] * 3
    return numbers[0], numbers[1], numbers[2]


def validator(response: requests.Response) -> str | None:
    """The value for If-Range: a strong ETag, else Last-Modified, else None."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


@contextmanager
def _classified_errors() -> Iterator[None]:
    try:
        yield
    except TooManyRedirects:
        raise PermanentError("its redirects never end") from None
    except SSLError as error:
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
            raise PermanentError("its certificate is not valid") from None
        raise TransientError("the connection broke off") from None
    except (InvalidURL, InvalidSchema, MissingSchema):
        raise PermanentError("it is or leads to no http address") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise TransientError(_reason(error)) from None


def _reason(error: BaseException) -> str:
    """The operating system's message, which lies some exceptions deep."""
    for cause in _causes(error):
        if isinstance(cause, TimeoutError):
            return "no answer in time"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return "the connection broke off"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what caused it, what caused that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
