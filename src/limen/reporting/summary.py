"""All that the page shows, as a plain dict."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.comparison import Comparison
from limen.curves import Curves
from limen.decisions import THRESHOLD_RULE, Counts, count_decisions
from limen.folds import unit_count
from limen.intervals import Interval, Part, averaged, bootstrap_for, percentiles
from limen.promises import held
from limen.reporting.commands import commands
from limen.reporting.encoding import packed
from limen.reporting.formulas import shown
from limen.reporting.items import Axis, looked_at
from limen.reporting.limits import Limits, outlasts_edits
from limen.reporting.positions import Positions
from limen.reporting.tuned_on import TunedOn
from limen.reporting.verdict import HOW, Verdict, verdict
from limen.solvers.base import Problem
from limen.solvers.rules import Shared
from limen.sources.blocks import Source
from limen.sources.candidates import Candidates
from limen.states import BAR, FEW_POSITIVES, NONE_DRAWN, STATES, label_states, rules
from limen.thresholds import REWEIGHTED, TUNING_DATA, Thresholds
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
    limits : Limits
        What the thresholds must keep; the problem's curves are extended for it.
    digest : str
        As of `TunedOn`.
    ids : tuple of n_items str, or None
    files : mapping, optional
        Names of the files of ``scores``, ``labels``, ``groups`` and ``thresholds``.
    """

    thresholds: Thresholds
    problem: Problem
    comparison: Comparison | None
    why_not_compared: str
    limits: Limits
    digest: str
    ids: Sequence[str] | None
    files: Mapping[str, str | None] | None = None

    @property
    def source(self) -> Source:
        """The report's data."""
        return self.problem.sources[0]

    @cached_property
    def tuned_on(self) -> TunedOn:
        """Whether these are the data tuned on."""
        return TunedOn(self.thresholds, self.problem, self._counts["given"], self.digest)

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

    def as_dict(self, title: str, note: Note = lambda what, share: None) -> dict[str, Any]:
        """Return all that the page shows: plain numbers, text, lists, and packed arrays."""
        curves, objective, given = self.problem.curves, self.problem.objective, self.thresholds
        note("the cuts that the page shows", 0.0)
        vectors, counts = self._vectors, self._counts
        at_vectors = {name: (vectors[name], counts[name]) for name in vectors}
        positions = Positions.of(curves, objective, at_vectors, bound=self.limits.bound)
        of_metric = partial(shown, zero_division=objective.zero_division, curves=curves, positions=positions)
        note("intervals", 0.0)
        judged = self._verdict()
        first = self._first(judged)
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
            "draft": self._draft(),
            "states": self._states(),
            "limits": self.limits.content(self.tuned_on.these_data),
            "promise": self._promise(counts["given"]),
            "verdict": {
                "origin": judged.origin,
                "expected": _interval(judged.expected),
                "gain": _interval(judged.gain),
                "why": judged.why,
                "fitted_gain": objective(*counts["given"]) - objective(*counts["half"]),
                "design": "" if self.comparison is None else self.comparison.design,
            },
            "commands": commands(
                self.files,
                objective,
                of_tuned_objective=self.tuned_on.same_objective,
                more=[
                    name
                    for name, there in (
                        ("sample_weight", self.source.weighted),
                        ("groups", self.problem.groups is not None),
                    )
                    if there
                ],
            ),
            "objective": {
                "metric": of_metric(objective.metric),
                "average": objective.average,
                "zero_division": objective.zero_division,
            },
            "ratios": {name: of_metric(metrics.get(name)) for name in ("f1", "precision", "recall")},
            "data": {
                "n_items": curves.n_items,
                "weighted": curves.n_positive.dtype.kind == "f",
                "on_tuning_data": self.tuned_on.these_data,
                "on_same_items": self.tuned_on.same_items,
                "other_frequencies": self.tuned_on.other_frequencies,
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

    def _verdict(self) -> Verdict:
        here, half = self._resampled["given"], self._resampled["half"]
        gain = None
        if here is not None and half is not None:
            value = self._value("given") - self._value("half")
            gain = Interval(value, *map(float, percentiles(here - half, value, self._centre)))
        return verdict(self.tuned_on, self._interval("given"), gain, self.comparison, self.why_not_compared)

    def _states(self) -> dict[str, Any]:
        """Return the words and rules of the states, and what the page cannot count of their intervals."""
        problem, counts = self.problem, self._counts
        found = label_states(
            problem.sources,
            self._vectors["given"],
            problem.objective,
            groups=problem.groups,
            counts=counts["given"],
            at_half=counts["half"],
        )
        rule = {**rules(problem.objective.metric), "weak": STATES["weak"].rule}  # The page fills in its bar.
        return {
            "all": [{"key": key, "words": state.words, "rule": rule[key]} for key, state in STATES.items()],
            "few": FEW_POSITIVES,
            "bar": BAR,
            "spread": None if (found.spread == 1).all() else packed(found.spread),
            "positives": packed(found.positives) if self.source.weighted else None,
            # As given they are known; where units are no items the page counts only about how many speak for 0.5.
            "gains": packed(found.gains.ravel()) if self.source.weighted or problem.groups is not None else None,
            "least_units": NONE_DRAWN,
            "units": unit_count(problem.n_items, problem.groups) / max(float(counts["given"].n.max()), 1e-300),
        }

    def _draft(self) -> str:
        """Return the name under which a browser keeps edits: of these thresholds, on these data."""
        given, here = self.thresholds, self.problem
        what = (here.curves.digest(), str(here.objective), given.created, self._vectors["given"].tolist())
        return hashlib.sha256(repr(what).encode()).hexdigest()[:16]

    def _first(self, judged: Verdict) -> list[dict[str, Any]]:
        """Return the rows of evidence: on these data, and what to expect on new data."""
        given, shared = self.thresholds, float(self._vectors["shared"][0])
        of_shared, how = self._held_out_shared()
        rows: list[dict[str, Any]] = [
            {"name": "half", "cut": 0.5, "expected": self._measured("half"), "how": "nothing was tuned"},
            {"name": "shared", "cut": _finite(shared), "expected": of_shared, "how": how},
            {"name": "given", "cut": None, "expected": _interval(judged.expected), "how": HOW[judged.origin]},
        ]
        for row in rows:
            row["here"] = self._measured(row["name"])
        rows[-1]["tuned"] = {
            "value": given.value if self.tuned_on.same_objective else None,
            "n_items": given.n_items,
            "reweighted": given.value_measured_on == REWEIGHTED,
        }
        return rows

    @cached_property
    def _centre(self) -> bool:
        return averaged(self.problem.objective, [self._part("given")])

    def _part(self, name: str) -> Part:
        return Part(self.source, np.arange(self.problem.n_items), self._vectors[name], THRESHOLD_RULE)

    @cached_property
    def _resampled(self) -> dict[str, NDArray[np.float64] | None]:
        """The objective of the same resamples at each of the thresholds; None for a single unit."""
        problem = self.problem
        if unit_count(problem.n_items, problem.groups) < 2:
            return dict.fromkeys(self._vectors)
        bootstrap = bootstrap_for(
            [self._part("given")], problem.objective, problem.n_items, problem.groups, problem.random_state
        )
        return {name: bootstrap.values([self._part(name)], problem.objective) for name in self._vectors}

    def _value(self, name: str) -> float:
        return self.problem.objective(*self._counts[name])

    def _interval(self, name: str) -> Interval | None:
        resampled, value = self._resampled[name], self._value(name)
        if resampled is None:
            return None
        return Interval(value, *map(float, percentiles(resampled, value, self._centre)))

    def _measured(self, name: str) -> list[float | None]:
        return list(self._interval(name) or (self._value(name), None, None))

    def _held_out_shared(self) -> tuple[list[float] | None, str]:
        """Return value, low and high of one cut for all on new data, and a word for where they come from."""
        for row in self.comparison.rows if self.comparison is not None else ():
            if row.method == "shared":
                return [row.held_out, row.low, row.high], HOW["compared"]
        return None, HOW["none"]

    def _file(self, dtype: np.dtype[Any]) -> dict[str, Any]:
        """Return the thresholds file without its labels, as given and as it is once it is edited."""
        original = {key: value for key, value in self.thresholds.to_dict().items() if key != "labels"}
        objective, proven = self.problem.objective, self.tuned_on.these_data and self.tuned_on.same_objective
        edited = {
            **original,
            "metric": metrics.spec_to_save(objective.metric),
            "average": objective.average,
            "zero_division": objective.zero_division,
            "status": "local",
            "expected": None,
            "reason": "",
            "promise": None,  # The page adds what is left of it.
            "constraints": self.limits.to_save(),
            "score_dtype": str(dtype),
            "n_items": self.problem.n_items,
            "data_digest": self.digest,
            "expected_gain": None,
            "half": self._value("half"),
            "expected_reason": "",
            "value_measured_on": TUNING_DATA if self.tuned_on.these_data else "data of a report",
            # A bound under constraints is none for an edit that breaks them.
            "upper_bound": original["upper_bound"] if proven and not self.thresholds.constraints else None,
        }
        return {"original": original, "edited": edited}

    def _promise(self, counts: Counts) -> dict[str, Any] | None:
        """Return what the thresholds as given promise, in sentences, and for which labels it may outlast edits."""
        promise = self.thresholds.promise
        if promise is None:
            return None
        return {
            "said": promise.said(),
            "held": held(promise.measure(self.thresholds.labels, counts)),
            "labels": [self.thresholds.labels.index(name) for name in promise.labels],
            "lasting": outlasts_edits(promise),
        }

    def _compared(self) -> dict[str, Any]:
        if self.comparison is None:
            return {"why_not": self.why_not_compared, "rows": []}
        rows = [
            {
                "method": row.method,
                "held_out": [row.held_out, row.low, row.high],
                "difference": list(row.difference),
                "rank": row.rank,
                "kept": row.kept,
                "fitted": row.fitted,
                "seconds": row.seconds,
            }
            for row in self.comparison.rows
        ]
        return {"why_not": "", "design": self.comparison.design, "rows": rows}


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
