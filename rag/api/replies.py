"""What every form of a reply is made from, and the parts of it that are the same in each."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rag.answer.pipeline import Pipeline
from rag.api.citations import Json, content_blocks
from rag.api.errors import RefusedError
from rag.api.requests import Request
from rag.types import Answer, Citation


@dataclass(frozen=True, slots=True)
class Reply(ABC):
    """One reply to a request: everything but the answer; `link` gives the address at which a quote can be looked up."""

    request: Request
    pipeline: Pipeline
    link: Callable[[Citation], str]
    created: int = field(default_factory=lambda: int(time.time()), kw_only=True)

    @abstractmethod
    def whole(self, answer: Answer) -> Json:
        """The object with the finished answer."""

    @abstractmethod
    def opening(self) -> str:
        """The events that begin a stream, before there is anything to say."""

    @abstractmethod
    def events(self, answer: Answer) -> Iterator[str]:
        """The events of the finished answer, to the end of the stream."""

    @abstractmethod
    def failure(self, error: RefusedError) -> str:
        """The event that ends a stream in which no answer can be given."""

    def blocks(self, answer: Answer) -> Json:
        """The field of a message that has Anthropic's form of the citations, where that is wanted."""
        if not self.request.blocks:
            return {}
        return {"content_blocks": content_blocks(answer, tuple(self.pipeline.index.documents))}

    def tokens(self, answer: Answer) -> tuple[int, int]:
        """What was asked, with the history, and answered, in the embedder's word pieces; what the writer read besides
        is not counted.
        """
        asked = [part for turn in self.request.history for part in (turn.question, turn.answer)]
        *before, said = self.pipeline.index.embedder.count_pieces([*asked, self.request.question, answer.text])
        return sum(before), said


def pieces(answer: Answer) -> Iterator[str]:
    """The text of the answer, statement by statement."""
    said = [f"{statement.shown} {statement.markers}" for statement in answer.statements] or [answer.text]
    for number, piece in enumerate(said):
        yield f" {piece}" if number else piece


def event(value: Json) -> str:
    """A server-sent event with the object as its data."""
    return f"data: {json.dumps(value)}\n\n"
