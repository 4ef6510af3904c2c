"""An answer as OpenAI's objects: a chat completion, and the chunks of one that is streamed."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rag.answer.pipeline import Pipeline
from rag.api.citations import Json, citation_list, content_blocks, url_citations
from rag.api.requests import Request
from rag.types import Answer, Citation

DONE = "data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply to a request: everything but the answer; `link` gives the address at which a quote can be looked up."""

    request: Request
    pipeline: Pipeline
    link: Callable[[Citation], str]
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> Json:
        """The chat completion."""
        said = {"role": "assistant", "content": answer.text, "refusal": None, **self._cited(answer)}
        return {
            **self._head("chat.completion"),
            "choices": [{"index": 0, "message": said, "finish_reason": "stop", "logprobs": None}],
            "usage": self._usage(answer),
            "citations": citation_list(answer),
        }

    def opening(self) -> str:
        """The event that begins a stream, before there is anything to say."""
        return self._chunk({"role": "assistant", "content": ""})

    def events(self, answer: Answer) -> Iterator[str]:
        """The events of the finished answer: statement by statement, then the one with the citations, which says
        nothing, as some readers look for nothing else in it; then the usage, if wanted, and the end.
        """
        pieces = [f"{said.shown} {said.markers}" for said in answer.statements] or [answer.text]
        for number, piece in enumerate(pieces):
            yield self._chunk({"content": f" {piece}" if number else piece})
        yield self._chunk(self._cited(answer), finish_reason="stop", citations=citation_list(answer))
        if self.request.usage:
            yield event({**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage(answer)})
        yield DONE

    def _head(self, kind: str) -> Json:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.request.model}

    def _chunk(self, delta: Json, *, finish_reason: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return event({**self._head("chat.completion.chunk"), "choices": [choice], **more})

    def _cited(self, answer: Answer) -> Json:
        """The fields of a message that cite."""
        documents: Sequence[str] = tuple(self.pipeline.index.documents)
        blocks = {"content_blocks": content_blocks(answer, documents)} if self.request.blocks else {}
        return {"annotations": url_citations(answer, self.link), **blocks}

    def _usage(self, answer: Answer) -> Json:
        """What was asked and answered, in the embedder's word pieces; what the writer read besides is not counted."""
        asked = [part for turn in self.request.history for part in (turn.question, turn.answer)]
        *before, completion = self.pipeline.index.embedder.count_pieces([*asked, self.request.question, answer.text])
        prompt = sum(before)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def event(value: Json) -> str:
    """A server-sent event with the object as its data."""
    return f"data: {json.dumps(value)}\n\n"
