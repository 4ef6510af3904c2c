"""A web site on this computer that answers each path as it is told, and a reader of pages that may ask it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address

from rag.ingest.public_hosts import is_public
from rag.ingest.web_address import load_page

HOSTS = {
    "site.example": ["127.0.0.1"],
    "two.example": ["127.0.0.1", "10.0.0.7"],
    "down.example": ["127.0.0.99", "127.0.0.1"],
    "inside.example": ["10.0.0.7"],
}
"""Where the names are; the site listens at 127.0.0.1 only."""


class Site(ThreadingHTTPServer):
    """`pages` says what is done about each path; `asked` has the path, and the Host, of every request. One that waits
    goes on once `closing` is set.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, Callable[[_Handler], None]] = {}
        self.asked: list[tuple[str, str]] = []
        self.looked_up: list[str] = []
        self.closing = threading.Event()
        self.scheme = "http"

    def at(self, path: str, host: str = "site.example") -> str:
        """The address of the path."""
        return f"{self.scheme}://{host}:{self.server_address[1]}{path}"

    def resolve(self, host: str, port: int) -> list[str]:
        """The names of this site, and no others."""
        self.looked_up.append(host)
        return HOSTS.get(host, [])

    @property
    def load(self) -> partial:
        """Reads pages by the names of this site, which is taken for a public one."""
        return partial(load_page, resolve=self.resolve, permit=permit)


def permit(ip: IPv4Address | IPv6Address) -> bool:
    """Whether it is this computer's, or public."""
    return ip.is_loopback or is_public(ip)


def sends(body: bytes, kind: str | None = "text/html", status: int = 200, **headers: str) -> Callable[[_Handler], None]:
    """Answers with the body; "" leaves out a header."""

    def act(handler: _Handler) -> None:
        handler.send_response(status)
        told = {"Content_Type": kind or "", "Content_Length": str(len(body)), **headers}
        for name, value in told.items():
            if value:
                handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        with suppress(OSError):  # who has heard enough hangs up
            handler.wfile.write(body)

    return act


def leads_to(address: str, status: int = 302) -> Callable[[_Handler], None]:
    return sends(b"", status=status, Location=address, Set_Cookie="seen=1; Path=/")


def dribbles(handler: _Handler) -> None:
    """Sends a header and then, again and again, a little of the next, as long as anybody listens."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
    with suppress(OSError):
        while not handler.server.closing.wait(0.02):
            handler.wfile.write(b"x")


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Host"]))
        assert "Cookie" not in self.headers
        self.server.pages.get(self.path, sends(b"gone", status=404))(self)

    def log_message(self, *args: object) -> None:
        pass
