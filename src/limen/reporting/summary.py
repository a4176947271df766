"""All that the page shows, as a plain dict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.comparison import Comparison
from limen.curves import Curves
from limen.decisions import THRESHOLD_RULE, Counts, alike, count_decisions
from limen.intervals import Interval, Part, measure
from limen.reporting.encoding import packed
from limen.reporting.formulas import shown
from limen.reporting.items import Axis, looked_at
from limen.reporting.positions import Positions
from limen.solvers.base import Problem
from limen.solvers.rules import Shared
from limen.sources.blocks import Source
from limen.sources.candidates import Candidates
from limen.states import FEW_POSITIVES
from limen.thresholds import TUNING_DATA, Thresholds
from limen.tuning import thresholds_of

SHARED_CUTS = 64
Note = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Summary:
    """What was measured on the report's data.

    Attributes
    ----------
    thresholds : Thresholds
        As given, or as tuned on these data.
    problem : Problem
        The data and the objective of the thresholds.
    comparison : Comparison or None
    why_not_compared : str
        Empty if the methods were compared.
    ids : tuple of n_items str, or None
    """

    thresholds: Thresholds
    problem: Problem
    comparison: Comparison | None
    why_not_compared: str
    ids: Sequence[str] | None

    @property
    def source(self) -> Source:
        """The report's data."""
        return self.problem.sources[0]

    @cached_property
    def on_tuning_data(self) -> bool:
        """Whether the thresholds were tuned on just these data."""
        return self.thresholds.digest == self.problem.curves.digest()

    @cached_property
    def on_same_items(self) -> bool:
        """Whether these seem to be the items tuned on, be it as other floats or for other frequencies."""
        return self.on_tuning_data or self._on_other_floats() or self.other_frequencies

    @cached_property
    def other_frequencies(self) -> bool:
        """Whether these seem to be the items tuned on, but weighted to other label frequencies.

        Such weights change the counts by label, and so the digest, but no rate.
        """
        tuned = self.thresholds
        if self.on_tuning_data or tuned.n_items != self.problem.n_items or self._as_frequent():
            return False
        here, there = _rates(self._counts["given"]), _rates(tuned.counts)
        told = bool(((here > 0) & (here < 1)).any())  # Labels given never or always have the same rates anywhere.
        return told and np.allclose(here, there, rtol=1e-9, atol=1e-12)

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
        least, most = (count_decisions((self.source,), end, check=False) for end in ends)
        slack = 1e-9 * (1 + tuned.counts.n)
        return all(
            bool(((low <= count + slack) & (count <= high + slack)).all())
            for low, count, high in ((least.tp, tuned.counts.tp, most.tp), (least.pp, tuned.counts.pp, most.pp))
        )

    def _as_frequent(self) -> bool:
        """Return whether each label has as many positives and known items as in the data tuned on."""
        here, tuned = self._counts["given"], self.thresholds.counts
        return alike(here.p, tuned.p) and alike(here.n, tuned.n)

    @cached_property
    def _vectors(self) -> dict[str, NDArray[Any]]:
        """The thresholds that the first screen compares, in a dtype that holds those given and the scores."""
        n_labels = self.problem.curves.n_labels
        dtype = np.promote_types(self.thresholds.values.dtype, self.problem.dtype)
        shared = thresholds_of(self.problem, Shared().solve(self.problem), "midpoint")
        return {
            "given": self.thresholds.values.astype(dtype),
            "half": np.full(n_labels, 0.5, dtype),
            "shared": shared.astype(dtype),
        }

    @cached_property
    def _counts(self) -> dict[str, Counts]:
        """The counts of the decisions by each of these thresholds."""
        return {
            name: count_decisions((self.source,), values, check=False) for name, values in self._vectors.items()
        }

    @property
    def of_tuned_objective(self) -> bool:
        """Whether the report shows the objective that the thresholds were tuned for."""
        tuned, here = self.thresholds.objective, self.problem.objective
        return tuned.average == here.average and tuned.metric.spec == here.metric.spec

    def as_dict(self, title: str, note: Note = lambda what, share: None) -> dict[str, Any]:
        """Return all that the page shows: plain numbers, text, lists, and packed arrays."""
        curves, objective, given = self.problem.curves, self.problem.objective, self.thresholds
        note("the cuts that the page shows", 0.0)
        vectors, counts = self._vectors, self._counts
        positions = Positions.of(curves, objective, {name: (vectors[name], counts[name]) for name in vectors})
        of_metric = partial(shown, zero_division=objective.zero_division, curves=curves, positions=positions)
        note("intervals", 0.0)
        first = self._first()
        axis = Axis.of(self.source, curves, self.problem.kind == "probability")
        at_given = counts["given"]
        errors = at_given.p + at_given.pp - 2 * at_given.tp
        items = looked_at(
            self.source,
            axis,
            vectors["given"],
            errors,
            self.ids,
            lambda share: note("histograms and errors", share),
        )
        return {
            "title": title,
            "created": given.created,
            "few": FEW_POSITIVES,
            "objective": {
                "metric": of_metric(objective.metric),
                "average": objective.average,
                "zero_division": objective.zero_division,
            },
            "ratios": {name: of_metric(metrics.get(name)) for name in ("f1", "precision", "recall")},
            "data": {
                "n_items": curves.n_items,
                "weighted": curves.n_positive.dtype.kind == "f",
                "on_tuning_data": self.on_tuning_data,
                "on_same_items": self.on_same_items,
                "other_frequencies": self.other_frequencies,
                "probabilities": axis.probabilities,
                "unknown": bool((curves.n_known < curves.n_items).any()) if not self.source.weighted else False,
            },
            "file": self._file(vectors["given"].dtype),
            "first": first,
            "labels": list(curves.labels),
            "positives": packed(curves.n_positive),
            "known": packed(curves.n_known),
            "positions": positions.content(),
            "ranges": None if given.ranges is None else packed(given.ranges.ravel()),
            "gains": None if given.gains is None else packed(given.gains.ravel()),
            "axis": {"low": packed(axis.low), "high": packed(axis.high)},
            "frontier": {
                "label": packed(positions.step_label),
                "position": packed(positions.step_position),
                "shared": _shared_curve(self.source, curves),
            },
            "comparison": self._compared(),
            **items,
        }

    def _first(self) -> list[dict[str, Any]]:
        """Return the rows of the first screen: on these data, and what to expect on new data."""
        given, shared = self.thresholds, float(self._vectors["shared"][0])
        rows: list[dict[str, Any]] = []
        for name, value in (("half", 0.5), ("shared", shared), ("given", None)):
            here = self._measured(name)
            expected, how = self._expected(name, here)
            rows.append({"name": name, "cut": _finite(value), "here": here, "expected": expected, "how": how})
        rows[-1]["of_tuned_objective"] = self.of_tuned_objective
        rows[-1]["tuned"] = {"value": given.value, "n_items": given.n_items, "expected": _interval(given.expected)}
        return rows

    def _measured(self, name: str) -> list[float | None]:
        problem, n_items = self.problem, self.problem.n_items
        part = Part(self.source, np.arange(n_items), self._vectors[name], THRESHOLD_RULE)
        found = measure([part], problem.objective, n_items, problem.groups, problem.random_state)
        return [problem.objective(*self._counts[name]), None, None] if found is None else list(found)

    def _expected(self, name: str, here: list[float | None]) -> tuple[list[float | None] | None, str]:
        """Return value, low and high to expect on new data, and a word for where they come from."""
        if name == "half":
            return here, "nothing was tuned"
        if name == "given" and not self.on_same_items:
            return here, "these are other data"
        if name == "given" and self.thresholds.expected is not None and self.of_tuned_objective:
            return list(self.thresholds.expected), "cross-fitted while tuning"
        method = "shared" if name == "shared" else self.thresholds.method
        rows = self.comparison.rows if self.comparison is not None else ()
        for row in rows:
            if row.method == method:
                return [row.held_out, row.low, row.high], "held out, see Methods"
        if name == "given" and self.thresholds.expected_reason and self.of_tuned_objective:
            return None, f"not estimable: {self.thresholds.expected_reason}"
        return None, "not measured"

    def _file(self, dtype: np.dtype[Any]) -> dict[str, Any]:
        """Return the thresholds file without its labels, as given and as it is once it is edited."""
        original = {key: value for key, value in self.thresholds.to_dict().items() if key != "labels"}
        objective, proven = self.problem.objective, self.on_tuning_data and self.of_tuned_objective
        edited = {
            **original,
            "metric": metrics.spec_to_save(objective.metric),
            "average": objective.average,
            "zero_division": objective.zero_division,
            "status": "local",
            "expected": None,
            "expected_gain": None,
            "half": objective(*self._counts["half"]),
            "score_dtype": str(dtype),
            "n_items": self.problem.n_items,
            "data_digest": self.problem.curves.digest(),
            "expected_reason": "",
            "value_measured_on": TUNING_DATA if self.on_tuning_data else "data of a report",
            "upper_bound": original["upper_bound"] if proven else None,
        }
        return {"original": original, "edited": edited}

    def _compared(self) -> dict[str, Any]:
        if self.comparison is None:
            return {"why_not": self.why_not_compared, "rows": []}
        rows = [
            {
                "method": row.method,
                "held_out": [row.held_out, row.low, row.high],
                "difference": list(row.difference),
                "rank": row.rank,
                "fitted": row.fitted,
                "seconds": row.seconds,
            }
            for row in self.comparison.rows
        ]
        return {"why_not": "", "design": self.comparison.design, "rows": rows}


def _rates(counts: Counts) -> NDArray[np.float64]:
    """Return the share given of the positives and of the negatives of each label, (2, n_labels)."""
    tp, pp, p, n = counts
    return np.array([metrics.ratio(tp, p, 0.0), metrics.ratio(pp - tp, n - p, 0.0)])


def _shared_curve(source: Source, curves: Curves) -> dict[str, Any]:
    """Return the summed counts of one cut for all labels, at a number of cuts."""
    cuts = curves.candidates.cuts
    cuts = np.sort(cuts[np.isfinite(cuts)])[::-1]
    some = (
        cuts[np.unique(np.linspace(0, len(cuts) - 1, min(SHARED_CUTS, len(cuts))).astype(int))]
        if len(cuts)
        else cuts
    )
    counted = Curves.from_source(source, Candidates.shared(curves.labels, curves.dtype, np.unique(some)))
    by_cut = [part.reshape(curves.n_labels, -1).sum(axis=0) for part in (counted.tp, counted.fp)]
    return {"tp": packed(by_cut[0]), "pp": packed(by_cut[0] + by_cut[1])}


def _interval(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else value
