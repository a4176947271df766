"""The data object: scores and labels of the same items, joined and checked once, at the door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.corrections import Corrected, corrected
from limen.errors import InputError, count
from limen.folds import check_groups, numbered_groups, unit_count
from limen.names import match
from limen.scales import Kind, kind_of
from limen.sources.arrays import is_csr
from limen.sources.blocks import Source
from limen.sources.chunks import as_chunk_source
from limen.sources.dense import DenseSource
from limen.sources.door import read
from limen.sources.frames import is_frame
from limen.sources.sparse import SparseSource


@dataclass(frozen=True, eq=False)
class Data:
    """Scores and labels, and what is known of the items.

    Attributes
    ----------
    source : Source
        Scores, labels, weights and mask, to be read in blocks.
    ids : tuple of n_items str, or None
        Names of the items.
    groups : int64 (n_items,), or None
        Number of the group of each item, from 0; folds and resamples keep groups whole.
    group_names : tuple of str
        The name of each group.
    known_kind : {"probability", "logit", "real"}, optional
        What the scores are, where these data are a part of others.
    corrected : Corrected, optional
        What corrections changed, where there were any.
    """

    source: Source
    ids: tuple[str, ...] | None = None
    groups: NDArray[np.int64] | None = None
    known_kind: Kind | None = None
    corrected: Corrected | None = None
    group_names: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.source.labels

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.source.n_items

    @property
    def n_units(self) -> int:
        """How many things can be drawn or dealt: the items, or the groups that stay together."""
        return unit_count(self.n_items, self.groups)

    @cached_property
    def kind(self) -> Kind:
        """What the scores are: decided once, for all parts of the data."""
        return self.known_kind or kind_of((self.source,))

    def in_order(self, labels: tuple[str, ...], *, extra: Literal["refuse", "ignore"] = "refuse") -> Data:
        """Return the data with the columns of these labels, in this order.

        Parameters
        ----------
        labels : tuple of str
        extra : {"refuse", "ignore"}
            What to do with labels of the data beyond these.

        Raises
        ------
        InputError
            If the data lack a label, or have others that are not to be ignored.
        """
        source = self.source
        if labels == source.labels:
            return self
        match(labels, source.labels, between=("the thresholds", "the data"), extra=extra)
        return replace(self, source=source.select(labels))

    def take(self, rows: NDArray[np.int64]) -> Data:
        """Return the data of the rows of these ascending numbers."""
        return replace(
            self,
            source=self.source.take(rows),
            ids=None if self.ids is None else tuple(self.ids[row] for row in rows.tolist()),
            groups=None if self.groups is None else self.groups[rows],
            known_kind=self.kind,
        )


def as_data(
    y_true: Any,
    y_score: Any = None,
    *,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    groups: Any = None,
    ids: Sequence[Any] | None = None,
    corrections: Any = None,
    first_row: int = 0,
    part: bool = False,
) -> Data:
    """Return scores and labels as one object that every function takes in their place.

    What is given to several functions is then joined and checked once.

    Parameters
    ----------
    y_true : array-like (n_items, n_labels), or Data, or blocks of rows
        As in `limen.tune`. Data come back as they are. Blocks, given without ``y_score``, are a list of
        ``(y_true, y_score)`` or ``(y_true, y_score, sample_weight)``, a function that returns a fresh iterator of
        them, or anything that can be iterated again and again with the same blocks.
    y_score, labels, sample_weight, mask, groups
        As in `limen.tune`.
    ids : sequence of n_items names, optional
        Those of frames with ids, if left out.
    corrections : data frame, or Table, optional
        Labels that take the place of those in ``y_true``, such as the marks that a report exports; joined by
        id and label name. An empty cell changes nothing. Without ids the items are called "row 0", "row 1", ...
        Of a file, give what `limen.files.reading.read_table` returns.
    first_row : int
        Number of the first row, for messages.
    part : bool
        Whether this is a part of the data, whose weights may all be 0 and whose items may be of one group.

    Raises
    ------
    InputError
        If the data do not fit together; the message says where.

    Examples
    --------
    >>> data = as_data([[0], [1], [0], [1]], [[0.1], [0.8], [0.3], [0.6]], ids=["a", "b", "c", "d"])
    >>> import limen
    >>> limen.tune(data, method="exact").values, limen.evaluate(data, None, 0.5).value
    (array([0.45]), 1.0)
    """
    if isinstance(y_true, Data):
        given = {"y_score": y_score, "labels": labels, "sample_weight": sample_weight, "mask": mask, "ids": ids}
        given |= {"groups": groups, "corrections": corrections}
        twice = [name for name, value in given.items() if value is not None]
        if twice:
            raise InputError(f"these Data hold all that belongs to the items. Leave {', '.join(twice)} out.")
        return y_true
    source: Source
    found: tuple[str, ...] | None = None
    if y_score is None:
        source = _of_blocks(y_true, labels, sample_weight=sample_weight, mask=mask, corrections=corrections)
    else:
        source, found = read(
            y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask, first_row=first_row, part=part
        )
    names = found if ids is None else tuple(map(str, ids))
    if names is not None and len(names) != source.n_items:
        raise InputError(
            f"ids has {count(len(names), 'name')} for {count(source.n_items, 'item')}. Give one for each item."
        )
    tally = None
    if corrections is not None and isinstance(source, DenseSource | SparseSource):
        source, tally = corrected(source, names, corrections)
    numbers, group_names = (None, ()) if groups is None else numbered_groups(groups, source.n_items)
    if not part:
        check_groups(group_names, groups)
    return Data(source, names, numbers, corrected=tally, group_names=group_names)


def _of_blocks(chunks: Any, labels: Sequence[str] | None, **beside: Any) -> Source:
    """Return the source of blocks of rows, which hold all that belongs to their items."""
    if isinstance(chunks, np.ndarray) or is_csr(chunks) or is_frame(chunks):
        raise InputError("y_score is missing. Give labels and scores.")
    if given := [name for name, value in beside.items() if value is not None]:
        raise InputError(
            f"{', '.join(given)} cannot stand beside blocks of rows. Put weights in the blocks, as (y_true, "
            "y_score, sample_weight), and NaN where a label is unknown."
        )
    return as_chunk_source(chunks, labels)
