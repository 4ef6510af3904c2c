"""A writer's drafts over questions with known answers -> the judge's weights: `python -m rag.training.judge --help`.

What the witnesses say of each draft is computed anew, and a logistic model of it is fitted against whether the draft is
right: as somebody who read it says, in its line ("right"), else where it has the expected words. Questions must be of
articles that neither reader nor writer was trained on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from rag.answer.attribution import Attributor
from rag.answer.checking import LEAST_CHANCE, SILENT, WEIGHTS, Features, Judge
from rag.answer.drafts import Draft
from rag.answer.question import understand
from rag.errors import ModelError, UsageError
from rag.evaluation.metrics import auc, recall
from rag.evaluation.questions import Item
from rag.library.collections import Library
from rag.models.catalogue import STANDARD
from rag.models.checker import NeuralChecker
from rag.models.reader.quotes import SpanReader
from rag.models.writers import open_writers
from rag.settings import Settings, load_settings
from rag.training.calibrate import reliability
from rag.training.drafts import questions_of, read
from rag.training.logistic import fit, out_of_fold

PENALTY = 1.0
LEAST_RIGHT = 0.6
"""A draft with this share of the words of an expected answer has them."""


@dataclass(frozen=True, slots=True)
class Example:
    """A drafted sentence: what the witnesses say of it, and whether it is right."""

    features: Features
    right: bool
    article: str


def examples(items: Sequence[Item], library: Library, settings: Settings, written: Path) -> Iterator[Example]:
    """What the witnesses say of every draft in the file that states something."""
    lines = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    told = {line["id"]: line["right"] for line in lines if "right" in line}
    known = {line["id"]: Draft(line["text"], line["confidence"], line["refusal"]) for line in lines if line["text"]}
    if any(None in {draft.confidence, draft.refusal} for draft in known.values()):
        raise UsageError("a judge is fitted for a writer that tells probabilities; these drafts have none")
    reader, checker = SpanReader(), NeuralChecker()
    for item in items:
        stated = [question for question in item.questions if question.id in known and known[question.id].sentences]
        if not stated:
            continue
        index = library.index_of([item.document])
        judge, attributor = Judge(index, reader, checker, ""), Attributor(index)
        for question in stated:
            draft, asked = known[question.id], understand(question.text, question.history)
            found, reading = read(asked, index, reader, settings)
            sentence = attributor.attribute(draft.sentences[0], found, asked.in_context)
            golds = [item.document.text[gold.start : gold.end] for gold in question.golds]
            has_words = any(recall(draft.text, gold) >= LEAST_RIGHT for gold in golds)
            right = told.get(question.id, has_words)
            yield Example(judge.examine(asked, draft, sentence, reading), right, item.document.title)


def main(argv: Sequence[str] | None = None) -> int:
    """Fit the judge on the drafts, and print how well each witness tells."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.judge", description=__doc__)
    parser.add_argument("questions", type=Path, help="question file, or lessons")
    parser.add_argument("--drafts", type=Path, required=True, help="what `python -m rag.training.drafts` wrote")
    parser.add_argument("--llm", default=STANDARD.name, help="the writer that drafted (%(default)s)")
    parser.add_argument("--out", type=Path, help=f"where to write the weights, such as {WEIGHTS.name}")
    arguments = parser.parse_args(argv)
    settings = load_settings(flags={"llm": arguments.llm})
    writer = next(iter(open_writers(settings)), None)
    if writer is None:
        raise ModelError("a judge is for a language model; leave --llm none away")
    library, items = Library(settings), questions_of(arguments.questions)
    found = list(examples(items, library, settings, arguments.drafts))
    names = [field.name for field in fields(Features)]
    told = np.array([example.features.values for example in found], np.float64)  # (n, f); nan where one is silent
    silent = np.isnan(told)
    usual = np.where(silent, 0.0, told).sum(axis=0) / np.maximum(1, (~silent).sum(axis=0))
    values = np.where(silent, usual, told)
    right = np.array([example.right for example in found])
    articles = [example.article for example in found]
    if len(set(right[: len(right) // 2])) < 2 or len(set(articles)) < 2:
        raise UsageError(f"{len(found)} drafts are too few, or all alike, to fit a judge on; ask more questions")
    weights = fit(values, right, PENALTY)
    chances = 1 / (1 + np.exp(-out_of_fold(values, right, PENALTY, articles)))
    for name, weight, column in zip(names, weights, values.T, strict=False):
        print(f"{name:<12} weight {weight:7.3f}   AUC alone {auc(column, right):.3f}")
    error, _ = reliability(chances, right)
    shown = chances >= LEAST_CHANCE
    print(
        f"{len(found)} drafts, {right.sum()} right; out of fold: AUC {auc(chances, right):.3f}, "
        f"calibration error {error:.3f}, shown {shown.mean():.3f}, of these right {right[shown].mean():.3f}, "
        f"of the right shown {shown[right].mean():.3f}"
    )
    if arguments.out is not None:
        known = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
        rounded = {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=False)}
        known[writer.name] = {
            "weights": rounded,
            "usual": {name: round(float(usual[names.index(name)]), 2) for name in SILENT},
            "offset": round(float(weights[-1]), 4),
            "examples": len(found),
        }
        arguments.out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
