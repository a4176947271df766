"""Log odds and probabilities, there and back."""

from __future__ import annotations

from fractions import Fraction
from math import exp

import numpy as np
import pytest

from limen.scales import sigmoid


@pytest.mark.parametrize("x", [-700.0, -100.0, -40.5, -36.0, -1.0, 0.0, 1.0, 36.0, 700.0])
def test_sigmoid_keeps_its_digits(x):
    """Against exact fractions of the correctly rounded exponential."""
    power = Fraction(exp(-abs(x)))
    right = power / (1 + power) if x < 0 else 1 / (1 + power)
    assert sigmoid(np.array([x]))[0] == pytest.approx(float(right), rel=1e-15, abs=0)


def test_sigmoid_at_the_ends():
    assert sigmoid(np.array([-np.inf, np.inf])).tolist() == [0.0, 1.0]
