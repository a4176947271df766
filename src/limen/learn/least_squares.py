"""Least squares of many labels at once, by the Gram matrix of the columns, dense or sparse."""

# ruff: noqa: N803 - X, Y and W are what the equations call them

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import require

linalg = require("scipy.linalg", extra="learn", user="limen.learn")

ROWS = 1 << 14
"""Rows of X that are looked at together; sums over them are float64."""


def least_squares(X: Any, ones: NDArray[Any], Y: Any, *, alpha: float) -> NDArray[np.float64]:
    """Return the coefficients that minimise ``|X W - Y|² + alpha |W|²``.

    Parameters
    ----------
    X : float array or CSR matrix (n_items, n_features)
    ones : float ndarray (n_items, 0 or 1)
        The column of the intercept, which is not penalised; sketched, it holds no ones any more.
    Y : float array or CSR matrix (n_items, n_labels)
    alpha : float

    Returns
    -------
    float64 ndarray (n_features + 0 or 1, n_labels)
        That of ``ones`` last. Columns that depend on each other get the smallest coefficients that fit.
    """
    for dtype in dict.fromkeys(
        [X.dtype, np.dtype(np.float64)]
    ):  # float32 sums, unless columns are too alike for them
        gram, right = _normal_equations(X, ones, Y, alpha, dtype)
        # Columns of length 1: their angles decide whether they depend on each other, not their units.
        scale = 1 / np.sqrt(np.where(gram.diagonal() > 0, gram.diagonal(), 1.0))[:, np.newaxis]
        gram *= scale * scale.T
        right *= scale
        floor = len(gram) * np.finfo(dtype).eps
        try:
            factor, lower = linalg.cho_factor(gram, check_finite=False)
        except linalg.LinAlgError:
            continue
        if factor.diagonal().min() ** 2 > floor:
            return np.asarray(scale * linalg.cho_solve((factor, lower), right, check_finite=False))
    values, vectors = linalg.eigh(gram)
    good = values > floor * values[-1]
    return np.asarray(scale * (vectors[:, good] @ ((vectors[:, good].T @ right) / values[good, np.newaxis])))


def _normal_equations(
    X: Any, ones: NDArray[Any], Y: Any, alpha: float, dtype: Any
) -> tuple[NDArray[np.float64], ...]:
    """Return the Gram matrix and the right sides: products of a few rows in ``dtype``, summed as float64."""
    n_features, n_columns = X.shape[1], X.shape[1] + ones.shape[1]
    gram, right = np.zeros((n_columns, n_columns)), np.zeros((n_columns, Y.shape[1]))
    for start in range(0, X.shape[0], ROWS):
        rows = slice(start, start + ROWS)
        part, one, labels = (matrix[rows].astype(dtype, copy=False) for matrix in (X, ones, Y))
        gram[:n_features, :n_features] += _dense(part.T @ part)
        gram[:n_features, n_features:] += part.T @ one
        gram[n_features:, n_features:] += one.T @ one
        right[:n_features] += _dense(labels.T @ part).T
        right[n_features:] += (labels.T @ one).T
    gram[n_features:, :n_features] = gram[:n_features, n_features:].T
    gram[np.arange(n_features), np.arange(n_features)] += alpha
    return gram, right


def costs_of(X: Any, Y: Any, W: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Return the penalised squared error (n_labels,) of coefficients, the last of which may be an intercept."""
    n_features = X.shape[1]
    costs: NDArray[np.float64] = alpha * np.square(W[:n_features]).sum(axis=0)
    for start in range(0, X.shape[0], ROWS):
        rows = slice(start, start + ROWS)
        off = X[rows] @ W[:n_features] + W[n_features:].sum(axis=0) - _dense(Y[rows])
        costs += np.square(off).sum(axis=0)
    return costs


def _dense(matrix: Any) -> NDArray[Any]:
    return np.asarray(matrix.toarray() if hasattr(matrix, "tocsr") else matrix)
