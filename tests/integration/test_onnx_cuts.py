"""Thresholds moved to what a model gives: exact for every score, against arithmetic in 120 digits."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx")

from limen.decisions import rounded_up
from limen.errors import InputError
from limen.onnx.cuts import as_tuned, check_gives, lowest_given
from strategies import PATIENT, SCORE_DTYPES

from .onnx_models import all_float16

DTYPES = st.sampled_from(SCORE_DTYPES)
WORTH_A_LOOK = [0.0, -0.0, 0.5, 1.0, 5e-324, 1.2e-7, 1e-8, 1 - 2**-53, 1 - 2**-24, 0.3, 2 / 3]


def finite(dtype):
    return st.floats(width=np.dtype(dtype).itemsize * 8, allow_nan=False, allow_infinity=False).map(dtype)


def probabilities(dtype):
    return st.one_of(
        st.sampled_from(WORTH_A_LOOK),
        st.floats(0, 1),
        st.floats(-40, 0).map(lambda power: 10.0**power),
    ).map(dtype)


def rounded(function, x, dtype):
    """The nearest number of ``dtype`` to a function of a float, by exact fractions."""
    with localcontext() as context:
        context.prec = 120
        exact = Fraction(function(Decimal(float(x))))
    near = dtype(float(exact))
    below, above = (np.nextafter(near, dtype(towards)) for towards in (-np.inf, np.inf))
    candidates = [number for number in (near, below, above) if np.isfinite(number)]
    return min(candidates, key=lambda number: abs(Fraction(float(number)) - exact))


def sigmoid(x):
    return 1 / (1 + (-x).exp()) if x > -5000 else Decimal(0)


def logit(p):
    return (p / (1 - p)).ln()


def up(number, steps=1):
    for _ in range(abs(steps)):
        with np.errstate(over="ignore"):
            number = np.nextafter(number, type(number)(np.copysign(np.inf, steps)))
    return number


@PATIENT
@given(st.data(), DTYPES, DTYPES)
def test_rounding_up_decides_alike(data, tuned, given_as):
    threshold = data.draw(st.one_of(finite(tuned), probabilities(tuned)))
    lowest = lowest_given(np.array([threshold]), np.dtype(given_as), "scores")[0]
    assert lowest.dtype == given_as
    with np.errstate(over="ignore"):
        near = given_as(threshold)
    scores = [data.draw(finite(given_as)), lowest, up(lowest), up(lowest, -1), near, up(near), up(near, -1)]
    for score in scores:
        if np.isfinite(score):
            assert (score >= lowest) == (Fraction(float(score)) >= Fraction(float(threshold)))


@PATIENT
@given(st.data(), DTYPES)
def test_rounding_up_decides_alike_on_all_of_float16(data, tuned):
    values = np.array([data.draw(st.one_of(finite(tuned), probabilities(tuned))) for _ in range(3)])
    scores = all_float16()[:, np.newaxis]
    np.testing.assert_array_equal(scores >= rounded_up(values, np.dtype(np.float16)), scores >= values)


@PATIENT
@given(st.data(), DTYPES, DTYPES)
def test_moved_through_the_sigmoid(data, tuned, given_as):
    """The lowest logit whose sigmoid, correctly rounded, is at or above the threshold."""
    threshold = data.draw(probabilities(tuned))
    lowest = lowest_given(np.array([threshold]), np.dtype(given_as), "logits")[0]
    assert rounded(sigmoid, lowest, tuned) >= threshold if np.isfinite(lowest) else True
    below = up(lowest, -1)
    if np.isfinite(below):
        assert rounded(sigmoid, below, tuned) < threshold


@PATIENT
@given(st.data(), DTYPES, DTYPES)
def test_moved_through_the_logit(data, tuned, given_as):
    """The lowest probability whose logit, correctly rounded, is at or above the threshold."""
    threshold = data.draw(st.one_of(st.floats(-30, 30).map(tuned), finite(tuned)))
    lowest = lowest_given(np.array([threshold]), np.dtype(given_as), "probabilities")[0]
    assert 0 < lowest <= 1
    if lowest < 1:
        assert rounded(logit, lowest, tuned) >= threshold
    below = up(lowest, -1)
    if below > 0:
        assert rounded(logit, below, tuned) < threshold


@PATIENT
@given(st.data(), DTYPES, DTYPES, st.sampled_from(["logits", "probabilities"]))
def test_the_reference_is_settled_where_it_matters(data, tuned, given_as, gives):
    """`as_tuned` decides as exact arithmetic does at and beside the lowest score given."""
    function, thresholds = (
        (sigmoid, probabilities(tuned)) if gives == "logits" else (logit, st.floats(-30, 30).map(tuned))
    )
    values = np.array([data.draw(thresholds)])
    lowest = lowest_given(values, np.dtype(given_as), gives)[0]
    for score in (lowest, up(lowest), up(lowest, -1), up(lowest, -2)):
        if np.isfinite(score) and (gives == "logits" or 0 < score < 1):
            decided = as_tuned(np.array([[score]]), values, gives) >= values
            assert decided[0, 0] == (rounded(function, score, tuned) >= values[0])


@pytest.mark.parametrize("dtype", SCORE_DTYPES)
def test_the_ends_of_the_range(dtype):
    limits, wide = np.finfo(dtype), np.dtype(np.float64)
    values = np.array([limits.min, 0, np.inf], dtype)
    np.testing.assert_array_equal(lowest_given(values, wide, "scores"), values)
    lowest = np.finfo(np.float64).min
    np.testing.assert_array_equal(lowest_given(values, wide, "logits"), [lowest, lowest, np.inf])
    np.testing.assert_array_equal(
        lowest_given(np.array([limits.min, limits.max, np.inf], dtype), wide, "probabilities"),
        [np.finfo(np.float64).smallest_subnormal, 1.0, np.inf] if dtype != np.float16 else [5e-324, 1.0, np.inf],
    )


def test_beyond_the_range_of_the_scores():
    values = np.array([1e300, -1e300, 1e-60, -1e-60])
    np.testing.assert_array_equal(
        rounded_up(values, np.dtype(np.float32)),
        np.array([np.inf, np.finfo(np.float32).min, np.finfo(np.float32).smallest_subnormal, 0], np.float32),
    )


def test_a_probability_of_a_half_keeps_the_logits_that_round_to_it():
    lowest = lowest_given(np.array([0.5], np.float32), np.dtype(np.float32), "logits")[0]
    assert -1.2e-7 < lowest < 0
    assert rounded(sigmoid, lowest, np.float32) == 0.5


def test_what_a_model_may_give():
    with pytest.raises(InputError, match=r"model_gives='logit' is unknown. It must be 'scores'"):
        check_gives("logit")
