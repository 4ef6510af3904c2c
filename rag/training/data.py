"""Question files -> documents and questions, split into training and held-out by whole articles."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.training.offtask import as_yes_no

Record = dict[str, Any]

BLOCK = 40  # neighbouring lines of a file without titles are held out together
HELD_OUT_PERCENT = 5


@dataclass(frozen=True)
class Question:
    """A question about one document; `spans` are character ranges of its answers there, empty where it has none."""

    id: str
    text: str
    document: int
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Document:
    """A paragraph; `group` is its article, whose other paragraphs stand at `neighbours` in the file's order."""

    source: str
    group: str
    title: str
    text: str
    neighbours: range


@dataclass(frozen=True)
class Corpus:
    """Documents and the questions about them; every question's spans lie inside its document."""

    documents: tuple[Document, ...]
    questions: tuple[Question, ...]

    def by_document(self) -> dict[int, list[Question]]:
        """The questions about each document that has any, in their order."""
        asked: dict[int, list[Question]] = {}
        for question in self.questions:
            asked.setdefault(question.document, []).append(question)
        return asked


def held_out(group: str) -> bool:
    """Whether an article is kept from training: by hash, so the same in every run and on every machine."""
    digest = hashlib.sha256(group.encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


def known_in(file: Path) -> set[str]:
    """The ids of the lines of JSON in the file; none where there is no file yet."""
    return {json.loads(line)["id"] for line in file.read_text("utf-8").splitlines()} if file.exists() else set()


def occurrences(text: str, answer: str) -> tuple[tuple[int, int], ...]:
    """Every place of an answer's words in a text, not inside a longer word."""
    found = []
    at = text.find(answer)
    while at >= 0:
        end = at + len(answer)
        inside = (at > 0 and text[at - 1].isalnum() and answer[0].isalnum()) or (
            end < len(text) and text[end].isalnum() and answer[-1].isalnum()
        )
        if not inside:
            found.append((at, end))
        at = text.find(answer, at + 1)
    return tuple(found)


def load_corpus(folder: Path, *, held: bool) -> Corpus:
    """All question files of a folder: the articles held out, or the others."""
    documents: list[Document] = []
    questions: list[Question] = []
    for path in sorted(folder.glob("*.jsonl")):
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if records and "statement" in records[0]:
            records = [_from_statement(record) for record in records]
        _add(path.stem, records, documents, questions, held=held)
    if not questions:
        message = f"no questions in {folder}: give a folder of .jsonl question files"
        raise ValueError(message)
    return Corpus(tuple(documents), tuple(questions))


def _add(
    source: str, records: list[Record], documents: list[Document], questions: list[Question], *, held: bool
) -> None:
    groups: dict[str, list[Record]] = {}
    for number, record in enumerate(records):
        group = f"{source}:{record.get('title') or number // BLOCK}"
        groups.setdefault(group, []).append(record)
    for group, members in groups.items():
        if held_out(group) != held:
            continue
        first = len(documents)
        span = range(first, first + len(members))
        for number, record in enumerate(members, first):
            title = str(record.get("title") or "").replace("_", " ")
            documents.append(Document(source, group, title, record["text"], span))
            questions.extend(_question(entry, number, record["text"]) for entry in record["questions"])


def _question(entry: Record, document: int, text: str) -> Question:
    spans: set[tuple[int, int]] = set()
    for answer in entry["answers"] if entry["answerable"] else ():
        start, words = answer["start"], answer["text"]
        spans.add((start, start + len(words)))
        places = occurrences(text, words)
        if len(places) <= 4:  # the given offset of a repeated answer may be a guess; of a very common word it is not
            spans.update(places)
    return Question(entry["id"], entry["question"].strip(), document, tuple(sorted(spans)))


def _from_statement(record: Record) -> Record:
    """A statement and its evidence as a yes/no question whose answer is the deciding text."""
    text = record["evidence"]
    answers = [{"text": text, "start": 0}]
    question = {"id": record["id"], "question": as_yes_no(record["statement"]), "answers": answers, "answerable": True}
    return {"title": "", "text": text, "questions": [question]}
