"""Compiled loops over plain arrays. Nothing else in limen imports numba.

Arrays by label are stored end to end: those of label ``k`` lie at ``offsets[k]:offsets[k + 1]``.
Candidates fall within a label, and the first of each label is +inf ("never").
A score is kept by a cut when ``score >= cut``: the rule of `limen.curves.at_or_above`.
"""

from __future__ import annotations

from limen._kernels.binning import bin_block
from limen._kernels.counting import Grid, count_block, count_known
from limen._kernels.points import (
    Points,
    best_of,
    best_points,
    complete,
    counts_at,
    cumulate,
    highest_below,
    upper_hull,
)
from limen._kernels.positives import Positive, distinct_falling, known_and_positive, positive_scores

__all__ = [
    "Grid",
    "Points",
    "Positive",
    "best_of",
    "best_points",
    "bin_block",
    "complete",
    "count_block",
    "count_known",
    "counts_at",
    "cumulate",
    "distinct_falling",
    "highest_below",
    "known_and_positive",
    "positive_scores",
    "upper_hull",
]
