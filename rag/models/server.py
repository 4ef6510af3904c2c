"""A language model behind an OpenAI-compatible server: llama.cpp's, Ollama, vLLM, LM Studio, or one far away."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Any

from rag.errors import ServerError
from rag.models.llm import CONTEXT_TOKENS, Message, Prompt, Token
from rag.models.openai_api import SILENCE_SECONDS, Client, RejectedError, Stopped
from rag.models.served import Served, served

CHARACTERS_PER_TOKEN = 3.5
"""English has four or five; a prompt that might be longer than the context is not sent."""
LEFT_ALONE_SECONDS = 60.0
"""A server that failed is not asked again for so long: each question would wait for it."""
STUDY_SECONDS = 600.0
_ALTERNATIVES = 20
"""So many of the likeliest tokens a server tells at each place; more are refused by most."""
LEAST_LIKELY = -100.0
"""The log-probability of what cannot come, in nats."""
_GARBLED = (KeyError, TypeError, AttributeError, ValueError)


class ServerModel:
    """A model that a server runs; nothing is sent before it is first used, and then to that server alone.

    How likely a reply is, it tells where the server does. `avoid` is not heeded: a client does not choose the tokens.
    Where the server does not tell how long a prompt may be, it is as long as for a model that runs here. Whether a text
    that holds `<|im_start|>` stays a text is up to the server. Every method raises ServerError where the server is
    dead, silent or garbled, also in the middle of a reply, and for a minute after that at once.
    """

    reads = True
    tuned = False

    def __init__(self, client: Client) -> None:
        self._client = client
        self._served: Served | None = None
        self._describing = threading.Lock()
        self._count = threading.Lock()
        self._tells = True  # whether the server tells probabilities, as far as is known
        self._studied: set[int] = set()
        self._asked = 0  # how many replies are wanted now
        self._begun = 0  # how many were ever wanted; reading beforehand gives way to one that is over already, too
        self._failed = ""
        self._left_alone_until = -math.inf

    @property
    def name(self) -> str:
        model = self._served.model if self._served is not None else self._client.address.model
        return " at ".join([*([model.rpartition("/")[2]] if model else []), self._client.address.host])

    def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        seconds: float,
        stopped: Callable[[], bool],
        avoid: str = "",  # noqa: ARG002
    ) -> Iterator[Token]:
        ends = time.monotonic() + SILENCE_SECONDS + seconds
        begun, thought = False, False

        def over() -> bool:
            return stopped() or time.monotonic() > ends

        with self._reply(prompt, max_tokens, over) as chunks:
            for chunk in chunks:
                text, tokens = _piece(chunk, self._client)
                thought = thought or _thinks(chunk)
                if (text or tokens) and not begun:
                    begun, ends = True, time.monotonic() + seconds
                yield from tokens or ([Token(text, None)] if text else [])
            if thought and not begun and not over():
                raise ServerError(f"{self._client} runs a model that thinks aloud before it answers; name another")

    def likelihood(self, prompt: Prompt, reply: str, *, stopped: Callable[[], bool]) -> float | None:
        """As the protocol says: followed token by token, as only the likeliest at each place are told. One that is not
        among them counts as the last of them; None, too, where the server cannot go on from a reply's beginning.
        """
        total, said = 0.0, ""
        while self._tells:
            before = said
            with self._reply(prompt, len(reply.split()) + 8, stopped, said=said) as chunks:
                for token, logprob, others in self._places(chunks):
                    rest = reply[len(said) :]
                    options = {**dict(others), token: logprob}
                    fitting = [text for text in options if text and rest.startswith(text if said else text.lstrip())]
                    if not fitting:
                        return total + min(options.values())
                    best = max(fitting, key=options.__getitem__)
                    total, said = total + options[best], said + (best if said else best.lstrip())
                    if said == reply:
                        return total
                    if best != token:
                        break
            if said == before or self._served is None or self._served.goes_on is None:
                return None
        return None

    def knows(self, prompt: Prompt) -> bool:
        return hash(prompt.messages[: prompt.lasting]) in self._studied

    def study(
        self,
        prompt: Prompt,
        progress: Callable[[int, int], None],
        stopped: Callable[[], bool],
        busy: Callable[[], bool] = lambda: False,
    ) -> bool:
        """As the protocol says; the server keeps what it read as long as it likes, and answers whether or not."""
        lasting = prompt.messages[: prompt.lasting]
        total = _tokens(lasting)

        while not stopped():
            before = self._begun
            if self._asked or busy():
                time.sleep(0.05)
                continue

            def gives_way(before: int = before) -> bool:
                return stopped() or self._begun > before

            progress(0, total)
            with self._reply(Prompt((*lasting, Message("user", "Question:"))), 1, gives_way, study=True) as chunks:
                read = sum(1 for _ in chunks) > 0
            if read:
                self._studied.add(hash(lasting))
                progress(total, total)
                return True
            if not gives_way():
                return False
        return False

    def _places(self, chunks: Iterator[dict[str, Any]]) -> Iterator[tuple[str, float, list[tuple[str, float]]]]:
        """Each token with the likeliest in its place; none, where the server does not tell, which is remembered."""
        for chunk in chunks:
            told = _alternatives(chunk, self._client)
            if not told and _piece(chunk, self._client)[0]:
                self._tells = False
                return
            yield from told

    @contextmanager
    def _reply(
        self, prompt: Prompt, max_tokens: int, stopped: Callable[[], bool], *, said: str = "", study: bool = False
    ) -> Iterator[Iterator[dict[str, Any]]]:
        """The chunks of the reply, which begins with what is `said`; none, where the prompt is too long. They end where
        it is stopped.
        """
        if time.monotonic() < self._left_alone_until:
            raise ServerError(self._failed)
        with self._count:
            self._asked += not study
            self._begun += not study
        try:
            with closing(self._chunks(prompt, max_tokens, stopped, said, study=study)) as chunks:
                yield chunks
        except ServerError as error:
            self._failed, self._left_alone_until = str(error), time.monotonic() + LEFT_ALONE_SECONDS
            raise
        finally:
            with self._count:
                self._asked -= not study

    def _chunks(
        self, prompt: Prompt, max_tokens: int, stopped: Callable[[], bool], said: str, *, study: bool
    ) -> Generator[dict[str, Any]]:
        try:
            with self._describing:
                if self._served is None:
                    self._served = served(self._client, stopped)
            if _tokens(prompt.messages) + max_tokens > (self._served.context or CONTEXT_TOKENS):
                return
            messages = (*prompt.messages, *([Message("assistant", said)] if said else []))
            body = {
                "model": self._served.model,
                "messages": [asdict(message) for message in messages],
                "max_tokens": max_tokens,
                "temperature": 0,
                **((self._served.goes_on or {}) if said else {}),
            }
            asks = {"logprobs": True, "top_logprobs": _ALTERNATIVES, **self._served.asks} if self._tells else {}
            silence = STUDY_SECONDS if study else None
            try:
                yield from self._client.events({**body, **asks}, stopped, silence=silence)
            except RejectedError as error:
                if not asks or error.status not in {400, 422, 500, 501} or _is_too_long(error):
                    raise
                yield from self._client.events(body, stopped, silence=silence)
                self._tells = False
        except Stopped:
            return
        except RejectedError as error:
            if not _is_too_long(error):
                raise


def _is_too_long(error: RejectedError) -> bool:
    return error.status in {400, 413, 422} and "context" in error.why.lower()


def _tokens(messages: tuple[Message, ...]) -> int:
    """About how many tokens the messages have, rather too many than too few."""
    return sum(int(len(message.content) / CHARACTERS_PER_TOKEN) + 8 for message in messages)


def _piece(chunk: dict[str, Any], client: Client) -> tuple[str, list[Token]]:
    """The text of the chunk, and its tokens where their probabilities are told; the first has all of the text."""
    try:
        text = "".join(choice.get("delta", {}).get("content") or "" for choice in chunk["choices"])
    except _GARBLED as error:
        raise client.garbled() from error
    told = _alternatives(chunk, client) if text else []
    return text, [Token("" if i else text, logprob) for i, (_, logprob, _) in enumerate(told)]


def _alternatives(chunk: dict[str, Any], client: Client) -> list[tuple[str, float, list[tuple[str, float]]]]:
    """Each token of the chunk with its log-probability, and those that were likeliest in its place."""
    try:
        entries = [e for choice in chunk["choices"] for e in (choice.get("logprobs") or {}).get("content") or []]
        return [
            (e["token"], _nats(e), [(other["token"], _nats(other)) for other in e.get("top_logprobs") or []])
            for e in entries
        ]
    except _GARBLED as error:
        raise client.garbled() from error


def _nats(entry: dict[str, Any]) -> float:
    """The log-probability of the entry; some servers write -inf as null or as a number far below any other."""
    told = float(entry["logprob"] if entry["logprob"] is not None else -math.inf)
    if math.isnan(told):
        raise ValueError("not a number")
    return max(told, LEAST_LIKELY)


def _thinks(chunk: dict[str, Any]) -> bool:
    """Whether the chunk is of what the model thinks rather than says."""
    deltas = [choice.get("delta") or {} for choice in chunk["choices"]]
    return any(delta.get("reasoning_content") or delta.get("reasoning") for delta in deltas)
