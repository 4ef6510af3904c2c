# ruff: noqa: S311 (the draws are for repeatable lessons)
"""A question file -> what a writer should have written: its own sentences with the expected words given away.

Those are kept that hold the expected words, are short, and are supported by the sentences that answer (rejection
sampling): the writer learns to find, not to sound otherwise. Some questions are asked once more to be answered with yes
or no, or in other words, and some texts are told about at length. An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rag.answer import prompts
from rag.answer.particulars import known, particulars
from rag.answer.writing import LONG_TOKENS
from rag.evaluation.metrics import recall
from rag.evaluation.questions import Item, Question, read_questions
from rag.models.catalogue import STANDARD
from rag.models.checker import Checker, Claim, NeuralChecker
from rag.models.llm import LanguageModel, Message, Prompt
from rag.models.writers import open_writers
from rag.sentences import split_sentences
from rag.settings import load_settings
from rag.training.claims import LEAST_RIGHT
from rag.training.contrasts import closed, declarative, lowered, preposition
from rag.training.data import known_in
from rag.training.rewording import Rewording, by_examples
from rag.types import NO_ANSWER

MOST_WORDS, MORE_THAN_GOLD = 18, 14
"""Words of a sentence to learn from, at most; or so many more than the expected answer has."""
LEAST_SUPPORTED = 0.3
"""The checker's probability that the sentences with the expected words say it, at least."""
CLOSED, AT_LENGTH = 0.35, 0.15
"""The share of answered questions that are asked with yes or no, where they can be, and of texts told at length."""
LEAST_TOLD, MOST_TOLD = 3, 6
"""Sentences of an account."""
REWORDED, LEAST_ANSWERING = 0.6, 0.5
"""The share of lessons whose question is there in other words, too, and the checker's probability, at least, that
these ask for the same.
"""
ACCOUNTS = ("Summarise the article.", "What happened?", "Tell me more.", "What is this about?", "Tell me the story.")
_TURNABLE = re.compile(
    r"(?:who|when|where|how many|(?:in|on) (?:what|which)|(?:what|which) (?!(?:is|was|are|were)\b)\w+)\b", re.IGNORECASE
)
_SYSTEM = "Say in one short, complete sentence what was asked and answered. Add nothing."
# Invented.
_EXAMPLES = (
    (
        "how come the Arle bridge was shut in May?",
        "a flood weakened its piers",
        "The Arle bridge was shut because a flood weakened its piers.",
    ),
    ("What was the name of Mr Lund's first book?", "The Salt Road", "Mr Lund's first book was The Salt Road."),
    ("How did the union react to the offer?", "refused to vote on it", "The union refused to vote on the offer."),
    ("who does the museum belong to", "the town of Lindau", "The museum belongs to the town of Lindau."),
    ("Why does she keep the letters?", "to remember her brother", "She keeps the letters to remember her brother."),
    ("How many people work at the plant?", "some 260", "Some 260 people work at the plant."),
)


def _as_asked(question: str, words: str) -> str:
    return f"Question: {question}\nAnswer: {words}"


@dataclass(frozen=True)
class Lesson:
    """A question, the sentence of the text that answers it, and the answer to learn; without evidence, a refusal.
    `reworded` asks the same in other words, where it is not empty.
    """

    question: str
    evidence: str
    answer: str
    reworded: str = ""

    @property
    def is_fact(self) -> bool:
        """Whether it answers one thing in a sentence, other than with yes or no."""
        return bool(self.evidence) and self.question not in ACCOUNTS and not self.answer.startswith(("Yes,", "No,"))

    def and_also(self, other: Lesson) -> Lesson:
        """Both questions asked at once, and both answers."""
        question = f"{self.question.rstrip('? ')}, and {other.question[:1].lower()}{other.question[1:]}"
        return Lesson(question, f"{self.evidence} {other.evidence}", f"{self.answer} {other.answer}")


_INTRODUCTION = by_examples(_SYSTEM, ((_as_asked(question, words), said) for question, words, said in _EXAMPLES))


def read_lessons(path: Path) -> list[tuple[str, tuple[Lesson, ...]]]:
    """The texts of a file that `main` wrote, each with what is to be learnt about it."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    made = ((record["text"], tuple(Lesson(**lesson) for lesson in record["lessons"])) for record in records)
    return [(text, taught) for text, taught in made if taught]


def lessons(random_: random.Random, item: Item, model: LanguageModel | None, checker: Checker) -> Iterator[Lesson]:
    """What is to be learnt about the document, some of it in other words, too."""
    reworded = Rewording(model) if model is not None else None
    for lesson in [*_answered(random_, item, model, checker)]:  # one prompt after the other: each is read once
        if reworded is not None and (lesson.is_fact or not lesson.evidence) and random_.random() < REWORDED:
            yield replace(lesson, reworded=in_other_words(lesson, reworded, checker))
        else:
            yield lesson


def in_other_words(lesson: Lesson, reworded: Rewording, checker: Checker) -> str:
    """The lesson's question in words that its answer still answers; empty where none come of it."""
    asked = reworded(lesson.question)
    if asked == lesson.question:
        return ""
    claim = Claim(asked, lesson.answer, lesson.evidence)
    return asked if not lesson.evidence or checker.check([claim])[0].answers >= LEAST_ANSWERING else ""


def _answered(random_: random.Random, item: Item, model: LanguageModel | None, checker: Checker) -> Iterator[Lesson]:
    """Those of the document's questions to which an answer can be worded and kept, by turning the question around or
    else by the model, and those that it does not answer.
    """
    text = item.document.text
    if model is not None and random_.random() < AT_LENGTH:
        told = _account(text, random_.choice(ACCOUNTS), model, checker)
        if told is not None:
            yield told
    for question in item.questions:
        if not question.golds:
            yield Lesson(question.text, "", NO_ANSWER)
            continue
        gold = question.golds[0]
        holds = [span for span in split_sentences(text) if span.overlaps(gold)]
        if not holds:
            continue
        evidence, words = text[holds[0].start : holds[-1].end], text[gold.start : gold.end]
        said = _turned_around(question.text, words, text[: gold.start])
        if said is None and model is not None:
            asked = Message("user", _as_asked(question.text, words))
            said = _said(model, Prompt((*_INTRODUCTION, asked), len(_INTRODUCTION)), 60)
        if said is None or not acceptable(said, question, words, evidence, checker):
            continue
        spans = [(span.start, span.end) for span in question.golds]
        other = closed(random_, text, question.text, spans) if random_.random() < CLOSED else None
        if other is None:
            yield Lesson(question.text, evidence, said)
        else:
            yield Lesson(other[0], evidence, f"{'Yes' if other[1] else 'No'}, {lowered(said)}")


def _turned_around(question: str, words: str, before: str) -> str | None:
    """The question as a sentence with the words that answer it, where its verb can stay as it is."""
    said = declarative(question, words, preposition(before)) if _TURNABLE.match(question) else None
    return said if said is not None and not re.search(r"\b(?:do|does|did)\b", said) else None


def _account(text: str, question: str, model: LanguageModel, checker: Checker) -> Lesson | None:
    """Three to six sentences about the text, all of which it says."""
    asked = prompts.question(question, (), at_length=True)
    told = split_sentences(said := _said(model, Prompt((*prompts.article([text]), asked)), LONG_TOKENS))
    if not LEAST_TOLD <= len(told) <= MOST_TOLD or not said.endswith("."):
        return None
    claims = [Claim(question, said[sentence.start : sentence.end], text) for sentence in told]
    supported = all(verdict.supported >= LEAST_SUPPORTED for verdict in checker.check(claims))
    return Lesson(question, text, said) if supported and not particulars(said) - known([text]) else None


def _said(model: LanguageModel, prompt: Prompt, most: int) -> str:
    """The first paragraph of the reply, of so many tokens at most."""
    tokens = model.generate(prompt, max_tokens=most, seconds=60, stopped=lambda: False, avoid=NO_ANSWER)
    return "".join(token.text for token in tokens).strip().split("\n")[0]


def acceptable(said: str, question: Question, gold: str, evidence: str, checker: Checker) -> bool:
    """Whether a writer may learn to answer so: a short sentence with the expected words, of the evidence alone."""
    if not said.endswith((".", '"', "”")) or len(said.split()) > max(MOST_WORDS, len(gold.split()) + MORE_THAN_GOLD):
        return False
    if len(said.split()) < 3 or recall(said, gold) < LEAST_RIGHT:
        return False
    if particulars(said) - known([evidence, question.text]):
        return False
    return checker.check([Claim(question.text, said, evidence)])[0].supported >= LEAST_SUPPORTED


def main(argv: Sequence[str] | None = None) -> int:
    """Write the lessons that are missing, a line a document: {"document", "text", "lessons": [{"question", "evidence",
    "answer"}]}.
    """
    parser = argparse.ArgumentParser(prog="python -m rag.training.targets", description=__doc__)
    parser.add_argument("questions", type=Path, help="question file, as `python -m rag.training.sample` writes it")
    parser.add_argument("--out", type=Path, required=True, help="file of lessons; documents in it are left out")
    parser.add_argument(
        "--llm", default=STANDARD.name, help="the writer, or none: only what can be turned (%(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (%(default)s)")
    arguments = parser.parse_args(argv)
    settings = load_settings(flags={"llm": arguments.llm, "threads": arguments.threads})
    model = next(iter(open_writers(settings)), None)
    checker, file = NeuralChecker(), arguments.out
    done = known_in(file, "document")
    with file.open("a", encoding="utf-8") as out:
        for item in read_questions(arguments.questions):
            if item.document.id not in done:
                taught = lessons(random.Random(item.document.id), item, model, checker)
                line = {
                    "document": item.document.id,
                    "text": item.document.text,
                    "lessons": [asdict(lesson) for lesson in taught],
                }
                print(json.dumps(line, ensure_ascii=False), file=out, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
