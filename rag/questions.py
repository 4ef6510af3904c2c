"""Question files -> documents and the questions to ask of them; everything is checked, and errors name the line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.conversation import clean_question
from rag.documents import normalize
from rag.errors import QuestionFileError, UsageError
from rag.types import Document, Span, Turn

_MALFORMED = (ValueError, TypeError, KeyError, RecursionError)


@dataclass(frozen=True, slots=True)
class Question:
    """A question to ask; `golds` are the places of its answer in the document's stored text, none if unanswerable."""

    id: str
    text: str
    golds: tuple[Span, ...]
    history: tuple[Turn, ...] = ()

    @property
    def answerable(self) -> bool:
        """Whether the document answers it."""
        return bool(self.golds)


@dataclass(frozen=True, slots=True)
class Item:
    """A document and the questions to ask of it alone."""

    document: Document
    questions: tuple[Question, ...]


def read_questions(file: Path, *, limit: int | None = None) -> list[Item]:
    """The documents and questions of a question file (one document a line), at most the first `limit` questions.

    Texts are normalised as articles are, and the places of the answers with them. Raises QuestionFileError, which names
    the line.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise QuestionFileError(f"{file}: cannot be read: {reason}") from error
    items: list[Item] = []
    left = limit
    for number, line in enumerate(lines, 1):
        if left == 0:
            break
        if not line.strip():
            continue
        item = _item(line, f"{file}, line {number}")
        if any(item.document.id == other.document.id for other in items):
            raise QuestionFileError(f"{file}, line {number}: another line has the id {item.document.id!r}, too")
        items.append(Item(item.document, item.questions[:left]))
        left = None if left is None else left - len(items[-1].questions)
    if not items:
        raise QuestionFileError(f"{file}: there is no question in it")
    return items


def read_history(file: Path) -> list[Turn]:
    """The earlier turns in a file that holds a JSON list of {"question", "answer"}; raises QuestionFileError."""
    try:
        return _turns(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise QuestionFileError(f"{file}: cannot be read: {error.strerror}") from error
    except _MALFORMED as error:
        raise QuestionFileError(
            f"{file}: {_problem(error)}; give a JSON list of objects with question and answer"
        ) from error


def _item(line: str, where: str) -> Item:
    try:
        entry = json.loads(line)
        original = _text(entry, "text")
        document = Document(_text(entry, "id"), _text(entry, "title"), text=normalize(original), source=where)
        asked = list(entry["questions"])
    except _MALFORMED as error:
        raise QuestionFileError(f"{where}: {_problem(error)}") from error
    if not document.text.strip():
        raise QuestionFileError(f"{where}: the text is empty")
    questions = []
    for number, one in enumerate(asked, 1):
        try:
            questions.append(_question(one, original))
        except _MALFORMED as error:
            raise QuestionFileError(f"{where}, question {number}: {_problem(error)}") from error
    return Item(document, tuple(questions))


def _question(entry: Any, original: str) -> Question:
    name, text = _text(entry, "id"), _text(entry, "question")
    try:
        clean_question(text)
    except UsageError as error:
        raise ValueError(str(error)) from error
    golds = tuple(normalized_span(original, _gold(gold, original)) for gold in entry.get("answers") or ())
    answerable = entry.get("answerable", bool(golds))
    if not isinstance(answerable, bool) or (answerable and not golds):
        raise ValueError("answerable must be true, with at least one answer, or false")
    return Question(name, text, golds if answerable else (), tuple(_turns(entry.get("history") or [])))


def _gold(gold: Any, original: str) -> Span:
    text, start = _text(gold, "text"), gold["start"]
    if not isinstance(start, int) or start < 0 or not text or original[start : start + len(text)] != text:
        raise ValueError(f"the answer {text!r} does not stand at {start!r} of the text")
    return Span(start, start + len(text))


def normalized_span(original: str, span: Span) -> Span:
    """The smallest span of `normalize(original)` that holds what `span` of the original has become."""
    start, end, stored = span.start, span.end, normalize(original)
    if stored == original:
        return span
    while normalize(original[:start]) + normalize(original[start:]) != stored:
        start -= 1
    while normalize(original[:end]) + normalize(original[end:]) != stored:
        end += 1
    return Span(len(normalize(original[:start])), len(normalize(original[:end])))


def _turns(entries: Any) -> list[Turn]:
    if not isinstance(entries, list):
        raise TypeError("the history is not a list")
    return [Turn(_text(entry, "question"), _text(entry, "answer") if "answer" in entry else "") for entry in entries]


def _text(entry: Any, key: str) -> str:
    if not isinstance(entry, dict):
        raise TypeError(f"{str(entry)[:40]!r} is not an object")
    value = entry[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is not a text")
    value.encode()  # half of a surrogate pair, which JSON can spell, is no text
    return value


def _problem(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the field {error.args[0]!r} is missing"
    return f"not JSON: {error}" if isinstance(error, json.JSONDecodeError) else str(error)
