"""Whether the report's data are those that the thresholds were tuned on: so that what it says of them is true."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.decisions import Counts, alike, count_decisions
from limen.solvers.base import Problem
from limen.thresholds import Thresholds


@dataclass(frozen=True, eq=False)
class TunedOn:
    """What the digest and the counts tell of the items tuned on.

    Attributes
    ----------
    thresholds : Thresholds
    problem : Problem
        The report's data.
    counts : Counts
        Of the thresholds on the report's data.
    digest : str
        Digest of the report's data, without cuts that constraints need besides.
    """

    thresholds: Thresholds
    problem: Problem
    counts: Counts
    digest: str

    @cached_property
    def these_data(self) -> bool:
        """Whether the thresholds were tuned, or edited, on just these data."""
        return self.thresholds.digest == self.digest

    @cached_property
    def before_edits(self) -> bool:
        """Whether the thresholds were edited in a report of other data, and tuned on these."""
        edited = self.thresholds.details.get("edited")
        before = edited.get("before") if isinstance(edited, dict) else None
        return isinstance(before, dict) and before.get("data_digest") == self.digest

    @cached_property
    def same_items(self) -> bool:
        """Whether these seem to be the items tuned on, be it as other floats or for other frequencies."""
        return self.these_data or self.before_edits or self._on_other_floats() or self.other_frequencies

    @cached_property
    def other_frequencies(self) -> bool:
        """Whether these seem to be the items tuned on, but weighted to other label frequencies.

        Such weights change the counts by label, and so the digest, but no rate.
        """
        tuned = self.thresholds
        if self.these_data or tuned.n_items != self.problem.n_items or self._as_frequent():
            return False
        here, there = _rates(self.counts), _rates(tuned.counts)
        told = bool(((here > 0) & (here < 1)).any())  # Labels given never or always have the same rates anywhere.
        return told and np.allclose(here, there, rtol=1e-9, atol=1e-12)

    @property
    def same_objective(self) -> bool:
        """Whether the report shows the objective that the thresholds were tuned for."""
        tuned, here = self.thresholds.objective, self.problem.objective
        return tuned.average == here.average and tuned.metric.spec == here.metric.spec

    def _on_other_floats(self) -> bool:
        """Return whether only the floats of the scores seem to differ from those tuned on.

        The support of each label is the same, and so are its other counts, but for scores that rounding
        takes over its threshold.
        """
        tuned = self.thresholds
        if tuned.n_items != self.problem.n_items or not self._as_frequent():
            return False
        coarse = max((tuned.values.dtype, self.problem.dtype), key=lambda dtype: np.finfo(dtype).eps)
        values = tuned.values.astype(np.promote_types(tuned.values.dtype, self.problem.dtype))
        with np.errstate(over="ignore", invalid="ignore"):
            step = np.abs(values) * np.finfo(coarse).eps + np.finfo(coarse).tiny
            ends = [np.where(np.isfinite(values), values + sign * step, values) for sign in (1, -1)]
        bounds = np.finfo(values.dtype)
        ends = [np.where(end < bounds.min, bounds.min, end).astype(values.dtype) for end in ends]
        least, most = (count_decisions(self.problem.sources, end, check=False) for end in ends)
        slack = 1e-9 * (1 + tuned.counts.n)
        return all(
            bool(((low <= count + slack) & (count <= high + slack)).all())
            for low, count, high in ((least.tp, tuned.counts.tp, most.tp), (least.pp, tuned.counts.pp, most.pp))
        )

    def _as_frequent(self) -> bool:
        """Return whether each label has as many positives and known items as in the data tuned on."""
        here, tuned = self.counts, self.thresholds.counts
        return alike(here.p, tuned.p) and alike(here.n, tuned.n)


def _rates(counts: Counts) -> NDArray[np.float64]:
    """Return the share given of the positives and of the negatives of each label, (2, n_labels)."""
    tp, pp, p, n = counts
    return np.array([metrics.ratio(tp, p, 0.0), metrics.ratio(pp - tp, n - p, 0.0)])
