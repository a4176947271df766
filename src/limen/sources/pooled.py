"""All pairs of item and label as the items of one label: what one cut for all labels is chosen on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limen.sources.blocks import Blocks, Entries, Rows, Source, Totals
from limen.sources.dense import weights_of


@dataclass(frozen=True)
class Pooled(Blocks):
    """Sources whose labels are taken for one; it is only counted."""

    parts: Sequence[Source]
    labels: tuple[str, ...] = ("all labels",)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the scores as the user gave them."""
        return self.parts[0].dtype

    @property
    def n_items(self) -> int:
        """Number of pairs."""
        return sum(part.n_items * len(part.labels) for part in self.parts)

    @property
    def weighted(self) -> bool:
        """Whether counts are sums of weights (float64) and not of items (int64)."""
        return self.parts[0].weighted

    def blocks(self, *, check: bool = True) -> Iterator[Rows | Entries]:
        """Return the blocks, in item order."""
        for part in self.parts:
            yield from map(self._as_one_label, part.blocks(check=check))

    def to_count(self) -> Iterator[Rows | Entries]:
        """Return the blocks for counting, as large as they are without a copy; scores are not checked."""
        for part in self.parts:
            yield from map(self._as_one_label, part.to_count())

    def _as_one_label(self, block: Rows | Entries) -> Rows | Entries:
        if not isinstance(block, Rows):
            return block._replace(label=np.zeros_like(block.label))
        n_labels = block.scores.shape[1]
        weight = (
            np.repeat(block.weight, n_labels) if self.weighted else weights_of(None, slice(0, block.scores.size))
        )
        return Rows(block.scores.reshape(-1, 1), block.truth.reshape(-1, 1), weight)

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative pairs, (1,) each."""
        totals = [part.totals() for part in self.parts]
        return Totals(*(np.array([sum(t[k].sum() for t in totals)]) for k in range(2)))
