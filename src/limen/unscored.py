"""Positives without a score: below the floor from which a system stores scores, no threshold finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limen.errors import percent

if TYPE_CHECKING:
    from limen.curves import Curves

LEAST = 1e-9
"""Sums of weights are rounded: a smaller share is none."""


def unscored(curves: Curves) -> dict[str, Any]:
    """Return how many positives have no score, of how many, and in how many labels; nothing if all have one.

    Recall counts them as missed. Curves that lack candidates do not tell.

    Examples
    --------
    >>> import limen
    >>> from limen.sources.arrays import CSR
    >>> import numpy as np
    >>> scores = CSR(np.array([0.9, 0.4]), np.array([0, 0]), np.array([0, 1, 2, 2]), (3, 1))
    >>> unscored(limen.Curves.from_arrays([[1], [0], [1]], scores))
    {'positives': 1, 'of': 2, 'labels': 1}
    """
    if not curves.complete:
        return {}
    positive = curves.n_positive
    missing = positive - curves.tp[curves.offsets[1:] - 1]
    lacking = missing > LEAST * positive
    if not lacking.any():
        return {}
    number, total = missing[lacking].sum().item(), positive.sum().item()
    return {"positives": number, "of": total, "labels": int(lacking.sum())}


def said_unscored(found: object) -> str:
    """Return what `unscored` found, as a sentence; nothing for nothing.

    Examples
    --------
    >>> said_unscored({"positives": 1, "of": 2, "labels": 1})[:50]
    '1 of 2 positives (50.0 %, in 1 label) have no scor'
    """
    if not isinstance(found, dict):
        return ""
    number, total, labels = (found.get(key) for key in ("positives", "of", "labels"))
    if not all(isinstance(one, (int, float)) and one > 0 for one in (number, total, labels)):
        return ""
    where = f"{percent(number / total)}, in {labels} label{'' if labels == 1 else 's'}"  # type: ignore[operator]
    return (
        f"{number:g} of {total:g} positives ({where}) have no score: they were not stored, so they lie below "
        "every cut. No threshold finds them, and recall counts them as missed"
    )
