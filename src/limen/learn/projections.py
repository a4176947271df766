"""Random projections of rows: ``S @ X`` for an ``S`` of few rows that is never held as a whole.

All keep squared lengths on average: E[S.T @ S] is the identity.
"""

# ruff: noqa: N803, N806 - X, S and H are what the equations call them

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, require

RADIX = 64
"""The transform is done in factors of this many points at most: each is one product of matrices."""
BLOCK = 1 << 23
"""How many numbers are held at a time beside the result."""

Matrices = Sequence[Any]
Projection = Callable[[Matrices, int, np.random.Generator], list[NDArray[Any]]]


def gaussian(matrices: Matrices, n_rows: int, rng: np.random.Generator) -> list[NDArray[Any]]:
    """Return ``S @ X`` (n_rows, n_columns) of each matrix for one S of independent normal numbers.

    Parameters
    ----------
    matrices : sequence of float arrays or CSR matrices (n_items, n_columns)
    n_rows : int
        Rows of S.
    rng : Generator

    Notes
    -----
    Entries have variance ``1 / n_rows``. Costs ``n_rows * n_items * n_columns``: more than the exact Gram matrix
    as soon as S has more rows than X has columns.
    """
    n_items = matrices[0].shape[0]
    sums = [np.zeros((n_rows, X.shape[1]), X.dtype) for X in matrices]
    step = max(1, BLOCK // n_rows)
    for start in range(0, n_items, step):
        drawn = rng.standard_normal((min(step, n_items - start), n_rows), dtype=np.float32)
        for total, X in zip(sums, matrices, strict=True):
            rows = X[start : start + step]
            part = drawn.astype(X.dtype, copy=False)
            total += (rows.T @ part).T if hasattr(X, "tocsr") else part.T @ rows
    return [total / np.sqrt(total.dtype.type(n_rows)) for total in sums]


def hadamard(matrices: Matrices, n_rows: int, rng: np.random.Generator) -> list[NDArray[Any]]:
    """Return ``S @ X`` (n_rows, n_columns) of each matrix for S = rows of a Walsh-Hadamard matrix, random signs.

    Parameters
    ----------
    matrices, n_rows, rng : as for `gaussian`

    Notes
    -----
    S = R H D / sqrt(n_rows): D turns random items round, H is the Walsh-Hadamard matrix of the next power of two
    (items of zeros are added), R draws rows without putting back.
    """
    n_items = matrices[0].shape[0]
    size = 1 << max(0, n_items - 1).bit_length()
    signs = _signs(n_items, rng)[:, np.newaxis]
    kept = np.sort(rng.choice(size, n_rows, replace=False))
    return [_mixed(X, signs.astype(X.dtype), size, kept) for X in matrices]


def count(matrices: Matrices, n_rows: int, rng: np.random.Generator) -> list[NDArray[Any]]:
    """Return ``S @ X`` (n_rows, n_columns) of each matrix for S = each item in one row, with a random sign.

    Parameters
    ----------
    matrices, n_rows, rng : as for `gaussian`

    Notes
    -----
    One addition for each number that is not zero.
    """
    sparse = require("scipy.sparse", extra="learn", user="limen.learn")
    n_items = matrices[0].shape[0]
    row, signs = rng.integers(n_rows, size=n_items, dtype=np.int32), _signs(n_items, rng)
    S = sparse.csc_array((signs, row, np.arange(n_items + 1, dtype=np.int32)), shape=(n_rows, n_items))
    sums = [S.astype(X.dtype) @ X for X in matrices]
    return [total.toarray() if hasattr(total, "tocsr") else total for total in sums]


PROJECTIONS: dict[str, Projection] = {"gaussian": gaussian, "hadamard": hadamard, "count": count}


def walsh_hadamard(x: NDArray[Any]) -> NDArray[Any]:
    """Return ``H @ x`` for the Walsh-Hadamard matrix H of ``scipy.linalg.hadamard``, without making it.

    Parameters
    ----------
    x : float ndarray (n,) or (n, n_columns)
        n is a power of two.

    Raises
    ------
    InputError
        If n is no power of two.

    Notes
    -----
    H of n is the Kronecker product of smaller ones; each factor, of 64 points at most, is one product of matrices.
    H is its own inverse but for the factor n.

    Examples
    --------
    >>> walsh_hadamard(np.array([1.0, 0.0, 0.0, 2.0]))
    array([ 3., -1., -1.,  3.])
    """
    n = len(x)
    if n < 1 or n & (n - 1):
        raise InputError(
            f"the Walsh-Hadamard transform is of {n} rows. It takes 1, 2, 4, 8 and so on: add rows of zeros."
        )
    mixed, left = x.reshape(1, n, -1), n
    while left > 1:
        radix = min(RADIX, left)
        left //= radix
        mixed = _matrix(radix, x.dtype) @ mixed.reshape(n // (radix * left), radix, -1)
    return mixed.reshape(x.shape)


def _matrix(radix: int, dtype: Any) -> NDArray[Any]:
    H = np.ones((1, 1), dtype)
    while len(H) < radix:
        H = np.block([[H, H], [H, -H]])
    return H


def _mixed(X: Any, signs: NDArray[Any], size: int, kept: NDArray[np.int64]) -> NDArray[Any]:
    """Return the kept rows of H D X, a few columns at a time, so that little is held beside them."""
    n_items, n_columns = X.shape
    result = np.empty((len(kept), n_columns), X.dtype)
    sparse = hasattr(X, "tocsr")
    X = X.tocsc() if sparse else X
    step = max(1, BLOCK // size)
    for start in range(0, n_columns, step):
        columns = X[:, start : start + step]
        padded = np.zeros((size, columns.shape[1]), X.dtype)
        np.multiply(columns.toarray() if sparse else columns, signs, out=padded[:n_items])
        result[:, start : start + step] = walsh_hadamard(padded)[kept]
    result /= np.sqrt(X.dtype.type(len(kept)))
    return result


def _signs(n_items: int, rng: np.random.Generator) -> NDArray[np.int8]:
    return np.where(rng.integers(2, size=n_items, dtype=np.int8), np.int8(1), np.int8(-1))
