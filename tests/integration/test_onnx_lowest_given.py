"""Thresholds moved to what a model gives, against fractions and arithmetic in 120 digits."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx")

from limen.decisions import rounded_up
from limen.onnx.lowest_given import as_tuned, lowest_given
from strategies import PATIENT, SCORE_DTYPES

from .onnx_models import all_float16

DTYPES = st.sampled_from(SCORE_DTYPES)
WORTH_A_LOOK = [0.0, -0.0, 0.5, 1.0, 5e-324, 1.2e-7, 1e-8, 1 - 2**-53, 1 - 2**-24, 0.3, 2 / 3]
PROBABILITIES = st.one_of(
    st.sampled_from(WORTH_A_LOOK), st.floats(0, 1), st.floats(-40, 0).map(lambda power: 10.0**power)
)
LOGITS = st.one_of(st.floats(-40, 40), st.floats(-750, 750), st.sampled_from([0.0, -0.0, 1e-30, -1e-30]))
EXACT = {
    "logits": lambda x: 1 / (1 + (-x).exp()),
    "probabilities": lambda p: (p / (1 - p)).ln(),
}


def finite(dtype):
    return st.floats(width=np.dtype(dtype).itemsize * 8, allow_nan=False, allow_infinity=False).map(dtype)


def exactly(gives, number):
    with localcontext() as context:
        context.prec = 120
        return Fraction(EXACT[gives](Decimal(float(number))))


def up(number, steps=1):
    for _ in range(abs(steps)):
        with np.errstate(over="ignore"):
            number = np.nextafter(number, type(number)(np.copysign(np.inf, steps)))
    return number


@PATIENT
@given(st.data(), DTYPES, DTYPES)
def test_scores_are_compared_as_the_real_numbers_they_are(data, tuned, given_as):
    threshold = data.draw(st.one_of(finite(tuned), PROBABILITIES.map(tuned)))
    lowest = lowest_given(np.array([threshold]), np.dtype(given_as), "scores")[0]
    assert lowest.dtype == given_as
    with np.errstate(over="ignore"):
        near = given_as(threshold)
    scores = [data.draw(finite(given_as)), lowest, up(lowest), up(lowest, -1), near, up(near), up(near, -1)]
    for score in scores:
        if np.isfinite(score):
            assert (score >= lowest) == (Fraction(float(score)) >= Fraction(float(threshold)))
    values, numbers = np.array([threshold]), all_float16()
    np.testing.assert_array_equal(numbers >= rounded_up(values, np.dtype(np.float16)), numbers >= values)


@PATIENT
@given(st.data(), st.sampled_from(["logits", "probabilities"]))
def test_the_rule_is_the_true_function_within_the_rounding_of_64_bits(data, gives):
    number = data.draw(LOGITS if gives == "logits" else PROBABILITIES.filter(lambda p: 0 < p < 1))
    found, exact = as_tuned(np.array([number]), np.float64, gives)[0], exactly(gives, number)
    scale = exact if gives == "logits" else max(abs(exact), 1)
    assert abs(Fraction(float(found)) - exact) <= max(scale * Fraction(2) ** -50, Fraction(2) ** -1072)
    for dtype in SCORE_DTYPES:
        assert as_tuned(np.array([number]), dtype, gives)[0] == dtype(found)


@PATIENT
@given(st.data(), st.sampled_from(["logits", "probabilities"]), DTYPES, DTYPES)
def test_the_lowest_number_that_the_rule_gives(data, gives, tuned, given_as):
    threshold = data.draw((PROBABILITIES if gives == "logits" else st.one_of(LOGITS, finite(tuned))).map(tuned))
    lowest = lowest_given(np.array([threshold]), np.dtype(given_as), gives)[0]
    assert lowest.dtype == given_as
    if np.isfinite(lowest):
        assert as_tuned(np.array([lowest]), tuned, gives)[0] >= threshold
    below = up(lowest, -1)
    if np.isfinite(below) and (gives == "logits" or below > 0):
        assert as_tuned(np.array([below]), tuned, gives)[0] < threshold


@pytest.mark.parametrize("tuned", [np.float16, np.float32])
@pytest.mark.parametrize("given_as", [np.float16, np.float32])
@pytest.mark.parametrize("gives", ["logits", "probabilities"])
def test_up_to_32_bits_it_is_the_one_of_exact_arithmetic(gives, given_as, tuned):
    """The sigmoid or logit, rounded once, reaches the threshold where the number passes a midpoint."""
    rng = np.random.default_rng(0)
    spread = 10.0 ** rng.uniform(-7, 0, 40)
    values = np.unique(np.concatenate([spread, 1 - spread] if gives == "logits" else [spread, -8 * spread, [0]]))
    values = values.astype(tuned)
    lowest = lowest_given(values, np.dtype(given_as), gives)
    for number, value in zip(lowest, values, strict=True):
        midpoint = (Fraction(float(value)) + Fraction(float(up(value, -1)))) / 2
        assert number == np.inf or exactly(gives, number) >= midpoint
        assert exactly(gives, up(number, -1)) < midpoint


@pytest.mark.parametrize("dtype", SCORE_DTYPES)
def test_the_ends_of_the_range(dtype):
    limits, wide = np.finfo(dtype), np.dtype(np.float64)
    values = np.array([limits.min, 0, np.inf], dtype)
    np.testing.assert_array_equal(lowest_given(values, wide, "scores"), values)
    lowest = np.finfo(np.float64).min
    np.testing.assert_array_equal(lowest_given(values, wide, "logits"), [lowest, lowest, np.inf])
    values = np.array([limits.min, limits.max, np.inf], dtype)
    np.testing.assert_array_equal(lowest_given(values, wide, "probabilities"), [5e-324, 1.0, np.inf])


def test_beyond_the_range_of_the_scores():
    values = np.array([1e300, -1e300, 1e-60, -1e-60])
    smallest = np.finfo(np.float32).smallest_subnormal
    expected = np.array([np.inf, np.finfo(np.float32).min, smallest, 0], np.float32)
    np.testing.assert_array_equal(rounded_up(values, np.dtype(np.float32)), expected)
