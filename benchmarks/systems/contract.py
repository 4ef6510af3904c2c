"""What a system must do to be measured, and the values that go in and out; it imports nothing heavy."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

MAY_REFUSE = 'If the article does not answer the question, reply only: "The article does not say."'
"""What a prompt is told more where a peer may refuse."""
PASSAGES = 4
"""How many passages a peer retrieves for a question."""
CONTEXT_TOKENS = 8192
REPLY_TOKENS = 256
"""The longest reply: what LangChain's and LlamaIndex's llama.cpp classes have for a default."""


@dataclass(frozen=True, slots=True)
class Models:
    """The files of the two models that all systems share, and how many threads each may use."""

    writer: str
    embedder: str
    threads: int


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the conversation, and its answer."""

    question: str
    answer: str


def as_messages(history: tuple[Turn, ...]) -> list[dict[str, str]]:
    """The conversation before a question, as messages with a role and a content."""
    return [
        {"role": role, "content": content}
        for turn in history
        for role, content in (("user", turn.question), ("assistant", turn.answer))
    ]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a system says, and the texts that it shows or has retrieved for it.

    Times are seconds after the question was asked; `first_evidence_s` is None where there is nothing to retrieve.
    """

    text: str
    evidence: tuple[str, ...]
    first_evidence_s: float | None
    first_word_s: float
    total_s: float


class System(Protocol):
    """Answers questions about one article at a time; whoever builds it loads the models."""

    def prepare(self, title: str, text: str) -> None:
        """Take the article in, in place of the one before: index it, read it."""
        ...

    def ask(self, question: str, history: tuple[Turn, ...]) -> Reply:
        """The reply to a question about the article."""
        ...


class Clock:
    """Seconds since a question was asked, and when the first and the last words of its reply came."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self._start

    def reply(self, pieces: Iterable[str], evidence: tuple[str, ...], first_evidence_s: float | None) -> Reply:
        """The reply that the pieces make, timed as they come."""
        text, first = "", None
        for piece in pieces:
            text += piece
            if first is None and text.strip():
                first = self.seconds()
        total = self.seconds()
        return Reply(text.strip(), evidence, first_evidence_s, total if first is None else first, total)
