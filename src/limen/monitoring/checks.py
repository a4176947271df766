"""What is watched: shares of bad pairs, each with a limit that thresholds or their tuning data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.constraints.counts import MaxFalsePositiveRate, MinPrecision, MinRecall
from limen.decisions import BY_ARGMAX, Counts
from limen.errors import count, percent
from limen.expected_f import ExpectedF
from limen.metrics import LinearRatio
from limen.monitoring.ranges import Range, range_of
from limen.objectives import Objective
from limen.promises import AT_MOST
from limen.thresholds import REWEIGHTED, Thresholds
from limen.thresholds_file import constraint_of

FamilyName = Literal["tags", "answers"]
FAMILIES: tuple[FamilyName, ...] = ("tags", "answers")
POOLED = -1
"""The column of a check over all labels."""
WORDS = {
    "more": "more tags",
    "fewer": "fewer tags",
    "missed": "lower recall",
    "wrong": "more false tags",
    "metric": "lower metric",
    "precision": "lower precision",
    "recall": "lower recall",
    "false_positive_rate": "more false tags",
}
"""What an alarm of each kind says."""
SURELY = 1 - 1e-9
"""A limit above this leaves nothing to find."""
TYPICAL, SMALL = 4.0, 8.0
"""Over all labels, an item that holds more than so many times the mean, and than so many pairs, is scaled down."""
CONSTRAINTS: dict[type[Any], str] = {
    MinPrecision: "precision",
    MinRecall: "recall",
    MaxFalsePositiveRate: "false_positive_rate",
}


@dataclass(frozen=True)
class Check:
    """One share that is watched.

    Attributes
    ----------
    kind : str
        A key of `WORDS`.
    label : str
        Its name; "all labels" for a check over all.
    column : int
        Its number; `POOLED` over all.
    limit : float
        The largest share of bad pairs that is no alarm.
    weight : float
        Of all checks of a family, which make 1.
    largest : float
        A unit that holds more counts as if it held so much.
    basis : str
        Where the limit comes from.
    tuned : float
        The share of bad pairs on the tuning data; NaN if it is not known.
    """

    kind: str
    label: str
    column: int
    limit: float
    weight: float
    largest: float
    basis: str
    tuned: float = float("nan")

    @property
    def name(self) -> str:
        """A name for the file of the state."""
        return f"{self.kind}:{self.basis}:{self.label}"

    def shown(self, bad: float) -> float:
        """Return a share of bad pairs as the share that people think of: right ones, or tags given."""
        return bad if self.kind in ("more", "wrong", "false_positive_rate") else 1 - bad


class Family(NamedTuple):
    """Checks that share one part of the error, and the level at which an e-value is an alarm.

    ``not_watched`` says in words what cannot be.
    """

    checks: tuple[Check, ...]
    level: float
    not_watched: tuple[str, ...] = ()

    @property
    def limits(self) -> NDArray[np.float64]:
        """The limit of each check."""
        return np.array([check.limit for check in self.checks], np.float64)

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weight of each check."""
        return np.array([check.weight for check in self.checks], np.float64)

    @property
    def largest(self) -> NDArray[np.float64]:
        """The largest size of each check."""
        return np.array([check.largest for check in self.checks], np.float64)


def families_of(
    thresholds: Thresholds, alpha: float, at_least: float | None, tolerance: float, group_size: float = 1.0
) -> dict[FamilyName, Family]:
    """Return what is watched of the tags given ("tags"), and what if labels come with them ("answers").

    Notes
    -----
    Each family has half of ``alpha``. Where limits come from tuning data, half of that is the chance that these
    are off, and the other half is for the bets. Limits of the metric and of labels share it. That of the metric is
    the low end of the expected interval, widened as if it were normal: no proof, unlike the others.
    """
    why_not = _no_ranges(thresholds)
    error = alpha / 4
    tags = [] if why_not else list(_of_tags(thresholds, error, group_size))
    by_label = [] if why_not else list(_by_label(thresholds, error / 2, group_size))
    promised, lacking = _promised(thresholds, at_least, tolerance, group_size, error / 2)
    weighed = _weighed([tags])
    answers = _weighed([part for part in (promised, by_label) if part])
    rates = [f"tags of each label: {why_not}"] if why_not else []
    if not why_not and (silent := len(thresholds.labels) - len({check.column for check in tags})):
        rates.append(f"tags of {count(silent, 'label')}: never given, or tuned on too few items to tell")
    return {
        "tags": Family(weighed, error if tags else alpha / 2, tuple(rates)),
        "answers": Family(answers, error if by_label else alpha / 2, tuple(lacking)),
    }


def _weighed(parts: list[list[Check]]) -> tuple[Check, ...]:
    """Return the checks of several parts with weights: parts have as much, and the checks of each."""
    return tuple(replace(check, weight=1 / len(parts) / len(part)) for part in parts for check in part)


def _no_ranges(thresholds: Thresholds) -> str:
    """Return why the tuning counts tell nothing of new rates; nothing if they do."""
    if thresholds.counts.n.dtype != np.int64 or thresholds.value_measured_on == REWEIGHTED:
        return "tuned with weights, so that counts do not say how many items there were"
    if isinstance(thresholds.rule, ExpectedF) or thresholds.rule == BY_ARGMAX:
        name = str(thresholds.rule).partition(":")[0]
        return f"the rule {name} decides over labels, and tuning counts say too little of it"
    return ""


def _of_tags(thresholds: Thresholds, error: float, group_size: float) -> Iterator[Check]:
    """Return the checks of how often each label is given."""
    counts, never = thresholds.counts, set(thresholds.never)
    watched = [k for k, name in enumerate(thresholds.labels) if name not in never]
    given, n = counts.pp[watched], counts.n[watched]
    low, high = range_of(given, n, error / 2 / max(1, len(watched)), group_size)
    rate = given / np.maximum(n, 1)
    for k, down, up, found in zip(watched, low.tolist(), high.tolist(), rate.tolist(), strict=True):
        for kind, limit, bad in (("more", up, found), ("fewer", 1 - down, 1 - found)):
            if limit < SURELY:
                yield Check(kind, thresholds.labels[k], k, limit, 1.0, group_size, "tuning data", bad)


def _by_label(thresholds: Thresholds, error: float, group_size: float) -> Iterator[Check]:
    """Return the checks of how many positives each label misses, and how many negatives it takes."""
    tp, pp, p, n = thresholds.counts
    never = set(thresholds.never)
    watched = [k for k, name in enumerate(thresholds.labels) if name not in never]
    each = error / 2 / max(1, len(watched))
    found: Range = range_of(tp[watched], p[watched], each, group_size)
    wrong = range_of((pp - tp)[watched], (n - p)[watched], each, group_size)
    for at, k in enumerate(watched):
        name = thresholds.labels[k]
        missed, taken = (p[k] - tp[k]) / max(p[k], 1), (pp[k] - tp[k]) / max(n[k] - p[k], 1)
        for kind, limit, bad in (("missed", 1 - found.low[at], missed), ("wrong", wrong.high[at], taken)):
            if limit < SURELY:
                yield Check(kind, name, k, float(limit), 1.0, group_size, "tuning data", float(bad))


def _promised(
    thresholds: Thresholds, at_least: float | None, tolerance: float, group_size: float, error: float
) -> tuple[list[Check], list[str]]:
    """Return the checks of the metric, of the promise and of constraints, and what is not watched."""
    checks, lacking = [], []
    objective, counts = thresholds.objective, thresholds.counts
    least, basis = at_least, "asked"
    if least is None and thresholds.expected is not None:
        value, low, _ = thresholds.expected
        wider = NormalDist().inv_cdf(1 - error) / NormalDist().inv_cdf(0.975)
        least, basis = value - wider * (value - low) - tolerance, "expected"
    name = objective.noun
    if why_not := unbearable(objective):
        lacking.append(f"{name}: {why_not}")
    elif least is None:
        reason = thresholds.expected_reason or f"method {thresholds.method} expects nothing of new items"
        lacking.append(f"{name}: {reason}. Say what it must be with at_least")
    elif 0 < least < 1:
        largest = group_size
        if not objective.needs_items:
            mean, most = _sizes(counts, thresholds.n_items, objective)
            largest *= min(most, max(SMALL, TYPICAL * mean))
        checks.append(Check("metric", "all labels", POOLED, 1 - least, 1.0, largest, basis, 1 - thresholds.value))
    else:
        lacking.append(f"{name}: at least {percent(least)} says nothing")
    if thresholds.promise is not None:
        promise = thresholds.promise
        for kind, share in promise.asked.items():
            names = promise.labels if promise.per == "label" else (None,) if promise.labels else ()
            checks += [_share(thresholds, kind, share, label, "promise", group_size) for label in names]
    for entry in thresholds.constraints:
        constraint = constraint_of(entry)
        kind = CONSTRAINTS.get(type(constraint), "")
        if not kind:
            lacking.append(f"{entry['constraint']}: only limits on precision, recall and false-positive rates are")
            continue
        for label, value in _limits(constraint, thresholds.labels):
            share = value + tolerance if kind in AT_MOST else value - tolerance
            if 0 < share < 1 and label not in thresholds.never:
                checks.append(_share(thresholds, kind, share, label, "constraint", group_size))
    return checks, lacking


def _limits(constraint: Any, labels: tuple[str, ...]) -> Iterator[tuple[str | None, float]]:
    """Return each label that a constraint limits, None for all together, with the value."""
    if constraint.pooled:
        yield None, constraint.value
        return
    for label in labels:
        value = constraint.named.get(label, constraint.value)
        if value is not None:
            yield label, value


def _share(
    thresholds: Thresholds, kind: str, share: float, label: str | None, basis: str, group_size: float
) -> Check:
    """Return the check of a share of one label, or of all."""
    limit = share if kind in AT_MOST else 1 - share
    bad, size = bad_of(kind, thresholds.counts)
    if label is None:
        mean = float(size.sum()) / thresholds.n_items
        largest = min(len(thresholds.labels), max(SMALL, TYPICAL * mean)) * group_size
        tuned = float(bad.sum() / max(size.sum(), 1e-300))
        return Check(kind, "all labels", POOLED, limit, 1.0, largest, basis, tuned)
    k = thresholds.labels.index(label)
    return Check(kind, label, k, limit, 1.0, group_size, basis, float(bad[k] / max(size[k], 1e-300)))


def bad_of(kind: str, counts: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return bad pairs and all, of counts tp, pp, p and n in arrays, for a share of labelled pairs."""
    tp, pp, p, n = counts
    if kind == "precision":
        return pp - tp, pp
    return (p - tp, p) if kind in ("recall", "missed") else (pp - tp, n - p)


def bad_of_metric(objective: Objective, counts: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what the metric of some items lacks to 1, and what it is a share of, (n_units,) each."""
    tp, pp, p, n = (np.asarray(part, np.float64) for part in counts)
    if objective.needs_items:
        above, below = objective.of_items(tp, pp, p, n)
        return below - above, below
    assert isinstance(objective.metric, LinearRatio)
    numerator, denominator = objective.metric.terms(p, n, objective.zero_division)
    below = np.broadcast_to(denominator(tp, pp), tp.shape)
    return below - numerator(tp, pp), below


def unbearable(objective: Objective) -> str:
    """Return why the metric is no share that items add up to; nothing if it is."""
    if objective.needs_items:
        return "" if objective.additive else "it is a function of all decisions"
    if objective.average != "micro":
        return (
            f"a {objective.average} average is a mean of ratios, which items do not add up to; recall and "
            "false-positive rate of each label are watched instead"
        )
    if not isinstance(objective.metric, LinearRatio) or not objective.pooled:
        return "it is no ratio of sums over items"
    tp, fp, fn, tn = np.random.default_rng(0).integers(0, 9, (4, 50)).astype(np.float64)
    parts = (tp, tp + fp, tp + fn, tp + fp + fn + tn)
    bad, size = bad_of_metric(objective, parts)
    whole = bad_of_metric(objective, tuple(part.sum() for part in parts))
    if not np.allclose([bad.sum(), size.sum()], whole) or (bad < 0).any() or (bad > size).any():
        return "it is no share of sums over items"
    return ""


def _sizes(counts: Counts, n_items: int, objective: Objective) -> tuple[float, float]:
    """Return what an item holds of what the metric is a share of: in the mean, and at most."""
    n = float(len(counts.p))
    ends = np.array([(0, 0, 0, n), (0, 0, n, n), (0, n, 0, n), (n, n, n, n)]).T
    mean = bad_of_metric(objective, tuple(part.sum() for part in counts))[1]
    return float(mean) / n_items, float(bad_of_metric(objective, ends)[1].max())


def said_kind(check: Check) -> str:
    """Return what an alarm of a check says, in words."""
    return WORDS[check.kind] if check.basis == "tuning data" else f"{WORDS[check.kind]} ({check.basis})"
