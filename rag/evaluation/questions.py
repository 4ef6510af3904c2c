"""Question files -> documents and the questions to ask of them; everything is checked, and errors name the line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.answer.question import clean_question
from rag.errors import QuestionFileError, UsageError
from rag.ingest.documents import normalize
from rag.json_fields import member, of_kind, parsed
from rag.types import Document, Span, Turn


@dataclass(frozen=True, slots=True)
class Question:
    """A question to ask; `golds` are the places of its answer in the document's stored text, none if unanswerable.

    A right answer mentions one of each of `must_mention`, if there are any. `kind` is what the file says of it, or "".
    """

    id: str
    text: str
    golds: tuple[Span, ...]
    history: tuple[Turn, ...] = ()
    kind: str = ""
    must_mention: tuple[tuple[str, ...], ...] = ()

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
    items: list[Item] = []
    left = limit
    for number, line in lines_of(file):
        if left == 0:
            break
        item = _item(line, f"{file}, line {number}")
        if any(item.document.id == other.document.id for other in items):
            raise QuestionFileError(f"{file}, line {number}: another line has the id {item.document.id!r}, too")
        items.append(Item(item.document, item.questions[:left]))
        left = None if left is None else left - len(items[-1].questions)
    if not items:
        raise QuestionFileError(f"{file}: there is no question in it")
    return items


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of the file that are not blank, with their numbers, from 1; raises QuestionFileError where it cannot be
    read.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise QuestionFileError(f"{file}: cannot be read: {reason}") from error
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def read_history(file: Path) -> list[Turn]:
    """The earlier turns in a file that holds a JSON list of {"question", "answer"}; raises QuestionFileError."""
    try:
        return _turns(parsed(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise QuestionFileError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise QuestionFileError(f"{file}: {error}; give a JSON list of objects with question and answer") from error


def _item(line: str, where: str) -> Item:
    try:
        entry = parsed(line)
        original = member(entry, "text", str)
        name, title = member(entry, "id", str), member(entry, "title", str)
        document = Document(name, title, text=normalize(original), source=where)
        asked = member(entry, "questions", list)
    except ValueError as error:
        raise QuestionFileError(f"{where}: {error}") from error
    if not document.text.strip():
        raise QuestionFileError(f"{where}: the text is empty")
    questions = []
    for number, one in enumerate(asked, 1):
        try:
            questions.append(_question(one, original))
        except ValueError as error:
            raise QuestionFileError(f"{where}, question {number}: {error}") from error
    return Item(document, tuple(questions))


def _question(entry: Any, original: str) -> Question:
    name, text = member(entry, "id", str), member(entry, "question", str)
    try:
        clean_question(text)
    except UsageError as error:
        raise ValueError(str(error)) from error
    golds = tuple(normalized_span(original, _gold(gold, original)) for gold in _list(entry, "answers"))
    answerable = entry.get("answerable", bool(golds))
    if not isinstance(answerable, bool) or (answerable and not golds):
        raise ValueError("answerable must be true, with at least one answer, or false")
    mention = tuple(_alternatives(words) for words in _list(entry, "must_mention"))
    return Question(
        name,
        text,
        golds if answerable else (),
        tuple(_turns(_list(entry, "history"))),
        of_kind(entry.get("kind") or "", str, "kind"),
        mention,
    )


def _alternatives(words: Any) -> tuple[str, ...]:
    """Words of which a right answer mentions one; a text alone must be mentioned itself."""
    found = [words] if isinstance(words, str) else of_kind(words, list, "must_mention")
    return tuple(of_kind(word, str, "must_mention") for word in found)


def _gold(gold: Any, original: str) -> Span:
    text, start = member(gold, "text", str), member(gold, "start", int)
    if start < 0 or not text or original[start : start + len(text)] != text:
        raise ValueError(f"the answer {text!r} does not stand at {start} of the text")
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
    return [
        Turn(member(entry, "question", str), member(entry, "answer", str) if "answer" in entry else "")
        for entry in of_kind(entries, list, "the history")
    ]


def _list(entry: dict[str, Any], name: str) -> list[Any]:
    """The list that the object may have under the name, empty where it has none or null."""
    return of_kind(entry.get(name) or [], list, name)
