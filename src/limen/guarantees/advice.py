"""Why nothing can be promised of a label, and what would do."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.decisions import Counts
from limen.errors import count, percent
from limen.guarantees.binomial import FIRST
from limen.guarantees.planning import smallest
from limen.promises import KINDS, numbers

CAUTION, FEWEST, TRIED = 0.25, 5, 3
"""What a cut reached is taken to be nearer by this part to what is promised, and to say nothing if it keeps fewer
than so many; so many cuts are looked at closely."""

NONE_FOUND = "no positive among its items: it must be found first"


def reasons(
    curves: Curves, without: NDArray[np.bool_], asked: dict[str, float], level: NDArray[np.float64], bound: str
) -> dict[str, str]:
    """Return, for each label of ``without``, why nothing can be promised of it and what would do."""
    found = {}
    for k in np.flatnonzero(without).tolist():
        error = float(level[k]) or 0.05
        texts = [_reason(curves, k, kind, share, error) for kind, share in asked.items()]
        said = "; ".join(text for text in texts if text) or _of_no_cut(curves, k, asked)
        about = " (reckoned without groups and weights)" if bound == "betting" and " more" in said else ""
        found[curves.labels[k]] = said + about
    return found


def _of_no_cut(curves: Curves, k: int, asked: dict[str, float]) -> str:
    if not curves.n_positive[k]:
        return NONE_FOUND
    if len(asked) > 1:
        return "no cut keeps all that is promised at once"
    ((kind, share),) = asked.items()
    return f"no cut keeps a {KINDS[kind]} of {percent(share)} with this confidence"


def _reason(curves: Curves, k: int, kind: str, share: float, level: float) -> str:
    positive, known = curves.n_positive[k], curves.n_known[k]
    if not known:
        return "no item says anything about it"
    if kind == "recall":
        more = math.ceil(math.log(level) / math.log(share) - 1e-9) - positive
        return f"{count(round(positive), 'positive')}; {math.ceil(more)} more would do" if more > 0 else ""
    if kind == "false_positive_rate":
        negative = known - positive
        more = math.ceil(math.log(level) / math.log1p(-share) - 1e-9) - negative
        return f"{count(round(negative), 'negative')}; {math.ceil(more)} more would do" if more > 0 else ""
    if not positive:
        return NONE_FOUND
    span = slice(int(curves.offsets[k]) + 1, int(curves.offsets[k + 1]))
    tp, pp = curves.tp[span].astype(np.float64), curves.pp[span].astype(np.float64)
    tp, pp = tp[pp > 0], pp[pp > 0]  # weights may be 0
    if not len(tp):
        return f"{count(round(positive), 'positive')}, none of them in the part that chooses the cuts: find more"
    seen = share + (1 - CAUTION) * (tp / pp - share)
    distance = np.where((seen > share) & (pp >= FEWEST), (seen - share) ** 2 * pp, 0.0)
    if not distance.any():
        best = int((tp / pp).argmax())
        if tp[best] == pp[best]:
            fewest = smallest(share, 1.0, level * FIRST)
            return f"the best cut gives {pp[best]:g}, all of them right; {fewest} right ones would do"
        reached = f"{percent(tp[best] / pp[best])} ({tp[best]:g} of {pp[best]:g})"
        return f"the best cut reaches a {KINDS[kind]} of {reached}"
    tried = np.argsort(-distance, kind="stable")[:TRIED]
    times = [smallest(share, float(seen[j]), level * FIRST) / pp[j] for j in tried if distance[j] > 0]
    more = math.ceil(max(min(times) - 1, 0) * known)
    if not more:
        return "too few of the strictest cuts' items are right to begin with"
    have = f"{count(round(positive), 'positive')} among {count(round(known), 'item')}"
    return f"{have}; about {count(more, 'more checked item')} would do"


def reached(
    asked: dict[str, float], tp: NDArray[np.float64], fp: NDArray[np.float64], totals: NDArray[np.float64]
) -> str:
    """Return how near the members of a family come to what is promised of all tags together.

    ``tp`` and ``fp`` (n_members,) are counted on all items; ``totals`` are positives and negatives.
    """
    said = []
    for kind, share in asked.items():
        right, of = numbers(kind, Counts(tp, tp + fp, np.full(len(tp), totals[0]), np.full(len(tp), totals.sum())))
        some = np.flatnonzero(of > 0)
        if not len(some):
            said.append(f"no item says anything about its {KINDS[kind]}")
            continue
        ratio = right[some] / of[some]
        best = some[ratio.argmin() if kind == "false_positive_rate" else ratio.argmax()]
        number = f"{percent(right[best] / of[best])} ({right[best]:g} of {of[best]:g})"
        said.append(
            f"the best vector tested has a {KINDS[kind]} of {number}, not enough to promise {percent(share)}"
        )
    return "; ".join(said)
