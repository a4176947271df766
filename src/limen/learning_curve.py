"""How much more labelled items would help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limen import objectives, solvers
from limen.data import as_data
from limen.display import Displayed, Shown
from limen.draws import as_seed
from limen.errors import InputError, count
from limen.folds import dealt_folds, outside
from limen.holdout import hold_out
from limen.intervals import Interval, measure
from limen.metrics import Metric
from limen.objectives import Objective
from limen.solvers.base import Solver

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
HEADINGS = ("items tuned on", "held-out", "95 %", "")


@dataclass(frozen=True)
class LearningCurve(Displayed):
    """The objective on items not tuned on, by the number of items tuned on.

    Attributes
    ----------
    sizes : tuple of int
        Mean number of items tuned on, rising.
    held_out : tuple of Interval
    objective : Objective
    n_items : int
        Number of items measured: all of them, each once.
    """

    sizes: tuple[int, ...]
    held_out: tuple[Interval, ...]
    objective: Objective
    n_items: int
    folds: int

    def summary(self) -> str:
        """Return what is shown."""
        return (
            f"{self.objective.noun}, by the number of items tuned on; measured on {count(self.n_items, 'item')}, "
            f"in {self.folds} folds"
        )

    def cells(self) -> list[tuple[str, ...]]:
        """Return the table's cells as text, with a bar for the value between the lowest and highest."""
        values = [interval.value for interval in self.held_out]
        low, width = min(values), max(max(values) - min(values), 1e-12)
        return [
            (
                f"{size:,}".replace(",", " "),
                self.objective.metric.said(value),
                self.objective.metric.said_span(below, above).removeprefix("95 % "),
                "#" * (1 + round(19 * (value - low) / width)),
            )
            for size, (value, below, above) in zip(self.sizes, self.held_out, strict=True)
        ]

    def __repr__(self) -> str:
        return f"LearningCurve({count(len(self.sizes), 'size')}; {self.summary()})"

    def shown(self) -> Shown:
        """Return the table that is shown."""
        return Shown(self.summary(), HEADINGS, self.cells(), ("",))


def learning_curve(
    y_true: Any,
    y_score: Any = None,
    *,
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    method: str | Solver = "auto",
    shares: Sequence[float] = SHARES,
    cv: int = 5,
    groups: Any = None,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    zero_division: float = 0.0,
    random_state: Any = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> LearningCurve:
    """Return how the metric on new items grows with the number of items tuned on.

    Each fold is measured by thresholds tuned on a random share of the other folds, so every item is
    measured once at every size.

    Parameters
    ----------
    shares : sequence of float in (0, 1]
        Shares of the items outside a fold to tune on.
    cv : int
        Number of folds, which share out every label evenly.
    y_true, y_score, metric, average, method, groups, labels, sample_weight, mask, zero_division, random_state
        As in `limen.tune`.
    progress : callable ``(step, steps, note)``, optional

    Raises
    ------
    InputError
        If the data do not fit, or a share is not above 0 and at most 1.
    """
    objective = objectives.objective(metric, average, zero_division)
    solver = solvers.choose(objective.metric, average, method)
    data = as_data(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask, groups=groups)
    source, member, seed = data.source, data.groups, as_seed(random_state)
    objective.check_labels(len(source.labels))
    shares = sorted(set(shares))
    if not shares or not all(0 < share <= 1 for share in shares):
        raise InputError(f"shares={shares} are not usable. Each must be above 0 and at most 1.")
    folds = dealt_folds(cv, source, member, seed)
    draw = np.random.default_rng([seed, 2])
    orders = [draw.permutation(outside(fold, source.n_items)) for fold in folds]
    sizes, held_out = [], []
    for step, share in enumerate(shares):
        parts, tuned_on = [], []
        for number, (fold, order) in enumerate(zip(folds, orders, strict=True)):
            if progress is not None:
                progress(step * cv + number, len(shares) * cv, f"{share:.0%} of the items")
            rows = np.sort(order[: max(1, round(share * len(order)))])
            tuned_on.append(len(rows))
            parts.append(hold_out(objective, data, (rows, fold), solver, seed).part)
        sizes.append(round(np.mean(tuned_on)))
        interval = measure(parts, objective, source.n_items, member, seed)
        assert interval is not None
        held_out.append(interval)
    return LearningCurve(tuple(sizes), tuple(held_out), objective, source.n_items, cv)
