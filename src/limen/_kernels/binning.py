"""Weights of scores summed in bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from limen._kernels.threads import divided, share

_TILE_LABELS = 264


@njit(cache=True, nogil=True)
def _bin_rows(block, grid, sums, first, last):
    x, truth, weight = block
    for left in range(first, last, _TILE_LABELS):
        right = min(left + _TILE_LABELS, last)
        for i in range(len(x)):
            for k in range(left, right):
                if truth[i, k] >= 0:
                    _add_to_bin(x[i, k], weight[i], grid, k, sums[k, :, truth[i, k]])


@njit(cache=True, nogil=True)
def _bin_entries(block, grid, sums, first, last):
    x, label, truth, weight = block
    for e in range(len(x)):
        k = label[e]
        if first <= k < last and truth[e] >= 0:
            _add_to_bin(x[e], weight[e], grid, k, sums[k, :, truth[e]])


@njit(cache=True, nogil=True, inline="always")
def _add_to_bin(x, weight, grid, k, sums):
    low, per_unit = grid
    place = np.uint64(min(max(int((x - low[k]) * per_unit[k]), 0), len(sums) - 1))
    sums[place, 0] += weight
    sums[place, 1] += weight * x


def bin_block(block: tuple[Any, ...], grid: tuple[Any, Any], sums: NDArray[np.float64]) -> None:
    """Add one block's weights, and weights times x, to ``sums`` (n_labels, bins, truth, 2).

    ``grid`` holds each label's lowest x, and its number of bins a unit.
    """
    kernel = _bin_rows if len(block) == 3 else _bin_entries
    share(kernel, [(block[:4], grid, sums, *span) for span in divided(len(sums), block[0].size)])
