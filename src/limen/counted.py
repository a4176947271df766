"""How thresholds do on data of which only curves are left: exact where they can be, between bounds where not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.decisions import Counts
from limen.errors import UnsupportedError
from limen.expectation import jackknife_width, left_out
from limen.objectives import Objective
from limen.scales import kind_in
from limen.solvers.fine import FineCurves
from limen.states import BAR, state_keys, states_of_curves


class Counted(NamedTuple):
    """What curves say of thresholds.

    Attributes
    ----------
    counts : Counts
        With the most false positives that there may be.
    least : Counts
        With the fewest; the same where they are known.
    by_part : float64 (n_parts, 4, n_labels), optional
        tp, pp, p and n of each part that was counted by itself, about.
    """

    counts: Counts
    least: Counts
    by_part: NDArray[np.float64] | None

    @classmethod
    def of(cls, curves: Curves, values: NDArray[Any]) -> Counted:
        """Return what curves say of thresholds (n_labels,), in the dtype of the scores.

        Raises
        ------
        UnsupportedError
            If not every positive score is a candidate, so that nothing is known between these.
        """
        if not curves.complete and not curves.sources:
            raise UnsupportedError(
                "these curves were counted at given candidates, which are not all the positive scores: what other "
                "thresholds give is not known. Count them with limen curves, or give scores and labels."
            )
        tags = curves.tags_at(values)
        totals = curves.n_positive, curves.n_known
        most, least = (Counts(tags.tp, tags.tp + fp, *totals) for fp in (tags.fp, tags.fp_least))
        if curves.folds is None:
            return cls(most, least, None)
        whole, parts = FineCurves.of_counts(curves.folds, kind_in(curves.folds.extent.ends))
        never = ~np.isfinite(values)
        at = whole.places.scale.forward(np.where(never, 0.5, values), np.arange(whole.n_labels))
        at = np.where(values == np.inf, np.inf, at)[np.newaxis]
        found = [
            np.concatenate([part.counts(at)[:, 0], [part.raw.n_positive, part.raw.n_known]])
            for part, n_items in zip(parts, curves.folds.n_items, strict=True)
            if n_items
        ]
        return cls(most, least, np.array(found))

    def bounds(self, objective: Objective) -> tuple[float, float] | None:
        """Return the lowest and the highest that the objective may be; None if it is known."""
        if np.array_equal(self.counts.pp, self.least.pp):
            return None
        ends = objective(*self.counts), objective(*self.least)
        return min(ends), max(ends)

    def interval(self, objective: Objective, other: Counted | None = None) -> tuple[float, float] | None:
        """Return the 95 % interval of the objective, or of how far it is above that of ``other`` (jackknife).

        None where the curves hold no counts of parts.
        """
        if self.by_part is None or len(self.by_part) < 2:
            return None
        without = left_out(objective, self.by_part)
        value = objective(*self.counts)
        if other is not None:
            assert other.by_part is not None
            without = without - left_out(objective, other.by_part)
            value -= objective(*other.counts)
        width = jackknife_width(without)
        return value - width, value + width

    def states(
        self, curves: Curves, objective: Objective, bar: float = BAR
    ) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """Return the state of each label, and its gains (3, n_labels) over 0.5, NaN where they are not known."""
        found = states_of_curves(curves, self.counts, objective, bar)
        if found is None:
            return state_keys(self.counts, curves.n_items, None, bar), np.full((3, curves.n_labels), np.nan)
        return found.keys, found.gains
