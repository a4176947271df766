"""The lowest number that a model gives and that is still a tag: thresholds on the scale of what a model gives.

A threshold is a number of the dtype tuned on; a model gives scores of another dtype, or logits where the
thresholds are for probabilities. Either way there is one lowest number that is still given.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from limen.decisions import rounded_up
from limen.errors import InputError

Gives = Literal["scores", "logits", "probabilities"]


def check_gives(model_gives: str) -> None:
    """Raise `InputError` unless ``model_gives`` is one of `Gives`."""
    if model_gives not in get_args(Gives):
        raise InputError(
            f"model_gives={model_gives!r} is unknown. It must be 'scores' (what the thresholds were tuned on), "
            "'logits' (and the thresholds are for probabilities) or 'probabilities' (and they are for logits)."
        )


def as_tuned(given: NDArray[Any], dtype: Any, model_gives: Gives) -> NDArray[Any]:
    """Return what thresholds of ``dtype`` decide on: the sigmoid of logits, the logit of probabilities.

    This is the rule that a model with thresholds follows: the function is computed in float64, whatever the
    model gives, and rounded once to the dtype tuned on. Runtimes compute it in the dtype of the model, where
    their last digits differ from this and from each other: onnxruntime's Sigmoid of float32 is off by up to
    1.2e-7, does not always rise, and is 0 below -18.

    Examples
    --------
    >>> as_tuned(np.float32([-20, 0, 3]), np.float16, "logits")
    array([0.    , 0.5   , 0.9526], dtype=float16)
    """
    if model_gives == "scores":
        return given
    x = given.astype(np.float64)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        if model_gives == "probabilities":
            return np.asarray((np.log(x) - np.log1p(-x)).astype(dtype))
        small = np.exp(-np.abs(x))
        return np.asarray((np.where(x < 0, small, 1) / (1 + small)).astype(dtype))


def lowest_given(values: NDArray[Any], dtype: np.dtype[Any], model_gives: Gives) -> NDArray[Any]:
    """Return for each threshold the lowest number of ``dtype`` that is given.

    Parameters
    ----------
    values : float16, float32 or float64 (n_labels,)
        Thresholds, in the dtype tuned on; +inf for never.
    dtype : dtype
        Of what the model gives.
    model_gives : {"scores", "logits", "probabilities"}

    Returns
    -------
    ndarray of ``dtype`` (n_labels,)
        A number is given just if it is at least this. +inf if none is.

    Notes
    -----
    For scores this is the threshold rounded up to ``dtype``, because numpy compares floats of two dtypes as
    the real numbers they are. Else all numbers of ``dtype`` are searched by halving for the first whose
    `as_tuned` reaches the threshold.
    """
    if model_gives == "scores":
        return rounded_up(values, dtype)
    limits = np.finfo(dtype)
    first, last = (
        (-_place(limits.max), _place(limits.max)) if model_gives == "logits" else (1, _place(limits.dtype.type(1)))
    )
    low, high = np.full(len(values), first), np.full(len(values), last + 1)
    while (low < high).any():
        middle = (low & high) + ((low ^ high) >> 1)
        enough = as_tuned(_number(middle, dtype), values.dtype, model_gives) >= values
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return np.where((low > last) | (values == np.inf), dtype.type(np.inf), _number(low, dtype))


def _place(number: Any) -> int:
    """Return the place of a positive float among those of its dtype; 0 is at 0, and the next at 1."""
    return int(np.asarray(number).view(f"u{number.itemsize}"))


def _number(place: NDArray[np.int64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the floats at places, negative ones mirrored."""
    size: NDArray[Any] = np.abs(place).astype(f"u{dtype.itemsize}").view(dtype)
    return np.where(place < 0, -size, size)
