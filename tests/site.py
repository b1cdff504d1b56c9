"""A web server on 127.0.0.1 that serves well until it is told how to misbehave."""

import contextlib
import socket
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(kw_only=True)
class Page:
    """What lies at a path. Without `ranges`, a Range header is ignored, as small servers do."""

    content: bytes
    etag: str | None = None
    last_modified: str | None = None
    ranges: bool = True


@dataclass(kw_only=True)
class Fault:
    """How one answer differs from the right one."""

    status: int | None = None
    body: bytes | None = None
    headers: dict[str, str | None] = field(default_factory=dict)  # None takes one away
    breaks_after: int | None = None  # bytes of the body, then the connection ends
    stalls_after: int | None = None  # bytes of the body, then nothing until the test ends
    chunked: bool = False


@dataclass
class Request:
    """What was asked, and what was sent for it."""

    path: str
    range: str | None
    if_range: str | None
    encoding: str | None
    status: int = 0
    sent: int = 0  # bytes of the body


class Site:
    """The server: `put` pages, `fail` answers to come, read `requests`."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.requests: list[Request] = []
        self.ended = threading.Event()
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def put(self, path: str, content: bytes, **page) -> str:
        """Serve `content` at `path`; returns its address."""
        self.pages[path] = Page(content=content, **page)
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def fail(self, path: str, *, times: int = 1, **fault) -> str:
        """The next `times` answers at `path` have this fault; after the faults told before."""
        self._faults[path].extend([Fault(**fault)] * times)
        return self.url(path)

    def always(self, path: str, **fault) -> str:
        """Every answer at `path` has this fault."""
        self._always[path] = Fault(**fault)
        return self.url(path)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                request = Request(path, *(self.headers.get(key) for key in ("Range", "If-Range", "Accept-Encoding")))
                site.requests.append(request)
                faults = site._faults[path]
                fault = faults.popleft() if faults else site._always.get(path, Fault())
                status, headers, body = site._answer(path, request)
                if fault.status is not None:
                    status = fault.status
                    body = b"" if fault.body is None else fault.body
                    headers = {"Content-Length": str(len(body))}
                elif fault.body is not None:
                    body = fault.body
                    headers["Content-Length"] = str(len(body))
                headers.update(fault.headers)
                if fault.chunked:
                    headers.update({"Content-Length": None, "Transfer-Encoding": "chunked"})
                    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
                request.status = status
                self.send_response(status)
                for key, value in headers.items():
                    if value is not None:
                        self.send_header(key, value)
                self.end_headers()
                end = min([len(body), *(n for n in (fault.breaks_after, fault.stalls_after) if n is not None)])
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(body[:end])
                    request.sent = end
                if fault.stalls_after is not None:
                    site.ended.wait()
                if end < len(body) or headers.get("Content-Length") != str(len(body)):
                    self.close_connection = True
                    with contextlib.suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _answer(self, path: str, request: Request) -> tuple[int, dict[str, str], bytes]:
        """The right one."""
        page = self.pages.get(path)
        if page is None:
            return 404, {"Content-Length": "0"}, b""
        validators = {"ETag": page.etag, "Last-Modified": page.last_modified}
        headers = {key: value for key, value in validators.items() if value is not None}
        whole = len(page.content)
        same = request.if_range is None or request.if_range in validators.values()
        if request.range is None or not page.ranges or not same:
            return 200, {**headers, "Content-Length": str(whole)}, page.content
        first, _, last = request.range.removeprefix("bytes=").partition("-")
        start, end = int(first), min(whole, int(last) + 1 if last else whole)
        if start >= whole:
            return 416, {**headers, "Content-Range": f"bytes */{whole}", "Content-Length": "0"}, b""
        body = page.content[start:end]
        span = f"bytes {start}-{end - 1}/{whole}"
        return 206, {**headers, "Content-Range": span, "Content-Length": str(len(body))}, body
