"""Thresholds moved to the numbers that a model compares with, so that no decision changes.

A threshold is a number of the dtype tuned on; a model gives scores of another dtype, or logits where
the thresholds are for probabilities. Either way there is one lowest score that is still given, and it
is found exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from limen.decisions import rounded_up
from limen.errors import InputError

Gives = Literal["scores", "logits", "probabilities"]
_DIGITS = Context(prec=60)
_HALF = Decimal("0.5")
_BEYOND = 800
"""exp(-800) is below every positive float64."""
_SMALLEST = float(np.finfo(np.float64).smallest_subnormal)


def check_gives(model_gives: str) -> None:
    """Raise `InputError` unless ``model_gives`` is one of `Gives`."""
    if model_gives not in get_args(Gives):
        raise InputError(
            f"model_gives={model_gives!r} is unknown. It must be 'scores' (what the thresholds were tuned on), "
            "'logits' (and the thresholds are for probabilities) or 'probabilities' (and they are for logits)."
        )


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
        ``given >= result`` decides as ``values`` do, for every finite ``given`` of ``dtype``. +inf if
        nothing is given.

    Notes
    -----
    numpy compares floats of two dtypes as the real numbers they are, so for scores the result is the
    threshold, rounded up to ``dtype``.

    Logits are decided by the probability they mean: the sigmoid, rounded once to the nearest number of
    the dtype tuned on. That is at least ``t`` just if the sigmoid is at least halfway from the number
    below ``t`` to ``t``, hence if the logit is at least the logit of that midpoint, which is
    computed to 60 digits. It is a tie only at a logit of 0, whose sigmoid is no midpoint. The sigmoids
    that runtimes compute differ from this, and from each other, in their last bits, and in onnxruntime
    far more than that for small probabilities.
    """
    if model_gives == "scores":
        return rounded_up(values, dtype)
    by_value: Callable[[Any], Any] = _as_decided_logit if model_gives == "logits" else _as_decided_probability
    distinct, at = np.unique(values, return_inverse=True)
    with localcontext(_DIGITS):
        moved = [_ceiling(by_value(value), dtype.type) for value in distinct]
    return np.array(moved, dtype)[at]


def as_tuned(given: NDArray[Any], values: NDArray[Any], model_gives: Gives) -> NDArray[Any]:
    """Return what the thresholds decide on: the correctly rounded sigmoid or logit of what a model gives.

    Parameters
    ----------
    given : ndarray (n_items, n_labels), or (n_items, 1) if all labels have the same
        Finite scores, or probabilities above 0 and below 1.
    values : ndarray (n_labels,)
        Thresholds. Rounding is settled, digit by digit, wherever it could change a decision; elsewhere the
        last bit may be off.
    """
    if model_gives == "scores":
        return given
    wide = given.astype(np.float64)
    near, slack = _sigmoid(wide) if model_gives == "logits" else _logit(wide)
    tuned = near.astype(values.dtype)
    low, high = (near - slack).astype(values.dtype) >= values, (near + slack).astype(values.dtype) >= values
    unsure = low != high if given.shape[1] == len(values) else (low != high).any(axis=1, keepdims=True)
    if unsure.any():
        distinct, at = np.unique(wide[unsure], return_inverse=True)
        with localcontext(_DIGITS):
            function = _exact_sigmoid if model_gives == "logits" else _exact_logit
            exact = [_nearest(function(Decimal(number)), values.dtype.type) for number in distinct.tolist()]
        tuned[unsure] = np.array(exact, values.dtype)[at]
    return tuned


def _as_decided_logit(threshold: Any) -> Decimal | float:
    """Return the lowest logit whose rounded sigmoid is at least ``threshold``."""
    if threshold > 1:
        return np.inf
    if threshold <= 0:
        return -np.inf
    return _exact_logit(_halfway_down(threshold))


def _as_decided_probability(threshold: Any) -> Decimal | float:
    """Return the lowest probability whose rounded logit is at least ``threshold``."""
    if threshold == np.inf:
        return np.inf
    if threshold <= -_BEYOND:
        return Decimal(_SMALLEST)
    if threshold >= _BEYOND:
        return Decimal(1)
    logit = _halfway_down(threshold)
    # Just above 0, the digits end before the sigmoid differs from a half.
    return max(_exact_sigmoid(logit), _HALF.next_plus()) if logit > 0 else _exact_sigmoid(logit)


def _halfway_down(threshold: Any) -> Decimal:
    below = np.nextafter(threshold, type(threshold)(-np.inf))
    return (Decimal(float(threshold)) + Decimal(float(below))) / 2


def _exact_logit(p: Decimal) -> Decimal:
    return (p / (1 - p)).ln()


def _exact_sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp()) if x > -_BEYOND else Decimal(0)


def _ceiling(number: Decimal | float, dtype: Any) -> Any:
    """Return the lowest finite number of ``dtype`` at or above ``number``, or +inf."""
    if not isinstance(number, Decimal):
        return dtype(np.inf) if number > 0 else np.finfo(dtype).min
    up, down = dtype(np.inf), dtype(-np.inf)
    with np.errstate(over="ignore", under="ignore"):
        near = dtype(float(number))
    while Decimal(float(near)) < number:
        near = np.nextafter(near, up)
    while Decimal(float(np.nextafter(near, down))) >= number:
        near = np.nextafter(near, down)
    return near


def _nearest(number: Decimal, dtype: Any) -> Any:
    """Return the number of ``dtype`` nearest to ``number``, which is no midpoint."""
    up = _ceiling(number, dtype)
    down = np.nextafter(up, dtype(-np.inf))
    return up if Decimal(float(up)) - number < number - Decimal(float(down)) else down


def _sigmoid(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sigmoid and a bound on its error."""
    small = np.exp(-np.abs(x))
    p = np.where(x >= 0, 1, small) / (1 + small)
    return p, 1e-14 * p + 1e-322


def _logit(p: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the logit and a bound on its error."""
    z = np.log(p) - np.log1p(-p)
    return z, 1e-14 * np.abs(z) + 1e-15
