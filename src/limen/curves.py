"""Curves: the counts at every candidate cut of every label, all that a metric of counts needs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen import curve_files
from limen.curve_merging import bounds_at
from limen.errors import InputError, MergeError, count, examples
from limen.fold_counts import FoldCounts, added
from limen.sources.blocks import Countable
from limen.sources.candidates import Candidates
from limen.sources.chunks import as_chunk_source
from limen.sources.door import as_source
from limen.sources.extent import Extent

Placement = Literal["midpoint", "score"]
_STORED = {"tp": "cn", "fp": "cn", "fp_least": "cn?", "beneath": "cs", "n_positive": "ln", "n_known": "ln"}
_FOLDS = {
    "tp": "qn",
    "fp": "qn",
    "beneath": "bs",
    "n_positive": "rn",
    "n_known": "rn",
    "squares": "sf",
    "half": "hn",
}
_FOLDS |= {"n_items": "pi", "few": "lb", **dict.fromkeys(Extent._fields, "lf")}


def at_or_above(y_score: NDArray[Any], threshold: Any) -> NDArray[np.bool_]:
    """Return the decisions (n_items, n_labels): a label is given when its score is >= its threshold.

    This is limen's one tie rule; +inf gives a label never.
    """
    return np.asarray(np.greater_equal(y_score, threshold))


def halfway(kept: Any, below: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the midpoint of the lowest kept scores and the highest scores below, in ``dtype``.

    Where there is nothing below, or rounding leaves no value between, the kept score itself; it
    cuts the same.
    """
    kept, below = np.asarray(kept, dtype), np.asarray(below, dtype)
    usable = np.isfinite(kept) & np.isfinite(below)
    middle = np.where(usable, kept, 0) / 2 + np.where(usable, below, 0) / 2
    return np.where(usable & (middle > below) & (middle <= kept), middle, kept).astype(dtype)


def prevalence_factors(
    n_positive: NDArray[Any], n_known: NDArray[Any], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a positive and a negative of each label count for the target share of positives."""
    p = np.asarray(n_positive, np.float64)
    q = n_known - p
    can = (p > 0) & (q > 0)
    up = np.where(can, target * n_known / np.where(can, p, 1.0), 1.0)
    down = np.where(can, (1 - target) * n_known / np.where(can, q, 1.0), 1.0)
    return up, down


class Tags(NamedTuple):
    """Tags that thresholds give: right ones, and at least and at most how many wrong ones, (n_labels,) each."""

    tp: NDArray[Any]
    fp_least: NDArray[Any]
    fp: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Curves:
    """Counts at each candidate cut, one curve a label: a summary that replaces the scores.

    For a metric that never falls when a false positive is dropped, the best cut of a label keeps
    exactly the items down to one of its positive items, so the distinct positive scores and
    "never" are all the candidates there are. Arrays by candidate are stored end to end: those of
    label ``k`` lie at ``offsets[k]:offsets[k + 1]``, by falling cut, "never" (+inf) first.

    Attributes
    ----------
    candidates : Candidates
        The labels, the dtype of the scores, and the cuts.
    tp, fp : int64, or float64 with weights (n_candidates,)
        Positive and negative items at or above each cut.
    beneath : float32 or float64 (n_candidates,)
        The highest known score strictly below each cut; -inf if there is none.
    n_positive, n_known : int64 or float64 (n_labels,)
        Positive items, and items whose label is known.
    n_items : int
    complete : bool
        Whether every positive score is a candidate; if not, a better cut may lie between.
    fp_least : as fp, optional
        Where parts were added that had been counted at different candidates, and their data were gone, or where
        items were counted in bins, ``fp`` is the most that there may be, and this the least.
    folds : FoldCounts, optional
        Counts by fold at finer cuts, with which curves whose data are gone are tuned, and judged, as the data
        would be; see `limen.shards.count_shard`.
    covered : bool
        Whether no cut between candidates can be better than one of them with its fewest false positives, though
        positive scores lie between: so it is where items were counted in bins (`limen.streams`).

    Notes
    -----
    Building reads the data twice: once for the positive scores, once to count. Time is
    O(n_items * n_labels) plus a binary search for each score at or above its label's lowest
    positive; memory is O(number of positives). Curves made from arrays keep a reference to them
    (never a copy), for `__add__`; pickling drops it.
    """

    candidates: Candidates
    tp: NDArray[Any]
    fp: NDArray[Any]
    beneath: NDArray[Any]
    n_positive: NDArray[Any]
    n_known: NDArray[Any]
    n_items: int
    complete: bool = True
    sources: tuple[Countable, ...] = field(default=(), repr=False)
    fp_least: NDArray[Any] | None = None
    folds: FoldCounts | None = field(default=None, repr=False)
    covered: bool = False

    @classmethod
    def from_arrays(
        cls,
        y_true: Any,
        y_score: Any,
        *,
        labels: Sequence[str] | None = None,
        sample_weight: Any = None,
        mask: Any = None,
        candidates: Candidates | None = None,
    ) -> Curves:
        """Return the curves of a labelled score matrix.

        Parameters
        ----------
        y_true : array-like (n_items, n_labels) of 0/1, bool, or float with NaN for unknown; sparse;
            or n_items lists of label names
        y_score : array-like (n_items, n_labels) of finite numbers; or sparse, where a score that is
            not stored is below every cut
        labels : sequence of n_labels str, optional
        sample_weight : array-like (n_items,), optional
            Not negative; counts then are float64 sums of weights.
        mask : bool array-like (n_items, n_labels), optional
            True where the label of an item is known.
        candidates : Candidates, optional
            Count at these cuts and not at the data's own; lets machines add their curves exactly.

        Raises
        ------
        InputError
            If the data do not fit together; the message says where.

        Examples
        --------
        >>> curves = Curves.from_arrays([[0], [1], [0], [1]], [[0.9], [0.8], [0.3], [0.2]])
        >>> curves.candidates.cuts, curves.tp, curves.fp
        (array([inf, 0.8, 0.2]), array([0, 1, 2]), array([0, 1, 2]))
        """
        source = as_source(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask)
        return cls.from_source(source, candidates)

    @classmethod
    def from_chunks(
        cls,
        chunks: Any,
        *,
        labels: Sequence[str] | None = None,
        candidates: Candidates | None = None,
    ) -> Curves:
        """Return the curves of data that come in row blocks, bit for bit those of the whole.

        Parameters
        ----------
        chunks : iterable that can be read twice, or a function returning a fresh iterator
            Each chunk is ``(y_true, y_score)`` or ``(y_true, y_score, sample_weight)``.
        labels, candidates
            As in `from_arrays`.

        Raises
        ------
        InputError
            If the iterable can be read only once, is empty, or its chunks do not fit together.
        """
        return cls.from_source(as_chunk_source(chunks, labels), candidates)

    @classmethod
    def from_source(cls, source: Countable, candidates: Candidates | None = None) -> Curves:
        """Return the curves of a source, at its own candidates or at the given ones."""
        complete = True
        if candidates is None:
            candidates = source.candidates()
        elif candidates.labels != source.labels or candidates.dtype != source.dtype:
            raise InputError(
                f"candidates are for {len(candidates.labels)} labels of {candidates.dtype} scores, the data have "
                f"{len(source.labels)} of {source.dtype}. Labels, their order and the dtype must agree."
            )
        else:
            complete = (candidates | source.candidates()) == candidates
        tallies, totals = source.counts(candidates), source.totals()
        if source.weighted:
            label_of = np.repeat(np.arange(len(source.labels)), np.diff(candidates.offsets))
            np.minimum(tallies.tp, totals.positive[label_of], out=tallies.tp)
            np.minimum(tallies.fp, totals.negative[label_of], out=tallies.fp)
        return cls(
            candidates,
            *tallies,
            totals.positive,
            totals.known,
            n_items=source.n_items,
            complete=complete,
            sources=(source,),
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.candidates.labels

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.labels)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the scores, and of the thresholds chosen for them."""
        return self.candidates.dtype

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each label's candidates begin, and the end."""
        return self.candidates.offsets

    @property
    def label_of(self) -> NDArray[np.int64]:
        """Label number of each candidate."""
        return np.repeat(np.arange(self.n_labels), np.diff(self.offsets))

    @cached_property
    def pp(self) -> NDArray[Any]:
        """Items at or above each cut: predicted positives."""
        return np.asarray(self.tp + self.fp)

    @property
    def without_positives(self) -> tuple[str, ...]:
        """Names of the labels that no item is known to have."""
        return tuple(name for name, p in zip(self.labels, self.n_positive, strict=True) if p == 0)

    def thresholds(self, index: NDArray[np.int64], placement: Placement = "midpoint") -> NDArray[Any]:
        """Return the thresholds (n_labels,), in the dtype of the scores, that cut at candidates ``index``.

        ``"midpoint"`` lies halfway between the lowest kept score and the highest score below it
        (the kept score itself where there is none, or where rounding leaves no value between);
        ``"score"`` is the lowest kept score. Both give the same decisions on the data counted.
        """
        kept = self.candidates.cuts[index].astype(self.dtype)
        if placement == "score":
            return kept
        if placement != "midpoint":
            raise InputError(f"placement={placement!r} is unknown. Use 'midpoint' or 'score'.")
        return halfway(kept, self.beneath[index], self.dtype)

    def tags_at(self, values: NDArray[Any]) -> Tags:
        """Return what thresholds (n_labels,), in the dtype of the scores, give.

        They are counted where the data are at hand. Else true positives are exact if all positive scores are
        candidates, and false positives lie between bounds, which are equal if no score lies between the threshold
        and a candidate.
        """
        some = values < np.inf
        cuts = Candidates.distinct(self.labels, self.dtype, np.flatnonzero(some), values[some])
        last = cuts.offsets[1:] - 1
        if self.sources:
            counted = [source.counts(cuts) for source in self.sources]
            tp, fp = (np.add.reduce([getattr(part, name)[last] for part in counted]) for name in ("tp", "fp"))
            tp, fp = np.minimum(tp, self.n_positive), np.minimum(fp, self.n_known - self.n_positive)
            return Tags(tp, fp, fp)
        bounds = bounds_at(self, cuts)
        return Tags(bounds.tp[last], bounds.least[last], bounds.most[last])

    def reweighted(self, target_prevalence: NDArray[np.float64]) -> Curves:
        """Return the curves as if each label had the given share of positives (n_labels,).

        Positives count ``target / prevalence`` each and negatives ``(1 - target) / (1 - prevalence)``:
        the scores of positives, and of negatives, are taken to be distributed as before (label shift).
        A label that has only positives, or none, cannot be reweighted and stays as it is.
        """
        up, down = prevalence_factors(self.n_positive, self.n_known, target_prevalence)
        label_of = self.label_of
        return replace(
            self,
            tp=self.tp * up[label_of],
            fp=self.fp * down[label_of],
            fp_least=None if self.fp_least is None else self.fp_least * down[label_of],
            n_positive=self.n_positive * up,
            n_known=self.n_known.astype(np.float64),
        )

    def at(self, keep: NDArray[np.bool_]) -> Curves:
        """Return the curves at some of the candidates; "never" must be among them for each label."""
        size = np.add.reduceat(keep.astype(np.int64), self.offsets[:-1])
        offsets = np.concatenate([[0], np.cumsum(size)])
        candidates = replace(self.candidates, offsets=offsets, cuts=self.candidates.cuts[keep])
        arrays = (self.tp[keep], self.fp[keep], self.beneath[keep])
        least = None if self.fp_least is None else self.fp_least[keep]
        totals = (self.n_positive, self.n_known, self.n_items)
        return Curves(candidates, *arrays, *totals, complete=False, fp_least=least)

    def digest(self) -> str:
        """Return a digest of all counts and cuts: the same data give the same digest."""
        state = hashlib.sha256(repr((self.labels, str(self.dtype), self.n_items)).encode())
        short = self.n_known.dtype == np.int64 and self.n_known.max(initial=0) < 1 << 32
        least = () if self.fp_least is None else (self.fp_least,)
        counts = (self.tp, self.fp, *least, self.n_positive, self.n_known)
        for array in (self.offsets, self.candidates.cuts, *counts):
            whole = array.dtype == np.int64
            as_stored = "<u4" if whole and short else array.dtype.newbyteorder("<")
            state.update(np.ascontiguousarray(array, as_stored).tobytes())
        return "sha256:" + state.hexdigest()[:32]

    @property
    def scores_seen(self) -> NDArray[np.float64]:
        """Scores that occur for certain: the finite candidates, and what lies beneath them."""
        cuts = self.candidates.cuts
        beneath = self.beneath
        if self.fp_least is not None:  # where a score may lie is no score
            beneath = beneath[beneath != np.nextafter(cuts, -np.inf, dtype=cuts.dtype)]
        seen = np.concatenate([cuts, beneath]).astype(np.float64)
        return np.asarray(seen[np.isfinite(seen)])

    @property
    def conclusive(self) -> bool:
        """Whether the best candidate, with its fewest false positives, is as good as any cut."""
        return self.complete or self.covered

    @property
    def optimistic(self) -> Curves:
        """The curves with the fewest false positives that there may be; themselves, if these are known."""
        return self if self.fp_least is None else replace(self, fp=self.fp_least, fp_least=None, sources=())

    def __add__(self, other: Curves) -> Curves:
        """Return the curves of both data sets together.

        Curves counted at the same candidates are added. Otherwise the candidates are united and both data sets
        counted again, if they are still at hand. If they are gone, true positives are exact and false positives
        lie between bounds, ``fp_least`` and ``fp``: thresholds tuned on such curves are certain to reach their
        value, and an upper bound goes with them.

        Raises
        ------
        MergeError
            If the problems differ; or the data are gone, and not every positive score is a candidate.
        """
        if not isinstance(other, Curves):
            return NotImplemented
        return merged([self, other])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the curves to a file (.npz, no pickle), whole or not at all; `load` reads it.

        What is left out is the data: curves that are loaded are added to others by their counts.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        arrays = {name: getattr(self, name) for name in curve_files.COUNTS}
        if self.fp_least is not None:
            arrays[curve_files.LEAST] = self.fp_least
        header: dict[str, Any] = {name: getattr(self, name) for name in ("n_items", "complete", "covered")}
        header["grouped"] = False
        folds, beside = self.folds, None
        if folds is not None:
            ends = {name: np.full(self.n_labels, end) for name, end in folds.extent._asdict().items()}
            kept = {name: getattr(folds, name) for name in _FOLDS if name not in ends} | ends
            arrays |= {f"{curve_files.FOLDS}{name}": array for name, array in kept.items()}
            header["grouped"], beside = folds.grouped, folds.candidates
        curve_files.write(path, curve_files.CURVES, curve_files.Stored(self.candidates, header, arrays, beside))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Curves:
        """Return the curves that `save` wrote.

        Raises
        ------
        UnreadableError
            If the file is missing, damaged or cut short.
        InputError
            If it is no file of curves, of a newer limen, or its counts contradict each other.

        Examples
        --------
        >>> import tempfile
        >>> curves = Curves.from_arrays([[0], [1], [0], [1]], [[0.9], [0.8], [0.3], [0.2]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     curves.save(f"{folder}/shard.curves")
        ...     Curves.load(f"{folder}/shard.curves") == curves
        True
        """
        header: dict[str, type] = {"n_items": int, "complete": bool, "covered": bool, "grouped": bool}
        spec = _STORED | {f"{curve_files.FOLDS}{name}": f"{form}?" for name, form in _FOLDS.items()}
        stored = curve_files.read(path, curve_files.CURVES, header, spec)
        if problem := _lacking(stored) or curve_files.contradiction(stored):
            raise curve_files.altered(path, curve_files.CURVES, problem)
        tp, fp, beneath, n_positive, n_known = (stored.arrays[name] for name in curve_files.COUNTS)
        least, grouped = stored.arrays.get(curve_files.LEAST), stored.header.pop("grouped")
        return cls(
            stored.candidates,
            tp,
            fp,
            beneath,
            n_positive,
            n_known,
            **stored.header,
            fp_least=least,
            folds=_folds_in(stored, grouped),
        )

    def __eq__(self, other: object) -> bool:
        """Return whether labels, candidates and every count are the same."""
        if not isinstance(other, Curves):
            return NotImplemented
        return (
            self.candidates == other.candidates
            and all(
                np.array_equal(getattr(self, name), getattr(other, name))
                for name in ("tp", "fp", "beneath", "n_positive", "n_known", "n_items")
            )
            and np.array_equal(self.optimistic.fp, other.optimistic.fp)
        )

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "sources": ()}
        state.pop("pp", None)
        return state

    def __repr__(self) -> str:
        unlabelled = self.without_positives
        note = f", without positives: {examples(unlabelled)}" if unlabelled else ""
        return (
            f"Curves({count(self.n_items, 'item')}, {count(self.n_labels, 'label')}, "
            f"{count(len(self.tp), 'candidate')}, "
            f"{self.dtype} scores{note})"
        )


def _lacking(stored: curve_files.Stored) -> str:
    """Return what is lacking of counts by fold, which are all there or none."""
    there = [name for name in _FOLDS if f"{curve_files.FOLDS}{name}" in stored.arrays]
    if len(there) not in (0, len(_FOLDS)) or bool(there) != (stored.beside is not None):
        return "some of the counts by fold are missing"
    return ""


def _folds_in(stored: curve_files.Stored, grouped: bool) -> FoldCounts | None:
    """Return the counts by fold that a file holds."""
    if stored.beside is None:
        return None
    arrays = {name: stored.arrays[f"{curve_files.FOLDS}{name}"] for name in _FOLDS}
    low, high, tiny, nearly = (arrays.pop(name) for name in Extent._fields)
    return FoldCounts(
        stored.beside, Extent(low, high, float(tiny[0]), float(nearly[0])), grouped=grouped, **arrays
    )


def merged(parts: Sequence[Curves]) -> Curves:
    """Return the curves of all parts of the data together; see `Curves.__add__`.

    Raises
    ------
    MergeError
        If the problems differ; or data are gone, and not every positive score is a candidate.
    """
    united = parts[0].candidates
    for part in parts[1:]:
        if part.candidates is not united and part.candidates != united:
            united = united | part.candidates
    return _sum([_at_candidates(part, united) for part in parts])


def _at_candidates(part: Curves, united: Candidates) -> Curves:
    """Return curves at more candidates: counted again, or, if the data are gone, between bounds."""
    if part.candidates is united or part.candidates == united:
        return part
    if part.sources:
        return _sum([Curves.from_source(source, united) for source in part.sources])
    if not part.complete:
        raise MergeError(
            "these curves were counted at different candidates, their data are gone, and not every positive score "
            "is a candidate, so that nothing is known between them. Build all parts with from_arrays(..., "
            "candidates=a.candidates | b.candidates), then add."
        )
    tp, least, most, beneath, exact = bounds_at(part, united)
    return replace(
        part, candidates=united, tp=tp, fp=most, fp_least=None if exact else least, beneath=beneath, sources=()
    )


def _sum(parts: Sequence[Curves]) -> Curves:
    first = parts[0]
    return Curves(
        first.candidates,
        np.add.reduce([part.tp for part in parts]),
        np.add.reduce([part.fp for part in parts]),
        np.maximum.reduce([part.beneath for part in parts]),
        np.add.reduce([part.n_positive for part in parts]),
        np.add.reduce([part.n_known for part in parts]),
        sum(part.n_items for part in parts),
        all(part.complete for part in parts),
        tuple(source for part in parts for source in part.sources) if all(part.sources for part in parts) else (),
        np.add.reduce([part.optimistic.fp for part in parts])
        if any(part.fp_least is not None for part in parts)
        else None,
        added([part.folds for part in parts]),
        all(part.conclusive for part in parts),
    )
