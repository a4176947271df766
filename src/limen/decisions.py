"""From scores to decisions, and the counts of decisions by label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import at_or_above
from limen.errors import InputError, count, examples
from limen.expected_f import ExpectedF
from limen.sources.arrays import CSR, UNKNOWN, as_scores, check_finite, check_finite_entries
from limen.sources.blocks import Entries, Rows, Source
from limen.sources.engines import engine_of
from limen.sources.frames import frame_to_array, is_frame
from limen.sources.raised import children_first, raised

THRESHOLD_RULE = ">="
CLOSED = "closed"
BY_ARGMAX = "argmax"
HALF = 0.5
"""The threshold that others are set beside."""


class Counts(NamedTuple):
    """Counts by label, int64 or (with weights) float64 (n_labels,)."""

    tp: NDArray[Any]
    pp: NDArray[Any]
    p: NDArray[Any]
    n: NDArray[Any]


def alike(here: NDArray[Any], there: NDArray[Any]) -> bool:
    """Return whether counts are the same; sums of weights may differ in the last bits by the order of adding."""
    return here.shape == there.shape and bool(np.allclose(here, there, rtol=1e-9, atol=0))


def check_rule(rule: str, n_labels: int) -> None:
    """Raise `InputError` unless ``rule`` is ``">="``, ``"top-k:K"``, ``"mcut"``, ``"argmax"`` or ``"closed:..."``.

    K and the numbers of labels must be possible, and ``"mcut"`` needs two labels. Or it is "expected-f", with a
    calibration of as many labels.
    """
    if isinstance(rule, ExpectedF) and rule.calibration.numbers.shape == (4, n_labels):
        return
    name, _, k = rule.partition(":")
    if name == CLOSED:
        closed_edges(rule, n_labels)
        return
    if rule in (THRESHOLD_RULE, BY_ARGMAX) or (rule == "mcut" and n_labels > 1):
        return
    if name == "top-k" and k.isascii() and k.isdigit() and 1 <= int(k[:9]) <= n_labels:
        return
    raise InputError(
        f"rule {rule!r} is unknown. It must be '>=', 'mcut', 'argmax', or 'top-k:K' with K from 1 to {n_labels}."
    )


def closed_edges(rule: str, n_labels: int) -> tuple[tuple[int, int], ...]:
    """Return the (parent, child) numbers of a rule ``"closed:CHILD>PARENT,..."``.

    Raises
    ------
    InputError
        If they are not numbers of labels, or run in a circle.
    """
    try:
        pairs = [tuple(map(int, pair.split(">"))) for pair in rule.partition(":")[2].split(",")]
        edges = tuple((parent, child) for child, parent in pairs)
        children_first(edges)
        if not all(0 <= k < n_labels for edge in edges for k in edge):
            raise ValueError("there is no such label")
    except ValueError as error:
        raise InputError(
            f"the rule {rule[:60]!r} is no closure: {error}. It must be 'closed:CHILD>PARENT,...' with numbers of "
            f"labels from 0 to {n_labels - 1}."
        ) from error
    return edges


def by_threshold(rule: str) -> bool:
    """Return whether a rule compares scores with a threshold for each label, closed under a hierarchy or not."""
    return rule == THRESHOLD_RULE or (not isinstance(rule, ExpectedF) and rule.startswith(CLOSED))


def counted_for(rule: str, n_labels: int) -> list[list[int]]:
    """Return, for each label, the numbers of the labels whose scores count for it: its own, and its descendants'.

    Examples
    --------
    >>> counted_for("closed:1>0,2>1", 3)
    [[0, 1, 2], [1, 2], [2]]
    """
    found = [[k] for k in range(n_labels)]
    if rule.startswith(CLOSED):
        for parent, child in children_first(closed_edges(rule, n_labels)):
            found[parent] += [k for k in found[child] if k not in found[parent]]
    return found


def rule_for(rule: str, order: NDArray[np.int64]) -> str:
    """Return the rule for labels that are those of these numbers, in this order.

    Examples
    --------
    >>> rule_for("closed:1>0,2>0", np.array([2, 1, 0]))
    'closed:1>2,0>2'
    """
    if isinstance(rule, ExpectedF):
        return rule.of_labels(order)
    if not rule.startswith(CLOSED):
        return rule
    place = np.argsort(order).tolist()
    edges = closed_edges(rule, len(order))
    return f"{CLOSED}:" + ",".join(f"{place[child]}>{place[parent]}" for parent, child in edges)


def values_by_label(given: Any, labels: Sequence[str], dtype: Any) -> NDArray[Any]:
    """Return one threshold for each label, in ``dtype`` (n_labels,).

    Parameters
    ----------
    given : number, array-like (n_labels,), or mapping from label name to number
    labels : sequence of n_labels str
    dtype : dtype of the scores

    Raises
    ------
    InputError
        If there is not one number for each label, or one is NaN.
    """
    if isinstance(given, Mapping):
        unknown, missing = set(given) - set(labels), [name for name in labels if name not in given]
        if unknown or missing:
            raise InputError(
                f"the thresholds name {examples(sorted(map(str, unknown))) or 'none'} beyond the labels, and lack "
                f"{examples(missing) or 'none'}. Give one for each label, by its name."
            )
        given = [given[name] for name in labels]
    values = np.asarray(given, np.float64)
    if values.ndim > 1 or (values.ndim and len(values) != len(labels)) or np.isnan(values).any():
        raise InputError(
            f"thresholds have shape {values.shape} for {count(len(labels), 'label')}. Give one number, or one for "
            "each label (+inf: never)."
        )
    return in_dtype(np.broadcast_to(values, len(labels)), dtype)


def in_dtype(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return thresholds in the dtype of the scores; beyond its range is "never" or its lowest number."""
    limits = np.finfo(dtype)
    inside = np.where(values > limits.max, np.inf, np.maximum(values, float(limits.min)))
    return inside.astype(dtype)


def rounded_up(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return thresholds (n_labels,), each the lowest number of ``dtype`` not below it; +inf above its range.

    Every score of that dtype is at or above the one exactly if it is at or above the other.
    """
    with np.errstate(over="ignore"):
        near = values.astype(dtype)
        up = np.nextafter(near, near.dtype.type(np.inf))
    wide = np.promote_types(values.dtype, near.dtype)
    return np.where(near.astype(wide) < values.astype(wide), up, near)


def decide(
    y_score: Any,
    labels: Sequence[str],
    values: NDArray[Any],
    rule: str = THRESHOLD_RULE,
    *,
    first_row: int = 0,
) -> Any:
    """Return which labels each item gets; shapes and errors are those of `limen.Thresholds.decide`."""
    if (engine := engine_of(y_score)) is not None:
        return engine.decide(y_score, tuple(labels), values, rule)
    frame = is_frame(y_score)
    scores = as_scores(frame_to_array(y_score, "y_score", only=labels)[1] if frame else y_score)
    if scores.shape[1] != len(labels):
        raise InputError(
            f"y_score has {count(scores.shape[1], 'column')}, the thresholds are for "
            f"{count(len(labels), 'label')} ({examples(labels, most=3)}). Columns must be the same labels in the "
            "same order."
        )
    if not isinstance(scores, CSR):
        check_finite(scores, labels, first_row)
        decisions = decide_rows(scores, values, rule)
        return decisions[:, 0] if np.ndim(y_score) == 1 else decisions
    check_finite_entries(scores, labels, first_row)
    row, label = scores.row_of_entries(), scores.indices.astype(np.int64)
    unknown = np.broadcast_to(np.int8(UNKNOWN), len(row))
    kept = decide_entries(Entries(scores.data, label, unknown, unknown, row), values, rule)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=scores.shape[0]))])
    parts = (np.ones(int(kept.sum()), bool), scores.indices[kept], indptr)
    if isinstance(y_score, CSR):
        return CSR(*parts, scores.shape)
    from scipy.sparse import csr_array

    return csr_array(parts, shape=scores.shape)


def decide_rows(scores: NDArray[Any], values: NDArray[Any], rule: str = THRESHOLD_RULE) -> NDArray[np.bool_]:
    """Return decisions (n_items, n_labels) for dense scores.

    ``"top-k:K"`` gives each item its K labels with the highest scores (the first of equals);
    ``"mcut"`` those above the largest gap of the item's sorted scores (Largeron 2012); ``"argmax"`` the one
    farthest above its threshold (the first of equals); `ExpectedF` the set with the largest expected F-beta.
    """
    if isinstance(rule, ExpectedF):
        return rule.decide(scores)
    if rule == THRESHOLD_RULE:
        return at_or_above(scores, values)
    if rule.startswith(CLOSED):
        return at_or_above(raised(scores, closed_edges(rule, len(values))), values)
    if rule == "mcut":
        rising = np.sort(scores.astype(np.float64), axis=1)
        with np.errstate(over="ignore"):  # only the largest gap can pass the largest number
            gap = np.diff(rising, axis=1)
        last_largest = gap.shape[1] - 1 - gap[:, ::-1].argmax(axis=1)
        lowest_kept = rising[np.arange(len(rising)), last_largest + 1]
        return at_or_above(scores, lowest_kept[:, np.newaxis])
    if rule == BY_ARGMAX:
        decisions = np.zeros(scores.shape, bool)
        decisions[np.arange(len(scores)), _farthest_above(scores, values)] = True
        return decisions & (values < np.inf)
    k = int(rule.partition(":")[2])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    decisions = np.zeros(scores.shape, bool)
    np.put_along_axis(decisions, order, True, axis=1)
    return decisions


def _farthest_above(scores: NDArray[Any], values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the column (n_items,) whose score is farthest above its threshold, the first of equals.

    The best scores of two thresholds are subtracted from each other, and their difference compared with that of
    the thresholds: both are exact for most numbers, where a score less its threshold is not.
    """
    every = np.arange(len(scores))
    best: NDArray[Any] | None = None
    for level in np.unique(values):
        columns = np.flatnonzero(values == level)
        at = columns[scores[:, columns].argmax(axis=1)]
        own, levels = scores[every, at].astype(np.float64), np.full(len(scores), float(level))
        if best is None:
            best, best_level, winner = own, levels, at
            continue
        if level == np.inf:
            break
        with np.errstate(over="ignore"):
            margin, gap = own - best, levels - best_level
        wins = (margin > gap) | ((margin == gap) & (at < winner))
        best, best_level = np.where(wins, own, best), np.where(wins, levels, best_level)
        winner = np.where(wins, at, winner)
    return np.asarray(winner)


def decide_entries(entries: Entries, values: NDArray[Any], rule: str = THRESHOLD_RULE) -> NDArray[np.bool_]:
    """Return decisions for stored scores; one that is not stored is never a tag."""
    if rule == THRESHOLD_RULE:
        return at_or_above(entries.scores, values[entries.label])
    if rule in ("mcut", BY_ARGMAX) or isinstance(rule, ExpectedF) or rule.startswith(CLOSED):
        raise InputError(
            f"the rule {str(rule).partition(':')[0]!r} looks at all scores of an item; sparse scores leave some "
            "out. Give dense scores."
        )
    order = np.lexsort((entries.label, -entries.scores, entries.row))
    row = entries.row[order]
    first = np.searchsorted(row, row)
    decisions = np.zeros(len(row), bool)
    decisions[order] = np.arange(len(row)) - first < int(rule.partition(":")[2])
    return decisions


def count_decisions(
    sources: Iterable[Source], values: NDArray[Any], rule: str = THRESHOLD_RULE, *, check: bool = True
) -> Counts:
    """Return the counts by label of the decisions on sources: one pass over the data."""
    sources = tuple(sources)
    blocks = (block for source in sources for block in source.blocks(check=check))
    return counted((decided_in(block, values, rule) for block in blocks), sources)


def decided_in(block: Rows | Entries, values: NDArray[Any], rule: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the correct tags and the tags given in a block, by label (n_labels,)."""
    if isinstance(block, Rows):
        decisions = decide_rows(block.scores, values, rule)
        right = decisions & (block.truth == 1)
        decisions &= block.truth >= 0
        return _by_column(right, block.weight), _by_column(decisions, block.weight)
    decisions = decide_entries(block, values, rule) & (block.truth >= 0)
    exact, hits = block.weight.dtype, decisions & (block.truth == 1)
    tp, pp = (
        np.bincount(block.label, block.weight * some, len(values)).astype(exact) for some in (hits, decisions)
    )
    return tp, pp


def counted(tags: Iterable[tuple[NDArray[Any], NDArray[Any]]], sources: Iterable[Source]) -> Counts:
    """Return the counts of the decisions on sources, from the correct tags and the tags given in parts of them."""
    tp: Any = 0
    pp: Any = 0
    for right, given in tags:
        tp, pp = tp + right, pp + given
    totals = [source.totals() for source in sources]
    positive, known = (sum(getattr(part, name) for part in totals) for name in ("positive", "known"))
    if np.asarray(positive).dtype == np.float64:
        # Sums of the same weights in another order differ in the last bits; shares must not pass 1.
        fp = np.minimum(pp - tp, known - positive)
        tp = np.minimum(tp, positive)
        pp = tp + np.maximum(fp, 0)
    return Counts(tp, pp, positive, known)


def _by_column(decisions: NDArray[np.bool_], weight: NDArray[Any]) -> NDArray[Any]:
    if weight.dtype == np.float64:
        return np.asarray(weight @ decisions)
    return np.asarray(np.count_nonzero(decisions, axis=0))
