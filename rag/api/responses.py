"""An answer as OpenAI's model response, and as the numbered events of one that is streamed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rag.api.citations import Json, citation_list, url_citations
from rag.api.errors import RefusedError, error_json
from rag.api.replies import Reply, event, pieces
from rag.types import Answer

_OPENED = 2
"""Events that begin a stream; the next has this number."""


@dataclass(frozen=True, slots=True)
class ModelResponse(Reply):
    """The reply to a request for a model response, whose output is one message with one text; nothing of it is kept."""

    id: str = field(default_factory=lambda: f"resp_{secrets.token_hex(24)}", kw_only=True)
    message_id: str = field(default_factory=lambda: f"msg_{secrets.token_hex(24)}", kw_only=True)

    def whole(self, answer: Answer) -> Json:
        """The completed response."""
        asked, said = self.tokens(answer)
        return {
            **self._head("completed"),
            "output": [self._message("completed", [self._text(answer)], **self.blocks(answer))],
            "usage": {
                "input_tokens": asked,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": said,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": asked + said,
            },
            "citations": citation_list(answer),
        }

    def opening(self) -> str:
        """The response without any output, twice: it is there, and it is worked on."""
        begun = {"response": self._head("in_progress")}
        return _event("response.created", 0, begun) + _event("response.in_progress", 1, begun)

    def events(self, answer: Answer) -> Iterator[str]:
        """The message and its text, empty; the text, statement by statement, and what it cites; then each of them
        done, and the response completed.
        """
        whole, text = self.whole(answer), self._text(answer)
        (message,) = whole["output"]
        item = {"output_index": 0}
        part = {"item_id": self.message_id, **item, "content_index": 0}
        told: list[tuple[str, Json]] = [
            ("output_item.added", {**item, "item": self._message("in_progress", [])}),
            ("content_part.added", {**part, "part": {**text, "text": "", "annotations": []}}),
            *(("output_text.delta", {**part, "delta": piece, "logprobs": []}) for piece in pieces(answer)),
            *(
                ("output_text.annotation.added", {**part, "annotation_index": number, "annotation": annotation})
                for number, annotation in enumerate(text["annotations"])
            ),
            ("output_text.done", {**part, "text": text["text"], "logprobs": []}),
            ("content_part.done", {**part, "part": text}),
            ("output_item.done", {**item, "item": message}),
            ("completed", {"response": whole}),
        ]
        for number, (kind, fields) in enumerate(told, _OPENED):
            yield _event(f"response.{kind}", number, fields)

    def failure(self, error: RefusedError) -> str:
        """The error twice: beside the type, where it is documented to be, and in `error`, where OpenAI sends it and
        its client looks for it.
        """
        told = error_json(error)
        return _event("error", _OPENED, {**told["error"], **told})

    def _head(self, status: str) -> Json:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "model": self.request.model,
            "output": [],
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "temperature": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": None,
            "usage": None,
        }

    def _message(self, status: str, content: list[Json], **more: Any) -> Json:
        said = {"id": self.message_id, "type": "message", "role": "assistant", "status": status, "content": content}
        return {**said, **more}

    def _text(self, answer: Answer) -> Json:
        annotations = [{"type": "url_citation", **one} for one in url_citations(answer, self.link)]
        return {"type": "output_text", "text": answer.text, "annotations": annotations, "logprobs": []}


def _event(kind: str, number: int, fields: Json) -> str:
    return f"event: {kind}\n" + event({**fields, "type": kind, "sequence_number": number})
