"""Ratios and differences of two systems, and how far another sample would move them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.bootstrap import difference_of_means, ratio_of_means, ratio_of_medians


def test_values_that_all_stand_in_one_ratio_leave_no_doubt_about_it() -> None:
    ours = [1.0, 2.0, 3.0, 10.0]
    for found in (ratio_of_medians(ours, [3 * x for x in ours]), ratio_of_means(ours, [3 * x for x in ours])):
        assert (found.value, found.low, found.high) == pytest.approx((3, 3, 3))


def test_the_interval_holds_the_value_and_narrows_with_more_questions() -> None:
    random = np.random.default_rng(7)
    few, many = (difference_of_means(random.random(n) + 1, random.random(n)) for n in (20, 2000))
    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 3
    assert many.low < 1 < many.high


def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    random = np.random.default_rng(3)
    held = [
        found.low <= 0.5 <= found.high
        for found in (difference_of_means(random.normal(0.5, 1, 50), np.zeros(50)) for _ in range(200))
    ]
    assert 0.9 <= np.mean(held) <= 0.99


def test_the_same_values_give_the_same_interval() -> None:
    assert ratio_of_medians([1, 2, 3, 5], [2, 2, 9, 9]) == ratio_of_medians([1, 2, 3, 5], [2, 2, 9, 9])


def test_systems_that_were_asked_different_questions_are_not_compared() -> None:
    with pytest.raises(ValueError, match="the same questions"):
        ratio_of_medians([1.0, 2.0], [1.0])
