"""A model server on this computer that does what a script says: it answers, refuses, breaks off, or says nothing."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Act = Callable[["_Handler", dict[str, Any]], None]
"""What is done about a request for a completion, of which it is given the body."""


class FakeServer(ThreadingHTTPServer):
    """Does the next of `script` for each request for a completion and, once it is used up, replies with `reply`, word
    by word, each of probability 0.9.

    `requests` has the path and the body of every request, `keys` what each gave as its key; `told` what it answers to
    GET, by path. A request that waits goes on once `closing` is set.
    """

    daemon_threads = True

    def __init__(self, script: Iterable[Act] = (), *, reply: str = "", models: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = list(script)
        self.reply = reply
        self.told: dict[str, Any] = {"/v1/models": {"data": [*models] or [{"id": "tiny"}]}}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str | None] = []
        self.reached, self.closing = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def completions(self) -> list[dict[str, Any]]:
        """The bodies of the requests for completions."""
        return [body for path, body in self.requests if path.endswith("/chat/completions")]


def says(text: str, *, logprobs: bool = True, after: str = "[DONE]", field: str = "content") -> Act:
    """Replies with the text; `after` it comes the last line of data, "" for none."""

    def act(handler: _Handler, body: dict[str, Any]) -> None:
        handler.stream()
        handler.event({"delta": {"role": "assistant", field: None}})
        for word in re.findall(r"\s*\S+", text)[: body["max_tokens"]]:
            others = [{"token": other, "logprob": chance} for other, chance in (("The", -3.0), (" ship", -4.0))]
            entry = {"token": word, "logprob": math.log(0.9), "top_logprobs": others}
            told = {"logprobs": {"content": [entry]}} if logprobs and body.get("logprobs") else {}
            handler.event({"delta": {field: word}, **told})
        if after:
            handler.event({"delta": {}, "finish_reason": "stop"})
            handler.line(after)

    return act


def breaks_off(text: str) -> Act:
    """Says the text, and then the connection ends."""
    return says(text, after="")


def refuses(status: int, body: Any = None, **headers: str) -> Act:
    """Answers with the status and says why, as JSON unless it is a text."""

    def act(handler: _Handler, _: dict[str, Any]) -> None:
        handler.whole(body if body is not None else {"error": {"message": "not now"}}, status, headers)

    return act


def sends(*lines: str) -> Act:
    """Sends these lines."""

    def act(handler: _Handler, _: dict[str, Any]) -> None:
        handler.stream()
        for line in lines:
            handler.wfile.write(f"{line}\n\n".encode())

    return act


def pings(handler: _Handler, _: dict[str, Any]) -> None:
    """Says that it is still there, again and again, and nothing else, as long as anybody listens."""
    handler.stream()
    with suppress(OSError):
        while not handler.server.closing.wait(0.02):
            handler.wfile.write(b": ping\n\n")


def waits(handler: _Handler, _: dict[str, Any]) -> None:
    """Says nothing until the server closes."""
    handler.server.reached.set()
    assert handler.server.closing.wait(60)


class _Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def do_GET(self) -> None:
        self._note({})
        told = self.server.told.get(self.path)
        self.whole(told if told is not None else "<html>not found</html>", 200 if told is not None else 404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._note(body)
        if not self.path.endswith("/chat/completions"):
            self.loaded()
            return
        act = self.server.script.pop(0) if self.server.script else says(self.server.reply)
        act(self, body)

    def loaded(self) -> None:
        """As Ollama does for a model without a prompt."""
        self.server.told["/api/ps"] = self.server.told.get("loaded", {"models": []})
        self.whole({"done": True}, 200, {})

    def _note(self, body: dict[str, Any]) -> None:
        self.server.requests.append((self.path, body))
        self.server.keys.append(self.headers.get("Authorization"))

    def whole(self, body: Any, status: int, headers: dict[str, str]) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

    def event(self, choice: dict[str, Any]) -> None:
        self.line(json.dumps({"choices": [{"index": 0, **choice}]}))

    def line(self, data: str) -> None:
        self.wfile.write(f"data: {data}\n\n".encode())

    def log_message(self, *args: object) -> None:
        pass
