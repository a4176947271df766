"""Pairs of items and labels turned: from the order of items to that of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def _turn(block, place, turned):
    """Write each entry where its label's next one belongs."""
    scores, label, truth, row = block
    out_scores, out_truth, out_row = turned
    for e in range(len(scores)):
        at = place[label[e]]
        out_scores[at], out_truth[at], out_row[at] = scores[e], truth[e], row[e]
        place[label[e]] = at + 1


def turn_block(block: tuple[Any, ...], place: NDArray[np.int64], turned: tuple[NDArray[Any], ...]) -> None:
    """Write scores, labels, truth and rows of a block to ``turned`` (scores, truth, row), label by label.

    ``place`` (n_labels,) says where each label's next entry belongs, and moves on.
    """
    _turn(block, place, turned)
