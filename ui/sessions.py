"""What the page may ask of Gradio: the few routes that it uses, in sessions that are its owner's alone.

Gradio knows a session by a hash that the browser made up, and believes whoever says it. And it has more routes than
the page needs, such as one that fetches any URL.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
from typing import IO
from urllib.parse import parse_qsl, urlencode

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.api import RefusedError, receive_body
from ui.exchanges import LONGEST_RECORD
from ui.kept import OWNER_DIGITS, Kept
from ui.owners import owner_of

LONGEST_EVENT = 2 * LONGEST_RECORD
"""Bytes that the page sends with an event, at most: the longest that it does is a conversation."""
_HEARTBEAT = "/gradio_api/heartbeat/"
_DATA = "/gradio_api/queue/data"
_READ = re.compile(rf"/|/favicon\.ico|/theme\.css|/(?:assets|static)/.+|/gradio_api/app_id|{_DATA}|{_HEARTBEAT}[^/]+")
_SENT = re.compile(r"/gradio_api/(?:queue/join|run/predict)")


class Sessions:
    """ASGI middleware around Gradio, inside `Owners`, that has nothing but what the page uses (else 404).

    The hash of a session is made one of its owner's own before Gradio sees it, so that the same hash, sent by anybody
    else, is another session.
    """

    def __init__(self, app: ASGIApp, *, kept: Kept) -> None:
        self.app = app
        self.kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, reads = scope["path"], scope["method"] in {"GET", "HEAD"}
        if not (_READ if reads else _SENT).fullmatch(path) or (not reads and scope["method"] != "POST"):
            await PlainTextResponse("Not Found", status_code=404)(scope, receive, send)
            return
        owner = owner_of(Request(scope))
        if not reads:
            sent = io.BytesIO()
            try:
                await receive_body(Request(scope, receive), sent, most=LONGEST_EVENT)
                body = await asyncio.to_thread(_with_own_session, sent, owner)  # others go on meanwhile
            except RefusedError as error:
                await PlainTextResponse(str(error), status_code=error.status)(scope, receive, send)
                return
            except ClientDisconnect:
                return
            receive = _before(receive, {"type": "http.request", "body": body, "more_body": False})
        elif path.startswith(_HEARTBEAT):
            session = _own(path.removeprefix(_HEARTBEAT), owner)
            path = _HEARTBEAT + session
            with self.kept.open(session):
                await self.app({**scope, "path": path, "raw_path": path.encode()}, receive, send)
            return
        elif path == _DATA:
            query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
            query["session_hash"] = _own(query.get("session_hash", ""), owner)
            scope = {**scope, "query_string": urlencode(query).encode()}
        await self.app(scope, receive, send)


def _own(session: str, owner: str) -> str:
    return _hash(owner)[:OWNER_DIGITS] + _hash(f"{owner}:{session}")[:32]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _with_own_session(body: IO[bytes], owner: str) -> bytes:
    """The event with the session of the owner's own; raises RefusedError (400) where none is named."""
    try:
        event = json.load(body)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("session_hash"), str):
        raise RefusedError(400, "send a JSON object with a session_hash")
    return json.dumps({**event, "session_hash": _own(event["session_hash"], owner)}).encode()


def _before(receive: Receive, first: Message) -> Receive:
    """`receive` with the message before all others."""
    waiting = [first]

    async def received() -> Message:
        return waiting.pop() if waiting else await receive()

    return received
