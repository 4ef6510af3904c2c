"""What the page may load and run (Content-Security-Policy): what it holds when nobody's request is in it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_HOSTS = 32
"""Names of the server for which the page is kept; it is made again for others, so that nobody fills the memory."""
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_INLINE_STYLE = re.compile(rb"<style[^>]*>(.*?)</style>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """A page and the policy that it is sent with."""

    html: bytes
    policy: str


class OnePage:
    """ASGI middleware around Gradio, which writes the page anew for each request, and parts of the request into its
    scripts: here it is made once for each host, from a request that says nothing else, and is then the same for all.

    So the policy allows the scripts that the server made, never what a request could bring into one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._pages: OrderedDict[tuple[str, bytes], Page] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] not in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        page = await self._page(scope)
        response = HTMLResponse(page.html, headers={"Content-Security-Policy": page.policy})
        await response(scope, receive, send)

    async def _page(self, scope: Scope) -> Page:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        key = (scope["scheme"], host)
        if key not in self._pages:
            html = await self._made({**scope, "method": "GET", "query_string": b"", "headers": [(b"host", host)]})
            self._pages[key] = Page(html, page_policy(html))
            if len(self._pages) > MOST_HOSTS:
                self._pages.popitem(last=False)
        self._pages.move_to_end(key)
        return self._pages[key]

    async def _made(self, scope: Scope) -> bytes:
        body: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != 200:
                raise RuntimeError(f"the page could not be made: status {message['status']}")
            body.append(message.get("body", b""))

        await self.app(scope, receive, send)
        return b"".join(body)


def page_policy(html: bytes) -> str:
    """The policy under which this page works: its own files, its own inline scripts, nothing from elsewhere."""
    scripts = " ".join(_hashes(_INLINE_SCRIPT.findall(html)))
    styles = " ".join(_hashes([b"", *_INLINE_STYLE.findall(html)]))
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' {styles}; "
        "style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(texts: Iterable[bytes]) -> list[str]:
    digests = (base64.b64encode(hashlib.sha256(text).digest()).decode() for text in texts)
    return [f"'sha256-{digest}'" for digest in dict.fromkeys(digests)]
