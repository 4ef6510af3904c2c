"""The run: every question goes to every system before the next one, and each reply is written down as it comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rag.errors import QuestionFileError
from rag.evaluation.questions import Item, Question, lines_of, read_questions
from rag.json_fields import parsed

QUESTIONS = Path(__file__).parent / "questions"
"""The question files that ship."""


class Asked(Protocol):
    """What the run needs of a `Process`."""

    @property
    def name(self) -> str: ...

    def request(self, **request: Any) -> dict[str, Any]:
        """What the system answers to the request."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """A question file: its name, and the documents with those of its questions that are asked."""

    name: str
    items: tuple[Item, ...]


def sources(path: Path, *, every: int = 1, limit: int | None = None) -> list[Source]:
    """The question files of a folder, or the one file: of each every so many-th question, at most `limit`.

    Files of a folder that hold something else are left out. Raises QuestionFileError where nothing is left.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    found = [Source(file.stem, _chosen(read_questions(file), every, limit)) for file in files if _asks(file, path)]
    if not found:
        raise QuestionFileError(f"{path}: there is no question file (*.jsonl) in it")
    return found


def _asks(file: Path, given: Path) -> bool:
    """Whether the file is one of questions; one that was given by name is taken for one."""
    if file == given:
        return True
    line = next((line for _, line in lines_of(file)), "{}")
    try:
        first = parsed(line)
    except ValueError:
        return False
    return isinstance(first, dict) and "questions" in first


def _chosen(items: Sequence[Item], every: int, limit: int | None) -> tuple[Item, ...]:
    asked = [(item, question) for item in items for question in item.questions][::every][:limit]
    return tuple(
        Item(item.document, tuple(question for owner, question in asked if owner is item))
        for item in items
        if any(owner is item for owner, _ in asked)
    )


class Records:
    """A file of records, one a line: written as they come, so that an interrupted run goes on where it was."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.all: list[dict[str, Any]] = []
        if file.exists():
            *whole, rest = file.read_text(encoding="utf-8").split("\n")
            self.all = [json.loads(line) for line in whole if line]
            if rest:  # the last line was cut off
                file.write_text("".join(line + "\n" for line in whole), encoding="utf-8")

    def add(self, **record: Any) -> None:
        """Write a record behind the others."""
        self.all.append(record)
        with self._file.open("a", encoding="utf-8") as file:
            print(json.dumps(record, ensure_ascii=False), file=file, flush=True)

    def replies(self) -> Iterator[dict[str, Any]]:
        """The records of replies."""
        return (record for record in self.all if record["what"] == "reply")


def run(
    systems: Sequence[Asked],
    asked: Sequence[Source],
    records: Records,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Ask every system every question that `records` has no reply of its to; another system begins each time."""
    done = {(reply["system"], reply["file"], reply["document"], reply["id"]) for reply in records.replies()}
    turn = 0
    for source in asked:
        for item in source.items:
            place = {"file": source.name, "document": item.document.id}
            keys = [(system, question) for question in item.questions for system in systems]
            left = [(s, q) for s, q in keys if (s.name, source.name, item.document.id, q.id) not in done]
            for system in systems:
                if any(other is system for other, _ in left):
                    title, text = item.document.title, item.document.text
                    prepared = system.request(do="prepare", title=title, text=text)
                    records.add(what="prepare", system=system.name, **place, **prepared)
            for question in item.questions:
                first = turn % len(systems)
                turn += 1
                for system in (*systems[first:], *systems[:first]):
                    if any(other is system and one is question for other, one in left):
                        reply = system.request(do="ask", question=question.text, history=_history(question))
                        records.add(what="reply", system=system.name, **place, id=question.id, **reply)
                        progress(f"{source.name} {item.document.id} {question.id}: {system.name}")


def _history(question: Question) -> list[tuple[str, str]]:
    return [(turn.question, turn.answer) for turn in question.history]
