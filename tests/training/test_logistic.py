"""The logistic model of the judge, on made examples."""

import numpy as np
import pytest

from rag.evaluation.metrics import auc
from rag.training.logistic import fit, out_of_fold


def made(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Three witnesses, in units of their own: one that tells, one that tells a little, one that tells nothing."""
    random = np.random.default_rng(0)
    right = random.random(count) < 0.6
    values = np.stack(
        [100 * (right + random.normal(0, 0.5, count)), right + random.normal(0, 2, count), random.normal(0, 1, count)],
        1,
    )
    return values, right


def test_the_fit_finds_who_tells_the_truth_whatever_the_units() -> None:
    values, right = made()
    weights = fit(values, right, 1.0)
    chances = 1 / (1 + np.exp(-(values @ weights[:-1] + weights[-1])))
    assert np.abs(chances.mean() - right.mean()) < 0.01  # the offset makes a logistic model right on the whole
    spread = weights[:-1] * values.std(axis=0)
    assert spread[0] > spread[1] > abs(spread[2])
    rescaled = fit(values / [100, 1, 1], right, 1.0)
    assert rescaled[:-1] == pytest.approx(weights[:-1] * [100, 1, 1], rel=1e-3)


def test_a_larger_penalty_makes_smaller_weights() -> None:
    values, right = made()
    assert (np.abs(fit(values, right, 300.0)[:-1]) < np.abs(fit(values, right, 1.0)[:-1])).all()


def test_out_of_fold_no_example_and_none_of_its_group_judges_itself() -> None:
    values, right = made()
    alone = [str(number) for number in range(len(right))]
    assert auc(values[:, 0], right) < auc(out_of_fold(values, right, 1.0, alone), right) + 0.02
    groups = [str(number // 40) for number in range(len(right))]
    told = np.random.default_rng(1).random(10) < 0.5  # whole groups are right or wrong, and can be told by a mark alone
    alike = np.repeat(told, 40)
    marks = np.repeat(np.eye(10), 40, axis=0)  # (400, 10)
    assert auc(out_of_fold(marks, alike, 1.0, alone), alike) == 1
    assert auc(out_of_fold(marks, alike, 1.0, groups), alike) < 0.7
