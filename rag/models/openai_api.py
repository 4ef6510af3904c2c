"""Requests to an OpenAI-compatible server: stopped when nobody waits, tried again where that may help."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rag.errors import ServerError, SettingsError

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 120.0
"""So long a server may say nothing: it may have to load its model and to read the prompt first."""
PAUSES = (0.5, 1.0, 2.0)
"""Seconds between the tries of a request that was not taken; the last also while a server goes on loading its model."""
_LOOK_AGAIN_AFTER = 0.1
_MOST_TOLD = 200
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_PASSING = {0, 429, 500, 502, 503, 504}


class Stopped(Exception):  # noqa: N818
    """Nobody waits for the reply any more."""


class RejectedError(ServerError):
    """The server answered the request with this status, perhaps said why, and `after` how many seconds to try again."""

    def __init__(self, message: str, status: int, why: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.why = why
        self.after = after


class _UnreachableError(ServerError):
    """Nothing of a reply came."""

    status = 0
    after = 0.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model server is: its `url` ends as clients of the API expect, mostly in /v1; `model` is "" for its first
    one; the `key` goes to no other server and is never shown.
    """

    url: str
    model: str = ""
    key: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str, key: str = "") -> Address:
        """The address that is written `http://host:port/v1#model`; raises SettingsError where it is none."""
        wanted = "give a model server as http://localhost:8080/v1, or http://localhost:8080/v1#model"
        try:
            parts = urlsplit(text)
            parts.port  # noqa: B018  # raises where it is no number
        except ValueError as error:
            raise SettingsError(f"{wanted}: {error}") from error
        if parts.username or parts.password:
            raise SettingsError("a model server's key does not belong in its address; set ARTICLE_CHAT_LLM_KEY to it")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise SettingsError(f"{wanted}, not {text!r}")
        if not (key.isascii() and key.isprintable()):
            raise SettingsError("the setting llm_key has characters that no key has; copy it again")
        return cls(f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}", parts.fragment, key)

    @property
    def hostname(self) -> str:
        """The computer."""
        return urlsplit(self.url).hostname or ""

    @property
    def host(self) -> str:
        """The computer and the port."""
        return urlsplit(self.url).netloc

    @property
    def root(self) -> str:
        """The URL below which a server keeps what is its own, not the API's."""
        return self.url.removesuffix("/v1")


@dataclass(frozen=True, slots=True)
class _Request:
    """A request; for `silence` seconds nothing may come, and the tries are that long in all."""

    method: str
    url: str
    body: Mapping[str, Any] | None
    silence: float
    patient: bool = True


class Client:
    """Sends requests to one server, and to it alone: redirects are not followed, and a proxy that the environment names
    is not asked for a server on this computer.

    Every method ends soon after `stopped()`, and then raises Stopped; it raises ServerError, whose one line names the
    server, where there is no reply, RejectedError where it is a refusal.
    """

    def __init__(
        self, address: Address, *, pauses: tuple[float, ...] = PAUSES, silence: float = SILENCE_SECONDS
    ) -> None:
        self.address = address
        self._pauses = pauses
        self._silence = silence

    def get(self, url: str, stopped: Callable[[], bool], *, patient: bool = True) -> Any:
        """The JSON value that is there; if not `patient`, it is asked for once and briefly."""
        silence = self._silence if patient else min(self._silence, CONNECT_SECONDS)
        return self._value(_Request("GET", url, None, silence, patient), stopped)

    def post(self, url: str, body: Mapping[str, Any], stopped: Callable[[], bool]) -> Any:
        """The JSON value with which the server answers."""
        return self._value(_Request("POST", url, body, self._silence), stopped)

    def events(
        self, body: Mapping[str, Any], stopped: Callable[[], bool], *, silence: float | None = None
    ) -> Generator[dict[str, Any]]:
        """The chunks of a streamed chat completion; it is an error where they end before the completion does.

        `silence` is for how many seconds the server may say nothing.
        """
        url, finished = f"{self.address.url}/chat/completions", False
        request = _Request("POST", url, {**body, "stream": True}, silence or self._silence)
        with closing(self._lines(request, stopped)) as lines:
            for line in lines:
                name, _, data = line.partition(":")
                if name in {"", "event", "id", "retry"}:
                    continue
                if name != "data":
                    raise self.garbled()
                if data.strip() == "[DONE]":
                    return
                event = self._parsed(data)
                if not isinstance(event, dict):
                    raise self.garbled()
                if event.get("error"):
                    raise ServerError(f"{self} failed: {self._told(data)}")
                finished = finished or _is_last(event)
                yield event
        if not finished:
            raise ServerError(f"{self} broke off in the middle of a reply")

    def garbled(self) -> ServerError:
        """The error that says that the server speaks otherwise."""
        return ServerError(f"{self} does not answer as an OpenAI-compatible server does")

    def __str__(self) -> str:
        return f"the model server {self.address.url}"

    def _value(self, request: _Request, stopped: Callable[[], bool]) -> Any:
        with closing(self._lines(request, stopped)) as lines:
            return self._parsed("\n".join(lines))

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.garbled() from error

    def _lines(self, request: _Request, stopped: Callable[[], bool]) -> Generator[str]:
        """The lines of the reply that are not empty, as they come. A thread of their own receives them, since whoever
        waits for a server must be able to stop.
        """
        from anyio.from_thread import start_blocking_portal

        arrived: SimpleQueue[Any] = SimpleQueue()
        with start_blocking_portal() as portal:
            sent = portal.start_task_soon(self._send, request, arrived.put)
            sent.add_done_callback(arrived.put)
            try:
                while True:
                    try:
                        item = arrived.get(timeout=_LOOK_AGAIN_AFTER)
                    except Empty:
                        item = ""
                    if stopped():
                        raise Stopped
                    if item is sent:
                        sent.result()
                        return
                    if item:
                        yield item
            finally:
                sent.cancel()

    async def _send(self, request: _Request, put: Callable[[str], None]) -> None:
        """Put every line of the reply; where a request was not taken, try again within its seconds of silence."""
        import anyio
        import httpx

        headers = {"Authorization": f"Bearer {self.address.key}"} if self.address.key else {}
        timeout = httpx.Timeout(request.silence, connect=min(request.silence, CONNECT_SECONDS))
        deadline = time.monotonic() + request.silence
        pauses = [*self._pauses] if request.patient else []
        proxied = self.address.hostname not in _LOOPBACK
        async with httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=proxied) as http:
            while True:
                try:
                    await self._try(http, request, put)
                    return
                except (RejectedError, _UnreachableError) as error:
                    loads = error.status == 503 and request.patient
                    wait = max(pauses.pop(0) if pauses else self._pauses[-1] if loads else math.inf, error.after)
                    if error.status not in _PASSING or time.monotonic() + wait > deadline:
                        raise
                await anyio.sleep(wait)

    async def _try(self, http: httpx.AsyncClient, request: _Request, put: Callable[[str], None]) -> None:
        import httpx

        begun, heard = False, time.monotonic()
        try:
            async with http.stream(request.method, request.url, json=request.body) as response:
                if response.status_code != 200:
                    raise await self._rejection(response)
                async for line in response.aiter_lines():
                    if line.strip() and not line.startswith(":"):  # some servers say so that they are still there
                        begun, heard = True, time.monotonic()
                        put(line.strip())
                    elif time.monotonic() - heard > request.silence:
                        raise self._silent(request)
        except httpx.ReadTimeout as error:
            raise self._silent(request) from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if begun:
                raise ServerError(f"{self} broke off in the middle of a reply ({reason})") from error
            raise _UnreachableError(f"{self} does not answer ({reason})") from error

    def _silent(self, request: _Request) -> ServerError:
        return ServerError(f"{self} said nothing for {request.silence:.0f} seconds")

    async def _rejection(self, response: httpx.Response) -> RejectedError:
        text = ""
        async for part in response.aiter_text():
            text += part
            if len(text) > 10_000:
                break
        told, status = self._told(text), response.status_code
        if status in {401, 403}:
            message = f"{self} does not take the key ({status}); set ARTICLE_CHAT_LLM_KEY to one that it takes"
        else:
            message = f"{self} answers {status}{f' ({told})' if told else ''}"
        after = response.headers.get("Retry-After", "")
        return RejectedError(message, status, told, float(after) if re.fullmatch(r"\d{1,6}", after) else 0.0)

    def _told(self, text: str) -> str:
        """What the server says of an error, in one short line without the key."""
        try:
            found = json.loads(text)
            error = found.get("error", found)
            text = str(error.get("message", error) if isinstance(error, dict) else error)
        except (ValueError, AttributeError, RecursionError):
            text = re.sub(r"<[^>]*>", " ", text)
        if self.address.key:
            text = text.replace(self.address.key, "…")
        line = " ".join(text.split())
        return line if len(line) <= _MOST_TOLD else line[: _MOST_TOLD - 1] + "…"


def _is_last(event: dict[str, Any]) -> bool:
    """Whether the chunk says why the completion ends."""
    choices = event.get("choices")
    return isinstance(choices, list) and any(isinstance(c, dict) and c.get("finish_reason") for c in choices)
