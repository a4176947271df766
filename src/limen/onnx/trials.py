"""Scores that tell a right comparison from a wrong one: ties, their neighbours, the ends of the range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from limen.decisions import THRESHOLD_RULE, by_threshold
from limen.onnx.lowest_given import Gives, lowest_given
from limen.onnx.models import FLOATS, SHORT
from limen.thresholds import Thresholds

_EXHAUSTIVE_SCORES = 1 << 26
_BLOCK_SCORES = 1 << 22
_NEIGHBOURS = 2


def ties(thresholds: Thresholds, kind: int, gives: Gives) -> NDArray[Any]:
    """Return finite scores (n, n_labels) of a kind: at each threshold, next to it, and at the extremes.

    Rules by item get rows of few distinct scores.
    """
    dtype = FLOATS[kind]
    n_labels, limits = len(thresholds.labels), np.finfo(dtype)
    if not by_threshold(thresholds.rule):
        few = np.array([0, -0.0, 0.5, np.nextafter(dtype.type(0.5), 1), limits.max / 2, limits.min / 2], dtype)
        return _usable(np.random.default_rng(0).choice(few, (512, n_labels)), kind)
    tiny = limits.smallest_subnormal
    ends = np.array([0, -0.0, 0.5, 1, -1, limits.max, limits.min, tiny, -tiny], dtype)
    with np.errstate(over="ignore"):
        rows = [lowest_given(thresholds.values, dtype, gives), thresholds.values.astype(dtype)]
        for towards in (-np.inf, np.inf):
            row = rows[0]
            for _ in range(_NEIGHBOURS):
                rows.append(row := np.nextafter(row, dtype.type(towards)))
    found = np.concatenate([rows, np.repeat(ends[:, np.newaxis], n_labels, axis=1)])
    if thresholds.rule != THRESHOLD_RULE:  # each label at its threshold while others are anywhere, or lowest
        rng = np.random.default_rng(0)
        mixed = np.take_along_axis(found, rng.integers(len(found), size=(256, n_labels)), axis=0)
        found = np.concatenate([found, mixed, np.where(rng.random(mixed.shape) < 0.7, limits.min, mixed)])
    return _usable(found, kind)


def random(thresholds: Thresholds, kind: int, gives: Gives, seed: int) -> NDArray[Any]:
    """Return finite scores (n, n_labels) of a kind: uniform, normal, near the thresholds, and of all sizes."""
    dtype, rng, n_labels = FLOATS[kind], np.random.default_rng(seed), len(thresholds.labels)
    shape = (int(np.clip((1 << 18) // n_labels, 8, 256)), n_labels)
    lowest = lowest_given(thresholds.values, dtype, gives).astype(np.float64)
    near = np.where(np.isfinite(lowest), lowest, 0) + 0.05 * rng.normal(size=shape)
    with np.errstate(over="ignore"):
        parts = [part.astype(dtype) for part in (rng.random(shape), 5 * rng.normal(size=shape), near)]
    parts.append(rng.integers(0, 256, (*shape, dtype.itemsize), np.uint8).view(dtype)[..., 0])
    return _usable(np.concatenate(parts), kind)


def every(thresholds: Thresholds, kind: int) -> Iterator[NDArray[Any]]:
    """Give all finite numbers of a kind of 16 bits, in blocks (n, 1); none if that is too many for all labels."""
    n_labels = len(thresholds.labels)
    if not by_threshold(thresholds.rule) or kind not in SHORT or n_labels << 16 > _EXHAUSTIVE_SCORES:
        return
    bits = np.arange(1 << 16, dtype=np.uint32)
    numbers = (bits << 16).view(np.float32) if kind == TensorProto.BFLOAT16 else bits.astype("u2").view("f2")
    numbers = numbers[np.isfinite(numbers), np.newaxis]
    rows = max(_BLOCK_SCORES // n_labels, 1)
    yield from (numbers[start : start + rows] for start in range(0, len(numbers), rows))


def _usable(scores: NDArray[Any], kind: int) -> NDArray[Any]:
    """Return finite scores; those of bfloat16 are cut off to it."""
    if kind == TensorProto.BFLOAT16:
        scores = (scores.view(np.uint32) & 0xFFFF0000).view(np.float32)
    return np.where(np.isfinite(scores), scores, scores.dtype.type(0.5))
