"""Labels of which little is seen: what they may give in new data, and how much that varies."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from limen import influence
from limen.decisions import Counts
from limen.metrics import ratio
from limen.objectives import Objective

FEW_SAMPLES = 50
"""Enough for a standard deviation that is averaged over labels."""
AT_ONCE = 1 << 10
"""Of very many labels so many are drawn at one time."""


def spread_of_few(
    objective: Objective, counts: Counts, few: NDArray[np.int64], size: float, random_state: int
) -> NDArray[np.float64]:
    """Return the standard deviation of each of these labels' metric, with one unseen unit as in `with_unseen`."""
    found = []
    for some in np.split(few, np.arange(AT_ONCE, len(few), AT_ONCE)):
        tp, pp, p, n = (np.asarray(part[some], np.float64) for part in counts)
        draw = np.random.default_rng([random_state, 7, int(some[0])])
        unit = size or 1.0
        cells = [
            unit * draw.poisson(np.maximum(cell, 0) / unit, (FEW_SAMPLES, len(some)))
            for cell in (tp, pp - tp, p - tp, n - pp - p + tp)
        ]
        halves = unit * draw.standard_normal((6, FEW_SAMPLES, len(some))) ** 2 / 2
        right, rejected = cells[0] + halves[0] + halves[1], cells[3] + halves[2] + halves[3]
        wrong, missed = cells[1] + halves[4], cells[2] + halves[5]
        drawn = (right, right + wrong, right + missed, right + wrong + missed + rejected)
        found.append(influence.of_labels(objective, some).of_labels(*drawn).std(axis=0))
    return np.concatenate(found)


def absent_of_many(
    objective: Objective,
    counts: Counts,
    positives: NDArray[np.float64],
    size: float,
    random_state: int,
    samples: int,
) -> NDArray[np.float64]:
    """Return by how much labels without a positive move a macro average (samples,), as they may be in new data."""
    absent, moved = np.flatnonzero(counts.p == 0), np.zeros(samples)
    for some in np.split(absent, np.arange(AT_ONCE, len(absent), AT_ONCE)):
        own = Counts(*(part[some].astype(np.float64) for part in counts))
        fp = np.random.default_rng([random_state, 6, int(some[0])]).poisson(own.pp, (samples, len(some)))
        known = np.broadcast_to(own.n, fp.shape)
        drawn = np.array([0 * fp, fp, 0 * fp, known], np.float64)
        drawn = draw_absent(drawn, counts, positives, np.full(len(some), size), random_state)
        theirs = influence.of_labels(objective, some)
        moved += theirs.of_labels(*drawn).sum(axis=1) - theirs.of_labels(*own).sum()
    return moved / len(counts.p)


def draw_absent(
    drawn: NDArray[np.float64],
    counts: Counts,
    positives: NDArray[np.float64],
    size: NDArray[np.float64],
    random_state: int,
) -> NDArray[np.float64]:
    """Return the drawn counts (4, samples, absent) of labels without a positive as they may be in new data.

    How many positives: labels' frequencies are taken to be gamma distributed, with the mean of the data and the
    shape that leaves as many labels without a positive as there are. How many of them are found: about as
    many as of the labels with a single positive, for it too was decided by cuts tuned without any. What is given
    wrongly is known.
    """
    tp, pp, p, n = drawn
    mean = float(positives.mean())
    shape = shape_of_frequencies(mean, float((counts.p == 0).mean()))
    single = (positives > 0) & (positives < 1.5)
    of_single = ratio(counts.tp, counts.p, 0.0)[single]
    typical = float(ratio(counts.tp.sum(), counts.p.sum(), 0.0))
    found, missed = of_single.sum() + typical, (1 - of_single).sum() + 1 - typical
    draw = np.random.default_rng([random_state, 4])
    common = draw.beta(found + 1e-3, missed + 1e-3, (len(tp), 1))
    recall = draw.beta(2 * common + 1e-3, 2 * (1 - common) + 1e-3, tp.shape)
    several = draw.standard_gamma(shape, tp.shape) * mean / (mean + shape) * np.where(size > 0, size, 1)
    fp = pp - tp
    return np.array([recall * several, recall * several + fp, several, several + n - p])


def shape_of_frequencies(mean: float, none: float) -> float:
    """Return the shape of gamma distributed means for which Poisson counts are 0 with this share: by bisection."""
    low, high = -10.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        shape = math.exp(middle)
        low, high = (middle, high) if shape * math.log1p(mean / shape) < -math.log(none) else (low, middle)
    return math.exp(low)
