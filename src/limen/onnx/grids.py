"""Scores that tell a right comparison from a wrong one: ties, their neighbours, the ends of the range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.decisions import THRESHOLD_RULE
from limen.onnx.cuts import Gives, lowest_given
from limen.thresholds import Thresholds

_EXHAUSTIVE_SCORES = 1 << 26
_BLOCK_SCORES = 1 << 22
_NEIGHBOURS = 2


def ties(thresholds: Thresholds, dtype: np.dtype[Any], gives: Gives) -> NDArray[Any]:
    """Return finite scores (n, n_labels) of ``dtype``: at each threshold, next to it, and at the extremes.

    Rules by item get rows of few distinct scores.
    """
    n_labels, limits = len(thresholds.labels), np.finfo(dtype)
    half = dtype.type(0.5)
    ends = [
        0.0,
        -0.0,
        0.5,
        1.0,
        -1.0,
        limits.max,
        limits.min,
        limits.smallest_subnormal,
        -limits.smallest_subnormal,
    ]
    if thresholds.rule != THRESHOLD_RULE:
        few = np.array([0.0, -0.0, half, np.nextafter(half, dtype.type(1)), limits.max / 2, limits.min / 2], dtype)
        return np.random.default_rng(0).choice(few, (512, n_labels))
    lowest = lowest_given(thresholds.values, dtype, gives)
    rows = [lowest]
    for towards in (-np.inf, np.inf):
        row = lowest
        for _ in range(_NEIGHBOURS):
            with np.errstate(over="ignore"):
                row = np.nextafter(row, dtype.type(towards))
            rows.append(row)
    with np.errstate(over="ignore"):
        rows.append(thresholds.values.astype(dtype))
    rows += [np.full(n_labels, end, dtype) for end in ends]
    return usable(np.array(rows), gives)


def random(thresholds: Thresholds, dtype: np.dtype[Any], gives: Gives, seed: int) -> NDArray[Any]:
    """Return finite scores (n, n_labels) of ``dtype``: uniform, normal, near the thresholds, and of all sizes."""
    rng = np.random.default_rng(seed)
    n_labels = len(thresholds.labels)
    shape = (int(np.clip((1 << 18) // n_labels, 8, 256)), n_labels)
    lowest = lowest_given(thresholds.values, dtype, gives).astype(np.float64)
    near = np.where(np.isfinite(lowest), lowest, 0) + 0.05 * rng.normal(size=shape)
    with np.errstate(over="ignore"):
        parts = [part.astype(dtype) for part in (rng.random(shape), 5 * rng.normal(size=shape), near)]
    parts.append(rng.integers(0, 256, (*shape, dtype.itemsize), np.uint8).view(dtype)[..., 0])
    return usable(np.concatenate(parts), gives)


def every(thresholds: Thresholds, bits: NDArray[Any], gives: Gives) -> Iterator[NDArray[Any]] | None:
    """Give all scores there are, in blocks (n, 1); None if that is too many, or the rule is one by item.

    Parameters
    ----------
    bits : ndarray (n,)
        All numbers of a dtype of 16 bits.
    """
    n_labels = len(thresholds.labels)
    if thresholds.rule != THRESHOLD_RULE or len(bits) * n_labels > _EXHAUSTIVE_SCORES:
        return None
    scores = usable(bits, gives)[:, np.newaxis]
    rows = max(_BLOCK_SCORES // n_labels, 1)
    return (scores[start : start + rows] for start in range(0, len(scores), rows))


def usable(scores: NDArray[Any], gives: Gives) -> NDArray[Any]:
    """Return scores that `Thresholds.decide` takes: finite ones, and probabilities that have a finite logit."""
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(scores)
        if gives == "probabilities":
            bad |= ~((scores > 0) & (scores < 1))
    return np.where(bad, scores.dtype.type(0.5), scores)
