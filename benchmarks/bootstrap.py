"""Two systems on the same questions -> a ratio or a difference, with the interval that another sample would give.

The questions are drawn anew with replacement, both systems' values of a question together (Efron, 1979).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
RESAMPLES = 2000
SEED = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """A value, and the bounds between which 95 of 100 samples have it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio_of_medians(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """How many times larger their median is than ours."""
    return _interval(ours, theirs, lambda a, b: np.median(b, axis=-1) / np.median(a, axis=-1))


def ratio_of_means(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """How many times larger their mean is than ours."""
    return _interval(ours, theirs, lambda a, b: b.mean(axis=-1) / a.mean(axis=-1))


def difference_of_means(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """How much larger our mean is than theirs."""
    return _interval(ours, theirs, lambda a, b: a.mean(axis=-1) - b.mean(axis=-1))


def _interval(ours: Sequence[float], theirs: Sequence[float], figure: Callable[[Array, Array], Array]) -> Interval:
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)  # (n,) each, of the same questions
    if a.shape != b.shape or not len(a):
        raise ValueError(f"both systems need a value for each of the same questions, not {len(a)} and {len(b)}")
    drawn = np.random.default_rng(SEED).integers(len(a), size=(RESAMPLES, len(a)))  # (RESAMPLES, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, spread = float(figure(a, b)), figure(a[drawn], b[drawn])
    low, high = np.percentile(spread[np.isfinite(spread)], [2.5, 97.5]) if np.isfinite(spread).any() else (value, value)
    return Interval(value, float(low), float(high))
