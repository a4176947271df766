"""What an objective is a function of, summed over the decisions on sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.decisions import count_decisions, decide_rows
from limen.errors import UnsupportedError
from limen.objectives import Objective
from limen.sources.blocks import Rows, Source

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
        for block in source.dense_blocks():
            parts.append(sums_of_block(objective, block, decided(block, values, rule)))
    return joined(objective, parts)


def decided(block: Rows, values: NDArray[Any], rule: str) -> NDArray[np.bool_]:
    """Return the decisions on a dense block; a score that is not stored gives no label."""
    return decide_rows(block.scores, values, rule) & (block.scores > -np.inf)


def sums_of_block(objective: Objective, block: Rows, decisions: NDArray[np.bool_]) -> Sums:
    """Return the sums of decisions on a block."""
    if objective.additive:
        return tuple(part.sum() for part in of_items(objective, block, decisions))
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
