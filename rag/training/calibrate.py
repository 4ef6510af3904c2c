# ruff: noqa: S311 (the draws are for repeatable samples)
"""Scores -> the probability that the article answers: a logistic curve fitted on held-out questions (Platt 1999)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.models.reader.network import Calibration
from rag.training.evaluate import Case, Outcome, best_f1, boundary_scores, held_out_cases, read_all
from rag.training.offtask import off_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from rag.models.reader.network import ReaderNetwork
    from rag.training.data import Corpus


@dataclass(frozen=True)
class Fit:
    """A calibration with how well it does on the half of the held-out questions that it was not fitted on."""

    calibration: Calibration
    ece: float
    diagram: tuple[tuple[float, float, int], ...]  # of each tenth: mean probability, share answerable, questions
    balanced: float  # balanced accuracy of abstaining below 0.5
    boundary_f1: float


def calibration_cases(corpus: Corpus, count: int, seed: int = 0) -> list[Case]:
    """Held-out questions on texts of 1 to 8 paragraphs; to one in eight texts another article's question or an
    off-task request is put instead, so that about half of the questions have no answer.
    """
    random_ = random.Random(f"{seed} calibration")
    lengths = (1, 2, 3, 5, 8)
    pooled = [
        case
        for length in lengths
        for case in held_out_cases(corpus, count // len(lengths), paragraphs=length, seed=seed + 1)
    ]
    unanswerable = [case for case in pooled if not case.spans]
    answerable = [case for case in pooled if case.spans]
    cases = unanswerable + answerable[: len(unanswerable)]
    random_.shuffle(cases)
    for number in range(0, len(cases), 8):
        other = random_.choice(cases).question
        asked = other if number % 16 else off_task(random_, random_.choice(cases[number].text.split()), other)
        cases[number] = Case(asked, cases[number].text, ())
    return cases


def fit_logistic(scores: NDArray[np.float64], labels: NDArray[np.bool_], steps: int = 50) -> tuple[float, float]:
    """Slope and offset (n scores, n labels) of the most likely curve, by Newton's method."""
    inputs = np.stack([scores, np.ones_like(scores)], 1)  # (n, 2)
    weights = np.zeros(2)
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (labels - chance) - 1e-3 * weights
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + 1e-3 * np.eye(2)
        weights = weights + np.clip(np.linalg.solve(curve, slope), -1, 1)
    return float(weights[0]), float(weights[1])


def reliability(
    chances: NDArray[np.float64], labels: NDArray[np.bool_], bins: int = 10
) -> tuple[float, tuple[tuple[float, float, int], ...]]:
    """Expected calibration error over equal bins, and the bins themselves: mean chance, share true, count."""
    place = np.minimum((chances * bins).astype(int), bins - 1)
    rows = []
    for number in range(bins):
        inside = place == number
        if inside.any():
            rows.append((float(chances[inside].mean()), float(labels[inside].mean()), int(inside.sum())))
    error = sum(abs(mean - share) * count for mean, share, count in rows) / len(chances)
    return float(error), tuple(rows)


def calibrate(network: ReaderNetwork, tokenizer: Tokenizer, corpus: Corpus, count: int = 1000) -> Fit:
    """Read held-out questions, fit on every other one, measure on the rest; the boundary threshold likewise."""
    outcomes = read_all(network, tokenizer, calibration_cases(corpus, count))
    slope, offset = fit_logistic(*_arrays(outcomes[::2]))
    scores, labels = _arrays(outcomes[1::2])
    chances = 1 / (1 + np.exp(-(slope * scores + offset)))
    error, rows = reliability(chances, labels)
    balanced = float((chances[labels] >= 0.5).mean() + (chances[~labels] < 0.5).mean()) / 2
    values, ends = boundary_scores(network, tokenizer, corpus, max(32, count // 8))
    half = len(values) // 2
    _, cut = best_f1(values[:half], ends[:half])
    chosen = values[half:] >= cut
    f1 = 2 * (chosen & ends[half:]).sum() / max(1, chosen.sum() + ends[half:].sum())
    return Fit(Calibration(slope, offset, round(cut, 3)), error, rows, balanced, float(f1))


def _arrays(outcomes: Sequence[Outcome]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return np.array([o.score for o in outcomes], dtype=float), np.array([o.answerable for o in outcomes], dtype=bool)
