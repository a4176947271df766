"""What is optimised: a metric, how it is averaged over labels or items, and what 0/0 counts as."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.errors import InputError, UnsupportedError
from limen.metrics.declarations import check

Average = Literal["micro", "macro", "weighted", "samples"]
Structure = Literal["separable", "linear-ratio", "quasi-convex", "counts", "items"]
AVERAGES: tuple[Average, ...] = ("micro", "macro", "weighted", "samples")


@dataclass(frozen=True)
class Objective:
    """A metric of counts, averaged over labels or over items.

    It is a function of sums, which parts of data add up to: for the averages over labels tp, pp, p and n of each
    label; for "samples" what stands above and below the line (`limen.metrics.Metric.of_items`); for a function of
    decisions the labels and the decisions themselves. `limen.sums` makes them.

    Attributes
    ----------
    metric : Metric
    average : {"micro", "macro", "weighted", "samples"}
        The metric of the summed counts, the mean over labels, the mean weighted by positives, or the mean over
        items. Metrics of whole items have "samples", whatever is asked.
    zero_division : float in [0, 1]
        Value of a ratio that is 0/0.
    """

    metric: metrics.Metric
    average: Average = "micro"
    zero_division: float = 0.0

    def __post_init__(self) -> None:
        if self.average not in AVERAGES:
            hint = " Each label by itself is what 'macro' tunes." if self.average in (None, "none") else ""
            raise InputError(
                f"average={self.average!r} cannot be optimised. Use 'micro', 'macro', 'weighted', 'samples'.{hint}"
            )
        if not (math.isfinite(self.zero_division) and 0 <= self.zero_division <= 1):
            raise InputError(f"zero_division={self.zero_division} is not usable. It must be a number from 0 to 1.")
        check(self.metric, float(self.zero_division))
        if self.metric.of_whole_items:
            if self.average in ("macro", "weighted"):
                raise InputError(
                    f"{self.metric} is of whole items, and has no value by label to average. Use "
                    "average='samples'."
                )
            object.__setattr__(self, "average", "samples")
        elif self.average == "samples" and (
            not isinstance(self.metric, metrics.LinearRatio) or self.metric.by_label
        ):
            raise UnsupportedError(
                f"a samples average of {self.metric} is not known: it needs a ratio of sums, such as F-beta, "
                "Jaccard, "
                "precision or recall, without parameters by label. Use another metric, or another average."
            )
        if self.average == "micro" and self.metric.by_label and not isinstance(self.metric, metrics.Cost):
            raise UnsupportedError(
                f"a micro average of {self.metric} is not known: it has parameters by label, and then only costs "
                "add up. Use average='macro' or 'weighted'."
            )

    @property
    def needs_items(self) -> bool:
        """Whether the decisions on each item are needed, and counts by label do not do."""
        return self.average == "samples"

    @property
    def additive(self) -> bool:
        """Whether the value is that of sums over items; a function of decisions is not."""
        return not isinstance(self.metric, metrics.OfDecisions)

    @property
    def pooled(self) -> bool:
        """Whether counts summed over labels are all that the objective needs."""
        return self.average == "micro" and not self.metric.by_label

    @property
    def structure(self) -> Structure:
        """What a solver can rely on."""
        if self.needs_items:
            return "items"
        if self.average != "micro":
            return "separable"
        kinds: dict[str, Structure] = {"linear": "linear-ratio", "quasiconvex": "quasi-convex"}
        return kinds.get(self.metric.structure, "counts")

    def of_labels(
        self, tp: Any, pp: Any, p: Any, n: Any, label_of: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Return the metric of each label alone; ``label_of`` says the label of each element, if not its place.

        F1 for a metric of whole items, which no label has.
        """
        metric = metrics.FBeta() if self.metric.of_whole_items else self.metric
        if label_of is not None:
            p, n = p[label_of], n[label_of]
            metric = metric.with_labels(lambda parameter: parameter[label_of])
        return np.asarray(metric(tp, pp, p, n, self.zero_division))

    def __call__(self, *sums: Any) -> float:
        """Return the value of sums: of counts tp, pp, p, n by label (n_labels,), or of what items need."""
        if isinstance(self.metric, metrics.OfDecisions):
            return self.metric.of(*sums)
        if self.needs_items:
            return min(float(metrics.ratio(sums[0], sums[1], self.zero_division)), 1.0)
        tp, pp, p, n = sums
        if self.average == "micro":
            return self.metric.pooled(tp, pp, p, n, self.zero_division)
        weight = self.label_weights(p)
        if not weight.any():
            return float(self.zero_division)
        return min(float(self.of_labels(tp, pp, p, n) @ weight), 1.0)

    def of_items(self, tp: Any, pp: Any, p: Any, n: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what each item adds above and below the line, from its counts over its labels (n_items,)."""
        return self.metric.of_items(tp, pp, p, n, self.zero_division)

    def with_one_changed(self, tp: Any, pp: Any, p: Any, n: Any, new_tp: Any, new_pp: Any) -> NDArray[np.float64]:
        """Return, for each label, the objective if that label alone had the new counts, (n_labels,)."""
        metric, zero = self.metric, self.zero_division
        if self.pooled:
            return np.asarray(metric(tp.sum() - tp + new_tp, pp.sum() - pp + new_pp, p.sum(), n.sum(), zero))
        weight = metrics.ratio(n, n.sum(), 0.0) if self.average == "micro" else self.label_weights(p)
        change = self.of_labels(new_tp, new_pp, p, n) - self.of_labels(tp, pp, p, n)
        return np.asarray(self(tp, pp, p, n) + weight * change)

    def gradient(self, tp: Any, pp: Any, p: Any, n: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the partial derivatives of the averaged metric by each label's tp and pp, (n_labels,) each."""
        if self.average == "micro":
            parts = self.metric.pooled_gradient(tp, pp, p, n, self.zero_division)
            weight: Any = 1.0
        else:
            parts = self.metric.gradient(tp, pp, p, n, self.zero_division)
            weight = self.label_weights(p)
        by_tp, by_pp = (np.broadcast_to(part, np.shape(p)) * weight for part in parts)
        return by_tp, by_pp

    def label_weights(self, p: Any) -> NDArray[np.float64]:
        """Return the weight of each label in a macro or weighted mean; they sum to 1 (or are all 0)."""
        p = np.asarray(p, np.float64)
        if self.average == "weighted":
            return np.asarray(metrics.ratio(p, p.sum(), 0.0))
        return np.full(len(p), 1 / len(p))

    def most_at_all(self, p: NDArray[Any], n: NDArray[Any], or_none: bool) -> NDArray[np.bool_]:
        """Return for which labels giving every item may be best, though negatives are among them, (n_labels,).

        A metric that is 0/0 there (MCC is) falls when a false positive is dropped, and the best cut need not be at
        the score of a positive item. ``or_none`` says that giving no item is allowed, which may do as well.
        """
        n_labels = len(p)
        if not self.zero_division or self.needs_items:
            return np.zeros(n_labels, bool)
        p, n = (np.asarray(part.sum() if self.pooled else part, np.float64) for part in (p, n))
        counts = (0 * p, 0 * p), (p, n - 1e-6 * (n - p)), (p, n)
        none, fewer, every = (self.of_labels(*given, p, n) for given in counts)
        found = (every > fewer) & (n > p)
        return np.broadcast_to(found & (every > none) if or_none else found, n_labels)

    def check_labels(self, n_labels: int) -> None:
        """Raise `InputError` if parameters by label, such as costs, are not one for each label."""
        for field in fields(self.metric):
            value = getattr(self.metric, field.name)
            if np.ndim(value) and np.shape(value) != (n_labels,):
                raise InputError(
                    f"the {self.metric.name} {field.name} has {np.size(value)} values for {n_labels} labels. Give "
                    "one number, or one for each label."
                )

    def said(self, value: float) -> str:
        """Return what was measured and its value, as people read it: "micro F1 83.3 %"."""
        return f"{self.noun} {self.metric.said(value)}"

    @property
    def noun(self) -> str:
        """What is measured, as people call it: "micro F1"; what is made small, as costs, is not called negated."""
        return str(self).replace("negated ", "")

    def __str__(self) -> str:
        return str(self.metric) if self.metric.of_whole_items else f"{self.average} {self.metric}"


def objective(
    metric: str | dict[str, Any] | metrics.Metric = "f1", average: str = "micro", zero_division: float = 0.0
) -> Objective:
    """Return the objective of a metric's name (or the metric) and an average."""
    try:
        zero = float(zero_division)
    except (TypeError, ValueError):
        zero = math.nan
    if not 0 <= zero <= 1:
        raise InputError(f"zero_division={zero_division!r} is not usable. It must be a number from 0 to 1.")
    return Objective(metrics.get(metric), average, zero)  # type: ignore[arg-type]
