"""Data in parts, counted one by one: first the candidates of all, then the curves of each at them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import numpy as np

from limen import curve_files
from limen.curves import Curves, merged
from limen.data import Data, as_data
from limen.errors import InputError, MergeError
from limen.scales import kind_in
from limen.solvers.grid import Extent, between
from limen.sources.candidates import Candidates


@dataclass(frozen=True, eq=False)
class Cuts:
    """Where to count: the positive scores of some parts of the data, and where all scores of them lie.

    ``a | b`` is that of both parts, whatever the order.

    Attributes
    ----------
    positive : Candidates
        The distinct scores of the positive items of each label.
    extent : Extent
    """

    positive: Candidates
    extent: Extent

    @classmethod
    def of(cls, y_true: Any, y_score: Any = None, **given: Any) -> Cuts:
        """Return the cuts of a part of the data; parameters are those of `limen.data.as_data`."""
        source = as_data(y_true, y_score, **given).source
        return cls(source.candidates(), Extent.of([source]))

    @property
    def candidates(self) -> Candidates:
        """The positive scores, and a grid between the others: what the regularised methods need besides."""
        ends = np.concatenate([self.extent.low, self.extent.high])
        scale = self.extent.scale(kind_in(ends[np.isfinite(ends)]))
        every = np.ones(len(self.positive.labels), bool)
        return self.positive | between(self.positive, self.extent, scale, every)

    def __or__(self, other: Any) -> Cuts:
        if not isinstance(other, Cuts):
            return NotImplemented
        return Cuts(self.positive | other.positive, self.extent | other.extent)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the cuts to a file (.npz, no pickle), whole or not at all; `load` reads it."""
        n_labels = len(self.positive.labels)
        arrays = {name: np.full(n_labels, end) for name, end in self.extent._asdict().items()}
        curve_files.write(path, curve_files.CANDIDATES, curve_files.Stored(self.positive, {}, arrays))

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
        stored = curve_files.read(path, curve_files.CANDIDATES, {}, dict.fromkeys(Extent._fields, "lf"))
        low, high, tiny, nearly = (stored.arrays[name] for name in Extent._fields)
        if np.isnan([low, high, tiny, nearly]).any():
            raise curve_files.altered(path, curve_files.CANDIDATES, "the ends of the scores are no numbers")
        extent = Extent(low, high, float(tiny.min()), float(nearly.max()))
        return cls(stored.candidates, extent)


def count_shard(data: Data, cuts: Cuts | None = None) -> Curves:
    """Return the curves of a part of the data, at cuts that serve all methods.

    Parameters
    ----------
    data : Data
    cuts : Cuts, optional
        Those of all parts together, so that their curves are added exactly; those of the part, if left out.

    Raises
    ------
    InputError
        If ``cuts`` are of other labels, or do not have all positive scores of the part.
    """
    curves = Curves.from_source(data.source, (cuts or Cuts.of(data)).candidates)
    if not curves.complete:
        raise InputError(
            "the candidates lack positive scores of these data: they were made without this part, or from other "
            "scores. Make them from all parts: limen candidates for each, then limen merge."
        )
    return curves


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
