"""What a request for a chat completion asks: strict about what it reads, deaf to the many fields that it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rag.answer.question import MAX_QUESTION_CHARACTERS
from rag.api.errors import RefusedError
from rag.json_fields import member, of_kind, parsed
from rag.types import Turn

LONGEST_REQUEST = 1_000_000
"""Bytes of a request, at most: a conversation of many hundred answers."""
MOST_TURNS = 20
_TEXT_PARTS = {"text", "input_text", "output_text"}
_OTHERS = {"system", "developer", "tool", "function"}
"""Roles of messages that are not heard: what the writer is told is for us to say."""
_MARKERS = re.compile(r" (?:\[\d+\])+(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Request:
    """A question to `model`, a name of `Articles`, and what was said before; `stream` and `usage` say how it is to be
    answered, and `blocks` whether Anthropic's form of the citations is wanted, too.
    """

    model: str
    question: str
    history: tuple[Turn, ...]
    stream: bool = False
    usage: bool = False
    blocks: bool = False


def read_request(body: bytes) -> Request:
    """The request in the body; raises RefusedError (400), which names the field at fault."""
    with _about(None):
        sent = of_kind(parsed(body), dict, "the body")
    with _about("model"):
        model = member(sent, "model", str)
    with _about("messages"):
        question, history = _conversation(member(sent, "messages", list))
    if sent.get("n") not in {None, 1}:
        raise RefusedError(400, "there is one answer to a question; leave n out", param="n", code="unsupported_value")
    wanted = sent.get("response_format")
    if wanted is not None and wanted != {"type": "text"}:
        message = "answers are text; leave response_format out"
        raise RefusedError(400, message, param="response_format", code="unsupported_value")
    with _about("stream_options"):
        options = of_kind(sent.get("stream_options") or {}, dict, "stream_options")
    return Request(
        model,
        question,
        history,
        stream=_flag(sent, "stream"),
        usage=_flag(options, "include_usage"),
        blocks=_flag(sent, "char_location"),
    )


def _conversation(messages: list[Any]) -> tuple[str, tuple[Turn, ...]]:
    """The last message, which is the question, and the turns before it."""
    turns: list[Turn] = []
    speaker = ""
    for message in messages:
        role = member(message, "role", str)
        if role == "user":
            turns.append(Turn(_text(message)))
        elif role == "assistant" and turns:
            before = turns.pop()
            turns.append(Turn(before.question, f"{before.answer} {_heard(_text(message))}".strip()))
        elif role not in {"assistant", *_OTHERS}:
            raise ValueError(f"there is no role {role!r}")
        speaker = speaker if role in _OTHERS else role
    if speaker != "user":
        raise ValueError("the last message must be the user's question")
    *earlier, asked = turns
    most = MAX_QUESTION_CHARACTERS
    return asked.question, tuple(Turn(turn.question[:most], turn.answer[:most]) for turn in earlier[-MOST_TURNS:])


def _text(message: dict[str, Any]) -> str:
    """What the message says, be it one text or parts of it; nothing, where its content is null."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        return of_kind(content or "", str, "content")
    texts = []
    for part in of_kind(content, list, "content"):
        if (kind := member(part, "type", str)) not in _TEXT_PARTS:
            raise ValueError(f"a message is read as text alone; it has a part of the type {kind!r}")
        texts.append(member(part, "text", str))
    return " ".join(texts)


def _heard(shown: str) -> str:
    """An earlier answer without the numbers of its citations, or the writer would take them for words."""
    return _MARKERS.sub("", shown)


def _flag(sent: dict[str, Any], name: str) -> bool:
    with _about(name):
        return of_kind(sent.get(name) or False, bool, name)


@contextmanager
def _about(param: str | None) -> Iterator[None]:
    """Says of a ValueError which field it is about."""
    try:
        yield
    except ValueError as error:
        raise RefusedError(400, str(error), param=param) from error
