"""How many items must be checked before something can be promised."""

from __future__ import annotations

from limen.errors import InputError
from limen.guarantees.binomial import FIRST

MOST = 10_000_000


def needed(
    *,
    precision: float | None = None,
    recall: float | None = None,
    false_positive_rate: float | None = None,
    seen: float | None = None,
    confidence: float = 0.95,
    n_labels: int = 1,
) -> int:
    """Return how many checked detections, positives or negatives a promise for one of ``n_labels`` labels needs.

    Parameters
    ----------
    precision, recall, false_positive_rate : float
        One of them: what is to be promised. Detections are counted for precision, positives for recall,
        negatives for the false-positive rate.
    seen : float, optional
        The share that comes out at the cut, better than what is promised; if left out, the best possible: no
        mistake at all.
    confidence : float
    n_labels : int
        Labels among which the error is shared.

    Raises
    ------
    InputError
        If not one of the three is given, or ``seen`` is not better than it.

    Examples
    --------
    >>> needed(precision=0.9), needed(precision=0.9, seen=0.95), needed(precision=0.9, n_labels=100)
    (36, 114, 79)
    >>> needed(recall=0.9), needed(false_positive_rate=0.01)
    (29, 299)
    """
    given = {
        kind: share
        for kind, share in (
            ("precision", precision),
            ("recall", recall),
            ("false_positive_rate", false_positive_rate),
        )
        if share is not None
    }
    if len(given) != 1:
        raise InputError(
            f"needed() got {len(given)} promises. Give one of precision, recall, false_positive_rate."
        )
    ((kind, share),) = given.items()
    if not 0 < share < 1 or not 0 < confidence < 1 or n_labels < 1:
        raise InputError(
            f"{kind}={share} with confidence={confidence} for {n_labels} labels cannot be promised. Shares and "
            "confidence lie between 0 and 1."
        )
    if kind == "false_positive_rate":
        share, seen = 1 - share, None if seen is None else 1 - seen
    seen = 1.0 if seen is None else seen
    if not share < seen <= 1:
        raise InputError(f"seen is not better than the promise of {kind}. Nothing can be promised at such a cut.")
    level = (1 - confidence) / n_labels * (FIRST if kind == "precision" else 1.0)
    return smallest(share, seen, level)


def smallest(share: float, seen: float, level: float) -> int:
    """Return the smallest number of which a part ``seen``, rounded down, proves a ``share`` at a level.

    It is at most `MOST`.
    """
    from limen._kernels import bounds

    return int(bounds.smallest(share, seen, level, MOST))
