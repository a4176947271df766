"""Use where labels are more or less frequent than in the tuning data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.data import as_data
from limen.errors import InputError, LimenWarning, count, examples
from limen.metrics import ratio
from limen.names import match
from limen.scales import logit, sigmoid
from limen.solvers.calibrated import Calibration
from limen.solvers.fine import FineCurves
from limen.sources.arrays import CSR, as_scores, check_finite, check_finite_entries
from limen.sources.blocks import Source
from limen.sources.door import as_source
from limen.sources.frames import frame_to_array, is_frame
from limen.states import FEW_POSITIVES


def estimate_prevalence(
    y_true: Any,
    y_score: Any,
    new_scores: Any,
    *,
    labels: Sequence[str] | None = None,
    damping: float = 0.5,
    level: float = 0.05,
) -> NDArray[np.float64]:
    """Return the share of positives of each label among unlabelled scores, (n_labels,).

    For `limen.tune` as ``target_prevalence``. It is that of the labelled data unless the new scores differ from
    theirs by more than chance, and for labels with fewer than 20 positives.

    Parameters
    ----------
    y_true, y_score, labels
        Labelled data, as in `limen.tune`.
    new_scores : array-like (n_new, n_labels)
        Scores of items without labels, from where the thresholds will be used.
    damping : float from 0 to 1
        How far to go, in log odds, from the share in the labelled data (0) to the estimate (1). An
        estimate from scores alone can be far off, so half way is the default.
    level : float from 0 to 1
        Level of that test, for all labels together; with 1 every label moves that has the positives.

    Raises
    ------
    InputError
        If the data do not fit together.

    Warns
    -----
    LimenWarning
        If no share of positives explains the new scores of some labels: positives or negatives then
        score differently than before, and the estimate means little.

    Notes
    -----
    Saerens, Latinne & Decaestecker (2002): expectation maximisation of the shares, with the calibrated
    probabilities of `calibrated`. Whether a label moves is told by the score test of its share: the mean of
    these probabilities among new and labelled scores (two-sided, normal, after Holm 1979 over labels). The fit
    is checked by the distance of Kolmogorov and Smirnov between the new scores and the mixture, at the level
    1 % for all labels together.
    """
    if not 0 <= damping <= 1:
        raise InputError(f"damping={damping} is not usable. It must be from 0 to 1.")
    if not 0 <= level <= 1:
        raise InputError(f"level={level} is not usable. It must be from 0 to 1.")
    data = as_data(y_true, y_score, labels=labels)
    source = data.source
    fresh = _new_scores(new_scores, source)
    fine = FineCurves.of([source], data.kind)
    none = np.broadcast_to(np.zeros(1, np.uint8), fresh.shape)
    unlabelled = as_source(none, fresh, labels=source.labels)
    new = replace(fine, raw=Curves.from_source(unlabelled, fine.curves.candidates))
    curves = fine.curves
    here = curves.n_positive / np.maximum(curves.n_known, 1e-300)
    calibration = Calibration.fit(fine)
    moved = _expectation_maximisation(fine, new, calibration)
    both = (curves.n_positive > 0) & (curves.n_positive < curves.n_known)
    safe = np.where(both, here, 0.5)
    there = np.where(both, sigmoid(logit(safe) + moved), here)
    _warn_of_poor_fit(fine, new, there)
    known = both & (curves.n_positive >= FEW_POSITIVES) & _differ(fine, new, calibration, level)
    return np.where(known, sigmoid(logit(safe) + damping * moved), here)


def _differ(fine: FineCurves, new: FineCurves, calibration: Calibration, level: float) -> NDArray[np.bool_]:
    """Return of which labels the calibrated probabilities of new and labelled scores have other means."""
    raw = fine.raw
    unlabelled = replace(
        raw, tp=np.zeros_like(raw.tp), fp=raw.tp + raw.fp, n_positive=np.zeros_like(raw.n_positive)
    )
    rest = _share_of_unstored(fine)
    means, errors = [], []
    for scores in (replace(fine, raw=unlabelled), new):
        points, known = scores.points, np.maximum(scores.curves.n_known, 1)
        p = sigmoid(calibration.log_odds(points.x, points.label))
        unstored = np.maximum(known - scores.sums(points.negative), 0)
        mean = (scores.sums(points.negative * p) + unstored * rest) / known
        square = (scores.sums(points.negative * p**2) + unstored * rest**2) / known
        means.append(mean)
        errors.append(np.maximum(square - mean**2, 0) / known)
    apart = ratio(np.abs(means[1] - means[0]), np.sqrt(errors[0] + errors[1]), 0.0)
    chance = np.array([math.erfc(z / math.sqrt(2)) for z in apart])
    order = np.argsort(chance, kind="stable")
    adjusted = np.maximum.accumulate(chance[order] * np.arange(len(chance), 0, -1))
    differ = np.zeros(len(chance), bool)
    differ[order] = np.minimum(adjusted, 1) <= level
    return differ


def _new_scores(new_scores: Any, source: Source) -> NDArray[Any] | CSR:
    """Return new scores with the labels, the order and the dtype of the source's."""
    if is_frame(new_scores):
        names, values = frame_to_array(new_scores, "new_scores")
        new_scores = values[:, match(source.labels, names, between=("y_score", "new_scores"))]
    fresh = as_scores(new_scores, "new_scores")
    if fresh.shape[1] != len(source.labels) or fresh.shape[0] == 0:
        raise InputError(
            f"new_scores has shape {tuple(fresh.shape)}. It must be (n_new, {len(source.labels)}), with the same "
            "labels in the same order."
        )
    if isinstance(fresh, CSR):
        fresh = fresh._replace(data=fresh.data.astype(source.dtype))
        check_finite_entries(fresh, source.labels, name="new_scores")
        return fresh
    check_finite(fresh, source.labels, name="new_scores")
    return fresh.astype(source.dtype, copy=False)


def _expectation_maximisation(
    fine: FineCurves, new: FineCurves, calibration: Calibration, rounds: int = 200
) -> NDArray[np.float64]:
    """Return how far the shares move, in log odds, (n_labels,).

    The start is the share that the calibration itself implies for the labelled scores, so that the
    same scores give no move. Items whose score is not stored count with their share of positives.
    """
    old = fine.points
    weight = old.positive + old.negative
    unstored = np.maximum(fine.curves.n_known - fine.sums(weight), 0)
    rest = _share_of_unstored(fine)
    calibrated = fine.sums(weight * sigmoid(calibration.log_odds(old.x, old.label)))
    start = np.clip((calibrated + unstored * rest) / np.maximum(fine.curves.n_known, 1e-300), 1e-6, 1 - 1e-6)
    points = new.points
    z = calibration.log_odds(points.x, points.label)
    missing = np.maximum(new.curves.n_known - new.sums(points.negative), 0)
    share = start
    for _ in range(rounds):
        move = logit(share) - logit(start)
        found = new.sums(points.negative * sigmoid(z + move[points.label]))
        updated = (found + missing * sigmoid(logit(rest) + move)) / np.maximum(new.curves.n_known, 1e-300)
        updated = np.clip(updated, 1e-6, 1 - 1e-6)
        if np.abs(updated - share).max() < 1e-7:
            break
        share = updated
    return logit(share) - logit(start)


def _share_of_unstored(fine: FineCurves) -> NDArray[np.float64]:
    """Return the share of positives among the items whose score is not stored, (n_labels,)."""
    old = fine.points
    unstored = np.maximum(fine.curves.n_known - fine.sums(old.positive + old.negative), 0)
    positive = np.maximum(fine.curves.n_positive - fine.sums(old.positive), 0)
    here = fine.curves.n_positive / np.maximum(fine.curves.n_known, 1e-300)
    return np.asarray(np.clip((positive + 0.5 * here) / (unstored + 0.5), 1e-9, 1 - 1e-9))


def _warn_of_poor_fit(fine: FineCurves, new: FineCurves, share: NDArray[np.float64]) -> None:
    curves, label = fine.curves, fine.curves.label_of
    p = np.maximum(curves.n_positive, 1e-300)[label]
    q = np.maximum(curves.n_known - curves.n_positive, 1e-300)[label]
    mixture = share[label] * curves.tp / p + (1 - share[label]) * curves.fp / q
    n_new = new.curves.n_known
    distance = np.abs(mixture - new.curves.fp / np.maximum(n_new, 1)[label])
    worst = np.maximum.reduceat(distance, curves.offsets[:-1])
    level = 0.01 / fine.n_labels
    few = np.minimum(curves.n_positive, curves.n_known - curves.n_positive)
    old = share**2 / np.maximum(few, 1) + 1 / np.maximum(curves.n_known, 1)
    spread = np.sqrt(1 / np.maximum(n_new, 1) + old)
    poor = np.flatnonzero((worst > math.sqrt(-math.log(level / 2) / 2) * spread) & (few > 0))
    if len(poor):
        warnings.warn(
            f"no share of positives explains the new scores of {count(len(poor), 'label')} "
            f"({examples(curves.labels[k] for k in poor)}): their positives or negatives score differently than "
            "in the labelled data. Do not trust these estimates; annotate some of the new items.",
            LimenWarning,
            stacklevel=3,
        )
