"""Precision at a score: how likely one detection is to be right, beside the share right above its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.data import as_data
from limen.display import Displayed, Shown
from limen.errors import InputError, count, percent
from limen.guarantees.binomial import tails
from limen.scales import logit
from limen.solvers.calibrated import Calibration
from limen.solvers.fine import FineCurves
from limen.sources.candidates import Candidates


@dataclass(frozen=True, eq=False, kw_only=True)
class PrecisionAt(Displayed):
    """Scores at which one detection is right with a probability, and the precision of all above.

    Attributes
    ----------
    labels : tuple of n_labels str
    at : tuple of n_at float
        The probabilities asked for.
    scores : float64 (n_labels, n_at)
        The score at which a detection is right with that probability; +inf if no score seen reaches it, the lowest
        finite number if all do.
    above : float64 (n_labels, n_at)
        The share right of all detections at or above that score (weighted, if the items were): larger, since
        most lie higher. NaN if there are none.
    low, high : float64 (n_labels, n_at)
        95 % interval of ``above`` (Clopper and Pearson; with weights for their effective number).
    given : float64 (n_labels, n_at)
        Checked detections at or above that score, without weights.
    n_positive, n_known : float64 (n_labels,)
        Checked detections that are right, and all, without weights.
    """

    labels: tuple[str, ...]
    at: tuple[float, ...]
    scores: NDArray[np.float64]
    above: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    given: NDArray[np.float64]
    n_positive: NDArray[np.float64]
    n_known: NDArray[np.float64]

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict for each label and probability: label, probability, score, right_above, low, high, given."""
        return [
            {
                "label": name,
                "probability": share,
                "score": float(self.scores[k, j]),
                "right_above": float(self.above[k, j]),
                "low": float(self.low[k, j]),
                "high": float(self.high[k, j]),
                "given": float(self.given[k, j]),
            }
            for k, name in enumerate(self.labels)
            for j, share in enumerate(self.at)
        ]

    def shown(self) -> Shown:
        """Return the table that is shown."""
        headings = ("label", "checked", "p", "score (p)", "right above", "95 %", "of")
        rows = [
            (
                name,
                f"{self.n_known[k]:g}",
                f"{share:.3g}",
                _score(self.scores[k, j]),
                percent(self.above[k, j]) if self.given[k, j] else "none",
                f"{100 * self.low[k, j]:.0f} to {100 * self.high[k, j]:.0f}" if self.given[k, j] else "",
                f"{self.given[k, j]:g}",
            )
            for k, name in enumerate(self.labels)
            for j, share in enumerate(self.at)
        ]
        return Shown(repr(self), headings, rows, ("label",), ("checked", "95 %"))

    def __repr__(self) -> str:
        shares = ", ".join(f"{share:.3g}" for share in self.at)
        return (
            f"PrecisionAt({count(len(self.labels), 'label')}; score (p): one detection there is right with "
            f"probability p = {shares}; right above: the share right of all at or above it)"
        )


def precision_at(
    y_true: Any,
    y_score: Any = None,
    *,
    at: Sequence[float] = (0.9, 0.95, 0.99),
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
) -> PrecisionAt:
    """Return each label's score at which one detection is right with a probability, and the precision above it.

    Parameters
    ----------
    y_true, y_score, labels, sample_weight, mask
        As in `limen.tune`; detections that nobody checked are unknown. Weights are those of the sampling.
    at : sequence of float between 0 and 1
        The probabilities.

    Raises
    ------
    InputError
        If a probability is none.

    Notes
    -----
    A logistic regression of right or wrong on the log odds of the scores, as is usual for detectors of birds. Its
    offsets and slopes are drawn from normal distributions over labels, so that labels with few checked detections
    lean on the others (`limen.solvers.Calibrated`). It is an estimate: `limen.guarantee` gives promises.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random((4000, 2))
    >>> found = precision_at(rng.random((4000, 2)) < p, p, labels=["owl", "wren"], at=[0.9])
    >>> bool(np.allclose(found.scores, 0.9, atol=0.03)), bool(np.allclose(found.above, 0.95, atol=0.03))
    (True, True)
    """
    shares = tuple(float(share) for share in at)
    if not shares or not all(0 < share < 1 for share in shares):
        raise InputError(f"at={list(at)} are no probabilities. Give numbers between 0 and 1, such as 0.9.")
    data = as_data(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask)
    fine = FineCurves.of((data.source,), data.kind)
    fitted = Calibration.fit(fine)
    x = (logit(np.array(shares)) - fitted.offset[:, np.newaxis]) / fitted.slope[:, np.newaxis]
    beyond, all_of_it = x > fitted.high[:, np.newaxis], x <= fitted.low[:, np.newaxis]
    scores = np.stack([fine.back(column) for column in x.T], axis=1).astype(np.float64)
    scores = np.where(beyond, np.inf, np.where(all_of_it, np.finfo(data.source.dtype).min, scores))
    counted = _counted(data.source, data.labels, scores)
    plain = counted if not data.source.weighted else _counted(_unweighted(data.source), data.labels, scores)
    tp, pp = counted[:2]
    above = np.divide(tp, pp, out=np.full(tp.shape, np.nan), where=pp > 0)
    given = plain[1].astype(np.float64)
    worth = given if not data.source.weighted else _worth(data.source, scores)
    low, high = _intervals(np.nan_to_num(above), worth)
    return PrecisionAt(
        labels=data.labels,
        at=shares,
        scores=scores,
        above=above,
        low=low,
        high=high,
        given=given,
        n_positive=plain[2].astype(np.float64),
        n_known=plain[3].astype(np.float64),
    )


def _counted(source: Any, labels: tuple[str, ...], scores: NDArray[np.float64]) -> tuple[Any, Any, Any, Any]:
    """Return tp and pp (n_labels, n_at) at the scores, and positives and known items by label."""
    number = np.repeat(np.arange(len(labels)), scores.shape[1])
    curves = Curves.from_source(source, Candidates.distinct(labels, source.dtype, number, scores.ravel()))
    at = np.empty(scores.shape, np.int64)
    for k, own in enumerate(scores.astype(curves.candidates.cuts.dtype)):
        cuts = curves.candidates.cuts[curves.offsets[k] : curves.offsets[k + 1]]
        at[k] = curves.offsets[k] + np.searchsorted(-cuts, -own)
    return curves.tp[at], curves.pp[at], curves.n_positive, curves.n_known


def _unweighted(source: Any) -> Any:
    from dataclasses import replace

    return replace(source, weight=None)


def _worth(source: Any, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many equal weights the weights of the detections at or above scores are worth (Kish)."""
    total, squares = np.zeros((2, *scores.shape))
    for block in source.dense_blocks():
        weight = np.where(block.truth >= 0, block.weight[:, np.newaxis], 0.0)
        for j in range(scores.shape[1]):
            own = np.where(block.scores >= scores[:, j], weight, 0.0)
            total[:, j] += own.sum(axis=0)
            squares[:, j] += (own**2).sum(axis=0)
    return np.asarray(np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0))


def _intervals(share: NDArray[np.float64], of: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the ends of the 95 % interval of Clopper and Pearson, found by halving."""
    n = np.rint(of).astype(np.int64).ravel()
    k = np.minimum(np.rint(share.ravel() * n).astype(np.int64), n)
    ends = []
    for right, flip in ((k, False), (n - k, True)):
        low, high = np.zeros(len(n)), np.ones(len(n))
        for _ in range(30):
            middle = (low + high) / 2
            tail = np.array([tails(right[i : i + 1], n[i : i + 1], middle[i])[0] for i in range(len(n))])
            rises = tail > 0.025
            low, high = np.where(rises, low, middle), np.where(rises, middle, high)
        found = np.where(right > 0, low, 0.0)
        ends.append((1 - found if flip else found).reshape(share.shape))
    return ends[0], ends[1]


def _score(value: float) -> str:
    if value == np.inf:
        return "not reached"
    return "any" if value < -1e30 else f"{value:.4g}"
