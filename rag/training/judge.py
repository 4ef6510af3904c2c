"""A writer's drafts over questions with known answers -> the judge's weights: `python -m rag.training.judge --help`.

What the witnesses say of each draft is computed anew, and a logistic model of it is fitted (Hosmer and Lemeshow 2000),
with an L2 penalty, against whether the draft has the expected words. Questions must be of articles that the reader was
not trained on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.answer.attribution import Attributor
from rag.answer.checking import LEAST_CHANCE, SILENT, WEIGHTS, Features, Judge
from rag.answer.drafts import Draft
from rag.answer.question import understand
from rag.errors import UsageError
from rag.evaluation.metrics import auc, recall
from rag.evaluation.questions import Item, read_questions
from rag.library.collections import Library
from rag.models.catalogue import STANDARD
from rag.models.checker import NeuralChecker
from rag.models.reader.quotes import SpanReader
from rag.settings import Settings, load_settings
from rag.training.calibrate import reliability
from rag.training.claims import LEAST_RIGHT
from rag.training.drafts import read

PENALTY = 1.0
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Example:
    """A drafted sentence: what the witnesses say of it, and whether it is right."""

    features: Features
    right: bool


def examples(items: Sequence[Item], library: Library, settings: Settings, written: Path) -> Iterator[Example]:
    """What the witnesses say of every draft in the file that states something."""
    lines = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
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
            right = any(recall(draft.text, gold) >= LEAST_RIGHT for gold in golds)
            yield Example(judge.examine(asked, draft, sentence, reading), right)


def fit(values: NDArray[np.float64], right: NDArray[np.bool_], steps: int = 50) -> NDArray[np.float64]:
    """The weights and, last, the offset, (f + 1,), of the likeliest logistic model of (n, f) values (Newton).

    The penalty is on the weights of the standardised values, so that no witness counts more for its unit.
    """
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-9
    inputs = np.concatenate([(values - mean) / scale, np.ones((len(values), 1))], axis=1)  # (n, f + 1)
    penalty = PENALTY * np.diag([*([1.0] * values.shape[1]), 0.0])
    weights = np.zeros(inputs.shape[1])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (right - chance) - penalty @ weights
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + penalty + 1e-6 * np.eye(len(weights))
        weights = weights + np.linalg.solve(curve, slope)
    plain = weights[:-1] / scale
    return np.append(plain, weights[-1] - plain @ mean)


def out_of_fold(values: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The probability of each example, (n,), by a model that was fitted without it and its neighbours in the file."""
    fold = np.arange(len(right)) * _FOLDS // len(right)
    chances = np.zeros(len(right))
    for number in range(_FOLDS):
        weights = fit(values[fold != number], right[fold != number])
        chances[fold == number] = 1 / (1 + np.exp(-(values[fold == number] @ weights[:-1] + weights[-1])))
    return chances


def main(argv: Sequence[str] | None = None) -> int:
    """Write the drafts that are missing, fit the judge on all of them, and print how well each witness tells."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.judge", description=__doc__)
    parser.add_argument("questions", type=Path, help="question file, as `article-chat evaluate` takes it")
    parser.add_argument("--drafts", type=Path, required=True, help="what `python -m rag.training.drafts` wrote")
    parser.add_argument("--llm", default=STANDARD.name, help="the writer; weights are kept under this name")
    parser.add_argument("--out", type=Path, help=f"where to write the weights, such as {WEIGHTS.name}")
    arguments = parser.parse_args(argv)
    settings = load_settings(flags={"llm": arguments.llm})
    library, items = Library(settings), read_questions(arguments.questions)
    found = list(examples(items, library, settings, arguments.drafts))
    values = np.array([example.features.values for example in found], np.float64)  # (n, f)
    right = np.array([example.right for example in found])
    if len(set(right[: len(right) // 2])) < 2:
        raise UsageError(f"{len(found)} drafts are too few, or all alike, to fit a judge on; ask more questions")
    weights, chances = fit(values, right), out_of_fold(values, right)
    names = [field.name for field in fields(Features)]
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
        known[arguments.llm] = {
            "weights": rounded,
            "usual": {name: round(float(values[:, names.index(name)].mean()), 2) for name in SILENT},
            "offset": round(float(weights[-1]), 4),
            "examples": len(found),
        }
        arguments.out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
