"""Compiled loops for the set of labels of an item with the largest expected F-beta."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from limen._kernels.threads import divided, share

_ALIKE = 1e-11
"""Expectations closer than this are alike: they are computed to about so much."""


@njit(cache=True, nogil=True)
def _sizes(probabilities, order, nodes, beta, out, span):
    """Write to ``out`` how many of each item's labels, by falling probability, make the expected F-beta largest.

    With the k first labels given, of which tp are right, and ``all`` the number of true ones, the expectation of
    tp / (k + square * all) is the integral over t from 0 to 1 of t^(k - 1) E[tp z^all], z = t^square; and for
    independent labels E[tp z^all] is the product of q + p z over all labels, times the sum of p z / (q + p z) over
    those given.
    """
    t, z, weight = nodes
    square, zero = beta
    n_labels, n_nodes = probabilities.shape[1], len(t)
    power, share_right = np.empty(n_nodes), np.empty(n_nodes)
    for item in range(span[0], span[1]):
        total, none = 0.0, 1.0
        power[:], share_right[:] = weight, 0.0
        for k in range(n_labels):
            p = probabilities[item, k]
            total += p
            none *= 1 - p
            if p > 0:
                for q in range(n_nodes):
                    power[q] *= 1 - p + p * z[q]
        best, size = zero * none, 0
        for k in range(1, n_labels + 1):
            # F is concave in the number of right ones, so its value at their mean bounds it for all from here on.
            if (1 + square) * total / (k + square * total) <= best:
                break
            p, value = probabilities[item, order[item, k - 1]], 0.0
            for q in range(n_nodes):
                below = 1 - p + p * z[q]
                share_right[q] += p * z[q] / below if below > 0 else 1.0
                value += power[q] * share_right[q]
                power[q] *= t[q]
            value *= 1 + square
            if value > best + _ALIKE:
                best, size = value, k
        out[item] = size


@lru_cache(maxsize=16)
def _nodes(n: int, square: float) -> tuple[NDArray[np.float64], ...]:
    """Return ``n`` Gauss-Legendre nodes t from 0 to 1, z = t^square, and the weights.

    Powers of t that are not whole are not smooth at 0: then t is v^8, and v is integrated over.
    """
    x, weight = np.polynomial.legendre.leggauss(n)
    v, weight = (x + 1) / 2, weight / 2
    m = 1 if square == int(square) else 8
    t = v**m
    return t, t**square, weight * m * v ** (m - 1)


def sizes(probabilities: NDArray[Any], order: NDArray[np.int64], square: float, zero: float) -> NDArray[np.int64]:
    """Return how many labels each item gets, of those in ``order`` (n_items, n_labels): by falling probability.

    ``square`` is that of beta, ``zero`` the value of no label given where none is true.
    """
    n_items, n_labels = probabilities.shape
    mean = float(probabilities.sum(axis=1).max(initial=0))
    most = min(n_labels, mean + 10 * np.sqrt(mean) + 20)  # true labels, but for a negligible probability
    degree = (min(n_labels, 4 * most) + square * most) * (1 if square == int(square) else 8)
    nodes = _nodes(16 * -(-int(16 + 3.5 * np.sqrt(degree)) // 16), square)
    out = np.empty(n_items, np.int64)
    spans = divided(n_items, 8 * probabilities.size)
    share(_sizes, [(probabilities, order, nodes, (square, zero), out, span) for span in spans])
    return out
