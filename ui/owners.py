"""Who owns what is private: whoever logged in, or else whoever holds a random cookie that the server made.

A visitor is only ever known by a key, the hash of one of these: it is what the rest of the server sees and what folders
are called, and neither a cookie nor a password can be got from it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag import UsageError

COOKIE = "article_chat_owner"
COOKIE_SECONDS = 400 * 24 * 3600
"""As long as browsers keep a cookie; each visit of the page begins it anew."""
MOST_FAILURES = 10
"""Wrong passwords from one address within FAILURE_SECONDS; then none is looked at, the right one neither."""
FAILURE_SECONDS = 60.0
_MOST_ADDRESSES = 10_000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def owner_of(request: Any) -> str:
    """The key of the owner who sent a request of Starlette's, FastAPI's or Gradio's: 32 hexadecimal digits."""
    return str(getattr(request, "request", request).scope["owner"])


class Accounts:
    """The people who may use the page, and what proves it; of a password only its hash is kept."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._hashes = {_composed(name): _hash(password) for name, password in passwords.items()}
        self._nobody = _hash(secrets.token_hex())

    @classmethod
    def read(cls, pairs: Sequence[str], file: Path | None) -> Accounts | None:
        """The accounts in `NAME:PASSWORD` pairs and in the lines of a file of them; None where there are none.

        Raises UsageError for a file that cannot be read and for what is no such pair; it does not repeat the pair.
        """
        found = [(pair, "--auth") for pair in pairs]
        if file is not None:
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                raise UsageError(f"{file}: cannot be read: {reason}") from error
            found += [(line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
            if not found:
                raise UsageError(f"{file}: there is no account in it; write NAME:PASSWORD on a line")
        passwords: dict[str, str] = {}
        for pair, where in found:
            name, _, password = pair.partition(":")
            if not name or not password:
                raise UsageError(f"{where}: an account is given as NAME:PASSWORD")
            if name in passwords:
                raise UsageError(f"{where}: the name {name!r} is given twice")
            passwords[name] = password
        return cls(passwords) if passwords else None

    def name_in(self, authorization: str) -> str | None:
        """Whose name and password an `Authorization: Basic …` header holds (RFC 7617); None where they are nobody's."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            name, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        name = _composed(name)
        right = hmac.compare_digest(_hash(password), self._hashes.get(name, self._nobody))
        return name if right and scheme.lower() == "basic" else None


class Owners:
    """ASGI middleware that puts `owner`, a key, and `login`, a name or None, into the scope of every request.

    With accounts, nobody gets past it without name and password (401), or after many wrong ones (429). Without, a
    visitor who has no cookie of ours gets one.
    """

    def __init__(self, app: ASGIApp, *, accounts: Accounts | None = None) -> None:
        self.app = app
        self.accounts = accounts
        self._failures = _Failures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self.accounts is not None:
            await self._with_account(self.accounts, scope, receive, send)
        else:
            await self._with_cookie(scope, receive, send)

    async def _with_account(self, accounts: Accounts, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        address = str(client[0]) if client else ""
        given = HTTPConnection(scope).headers.get("authorization")
        if given is not None and self._failures.are_many(address):
            wait = {"Retry-After": str(round(FAILURE_SECONDS))}
            refusal = PlainTextResponse("Too many wrong passwords; wait a minute", status_code=429, headers=wait)
            await refusal(scope, receive, send)
            return
        name = accounts.name_in(given) if given is not None else None
        if name is None:
            if given is not None:
                self._failures.add(address)
            ask = {"WWW-Authenticate": 'Basic realm="article-chat", charset="UTF-8"'}
            await PlainTextResponse("Who are you?", status_code=401, headers=ask)(scope, receive, send)
            return
        await self.app({**scope, "owner": _key("login", name), "login": name}, receive, send)

    async def _with_cookie(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        token = request.cookies.get(COOKIE, "")
        known = _TOKEN.fullmatch(token) is not None
        token = token if known else secrets.token_urlsafe(32)
        scope = {**scope, "owner": _key("cookie", token), "login": None}
        if known and "text/html" not in request.headers.get("accept", ""):
            await self.app(scope, receive, send)
            return
        # Lax, not strict: or whoever follows a link to the page would seem to have no cookie and get another.
        secure = "; Secure" if scope["scheme"] == "https" else ""
        cookie = f"{COOKIE}={token}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}"

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", cookie)
            await send(message)

        await self.app(scope, receive, send_with_cookie)


class _Failures:
    """When wrong passwords came from which address, as far as that matters still."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, address: str) -> None:
        times = self._times.setdefault(address, deque(maxlen=MOST_FAILURES))
        times.append(time.monotonic())
        self._times.move_to_end(address)
        if len(self._times) > _MOST_ADDRESSES:
            self._times.popitem(last=False)

    def are_many(self, address: str) -> bool:
        times = self._times.get(address)
        return times is not None and len(times) == MOST_FAILURES and time.monotonic() - times[0] < FAILURE_SECONDS


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()[:32]


def _hash(password: str) -> bytes:
    return hashlib.sha256(_composed(password).encode()).digest()


def _composed(text: str) -> str:
    """NFC, as RFC 7617 asks for: keyboards differ in how they spell an é."""
    return unicodedata.normalize("NFC", text)
