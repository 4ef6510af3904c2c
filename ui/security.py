"""What stands between the page and other web sites: who may ask (Host, Origin), and the headers of every answer.

A page on the loopback address is reachable by every site that the user's browser has open: by a name that the site
points at 127.0.0.1 (DNS rebinding: the Host check), and by requests sent across origins (the Origin check).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.api import API, RefusedError, error_response

_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""The policy of everything that is no page: nothing in it runs, should a browser show it as one."""

LOOPBACK = ["127.0.0.0/8", "::1"]
"""What this computer calls itself, as addresses."""


class Hosts:
    """The hosts that a server on an address answers to; on all addresses of a computer, to each that is no name.

    An address in the place of a name can be no site's trick: DNS rebinding needs a name.
    """

    def __init__(self, host: str) -> None:
        self._names = {host.lower(), f"[{host}]", "localhost", "127.0.0.1", "[::1]"}
        self._any_address = is_every_address(host)
        if self._any_address:
            own = socket.gethostname().lower()
            self._names |= {own, f"{own}.local"}

    def __contains__(self, host: str) -> bool:
        return host in self._names or (self._any_address and _address(host.strip("[]")) is not None)


def is_loopback(host: str) -> bool:
    """Whether nobody but this computer reaches a server on the host."""
    address = _address(host)
    return address.is_loopback if address is not None else host == "localhost"


def is_every_address(host: str) -> bool:
    """Whether a server on the host answers on every address of this computer (0.0.0.0, ::)."""
    address = _address(host)
    return address is not None and address.is_unspecified


def is_api(scope: Scope) -> bool:
    """Whether a program asks, rather than the page."""
    return f"{scope['path']}/".startswith(f"{API}/")


def refusal(scope: Scope, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """The response that refuses the request: an object of the API, where that is asked, else a line of text."""
    if not is_api(scope):
        return PlainTextResponse(message, status, headers)
    code = "invalid_api_key" if status == 401 else None
    return error_response(RefusedError(status, message, code=code), headers)


class Guard:
    """ASGI middleware that refuses other hosts (400) and other origins (403), and sets the security headers.

    `hosts` are the names and addresses, without port, by which people reach the page. At `public_url` a proxy passes on
    what people ask there, perhaps by way of https.
    """

    def __init__(self, app: ASGIApp, *, hosts: Hosts, public_url: str = "") -> None:
        self.app = app
        self.hosts = hosts
        self.public = urlsplit(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # the page opens none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host and host == self.public.netloc:
            scope = {**scope, "scheme": self.public.scheme}
        elif re.sub(r":\d*$", "", host) not in self.hosts:
            await refusal(scope, 400, "Unknown host")(scope, receive, send)
            return
        if _is_foreign(scope, headers):
            await refusal(scope, 403, "Not from this page")(scope, receive, send)
            return
        scope["headers"] = [  # without forwarding headers, which would rewrite the page's own address
            (name, value)
            for name, value in scope["headers"]
            if not name.startswith(b"x-forwarded-") and name != b"forwarded"
        ]
        await self.app(scope, receive, _sealed(send))


def _sealed(send: Send) -> Send:
    """`send` with the security headers added; what brings no policy of its own gets the one that allows nothing."""

    async def sealed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Content-Security-Policy", NOTHING)
        await send(message)

    return sealed


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_foreign(scope: Scope, headers: Headers) -> bool:
    """Whether another site's page sent the request; following a link to the page is not that."""
    origin = headers.get("origin")
    if origin is not None and origin != f"{scope['scheme']}://{headers['host']}":
        return True
    if headers.get("sec-fetch-site", "none") in {"none", "same-origin"}:
        return False
    return not (scope["method"] in {"GET", "HEAD"} and headers.get("sec-fetch-mode") == "navigate")
