"""An answer as OpenAI's chat completion, and as the chunks of one that is streamed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rag.api.citations import Json, citation_list, url_citations
from rag.api.errors import RefusedError, error_json
from rag.api.replies import Reply, event, pieces
from rag.types import Answer

DONE = "data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Completion(Reply):
    """The reply to a request for a chat completion."""

    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}", kw_only=True)

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
        """A chunk that says nothing."""
        return self._chunk({"role": "assistant", "content": ""})

    def events(self, answer: Answer) -> Iterator[str]:
        """A chunk a statement, then the one with the citations, which says nothing, as some readers look for nothing
        else in it; then the usage, if wanted, and the end.
        """
        for piece in pieces(answer):
            yield self._chunk({"content": piece})
        yield self._chunk(self._cited(answer), finish_reason="stop", citations=citation_list(answer))
        if self.request.usage:
            yield event({**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage(answer)})
        yield DONE

    def failure(self, error: RefusedError) -> str:
        """The error in place of a chunk."""
        return event(error_json(error))

    def _head(self, kind: str) -> Json:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.request.model}

    def _chunk(self, delta: Json, *, finish_reason: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return event({**self._head("chat.completion.chunk"), "choices": [choice], **more})

    def _cited(self, answer: Answer) -> Json:
        """The fields of a message that cite."""
        cited = url_citations(answer, self.link)
        annotations = [{"type": "url_citation", "url_citation": one} for one in cited]
        return {"annotations": annotations, **self.blocks(answer)}

    def _usage(self, answer: Answer) -> Json:
        prompt, completion = self.tokens(answer)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
