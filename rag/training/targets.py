"""A question file -> what a writer should have written: its own sentences with the expected words given away.

Those are kept that hold the expected words, are short, and are supported by the sentences that answer (rejection
sampling): the writer learns to find, not to sound otherwise. An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rag.answer import prompts
from rag.answer.particulars import known, particulars
from rag.errors import ModelError
from rag.evaluation.metrics import recall
from rag.evaluation.questions import Item, Question, read_questions
from rag.models.catalogue import STANDARD
from rag.models.checker import Checker, Claim, NeuralChecker
from rag.models.llm import LanguageModel, Prompt
from rag.models.writers import open_writers
from rag.sentences import split_sentences
from rag.settings import load_settings
from rag.training.claims import LEAST_RIGHT
from rag.types import NO_ANSWER

MOST_WORDS, MORE_THAN_GOLD = 18, 14
"""Words of a sentence to learn from, at most; or so many more than the expected answer has."""
LEAST_SUPPORTED = 0.3
"""The checker's probability that the sentences with the expected words say it, at least."""


@dataclass(frozen=True)
class Lesson:
    """A question, the sentence of the text that answers it, and the answer to learn; without evidence, a refusal."""

    question: str
    evidence: str
    answer: str


def read_lessons(path: Path) -> list[tuple[str, tuple[Lesson, ...]]]:
    """The texts of a file that `main` wrote, each with what is to be learnt about it."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    made = ((record["text"], tuple(Lesson(**lesson) for lesson in record["lessons"])) for record in records)
    return [(text, taught) for text, taught in made if taught]


def lessons(item: Item, model: LanguageModel, checker: Checker) -> Iterator[Lesson]:
    """Those of the document's questions to which the model words an answer that can be kept, and those that it does
    not answer.
    """
    text = item.document.text
    read = prompts.article([text])
    for question in item.questions:
        if not question.golds:
            yield Lesson(question.text, "", NO_ANSWER)
            continue
        gold = question.golds[0]
        holds = [span for span in split_sentences(text) if span.overlaps(gold)]
        evidence, words = text[holds[0].start : holds[-1].end] if holds else "", text[gold.start : gold.end]
        asked = prompts.question(f"{question.text}\nSay it in one sentence with these words: {words}", (evidence,))
        tokens = model.generate(
            Prompt((*read, asked), len(read)), max_tokens=60, seconds=60, stopped=lambda: False, avoid=NO_ANSWER
        )
        said = "".join(token.text for token in tokens).strip().split("\n")[0]
        if acceptable(said, question, words, evidence, checker):
            yield Lesson(question.text, evidence, said)


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
    parser.add_argument("--llm", default=STANDARD.name, help="the writer (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (%(default)s)")
    arguments = parser.parse_args(argv)
    models = open_writers(load_settings(flags={"llm": arguments.llm, "threads": arguments.threads}))
    if not models:
        raise ModelError("lessons need a language model; leave --llm none away")
    checker, file = NeuralChecker(), arguments.out
    done = {json.loads(line)["document"] for line in file.read_text("utf-8").splitlines()} if file.exists() else set()
    with file.open("a", encoding="utf-8") as out:
        for item in read_questions(arguments.questions):
            if item.document.id not in done:
                made = [asdict(lesson) for lesson in lessons(item, models[0], checker)]
                line = {"document": item.document.id, "text": item.document.text, "lessons": made}
                print(json.dumps(line, ensure_ascii=False), file=out, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
