"""What the page shows of single items: histograms, calibration, items near the cuts, errors in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.decisions import decide_rows
from limen.reporting.encoding import packed
from limen.scales import logit
from limen.sources.blocks import Rows, Source

BINS = 40
BINS_OF_MANY_LABELS = 20
MANY_LABELS = 2000
GROUPS = 10
NEAREST_IN_ALL = 5000
NEAREST_BY_LABEL = 12
MOST_PAIRED = 1000
PAIRS_SHOWN = 50
CHANCE = 0.05
FARTHEST_ODDS = 16.0
FARTHEST_SCORE = 1e30
SAMPLED = 4096


@dataclass(frozen=True, eq=False)
class Axis:
    """The axis on which scores are drawn: log odds of probabilities, or the scores themselves.

    Attributes
    ----------
    probabilities : bool
        Whether the scores are taken for probabilities.
    low, high : float32 (n_labels,)
        Ends of the part drawn; scores outside belong to the first and the last bin.
    spread : float32 (n_labels,)
        Standard deviation of a label's scores on the axis, above 0.
    """

    probabilities: bool
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    spread: NDArray[np.float32]

    @classmethod
    def of(cls, source: Source, curves: Curves, probabilities: bool) -> Axis:
        """Return the axis, after a look at a few thousand items."""
        step = max(1, source.n_items // SAMPLED)
        sample = [block.scores for block in source.take(np.arange(0, source.n_items, step)).dense_blocks()]
        x = _place(np.concatenate(sample), probabilities).astype(np.float64)
        x[np.isneginf(x)] = np.nan
        none = np.isnan(x).all(axis=0)
        x[:, none] = 0.0
        low, high = np.nanquantile(x, [0.01, 1.0], axis=0)
        spread = np.nanstd(x, axis=0)
        label, cuts = curves.label_of, curves.candidates.cuts
        finite = np.isfinite(cuts)
        at_positives = _place(cuts[finite], probabilities)
        np.maximum.at(high, label[finite], at_positives)
        np.minimum.at(low, label[finite], np.maximum(at_positives, (low - 2 * spread)[label[finite]]))
        flat = high - low < 1e-6
        low, high = np.where(flat, low - 0.5, low), np.where(flat, high + 0.5, high)
        spread = np.where(spread > 1e-6, spread, 1.0)
        return cls(probabilities, *(part.astype(np.float32) for part in (low, high, spread)))

    def place(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return where scores lie on the axis; a score that is not stored (-inf) stays there."""
        return _place(scores, self.probabilities)


def looked_at(
    source: Source,
    axis: Axis,
    values: NDArray[Any],
    errors: NDArray[Any],
    ids: Sequence[str] | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Return what the page shows of the items, packed: one pass over the data.

    Parameters
    ----------
    values : ndarray (n_labels,)
        The thresholds that decide.
    errors : ndarray (n_labels,)
        Number of errors of each label: of more than `MOST_PAIRED` labels those with most are paired.
    ids : sequence of n_items str, optional
        Names of the items; row numbers if left out.

    Returns
    -------
    dict
        ``histogram``: items in each bin of the axis, or with weights their weights. ``calibration``: positives,
        items and mean score of `GROUPS` groups of bins, which hold about equal shares of positives and negatives
        together; with weights also each group's effective size.
        ``errors``: pairs of labels missed in the same items, or one missed and another given wrongly, with what
        chance would give. ``nearest``: items nearest to the cut, a few for each label, by rising distance.
    """
    n_labels = len(values)
    tally, pairs, nearest = _Tally.of(n_labels, source.weighted), _Pairs.of(errors), _Nearest.of(n_labels)
    row = 0
    for block in source.dense_blocks():
        x = axis.place(block.scores)
        tally.add(block, x, axis)
        pairs.add(block, decide_rows(block.scores, values))
        nearest.add(block, np.abs(x - axis.place(values)) / axis.spread, row, values)
        row += len(block.scores)
        progress(row / source.n_items)
    return {
        "histogram": tally.histogram(),
        "calibration": tally.calibration(),
        "errors": {
            "confused": pairs.unlikely(pairs.confused, symmetric=False),
            "missed": pairs.unlikely(pairs.missed_together, symmetric=True),
            "n_paired": len(pairs.labels),
        },
        "nearest": nearest.content(ids),
    }


@dataclass(eq=False)
class _Tally:
    """Weights of items by label and bin of the axis; without weights each item counts 1.

    Attributes
    ----------
    positive, negative : int64, or with weights float64 (n_labels, n_bins)
    total_score : float64 (n_labels, n_bins)
        Sum of weight times score.
    squares : float64 (n_labels, n_bins), or None without weights
        Sum of squared weights.
    """

    positive: NDArray[Any]
    negative: NDArray[Any]
    total_score: NDArray[np.float64]
    squares: NDArray[np.float64] | None

    @classmethod
    def of(cls, n_labels: int, weighted: bool) -> _Tally:
        shape = (n_labels, BINS if n_labels <= MANY_LABELS else BINS_OF_MANY_LABELS)
        dtype = np.float64 if weighted else np.int64
        return cls(
            np.zeros(shape, dtype),
            np.zeros(shape, dtype),
            np.zeros(shape),
            np.zeros(shape) if weighted else None,
        )

    def add(self, block: Rows, x: NDArray[Any], axis: Axis) -> None:
        n_labels, bins = self.positive.shape
        stored = block.scores > -np.inf
        place = (np.where(stored, x, axis.low) - axis.low) * (bins / (axis.high - axis.low))
        # Where scores are so far apart that their distance is no number, they stand at the low end.
        code = np.clip(np.nan_to_num(place), 0, bins - 1).astype(np.int64) + bins * np.arange(n_labels)
        weight = np.broadcast_to(np.asarray(block.weight, np.float64)[:, None], block.scores.shape)
        for truth, counts in ((1, self.positive), (0, self.negative)):
            chosen = stored & (block.truth == truth)
            own, weights = code[chosen], weight[chosen]

            def summed(values: NDArray[Any] | None, own: NDArray[np.int64] = own) -> NDArray[Any]:
                return np.bincount(own, values, minlength=n_labels * bins).reshape(n_labels, bins)

            counts += summed(None if self.squares is None else weights)
            self.total_score += summed(weights * block.scores[chosen].astype(np.float64))
            if self.squares is not None:
                self.squares += summed(weights**2)

    def histogram(self) -> dict[str, Any]:
        """Return the bins as the page takes them; weights as float32, which is finer than can be drawn."""
        drawn = (_drawn(part) for part in (self.positive, self.negative))
        return {"bins": self.positive.shape[1], **dict(zip(("positive", "negative"), drawn, strict=True))}

    def calibration(self) -> dict[str, Any]:
        """Return groups of bins; their size is how many items of equal weight would tell as much (Kish)."""
        n_labels = len(self.positive)
        mass = sum(
            counts / _or_one(counts.sum(axis=1, keepdims=True)) for counts in (self.positive, self.negative)
        )
        mass = mass / np.maximum(mass.sum(axis=1, keepdims=True), 1e-300)
        middle = np.cumsum(mass, axis=1) - mass / 2
        code = np.clip(middle * GROUPS, 0, GROUPS - 1).astype(np.int64) + GROUPS * np.arange(n_labels)[:, None]

        def grouped(part: NDArray[Any]) -> NDArray[Any]:
            return np.bincount(code.ravel(), part.ravel(), minlength=n_labels * GROUPS)

        total = grouped(self.positive + self.negative)
        content = {
            "positive": _drawn(grouped(self.positive).astype(self.positive.dtype)),
            "total": _drawn(total.astype(self.positive.dtype)),
            "score": packed((grouped(self.total_score) / _or_one(total)).astype(np.float32)),
        }
        if self.squares is not None:
            content["size"] = _drawn(total**2 / _or_one(grouped(self.squares)))
        return content


def _or_one(total: NDArray[Any]) -> NDArray[Any]:
    return np.where(total > 0, total, 1)


def _drawn(counts: NDArray[Any]) -> dict[str, str]:
    return packed(counts.ravel() if counts.dtype.kind == "i" else counts.ravel().astype(np.float32))


@dataclass(eq=False)
class _Nearest:
    most: int
    kept: tuple[NDArray[Any], ...]

    @classmethod
    def of(cls, n_labels: int) -> _Nearest:
        return cls(int(np.clip(NEAREST_IN_ALL // n_labels, 1, NEAREST_BY_LABEL)), ())

    def add(self, block: Rows, distance: NDArray[Any], row: int, values: NDArray[Any]) -> None:
        distance = np.where(np.isfinite(values) & (block.scores > -np.inf), distance, np.inf)
        n_labels = distance.shape[1]
        count = min(self.most, len(distance))
        at = np.argpartition(distance, count - 1, axis=0)[:count] if count < len(distance) else None
        at = np.broadcast_to(np.arange(len(distance))[:, None], distance.shape) if at is None else at
        label = np.broadcast_to(np.arange(n_labels), at.shape)
        found = (row + at, label, block.scores[at, label], block.truth[at, label], distance[at, label])
        flat = [part.ravel() for part in found]
        if self.kept:
            flat = [np.concatenate(pair) for pair in zip(self.kept, flat, strict=True)]
        order = np.lexsort((flat[0], flat[4], flat[1]))
        flat = [part[order] for part in flat]
        first = np.searchsorted(flat[1], flat[1])
        keep = (np.arange(len(order)) - first < self.most) & np.isfinite(flat[4])
        self.kept = tuple(part[keep] for part in flat)

    def content(self, ids: Sequence[str] | None) -> dict[str, Any]:
        order = np.argsort(self.kept[4], kind="stable")
        item, label, score, truth, _ = (part[order] for part in self.kept)
        distinct, number = np.unique(item, return_inverse=True)
        return {
            "ids": [f"row {k}" if ids is None else str(ids[k]) for k in distinct],
            "item": packed(number),
            "label": packed(label),
            "score": packed(score),
            "truth": packed(truth.astype(np.int64) + 1),
        }


@dataclass(eq=False)
class _Pairs:
    labels: NDArray[np.int64]
    confused: NDArray[np.float64]
    missed_together: NDArray[np.float64]
    missed: NDArray[np.float64]
    false: NDArray[np.float64]
    n_items: int = 0

    @classmethod
    def of(cls, errors: NDArray[Any]) -> _Pairs:
        labels = np.sort(np.argsort(-errors, kind="stable")[:MOST_PAIRED])
        size = len(labels)
        return cls(labels, np.zeros((size, size)), np.zeros((size, size)), np.zeros(size), np.zeros(size))

    def add(self, block: Rows, given: NDArray[np.bool_]) -> None:
        given, truth = given[:, self.labels], block.truth[:, self.labels]
        missed = ((truth == 1) & ~given).astype(np.float32)
        false = ((truth == 0) & given).astype(np.float32)
        self.confused += missed.T @ false
        self.missed_together += missed.T @ missed
        self.missed += missed.sum(axis=0)
        self.false += false.sum(axis=0)
        self.n_items += len(truth)

    def unlikely(self, together: NDArray[np.float64], *, symmetric: bool) -> dict[str, Any]:
        """Return the pairs that chance would hardly bring together, least likely first.

        A Poisson count reaches k, if c are expected, with a probability of at most
        exp(k - c - k log(k / c)) (Chernoff's bound). Times the number of pairs it must be below `CHANCE`.
        """
        other = self.missed if symmetric else self.false
        chance = np.outer(self.missed, other) / max(self.n_items, 1)
        more = together > chance
        np.fill_diagonal(more, False)
        if symmetric:
            more = np.triu(more)
        a, b = np.nonzero(more)
        count, expected = together[a, b], chance[a, b]
        log_probability = count - expected - count * np.log(count / expected)
        n_pairs = len(together) * (len(together) - 1) / (2 if symmetric else 1)
        order = np.argsort(log_probability, kind="stable")[:PAIRS_SHOWN]
        order = order[log_probability[order] < np.log(CHANCE / max(n_pairs, 1))]
        a, b = a[order], b[order]
        columns = self.labels[a], self.labels[b], together[a, b].astype(np.int64), chance[a, b]
        return dict(zip(("a", "b", "items", "chance"), map(packed, columns), strict=True))


def _place(scores: NDArray[Any], probabilities: bool) -> NDArray[Any]:
    wide = np.asarray(scores, np.result_type(scores, np.float32))
    if probabilities:
        drawn = np.clip(logit(np.clip(wide, 0, 1)), -FARTHEST_ODDS, FARTHEST_ODDS)
    else:
        drawn = np.clip(wide, -FARTHEST_SCORE, FARTHEST_SCORE)
    return np.where(np.isinf(wide), wide, drawn)
