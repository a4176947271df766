"""Data in parts, counted one by one: first the candidates of all, then the curves of each at them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import curve_files
from limen.curves import Curves, merged
from limen.data import Data, as_data
from limen.draws import name_keys
from limen.errors import InputError, MergeError
from limen.fold_counts import FoldCounts
from limen.folds import BUCKETS, FEW, content_keys, keyed_fold, name_hashes
from limen.scales import kind_in
from limen.solvers.grid import SMALL, Fine, all_scores, fine_candidates
from limen.sources.candidates import Candidates
from limen.sources.extent import Extent


@dataclass(frozen=True, eq=False)
class Cuts:
    """Where to count: what must be known of all parts of the data before any is counted.

    ``a | b`` is that of both parts, whatever the order.

    Attributes
    ----------
    positive : Candidates
        The distinct scores of the positive items of each label.
    extent : Extent
        Where all scores lie.
    n_items : int
    every : Candidates, optional
        All distinct scores of each label, where they are few.
    units : uint64 (n_units,), optional
        Ascending keys of the units that folds keep whole, items or groups, where these are few.
    grouped : bool
        Whether they are groups.
    """

    positive: Candidates
    extent: Extent
    n_items: int
    every: Candidates | None = None
    units: NDArray[np.uint64] | None = None
    grouped: bool = False

    @classmethod
    def of(cls, y_true: Any, y_score: Any = None, **given: Any) -> Cuts:
        """Return the cuts of a part of the data; parameters are those of `limen.data.as_data`."""
        data = as_data(y_true, y_score, **given) if isinstance(y_true, Data) else _part(y_true, y_score, given)
        source, grouped = data.source, data.groups is not None
        keys = np.unique(name_hashes(data.group_names)) if grouped else None
        if keys is None and data.n_items <= FEW:
            keys = np.sort(_keys(data))
        return cls(
            source.candidates(),
            Extent.of([source]),
            data.n_items,
            all_scores([source]),
            keys if keys is not None and len(keys) <= FEW else None,
            grouped,
        )

    @property
    def candidates(self) -> Candidates:
        """Where to count: the positive scores."""
        return self.positive

    @cached_property
    def fine(self) -> Fine:
        """Where to count by fold: also between the positive scores."""
        return fine_candidates(self.positive, self.extent, self.every, kind_in(self.extent.ends))

    def __or__(self, other: Any) -> Cuts:
        if not isinstance(other, Cuts):
            return NotImplemented
        if self.grouped != other.grouped:
            raise MergeError("some of these candidates were found with groups, others without. Give all theirs.")
        positive, n_items = self.positive | other.positive, self.n_items + other.n_items
        every = units = None
        if self.every is not None and other.every is not None and n_items * len(positive.labels) <= SMALL:
            every = self.every | other.every
        if self.units is not None and other.units is not None:
            both = np.concatenate([self.units, other.units])
            both = np.unique(both) if self.grouped else np.sort(both)
            units = both if len(both) <= FEW else None
        return Cuts(positive, self.extent | other.extent, n_items, every, units, self.grouped)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the cuts to a file (.npz, no pickle), whole or not at all; `load` reads it."""
        n_labels = len(self.positive.labels)
        arrays = {name: np.full(n_labels, end) for name, end in self.extent._asdict().items()}
        if self.units is not None:
            arrays["units"] = self.units
        header = {"n_items": self.n_items, "grouped": self.grouped}
        stored = curve_files.Stored(self.positive, header, arrays, self.every)
        curve_files.write(path, curve_files.CANDIDATES, stored)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Cuts:
        """Return the cuts that `save` wrote.

        Raises
        ------
        UnreadableError
            If the file is missing, damaged or cut short.
        InputError
            If it is no file of candidates, of a newer limen, or contradicts itself.
        """
        spec = {**dict.fromkeys(Extent._fields, "lf"), "units": "uk?"}
        stored = curve_files.read(path, curve_files.CANDIDATES, {"n_items": int, "grouped": bool}, spec)
        low, high, tiny, nearly = (stored.arrays[name] for name in Extent._fields)
        units = stored.arrays.get("units")
        wrong = ""
        if np.isnan([low, high, tiny, nearly]).any():
            wrong = "the ends of the scores are no numbers"
        elif stored.header["n_items"] < 1:
            wrong = "it is of no item"
        elif units is not None and (np.diff(units.astype(np.int64)) < 0).any() and not stored.header["grouped"]:
            wrong = "its units do not ascend"
        if wrong:
            raise curve_files.altered(path, curve_files.CANDIDATES, wrong)
        extent = Extent(low, high, float(tiny.min()), float(nearly.max()))
        return cls(stored.candidates, extent, every=stored.beside, units=units, **stored.header)


def count_shard(data: Data, cuts: Cuts | None = None) -> Curves:
    """Return the curves of a part of the data, with counts by fold: all that tuning needs of it.

    Parameters
    ----------
    data : Data
    cuts : Cuts, optional
        Those of all parts together, so that their curves are added exactly; those of the part, if left out.

    Raises
    ------
    InputError
        If ``cuts`` are of other labels, or do not have all positive scores of the part.

    Notes
    -----
    Items are dealt to folds by their content, with groups by the hash of the group's name: the same in every part.
    """
    cuts = cuts or Cuts.of(data)
    curves = Curves.from_source(data.source, cuts.positive)
    if not curves.complete:
        raise InputError(
            "the candidates lack positive scores of these data: they were made without this part, or from other "
            "scores. Make them from all parts: limen candidates for each, then limen merge."
        )
    return replace(curves, folds=_count_folds(data, cuts))


def _count_folds(data: Data, cuts: Cuts) -> FoldCounts:
    """Return the counts of a part of the data by fold."""
    grouped = data.groups is not None
    if grouped != cuts.grouped:
        found, needed = ("have", "were found without") if grouped else ("have no", "were found with")
        raise InputError(f"the data {found} groups, and the candidates {needed}. Give groups to both, or to none.")
    fold = keyed_fold(_keys(data), BUCKETS, cuts.units)
    fold = fold if data.groups is None else fold[data.groups]
    folds = [data.source.take(np.flatnonzero(fold == k)) for k in range(BUCKETS)]
    return FoldCounts.of(folds, cuts.fine.candidates, cuts.extent, cuts.fine.few, grouped=grouped)


def _keys(data: Data) -> NDArray[np.uint64]:
    """Return the key of each item, from its content, or of each group, from its name."""
    if data.groups is None:
        return content_keys(data.source, name_keys(data.labels, 0))
    return name_hashes(data.group_names)


def _part(y_true: Any, y_score: Any, given: dict[str, Any]) -> Data:
    """Return a part of data, whose items may be of one group."""
    return as_data(y_true, y_score, **given, part=True)


def merge_files(paths: Sequence[str | os.PathLike[str]]) -> Curves | Cuts:
    """Return files of curves, or of candidates, as one; the order changes nothing.

    Raises
    ------
    UnreadableError, InputError
        If a file cannot be read, or files are of both forms.
    MergeError
        If they are of different problems; the message names the file.
    """
    forms = [curve_files.form_of(path) for path in paths]
    for path, form in zip(paths, forms, strict=True):
        if form != forms[0]:
            raise InputError(
                f"{os.fspath(path)} holds {form.holds}, {os.fspath(paths[0])} {forms[0].holds}. Merge files of "
                "one form."
            )
    load = Curves.load if forms[0] == curve_files.CURVES else Cuts.load
    parts: list[Any] = [load(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        try:
            _alike(parts[0], part)
        except MergeError as error:
            raise MergeError(f"{os.fspath(path)} does not go with {os.fspath(paths[0])}: {error}") from error
    if isinstance(parts[0], Cuts):
        return reduce(or_, parts)  # type: ignore[no-any-return]
    weighted = [part for part in parts if part.n_known.dtype != np.int64]
    if weighted and len(weighted) < len(parts):
        raise MergeError("some of these curves count weights, others items. Count all with weights, or none.")
    return merged(parts)


def _alike(one: Curves | Cuts, other: Curves | Cuts) -> None:
    """Raise `MergeError` if parts are of different problems."""
    a, b = (part.candidates if isinstance(part, Curves) else part.positive for part in (one, other))
    if a.labels != b.labels or a.dtype != b.dtype:
        names = [name for name in b.labels if name not in set(a.labels)] or ["the same names in another order"]
        raise MergeError(
            f"it has {len(b.labels)} labels of {b.dtype} scores, and the other {len(a.labels)} of {a.dtype} "
            f"(first that differs: {names[0]!r}). Labels, their order and the dtype must agree."
        )
