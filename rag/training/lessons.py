"""Lessons: invented articles and chats about them, from which the models here learn.

As a program, it writes them as a question file: `python -m rag.training.lessons --help`.

A file of lessons is text for people to read and write:

    === Title of an article
    Its paragraphs.

    --- talk
    Q: a question, as a reader would type it
    A: the answer to learn
    E: the first words of a sentence of the article that says so; one line a sentence, none where the article is silent
    S: the shortest words of the article that answer, perhaps in two places: 12 May | the cook
    W: what a careless writer would say, and the article does not; not in every turn

A talk is a conversation: what comes first in it may be needed to understand what follows.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.answer.question import understand
from rag.errors import QuestionFileError
from rag.evaluation.questions import Item, Question
from rag.sentences import split_sentences
from rag.types import NO_ANSWER, Document, Span, Turn

_ARTICLE, _TALK, _BESIDE = "=== ", "--- talk", " | "
_FIELDS = {"Q: ": "question", "A: ": "answer", "E: ": "evidence", "S: ": "words", "W: ": "wrong"}


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question, the answer to learn, the sentences of the article that say so, none for a refusal, and in the article
    the `words` that answer, where they are told; `wrong` is what must not be answered, or "". `before` is what was said
    before it.
    """

    question: str
    answer: str
    evidence: tuple[Span, ...]
    words: tuple[Span, ...]
    wrong: str
    before: tuple[Turn, ...]

    @property
    def refused(self) -> bool:
        """Whether the article does not say."""
        return self.answer == NO_ANSWER

    @property
    def turn(self) -> Turn:
        """The question with its answer, as the conversation goes on from it."""
        return Turn(self.question, self.answer)


@dataclass(frozen=True, slots=True)
class Taught:
    """An article, and the talks about it, each of lessons in their order."""

    document: Document
    talks: tuple[tuple[Lesson, ...], ...]

    @property
    def lessons(self) -> Iterator[Lesson]:
        """All of its lessons."""
        return (lesson for talk in self.talks for lesson in talk)

    @property
    def item(self) -> Item:
        """The article with its questions, each answered by the words that answer, else by the sentences that do."""
        return Item(
            self.document,
            tuple(
                Question(
                    f"{self.document.id}-{number}", lesson.question, lesson.words or lesson.evidence, lesson.before
                )
                for number, lesson in enumerate(self.lessons, 1)
            ),
        )

    def text(self, lesson: Lesson) -> str:
        """The sentences that the lesson rests on."""
        return " ".join(self.document.text[span.start : span.end] for span in lesson.evidence)


def read_lessons(path: Path) -> list[Taught]:
    """The articles of a file of lessons, or of all `*.txt` files of a folder, by name.

    Raises QuestionFileError, which names the line or the question, where there are none, a line is not understood, a
    turn has no answer, the words after "E:" stand nowhere in the article or more than once, or those after "S:"
    nowhere.
    """
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    taught = [article for file in files for article in _read(file)]
    if not taught:
        raise QuestionFileError(f"{path}: there is no lesson in it")
    return taught


def _read(file: Path) -> Iterator[Taught]:
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionFileError(f"{file}: cannot be read: {error}") from error
    line = 1
    for number, block in enumerate(re.split(rf"(?m)^(?={_ARTICLE})", content)):
        if block.strip():
            yield _article(block, f"{file.stem}-{number}", file, line)
        line += block.count("\n")


def _article(block: str, name: str, file: Path, line: int) -> Taught:
    head, *talks = re.split(rf"(?m)^(?={_TALK}\s*$)", block)
    title, _, text = head.partition("\n")
    if not title.startswith(_ARTICLE):
        raise QuestionFileError(f"{file}, line {line}: an article begins with {_ARTICLE!r} and its title")
    text = text.strip()
    document = Document(name, title.removeprefix(_ARTICLE).strip(), text, file.name)
    sentences, line = split_sentences(text), line + head.count("\n")
    made = []
    for talk in talks:
        made.append(_talk(talk, text, sentences, file, line))
        line += talk.count("\n")
    return Taught(document, tuple(made))


def _talk(talk: str, text: str, sentences: Sequence[Span], file: Path, line: int) -> tuple[Lesson, ...]:
    turns: list[dict[str, list[str]]] = []
    for number, written in enumerate(talk.split("\n")[1:], line + 1):
        field = _FIELDS.get(written[:3])
        if field == "question":
            turns.append({name: [] for name in _FIELDS.values()})
        if written.strip() and (field is None or not turns):
            raise QuestionFileError(f"{file}, line {number}: a talk is of lines that begin with Q:, A:, E:, S: or W:")
        if field is not None:
            turns[-1][field].append(written[3:].strip())
    lessons: list[Lesson] = []
    for turn in turns:
        where = f"{file}, {turn['question'][0]!r}"
        if len(turn["answer"]) != 1:
            raise QuestionFileError(f"{where}: it needs one answer")
        evidence = tuple(_sentence(words, text, sentences, where) for words in turn["evidence"])
        marked = (words for told in turn["words"] for words in told.split(_BESIDE))
        words = tuple(_words(one, text, evidence, where) for one in marked)
        (question,), (answer,), wrong = turn["question"], turn["answer"], "".join(turn["wrong"])
        lessons.append(Lesson(question, answer, evidence, words, wrong, tuple(lesson.turn for lesson in lessons)))
    return tuple(lessons)


def _sentence(words: str, text: str, sentences: Sequence[Span], where: str) -> Span:
    """The sentence in which the words begin, which stand in the text once."""
    found = _places(words.rstrip(".… "), text)
    if len(found) != 1:
        raise QuestionFileError(f"{where}: {words!r} stands {len(found)} times in the article, where it must once")
    return next(sentence for sentence in sentences if sentence.end > found[0].start)


def _words(words: str, text: str, evidence: Sequence[Span], where: str) -> Span:
    """Where the words stand, if they can in a sentence of the evidence."""
    found = _places(words, text)
    if not found:
        raise QuestionFileError(f"{where}: {words!r} stands nowhere in the article")
    return next((place for place in found for sentence in evidence if place.overlaps(sentence)), found[0])


def _places(words: str, text: str) -> list[Span]:
    """Where the words stand in the text, however these are broken into lines."""
    spaced = r"\s+".join(map(re.escape, words.split()))
    return [Span(*found.span()) for found in re.finditer(rf"(?<!\w){spaced}(?!\w)", text)]


def main(argv: Sequence[str] | None = None) -> int:
    """Write a question file of the lessons, each question as the reader is asked it: behind what was said before."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.lessons", description=main.__doc__)
    parser.add_argument("lessons", type=Path, help="file or folder of lessons")
    parser.add_argument("--out", type=Path, required=True, help="question file, as `python -m rag.training` reads it")
    arguments = parser.parse_args(argv)
    lines = (json.dumps(_record(taught), ensure_ascii=False) for taught in read_lessons(arguments.lessons))
    arguments.out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return 0


def _record(taught: Taught) -> dict[str, Any]:
    document, asked = taught.document, taught.item.questions
    text = document.text
    return {
        "id": document.id,
        "title": document.title,
        "text": text,
        "questions": [
            {
                "id": question.id,
                "question": understand(question.text, question.history).in_context,
                "answers": [{"text": text[gold.start : gold.end], "start": gold.start} for gold in question.golds],
                "answerable": question.answerable,
            }
            for question in asked
        ],
    }


if __name__ == "__main__":
    raise SystemExit(main())
