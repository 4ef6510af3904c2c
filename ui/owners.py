"""Who owns what is private: whoever logged in, or else whoever holds a random cookie that the server made.

A visitor is only ever known by a key, the hash of one of these: it is what the rest of the server sees and what folders
are called, and neither a cookie nor a password can be got from it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
import secrets
import time
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.keys import Keys, named_secrets
from ui.operations import OPEN
from ui.security import is_api, refusal

COOKIE = "article_chat_owner"
COOKIE_SECONDS = 400 * 24 * 3600
"""As long as browsers keep a cookie; each visit of the page begins it anew."""
KNOWN_COOKIE = "article_chat_known"
MOST_FAILURES = 10
"""Wrong passwords for one name from one address within FAILURE_SECONDS; then none is looked at, the right one neither,
or a guesser would learn it all the same. A browser that was let in before by that name is counted apart."""
FAILURE_SECONDS = 60.0
_MOST_COUNTED = 10_000
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
        passwords = named_secrets(pairs, file, "an account", "NAME:PASSWORD", "--auth")
        return cls(passwords) if passwords else None

    def are(self, name: str, password: str) -> bool:
        """Whether this is somebody's name and password."""
        return hmac.compare_digest(_hash(password), self._hashes.get(name, self._nobody))


class Owners:
    """ASGI middleware that puts `owner`, a key, and `login`, a name or None, into the scope of every request.

    With accounts, nobody gets past it without name and password (401), or after many wrong ones (429); the browser of
    whoever did is known by a cookie, so that a stranger's guesses keep nobody out who was in before ("device cookies",
    OWASP). Without accounts, a visitor who has no cookie of ours gets one.

    A program that asks the API is known by its key (`Authorization: Bearer …`), or, as a person is, by name and
    password. Where there are neither keys nor accounts, all programs are one owner. What is OPEN is let through without
    a login, too, for nobody.
    """

    def __init__(self, app: ASGIApp, *, accounts: Accounts | None = None, keys: Keys | None = None) -> None:
        self.app = app
        self.accounts = accounts
        self.keys = keys
        self._failures = _Failures()
        self._secret = secrets.token_bytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif is_api(scope) and (self.accounts is None or _token(scope)):
            await self._with_key(scope, receive, send)
        elif self.accounts is not None and scope["path"] in OPEN and "authorization" not in Headers(scope=scope):
            await self.app({**scope, "owner": "", "login": None}, receive, send)
        elif self.accounts is not None:
            await self._with_account(self.accounts, scope, receive, send)
        else:
            await self._with_cookie(scope, receive, send)

    async def _with_key(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = self.keys.name_of(_token(scope)) if self.keys is not None else None
        if name is not None:
            await self.app({**scope, "owner": _key("login", name), "login": name}, receive, send)
        elif self.keys is None and self.accounts is None:
            await self.app({**scope, "owner": _key("api", ""), "login": None}, receive, send)
        else:
            how = "--api-key-file FILE" if self.keys is None else "Authorization: Bearer KEY"
            message = f"this needs a key that the server knows: {how}"
            refused = refusal(scope, 401, message, {"WWW-Authenticate": 'Bearer realm="article-chat"'})
            await refused(scope, receive, send)

    async def _with_account(self, accounts: Accounts, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        given = request.headers.get("authorization")
        name, password = _credentials(given or "")
        known = hmac.digest(self._secret, name.encode(), "sha256").hex()
        is_known = hmac.compare_digest(request.cookies.get(KNOWN_COOKIE, "").encode(), known.encode())
        source = "known" if is_known else _network(request.client.host if request.client else "")
        if given is not None and self._failures.are_many(source, name):
            wait = {"Retry-After": str(round(FAILURE_SECONDS))}
            refused = refusal(scope, 429, "Too many wrong passwords; wait a minute", wait)
            await refused(scope, receive, send)
        elif given is None or not accounts.are(name, password):
            if given is not None:
                self._failures.add(source, name)
            ask = {"WWW-Authenticate": 'Basic realm="article-chat", charset="UTF-8"'}
            await refusal(scope, 401, "Who are you?", ask)(scope, receive, send)
        else:
            scope = {**scope, "owner": _key("login", name), "login": name}
            send = send if is_known else _with_header(send, "Set-Cookie", _cookie(scope, KNOWN_COOKIE, known))
            await self.app(scope, receive, send)

    async def _with_cookie(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        token = request.cookies.get(COOKIE, "")
        known = _TOKEN.fullmatch(token) is not None
        token = token if known else secrets.token_urlsafe(32)
        scope = {**scope, "owner": _key("cookie", token), "login": None}
        if known and "text/html" not in request.headers.get("accept", ""):
            await self.app(scope, receive, send)
            return
        await self.app(scope, receive, _with_header(send, "Set-Cookie", _cookie(scope, COOKIE, token)))


class _Failures:
    """When wrong passwords for which name came from where, as far as that matters still."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, source: str, name: str) -> None:
        key = _key(source, name)  # of one length, whatever was sent
        times = self._times.setdefault(key, deque(maxlen=MOST_FAILURES))
        times.append(time.monotonic())
        self._times.move_to_end(key)
        if len(self._times) > _MOST_COUNTED:
            self._times.popitem(last=False)

    def are_many(self, source: str, name: str) -> bool:
        times = self._times.get(_key(source, name))
        return times is not None and len(times) == MOST_FAILURES and time.monotonic() - times[0] < FAILURE_SECONDS


def _token(scope: Scope) -> str:
    """What stands in an `Authorization: Bearer …` header (RFC 6750); empty where there is none."""
    scheme, _, token = HTTPConnection(scope).headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _credentials(authorization: str) -> tuple[str, str]:
    """The name and password in an `Authorization: Basic …` header (RFC 7617); empty where there are none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return _composed(name), password


def _cookie(scope: Scope, name: str, value: str) -> str:
    # Lax, not strict: or whoever follows a link to the page would seem to have no cookie and get another.
    secure = "; Secure" if scope["scheme"] == "https" else ""
    return f"{name}={value}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}"


def _with_header(send: Send, name: str, value: str) -> Send:
    """`send` with the header added."""

    async def with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append(name, value)
        await send(message)

    return with_header


def _network(address: str) -> str:
    """The address, or of IPv6 the network that one subscriber has (/64), all of which can be one guesser."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(found if found.version == 4 else ipaddress.ip_network((int(found), 64), strict=False))


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()[:32]


def _hash(password: str) -> bytes:
    return hashlib.sha256(_composed(password).encode()).digest()


def _composed(text: str) -> str:
    """NFC, as RFC 7617 asks for: keyboards differ in how they spell an é."""
    return unicodedata.normalize("NFC", text)
