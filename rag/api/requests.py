"""What a request for an answer asks: strict about what it reads, deaf to the many fields that it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from rag.answer.question import MAX_QUESTION_CHARACTERS, understand
from rag.api.errors import RefusedError
from rag.errors import UsageError
from rag.json_fields import member, of_kind, parsed
from rag.types import Turn

LONGEST_REQUEST = 1_000_000
"""Bytes of a request, at most: a conversation of many hundred answers."""
MOST_TURNS = 20
_TEXT_PARTS = {"text", "input_text", "output_text"}
_OTHERS = {"system", "developer", "tool", "function"}
"""Roles of messages that are not heard: what the writer is told is for us to say."""
_KEPT = {"previous_response_id": "previous_response_not_found", "conversation": "unsupported_value"}
"""Fields that name something of an earlier request, and the code by which programs know that it is not there."""
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


def read_completion(body: bytes) -> Request:
    """The request for a chat completion in the body; raises RefusedError (400), which names the field at fault."""
    sent = _sent(body)
    with _about("messages"):
        messages = member(sent, "messages", list)
    if sent.get("n") not in (None, 1):
        raise RefusedError(400, "there is one answer to a question; leave n out", param="n", code="unsupported_value")
    _check_text(sent.get("response_format"), "response_format")
    options = _options(sent, "stream_options")
    return replace(_request(sent, messages, "messages"), usage=_flag(options, "include_usage"))


def read_response(body: bytes) -> Request:
    """The request for a model response in the body; raises RefusedError (400), which names the field at fault, also
    where it goes on from something that is kept nowhere.
    """
    sent = _sent(body)
    for name, code in _KEPT.items():
        if sent.get(name) is not None:
            message = f"nothing is kept here; leave {name} out, and send what was said before in input"
            raise RefusedError(400, message, param=name, code=code)
    _check_text(_options(sent, "text").get("format"), "text.format")
    with _about("input"):
        messages = _messages(sent)
    return _request(sent, messages, "input")


def _request(sent: dict[str, Any], messages: list[Any], param: str) -> Request:
    """What the messages, which are those of the field, ask; raises RefusedError also where that is no question."""
    with _about("model"):
        model = member(sent, "model", str)
    with _about(param):
        question, history = _conversation(messages)
        understand(question, history)  # or it would be refused only once it is its turn
    return Request(model, question, history, stream=_flag(sent, "stream"), blocks=_flag(sent, "char_location"))


def _messages(sent: dict[str, Any]) -> list[Any]:
    """The messages of the input, be it one text or a list of items; others of these, such as calls of tools, are not
    heard.
    """
    if isinstance(sent.get("input"), str):
        return [{"role": "user", "content": sent["input"]}]
    messages = []
    for item in member(sent, "input", list):
        kind = of_kind(item, dict, "an item").get("type") or "message"
        if kind == "item_reference":
            raise ValueError("nothing is kept here; send the item itself in place of its item_reference")
        if kind == "message":
            messages.append(item)
    return messages


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


def _sent(body: bytes) -> dict[str, Any]:
    with _about(None):
        return of_kind(parsed(body), dict, "the body")


def _options(sent: dict[str, Any], name: str) -> dict[str, Any]:
    with _about(name):
        return of_kind(sent.get(name) or {}, dict, name)


def _check_text(wanted: Any, param: str) -> None:
    """Raises RefusedError where another form of answer is wanted than text."""
    if wanted not in (None, {"type": "text"}):
        raise RefusedError(400, f"answers are text; leave {param} out", param=param, code="unsupported_value")


def _flag(sent: dict[str, Any], name: str) -> bool:
    with _about(name):
        return of_kind(sent.get(name) or False, bool, name)


@contextmanager
def _about(param: str | None) -> Iterator[None]:
    """Says of what is wrong which field it is about."""
    try:
        yield
    except (ValueError, UsageError) as error:
        raise RefusedError(400, str(error), param=param) from error
