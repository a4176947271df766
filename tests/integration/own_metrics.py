"""Metrics as a user would write them, one of each kind."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from limen.metrics import Linear, LinearRatio, Metric, ratio


@dataclass(frozen=True)
class Gain(LinearRatio):
    """Items found less a price for each wrong one, by positives and wrong ones."""

    name: ClassVar[str] = "gain"
    price: float = 0.5

    def terms(self, p: Any, n: Any, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        return Linear(1 + self.price, -self.price, 0), Linear(-1, 1, p)


class Means(Metric):
    """The mean of precision and recall: neither linear nor quasi-convex; knows numpy only."""

    name = "means"

    def __call__(self, tp, pp, p, n, zero_division=0.0):
        return np.add(ratio(tp, pp, zero_division), ratio(tp, p, zero_division)) / 2


class Tversky(Metric):
    """Of a form that operators alone can write."""

    name, structure = "tversky", "quasiconvex"

    def __call__(self, tp, pp, p, n, zero_division=0.0):
        return ratio(tp, 0.7 * pp + 0.3 * p, zero_division)


OWN = (Gain(), Means(), Tversky())
