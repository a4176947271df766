"""Promises hold as often as they say where the truth is known; one made of the point estimate is caught."""

from __future__ import annotations

import warnings
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray

import limen
from limen.guarantees import making

REPETITIONS, CONFIDENCE, SHARE = 400, 0.9, 0.8


def band(repetitions: int, error: float) -> int:
    """Return the number of broken promises that honest ones stay at or below in 99.9 of 100 tests."""
    tail, wrong = 1.0, 0
    while tail > 0.001:
        tail -= comb(repetitions, wrong) * error**wrong * (1 - error) ** (repetitions - wrong)
        wrong += 1
    return wrong


def drawn(kind: str, rng: np.random.Generator, n: int):
    """Return scores and truth of many repetitions side by side, and the precision at or above any score."""
    if kind == "dip":  # the highest scores are not the best; coarse ties
        level = rng.integers(20, size=(n, REPETITIONS))
        chance = np.where(np.arange(20) > 17, 0.7, np.clip(np.arange(20) / 18, 0.02, 0.97))
        right = np.cumsum(chance[::-1])[::-1] / np.arange(20, 0, -1)
        return level.astype(float), rng.random(level.shape) < chance[level], lambda t: right[int(np.ceil(t))]
    score = rng.random((n, REPETITIONS))
    if kind == "ties":
        score = np.floor(score * 10) / 10 + 0.05
        return score, rng.random(score.shape) < score, lambda t: (np.ceil(t * 10 - 0.5) / 10 + 1) / 2
    return score, rng.random(score.shape) < score, lambda t: (1 + t) / 2


def thresholds(kind: str, **given) -> tuple[NDArray, list[bool]]:
    rng = np.random.default_rng(len(kind))
    score, truth, precision = drawn(kind, rng, 150)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", limen.LimenWarning)
        made = limen.guarantee(
            truth, score, precision=SHARE, confidence=CONFIDENCE, correction="none", random_state=3, **given
        )
    return made.values, [value < np.inf and precision(value) < SHARE - 1e-9 for value in made.values]


@pytest.mark.parametrize("kind", ["plain", "ties", "dip"])
@pytest.mark.parametrize("given", [{}, {"sample_weight": np.ones(150)}])
def test_promises_are_broken_in_no_more_than_the_stated_share(kind: str, given: dict) -> None:
    values, broken = thresholds(kind, **given)
    assert sum(broken) <= band(REPETITIONS, 1 - CONFIDENCE)
    assert given or kind == "dip" or (values < np.inf).mean() > 0.2


@pytest.mark.parametrize("kind", ["plain", "ties", "dip"])
def test_a_promise_made_of_the_point_estimate_is_caught(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def estimated(cuts, share, levels, first_levels):
        curves = cuts.curves
        return curves.tp >= share * np.maximum(curves.pp, 1), np.zeros(curves.n_labels, bool)

    monkeypatch.setattr(making.binomial, "proven_precision", estimated)
    _, broken = thresholds(kind)
    assert sum(broken) > band(REPETITIONS, 1 - CONFIDENCE)
