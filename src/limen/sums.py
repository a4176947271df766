"""What an objective is a function of, summed over the decisions on sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.decisions import count_decisions, decide_entries, decide_rows
from limen.errors import UnsupportedError
from limen.objectives import Objective
from limen.sources.blocks import Rows, Source
from limen.sources.taken import pairs_together

Sums = tuple[NDArray[Any], ...]


def sums_of(
    objective: Objective, sources: Iterable[Source], values: NDArray[Any], rule: str = ">=", *, check: bool = True
) -> Sums:
    """Return what the objective is a function of, for decisions by thresholds and a rule: one pass over the data.

    Counts by label; or, if it needs items, the sums above and below the line; or labels and decisions (bool).
    """
    if not objective.needs_items:
        return count_decisions(sources, values, rule, check=check)
    parts: list[Sums] = []
    for source in sources:
        if check:
            for _ in source.blocks(check=True):
                pass
        if objective.additive:
            for counted in counted_items([(source, values, rule)]):
                above, below = objective.of_items(*counted.counts)
                parts.append(((above * counted.weight).sum(), (below * counted.weight).sum()))
            continue
        for dense in source.dense_blocks():
            parts.append(_decisions_of(objective, dense, decided(dense, values, rule)))
    return joined(objective, parts)


class ItemCounts(NamedTuple):
    """Number of a part, of some of its rows, tp, pp, p and n of these over known labels, and their weight."""

    part: int
    rows: NDArray[np.int64]
    counts: tuple[NDArray[np.int64], ...]
    weight: NDArray[Any]


def counted_items(parts: Sequence[tuple[Source, NDArray[Any], str]]) -> Iterator[ItemCounts]:
    """Return the counts of the decisions on each item of parts, sources with thresholds and a rule each.

    Parts of one source are read in one pass; scores are not checked.
    """
    for number, rows, block, weight in pairs_together([source for source, _, _ in parts]):
        source, values, rule = parts[number]
        if isinstance(block, Rows):
            yield ItemCounts(number, rows, item_counts(block, decided(block, values, rule)), weight)
            continue
        given = decide_entries(block, values, rule) & (block.scores > -np.inf)
        true = block.truth == 1
        flags = (given & true, given & (block.truth >= 0), true, block.truth < 0)
        tp, pp, p, unknown = (np.bincount(block.row[flag], minlength=len(rows)) for flag in flags)
        yield ItemCounts(number, rows, (tp, pp, p, len(source.labels) - unknown), weight)


def decided(block: Rows, values: NDArray[Any], rule: str) -> NDArray[np.bool_]:
    """Return the decisions on a dense block; a score that is not stored gives no label."""
    return decide_rows(block.scores, values, rule) & (block.scores > -np.inf)


def _decisions_of(objective: Objective, block: Rows, decisions: NDArray[np.bool_]) -> Sums:
    """Return what a function of decisions needs of a block."""
    if (block.truth < 0).any() or (block.weight != 1).any():
        raise UnsupportedError(
            f"{objective} is a function of decisions, which knows of no weights and no unknown labels. Leave them "
            "out, or use a metric of counts."
        )
    return block.truth == 1, decisions


def of_items(
    objective: Objective, block: Rows, decisions: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each item of a block adds above and below the line, times its weight, (n_items,) each."""
    tp, pp, p, n = item_counts(block, decisions)
    above, below = objective.of_items(tp, pp, p, n)
    return above * block.weight, below * block.weight


def item_counts(block: Rows, decisions: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """Return tp, pp, p and n of each item over its known labels, (n_items,) each."""
    known, true = block.truth >= 0, block.truth == 1
    flags = decisions & true, decisions & known, true, known
    return tuple(np.count_nonzero(flag, axis=1) for flag in flags)


def joined(objective: Objective, parts: Sequence[Sums]) -> Sums:
    """Return the sums of several parts of the data together."""
    join = np.add.reduce if objective.additive else np.concatenate
    return tuple(join(part) for part in zip(*parts, strict=True))
