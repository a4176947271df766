"""What the iterative solvers share: where they start, and Adam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.decisions import in_dtype
from limen.errors import InputError
from limen.scales import Scale, logit
from limen.solvers.base import Problem
from limen.solvers.rules import Shared
from limen.sums import sums_of

Start = float | str | Sequence[float] | NDArray[Any]


class Adam:
    """Adam, upwards (Kingma & Ba 2015): steps of about ``learning_rate`` whatever the gradient's size."""

    def __init__(self, learning_rate: float, size: int) -> None:
        self.learning_rate = learning_rate
        self.mean, self.square = np.zeros(size), np.zeros(size)
        self.steps = 0

    def step(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the change of the parameters for a gradient."""
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient**2
        mean = self.mean / (1 - 0.9**self.steps)
        root = np.sqrt(self.square / (1 - 0.999**self.steps))
        return self.learning_rate * mean / (root + 1e-8)


def starting_point(start: Start, problem: Problem, scale: Scale) -> NDArray[np.float64]:
    """Return the thresholds (n_labels,) to start from, on the scale given.

    ``start`` is on the scale of the scores: a number, one for each label, ``"shared"`` for the best shared
    threshold, or ``"paper"`` for the probability, 0.3 or 0.5, at which the objective is larger: the two that
    the paper began at, by data set.
    """
    n_labels = len(problem.labels)
    if isinstance(start, str):
        if start not in ("shared", "paper"):
            raise InputError(f"start={start!r} is unknown. Use a number, one for each label, 'shared' or 'paper'.")
        values = Shared().solve(problem).values if start == "shared" else _of_paper(problem)
        assert values is not None
        if not np.isfinite(values).all():  # never: begin at the highest score there is
            values = np.full(n_labels, max(float(block.scores.max()) for block in problem.blocks(check=False)))
    else:
        values = np.asarray(start, np.float64)
        if values.ndim > 1 or (values.ndim and len(values) != n_labels) or not np.isfinite(values).all():
            raise InputError(
                f"start has shape {values.shape} for {n_labels} labels. Give one finite number, or one for each "
                "label."
            )
        values = np.broadcast_to(values, n_labels)
    thresholds = scale.forward(np.asarray(values), np.arange(n_labels))
    if not np.isfinite(thresholds).all():
        raise InputError(f"start={start!r} has no place among these scores. Choose one within their range.")
    return thresholds


def _of_paper(problem: Problem) -> NDArray[np.float64]:
    """Return the better of the paper's two starts, for each label (n_labels,), on the scale of the scores."""
    n_labels = len(problem.labels)
    starts = [np.full(n_labels, p if problem.kind == "probability" else logit(np.array(p))) for p in (0.3, 0.5)]
    objective = problem.objective
    values = [objective(*sums_of(objective, problem.sources, in_dtype(start, problem.dtype))) for start in starts]
    return starts[int(values[1] > values[0])]
