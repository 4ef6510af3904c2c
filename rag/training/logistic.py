"""A logistic model of a few, or of many, numbers (Hosmer and Lemeshow 2000), with an L2 penalty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FOLDS = 5
_STEPS = 50


def fit(values: NDArray[np.float64], right: NDArray[np.bool_], penalty: float) -> NDArray[np.float64]:
    """The weights and, last, the offset, (f + 1,), of the likeliest logistic model of (n, f) values (Newton).

    The penalty is on the weights of the standardised values, so that no value counts more for its unit.
    """
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-9
    inputs = np.concatenate([(values - mean) / scale, np.ones((len(values), 1))], axis=1)  # (n, f + 1)
    penalties = penalty * np.diag([*([1.0] * values.shape[1]), 0.0])
    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (right - chance) - penalties @ weights
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + penalties + 1e-6 * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights = weights + step
        if np.abs(step).max() < 1e-6:
            break
    plain = weights[:-1] / scale
    return np.append(plain, weights[-1] - plain @ mean)


def out_of_fold(
    values: NDArray[np.float64], right: NDArray[np.bool_], penalty: float, groups: Sequence[str]
) -> NDArray[np.float64]:
    """The log-odds of each example, (n,), by a model that was fitted without it and its group, such as all questions
    about one article.
    """
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    fold = np.array([numbers[group] % _FOLDS for group in groups])
    told = np.zeros(len(right))
    for number in range(_FOLDS):
        weights = fit(values[fold != number], right[fold != number], penalty)
        told[fold == number] = values[fold == number] @ weights[:-1] + weights[-1]
    return told
