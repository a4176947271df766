"""Which detections a person should check next, and what the answers are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.data import Data, as_data
from limen.display import Displayed, Shown
from limen.draws import as_seed
from limen.errors import InputError, count, percent
from limen.guarantees.binomial import FIRST
from limen.guarantees.planning import MOST, smallest
from limen.scales import logit, sigmoid
from limen.solvers.calibrated import Calibration
from limen.solvers.fine import FineCurves

ABOVE, BELOW = "above", "below"
LOOKED_AT, BINS, SPREAD = 40, 4, 0.2
"""Floors tried for each label; strata below a floor; the part of the checks that these get."""
CAUTION = 0.25
"""A precision is taken to come out nearer by this part to the one promised than expected."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan(Displayed):
    """Detections to check, and why these.

    Attributes
    ----------
    labels : tuple of n_labels str
    precision, confidence : float
        The promise that the checks are for.
    floor : float64 (n_labels,)
        Lowest score of the detections of which the promise may come true; +inf if none is in reach, or too dear.
    expected : float64 (n_labels,)
        Their precision as the scores, or the checks so far, let expect.
    needed : int64 (n_labels,)
        How many of them must be checked for the promise, if that comes true.
    pool : int64 (n_labels,)
        How many there are.
    row, label : int64 (n_checks,)
        The detections to check, in random order.
    score, weight : float64 (n_checks,)
        Their scores, and how many detections each stands for.
    drawn : tuple of n_checks str
        "above" a label's floor, or "below".
    """

    labels: tuple[str, ...]
    precision: float
    confidence: float
    floor: NDArray[np.float64]
    expected: NDArray[np.float64]
    needed: NDArray[np.int64]
    pool: NDArray[np.int64]
    row: NDArray[np.int64]
    label: NDArray[np.int64]
    score: NDArray[np.float64]
    weight: NDArray[np.float64]
    drawn: tuple[str, ...]

    @property
    def checks(self) -> NDArray[np.int64]:
        """Checks above the floor of each label (n_labels,)."""
        above = np.array([one == ABOVE for one in self.drawn], bool)
        return np.bincount(self.label[above], minlength=len(self.labels))

    @property
    def reached(self) -> tuple[str, ...]:
        """Names of the labels for which the checks suffice, if the expected precision comes true."""
        enough = (self.needed > 0) & (self.checks >= self.needed)
        return tuple(name for name, one in zip(self.labels, enough, strict=True) if one)

    def rows(self, ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return one dict a check: id, label, score, drawn, weight, and an empty value for the answer."""
        names = ids if ids is not None else [str(k) for k in range(int(self.row.max(initial=-1)) + 1)]
        return [
            {"id": names[i], "label": self.labels[k], "score": s, "drawn": drawn, "weight": w, "value": ""}
            for i, k, s, drawn, w in zip(
                self.row.tolist(), self.label.tolist(), self.score.tolist(), self.drawn, self.weight.tolist(),
                strict=True,
            )
        ]  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"Plan({count(len(self.row), 'check')}; enough for a precision of {percent(self.precision)} in "
            f"{len(self.reached)} of {count(len(self.labels), 'label')}, if what is expected comes true)"
        )

    def shown(self) -> Shown:
        """Return the table that is shown."""
        checks = self.checks
        below = np.bincount(self.label, minlength=len(self.labels)) - checks
        rows = [
            (
                name,
                "none" if self.floor[k] == np.inf else f"{self.floor[k]:.4g}",
                f"{self.pool[k]}",
                "" if self.floor[k] == np.inf else percent(self.expected[k]),
                f"{self.needed[k]}" if self.needed[k] else "",
                f"{checks[k]}",
                f"{below[k]}",
            )
            for k, name in enumerate(self.labels)
        ]
        headings = ("label", "floor", "above it", "expected right", "checks needed", "checks above", "below")
        return Shown(repr(self), headings, rows, ("label",), ("below", "above it"))


def to_check(
    y_score: Any,
    number: int,
    *,
    precision: float = 0.9,
    confidence: float = 0.95,
    labels: Sequence[str] | None = None,
    checked: Data | None = None,
    random_state: Any = 0,
) -> Plan:
    """Return which detections to check so that a precision can be promised of as many labels as possible.

    Parameters
    ----------
    y_score : array-like (n_items, n_labels)
        Scores of items that nobody has checked.
    number : int from 1
        How many detections a person will check.
    precision, confidence : float
        The promise wanted for each label, all at once.
    labels : sequence of n_labels str, optional
    checked : Data, optional
        What has been checked before: it tells how scores turn into probabilities. Otherwise probabilities are
        believed, and logits too.
    random_state : int from 0, None or numpy Generator

    Raises
    ------
    InputError
        If the scores are neither probabilities nor logits and nothing has been checked, or ``number`` is below 1.

    Notes
    -----
    Only detections above the final cut count towards a promise of precision, so each label is checked above a
    floor. First as many labels as possible get the floor that needs the fewest checks; what is left lowers floors,
    for more recall, down to where half of the mistakes allowed are expected. A fifth of the checks lies below the
    floors, spread over the log odds, to learn where the precision ends. The answers above a floor are a simple
    random sample, whatever was used to choose it, so that exact bounds hold. The promise is for these answers
    alone, not for ``checked``: these may have moved the floors.
    """
    if number < 1:
        raise InputError(f"number={number} is not usable. Give the number of detections to check, from 1.")
    if not 0 < precision < 1 or not 0 < confidence < 1:
        raise InputError(f"precision={precision} and confidence={confidence} must lie between 0 and 1.")
    names, values = _dense(y_score, labels)
    probability = _probabilities(values, names, checked)
    draw = np.random.default_rng([as_seed(random_state), 11])
    level = (1 - confidence) / len(names) * FIRST
    menus = [_menu(probability[:, k], precision, level) for k in range(len(names))]
    chosen, checks = _allotted(menus, max(1, number - int(SPREAD * number)))
    m, need, expected = (np.array(column) for column in zip(*chosen, strict=True))
    parts = []
    for k in range(len(names)):
        order = np.argsort(-probability[:, k], kind="stable")
        if checks[k]:
            parts.append(_drawn(draw, order[: m[k]], int(checks[k]), k, values, ABOVE))
    left = number - int(checks.sum())
    per = np.full(len(names), left // len(names)) + (np.arange(len(names)) < left % len(names))
    for k in range(len(names)):
        order = np.argsort(-probability[:, k], kind="stable")[m[k] :]
        odds = logit(np.clip(probability[order, k], 1e-6, 1 - 1e-6))
        edges = np.linspace(odds.min(initial=0), odds.max(initial=1), BINS + 1)[1:-1]
        stratum = np.digitize(odds, edges)
        some = [order[stratum == s] for s in range(BINS) if (stratum == s).any()]
        for s, members in enumerate(some):
            share = int(per[k]) // len(some) + (s >= len(some) - int(per[k]) % len(some))
            if share:
                parts.append(_drawn(draw, members, min(share, len(members)), k, values, BELOW))
    row, label, score, weight = (np.concatenate([part[j] for part in parts]) for j in range(4))
    drawn = np.concatenate([np.full(len(part[0]), part[4]) for part in parts])
    order = draw.permutation(len(row))
    lowest = np.array([np.sort(values[:, k])[::-1][m[k] - 1] if m[k] else np.inf for k in range(len(names))])
    return Plan(
        labels=names,
        precision=precision,
        confidence=confidence,
        floor=lowest.astype(np.float64),
        expected=expected,
        needed=need,
        pool=m,
        row=row[order],
        label=label[order],
        score=score[order].astype(np.float64),
        weight=weight[order],
        drawn=tuple(drawn[order].tolist()),
    )


def _dense(y_score: Any, labels: Sequence[str] | None) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Return the label names and the scores as an array, checked as everywhere."""
    if isinstance(y_score, Data):
        data = y_score
    else:
        shape = np.shape(y_score)
        data = as_data(np.zeros(shape, np.int8), y_score, labels=labels)
    return data.labels, np.concatenate([block.scores for block in data.source.dense_blocks()])


def _probabilities(values: NDArray[Any], names: tuple[str, ...], checked: Data | None) -> NDArray[np.float64]:
    """Return how likely each detection is to be right, rising with its score."""
    nobody = as_data(np.zeros(values.shape, np.int8), values, labels=names)
    if checked is not None:
        known = checked.in_order(names)
        fine = FineCurves.of((known.source,), known.kind)
        fitted, x = Calibration.fit(fine), fine.places.scale.forward(values, np.arange(len(names)))
        # Beyond the scores checked the line goes on: order must stay.
        return sigmoid(fitted.offset + fitted.slope * x)
    if nobody.kind == "real":
        raise InputError(
            "the scores are neither probabilities nor logits, so nothing says which are likely to be right. Have "
            "some detections checked, and give them as checked."
        )
    return values.astype(np.float64) if nobody.kind == "probability" else sigmoid(values.astype(np.float64))


Floor = tuple[int, int, float]
"""How many detections lie above a floor, how many checks they need, and their expected precision."""


def _menu(probability: NDArray[np.float64], precision: float, level: float) -> list[Floor]:
    """Return floors of a label that are in reach, each lower and dearer than the one before."""
    falling = np.sort(probability)[::-1]
    mean = np.cumsum(falling) / np.arange(1, len(falling) + 1)
    good = np.flatnonzero(mean >= (1 + precision) / 2)
    if not len(good):
        return []
    menu: list[Floor] = []
    for m in np.unique(np.geomspace(1, int(good[-1]) + 1, LOOKED_AT).astype(np.int64))[::-1].tolist():
        seen = float(mean[m - 1]) - CAUTION * (float(mean[m - 1]) - precision)
        need = smallest(precision, seen, level) if seen > precision else MOST
        if need <= m and (not menu or need < menu[-1][1]):
            menu.append((m, need, float(mean[m - 1])))
    return menu[::-1]


def _allotted(menus: list[list[Floor]], number: int) -> tuple[list[Floor], NDArray[np.int64]]:
    """Return the floor and the checks of each label.

    The cheapest floors first, the cheapest label before others; then lower floors, those first that add most right
    detections a check; then more of the same.
    """
    at, left = np.full(len(menus), -1), number
    for k in sorted(range(len(menus)), key=lambda k: menus[k][0][1] if menus[k] else MOST):
        if menus[k] and menus[k][0][1] <= left:
            at[k], left = 0, left - menus[k][0][1]
    while True:
        steps = []
        for k, menu in enumerate(menus):
            if 0 <= at[k] < len(menu) - 1:
                (m, need, mean), (more, dearer, lower) = menu[at[k]], menu[at[k] + 1]
                if dearer - need <= left:
                    steps.append(((more * lower - m * mean) / (dearer - need), k))
        if not steps:
            break
        k = max(steps)[1]
        left -= menus[k][at[k] + 1][1] - menus[k][at[k]][1]
        at[k] += 1
    if (at < 0).all() and any(menus):  # too few for any label: begin with the cheapest
        k = min((k for k in range(len(menus)) if menus[k]), key=lambda k: menus[k][0][1])
        chosen = [menu[0] if j == k else (0, 0, 0.0) for j, menu in enumerate(menus)]
        return chosen, np.where(np.arange(len(menus)) == k, number, 0)
    chosen = [menus[k][j] if j >= 0 else (0, 0, 0.0) for k, j in enumerate(at)]
    need, pool = np.array([one[1] for one in chosen]), np.array([one[0] for one in chosen])
    extra = left * need // max(int(need.sum()), 1)
    return chosen, np.minimum(need + extra, pool)


def _drawn(
    draw: np.random.Generator, members: NDArray[np.int64], number: int, k: int, values: NDArray[Any], where: str
) -> tuple[Any, ...]:
    """Return a simple random sample of a stratum: rows, label, scores, weights, and where it lies."""
    rows = draw.choice(members, number, replace=False)
    return rows, np.full(number, k), values[rows, k], np.full(number, len(members) / number), where


def answers(
    label: Sequence[str],
    score: Any,
    value: Any,
    *,
    drawn: Sequence[str] | None = None,
    weight: Any = None,
    labels: Sequence[str] | None = None,
    only: str | None = None,
) -> Data:
    """Return checked detections as data: one item each, whose other labels are unknown.

    Parameters
    ----------
    label : sequence of n_checks str
    score : float array-like (n_checks,)
    value : float array-like (n_checks,)
        1 for right, 0 for wrong, NaN for not answered.
    drawn, weight : optional
        As `Plan` gives them.
    labels : sequence of n_labels str, optional
        All labels, in order; those that occur, if left out.
    only : {"above"}, optional
        Take the detections above the floors alone, a simple random sample of each label's: without weights, as
        exact bounds of precision need it.

    Raises
    ------
    InputError
        If nothing was answered.
    """
    names = tuple(labels) if labels is not None else tuple(dict.fromkeys(map(str, label)))
    column = np.array([names.index(str(name)) for name in label], np.int64)
    score, value = np.asarray(score, np.float64), np.asarray(value, np.float64)
    kept = np.isfinite(value)
    if only is not None and drawn is not None:
        kept &= np.array([one == only for one in drawn], bool)
    if not kept.any():
        raise InputError("no detection has an answer. Write 1 (right) or 0 (wrong) into the column value.")
    rows = np.flatnonzero(kept)
    truth = np.full((len(rows), len(names)), np.nan)
    truth[np.arange(len(rows)), column[rows]] = value[rows]
    scores = np.repeat(score[rows, np.newaxis], len(names), axis=1)
    weights = None if weight is None or only is not None else np.asarray(weight, np.float64)[rows]
    return as_data(truth, scores, labels=names, sample_weight=weights)
