# ruff: noqa: S311 (the draws are for a repeatable sample)
"""Training files -> a question file for drafts: texts of one or a few paragraphs, with questions that they answer and
questions that they do not.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.training.augment import asks_reason
from rag.training.data import Corpus, Question, known_in, load_corpus
from rag.training.dialogues import Asked, asked_in_dialogue

SHARES = {"squad2_train": 0.5, "qed_nq": 0.12, "fairytaleqa": 0.13, "qadiscourse": 0.1, "covidqa": 0.07, "clapnq": 0.08}
"""Of the texts, by the file's name."""


def sample(
    corpus: Corpus,
    count: int,
    *,
    paragraphs: int = 1,
    answerable: int = 3,
    unanswerable: int = 2,
    dialogues: float = 0.0,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """About `count` documents of a question file, shuffled: each of so many neighbouring paragraphs, with at most so
    many questions that it answers, those that ask for reasons first, and so many that it does not, one of which, where
    there is such a one, another paragraph of the article answers. The share `dialogues` of the questions of its own
    paragraphs stand behind another one and its answer, as people ask on.
    """
    random_ = random.Random(seed)
    asked = corpus.by_document()
    made = []
    for source, share in SHARES.items():
        starts = [
            number
            for number, document in enumerate(corpus.documents)
            if document.source == source
            and asked.get(number)
            and (number - document.neighbours.start) % paragraphs == 0
        ]
        random_.shuffle(starts)
        made += starts[: round(count * share)]
    random_.shuffle(made)
    for start in made:
        first = corpus.documents[start]
        together = range(start, min(start + (paragraphs if first.title else 1), first.neighbours.stop))
        yield _document(random_, corpus, asked, together, _Most(answerable, unanswerable, dialogues))


@dataclass(frozen=True, slots=True)
class _Most:
    """How many questions of a document, at most, that it answers and does not; the share of these in dialogues."""

    answerable: int
    unanswerable: int
    dialogues: float


def _document(
    random_: random.Random, corpus: Corpus, asked: dict[int, list[Question]], together: range, most: _Most
) -> dict[str, Any]:
    """The paragraphs as one text, with its questions."""
    first = corpus.documents[together.start]
    text, places = "", {}
    for number in together:
        text += "\n\n" if text else ""
        places[number] = len(text)
        text += corpus.documents[number].text
    own = [question for number in together for question in asked.get(number, ())]
    random_.shuffle(own)
    answered = sorted((q for q in own if q.spans), key=lambda q: not asks_reason(q.text))[: most.answerable]
    not_answered = [q for q in own if not q.spans][: most.unanswerable]
    near = [
        question
        for number in first.neighbours
        if first.title and number not in together
        for question in asked.get(number, ())
        if question.spans and not any(corpus.documents[number].text[a:b] in text for a, b in question.spans)
    ]
    name = f"{first.source}:{together.start}"
    questions = []
    for question in [*answered, *not_answered]:
        said = Asked(question.text, question.spans)
        if random_.random() < most.dialogues:
            paragraph = corpus.documents[question.document].text
            said = asked_in_dialogue(random_, question, asked[question.document], paragraph)
        questions.append(_question(corpus, question, name, places, said))
    if near and most.unanswerable:
        other = random_.choice(near)
        questions.append(_question(corpus, other, name, places, Asked(other.text, ())))
    return {"id": name, "title": first.title or first.source, "text": text, "questions": questions}


def _question(corpus: Corpus, question: Question, name: str, places: dict[int, int], asked: Asked) -> dict[str, Any]:
    text, shift = corpus.documents[question.document].text, places.get(question.document, 0)
    answers = [{"text": text[start:end], "start": start + shift} for start, end in asked.spans[:1]]
    told = {"id": f"{name}:{question.id}", "question": asked.text, "answers": answers, "answerable": bool(answers)}
    if asked.earlier:
        told["history"] = [{"question": asked.earlier[-1], "answer": asked.answer}]
    return told


def main(argv: Sequence[str] | None = None) -> int:
    """Write the question file; documents that it has already are kept and not made again."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.sample", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of question files (.jsonl)")
    parser.add_argument("--out", type=Path, required=True, help="the question file to write, or to go on with")
    parser.add_argument("--count", type=int, default=1000, help="texts, about (%(default)s)")
    parser.add_argument("--paragraphs", type=int, default=1, help="of a text, where an article has more (%(default)s)")
    parser.add_argument("--answerable", type=int, default=3, help="questions of each that it answers (%(default)s)")
    parser.add_argument("--unanswerable", type=int, default=2, help="and that it does not (%(default)s)")
    parser.add_argument("--held", action="store_true", help="of the articles that nothing else is trained on")
    parser.add_argument("--dialogues", type=float, default=0.0, help="the share of questions behind another one")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    arguments = parser.parse_args(argv)
    file = arguments.out
    done = known_in(file)
    corpus = load_corpus(arguments.data, held=arguments.held)
    with file.open("a", encoding="utf-8") as out:
        documents = sample(
            corpus,
            arguments.count,
            paragraphs=arguments.paragraphs,
            answerable=arguments.answerable,
            unanswerable=arguments.unanswerable,
            dialogues=arguments.dialogues,
            seed=arguments.seed,
        )
        for document in documents:
            if document["id"] not in done:
                print(json.dumps(document, ensure_ascii=False), file=out, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
