"""Promises of events: settings and cuts that some recordings choose, tested by bets on the others."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen import objectives
from limen.curves import Curves
from limen.decisions import Counts
from limen.draws import as_seed
from limen.errors import InputError, LimenWarning, count, examples
from limen.events.curves import Progress, checked_references, event_curves, low_thresholds
from limen.events.matching import COLLAR, Criterion, as_criterion
from limen.events.paths import Counted, Paths, counted_on, paths_of
from limen.events.problem import check_objective, check_positive
from limen.events.promise import EventPromise
from limen.events.proving import Proven, proven
from limen.events.recordings import Events, FrameScores
from limen.events.settings import Setting, as_settings
from limen.events.thresholds import EventThresholds
from limen.events.tuning import folds_of, in_order
from limen.folds import as_groups
from limen.guarantees.betting import dealt_units
from limen.metrics import Metric
from limen.objectives import Objective
from limen.promises import PERS, most_of
from limen.scales import kind_in
from limen.solvers import EXACT
from limen.solvers.base import Problem
from limen.sources.candidates import Candidates
from limen.thresholds import now

SERVED = {"precision": "recall", "recall": "precision", "false_per_hour": "recall"}
"""What is made large among the cuts that keep a promise, unless a metric is asked for."""


def guarantee(
    scores: FrameScores,
    events: Events,
    *,
    precision: float | None = None,
    recall: float | None = None,
    false_per_hour: float | None = None,
    per: Literal["label", "all"] = "label",
    confidence: float = 0.95,
    correction: str | Mapping[str, float] = "holm",
    infeasible: Literal["never", "refuse"] = "never",
    criterion: Criterion | str = COLLAR,
    settings: Setting | Sequence[Setting] | None = None,
    metric: str | dict[str, Any] | Metric | None = None,
    average: str | None = None,
    groups: Mapping[str, Any] | Sequence[Any] | None = None,
    zero_division: float = 0.0,
    fit: float = 0.3,
    random_state: Any = 0,
    progress: Progress | None = None,
) -> EventThresholds:
    """Return settings and thresholds that keep a promise on new recordings, with a stated confidence.

    Parameters
    ----------
    scores : FrameScores
    events : Events
    precision, recall : float between 0 and 1, optional
        Of the events given, at least this share is right; of the events there are, at least this share is found.
    false_per_hour : float above 0, optional
        At most so many wrong events in an hour of recordings. Of several promises, all are kept at once.
    per : {"label", "all"}
        Each label by itself, or the events of all labels together.
    confidence : float between 0 and 1
        Share of sets of recordings for which the promises of all labels hold at once.
    correction : {"holm", "bonferroni", "none"} or mapping from label to float
        How the error is shared among labels, as in `limen.guarantee`.
    infeasible : {"never", "refuse"}
        A label of which nothing can be promised is never given, with a warning that says why; or that is an error.
    criterion, settings
        As in `tune`.
    metric, average : optional
        What to make large among the cuts that keep the promise; if left out, recall for a promise of precision or
        of false events, precision for one of recall, and F1 for several.
    groups : mapping from recording to group, or sequence in the order of ``scores.names``, optional
        Groups are independent, the recordings of one are not. Without it, recordings are.
    zero_division : float
    fit : float between 0 and 1
        Share of the units that only choose settings, cuts and stakes.
    random_state : int from 0, None or numpy Generator
        Seed that deals the units.
    progress : callable ``(step, steps)``, optional

    Returns
    -------
    EventThresholds
        Their ``promise`` says what is promised; ``details["not_promised"]`` says why not, by label.

    Raises
    ------
    InputError
        If the data or an argument break a rule, or nothing can be promised and ``infeasible`` is "refuse".
    UnsupportedError
        If counts of events do not decide the metric.

    Warns
    -----
    LimenWarning
        Once, naming the labels of which nothing can be promised.

    Notes
    -----
    Units (recordings, or groups of them) are taken to be drawn independently from what new ones come from;
    nothing is assumed of the events within one, nor that counts rise as a threshold falls. The fitted units choose
    one setting and a list of cuts for each label, or of vectors for all; the others test these in that order,
    until one fails, by bets. See docs/theory/events.md.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> recordings = {f"r{i}": rng.normal(-3, 1, (50, 1)) for i in range(120)}
    >>> for own in recordings.values():
    ...     own[20:30] += 6
    >>> scores = FrameScores(("dog",), recordings, 0.1)
    >>> events = Events.from_rows([(name, 2.0, 3.0, "dog") for name in recordings])
    >>> print(guarantee(scores, events, precision=0.8, settings=Setting(median=0.3)).promise.said())
    precision of at least 80.0 % for each of 1 label, with confidence 95.0 %
    """
    asked = _asked(precision, recall, false_per_hour)
    _check(per, confidence, infeasible, fit)
    seed, criterion, settings = as_seed(random_state), as_criterion(criterion), as_settings(settings)
    served = metric if metric is not None else "f1" if len(asked) > 1 else SERVED[next(iter(asked))]
    over = average if average is not None else "micro" if per == "all" else "macro"
    objective = objectives.objective(served, over, zero_division)
    number = as_groups(in_order(groups, scores.names), len(scores.names))
    unit = np.arange(len(scores.names)) if number is None else number
    references = checked_references(scores, events)
    fitted = _fitted(unit, fit, seed)
    own = np.flatnonzero(fitted[unit])
    some = scores.take([scores.names[r] for r in own])
    folds = folds_of(some.names, None if number is None else np.unique(number[own], return_inverse=True)[1], seed)
    curves = event_curves(some, references.take(some.names), settings, criterion, parts=folds, progress=progress)
    check_objective(objective, curves)
    kind = kind_in(np.array(scores.extremes))
    paths = paths_of(curves, per == "all")
    counted = counted_on(scores, references, paths, criterion, kind, (unit, fitted))
    check_positive(counted.p)
    of_rows = counted.together if paths.pooled else counted
    rows = ("all labels",) if paths.pooled else scores.labels
    found = proven(of_rows, paths.size, rows, asked, confidence, "none" if paths.pooled else correction)
    if found.why and infeasible == "refuse":
        name, reason = next(iter(found.why.items()))
        raise InputError(
            f"nothing can be promised of {examples(found.why)}. {name}: {reason}. Ask for less, annotate more "
            "recordings, or use infeasible='never', which never gives such labels."
        )
    at = _best(found.kept, of_rows, objective)
    can = at >= 0
    promise = EventPromise(
        asked=asked,
        per=per,
        labels=(scores.labels if can[0] else ())
        if paths.pooled
        else tuple(name for name, one in zip(rows, can, strict=True) if one),
        confidence=float(confidence),
        correction="none" if paths.pooled else "by share" if isinstance(correction, Mapping) else correction,
        bound="betting",
        units="recordings" if number is None else "groups",
        weighted=False,
        n_items=len(scores.names),
        n_units=len(fitted),
        n_fitted=int(fitted.sum()),
        largest=found.largest(at) if can.any() else {},
    )
    if found.why:
        _warn(found.why, paths.pooled)
    return _made(scores, Made(paths, counted, objective, criterion, kind), at, promise, found)


def _asked(precision: Any, recall: Any, false_per_hour: Any) -> dict[str, float]:
    given = {"precision": precision, "recall": recall, "false_per_hour": false_per_hour}
    asked = {kind: share for kind, share in given.items() if share is not None}
    if not asked:
        raise InputError("nothing is asked for. Give precision, recall or false_per_hour.")
    for kind, share in asked.items():
        such = (
            "a number above 0, such as 2" if kind == "false_per_hour" else "a share between 0 and 1, such as 0.9"
        )
        whole = isinstance(share, int | float | np.number) and not isinstance(share, bool)
        if not (whole and 0 < share < most_of(kind)):
            raise InputError(f"{kind}={share!r} cannot be promised. Give {such}.")
    return {kind: float(share) for kind, share in asked.items()}


def _check(per: Any, confidence: Any, infeasible: Any, fit: Any) -> None:
    if per not in PERS:
        raise InputError(f"per={per!r} is unknown. Use 'label' or 'all'.")
    if infeasible not in ("never", "refuse"):
        raise InputError(f"infeasible={infeasible!r} is unknown. Use 'never' or 'refuse'.")
    for name, share in (("confidence", confidence), ("fit", fit)):
        if not isinstance(share, int | float | np.number) or not 0 < share < 1:
            raise InputError(f"{name}={share!r} is not usable. Give a number between 0 and 1.")


def _fitted(unit: NDArray[np.int64], fit: float, seed: int) -> NDArray[np.bool_]:
    """Return which units choose what is tested, (n_units,)."""
    n_units = int(unit.max()) + 1
    if n_units < 2:
        raise InputError(
            "there is one recording. Some choose what is tested, and others test it: give more recordings."
        )
    fitted, _ = dealt_units(np.arange(n_units), n_units, fit, seed)
    return np.asarray(fitted.unit >= 0)


def _best(kept: NDArray[np.bool_], counted: Counted, objective: Objective) -> NDArray[np.int64]:
    """Return the member of each row that serves best among those kept (n_rows,); -1 where none is."""
    tp, pp = (part.sum(axis=2).astype(np.float64) for part in (counted.tp, counted.pp))
    p, n = counted.p.sum(axis=1), counted.n
    parts, members = [], []
    for k, own in enumerate(kept):
        some = np.flatnonzero(own)
        # Where something can be promised it is given.
        start = [] if len(some) else [-1]
        order = some[np.lexsort((-tp[k, some], pp[k, some]))]
        members.append(np.concatenate([start, order]).astype(np.int64))
        parts.append([np.concatenate([np.zeros(len(start)), part[k, order]]) for part in (tp, pp)])
    if len(kept) == 1 and counted.p.shape[0] == 1 and objective.average == "micro":
        values = objective.metric(parts[0][0], parts[0][1], p[0], n[0], objective.zero_division)
        return members[0][[int(np.argmax(values))]]
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in members])])
    right, given = (np.concatenate([part[i] for part in parts]) for i in range(2))
    n = np.maximum(n, p + np.maximum.reduceat(given, offsets[:-1]))
    names = tuple(map(str, range(len(members))))
    candidates = Candidates(names, np.dtype(np.float64), offsets, -np.arange(len(right), dtype=np.float64))
    curves = Curves(candidates, right, given - right, np.full(len(right), -np.inf), p, n, 1)
    index = EXACT[objective.structure]().solve(Problem(objective, (), curves)).index
    assert index is not None
    return np.concatenate(members)[index]


@dataclass(frozen=True)
class Made:
    """What the artefact is made of."""

    paths: Paths
    counted: Counted
    objective: Objective
    criterion: Criterion
    kind: Any


def _made(
    scores: FrameScores, of: Made, at: NDArray[np.int64], promise: EventPromise, found: Proven
) -> EventThresholds:
    """Return the artefact; its counts are those of all recordings."""
    import limen

    paths, counted, k = of.paths, of.counted, np.arange(scores.n_labels)
    member = np.broadcast_to(at, k.shape)
    never = member < 0
    high = np.where(never, np.inf, paths.thresholds[k, member])
    tp, pp = (
        np.where(never, 0, part.sum(axis=2)[k, member]).astype(np.int64) for part in (counted.tp, counted.pp)
    )
    counts = Counts(tp, pp, counted.p.sum(axis=1), counted.n)
    state = hashlib.sha256(repr((scores.labels, scores.names, paths.settings, of.criterion)).encode())
    for array in (paths.thresholds, counted.tp, counted.pp, counted.p):
        state.update(np.ascontiguousarray(array).tobytes())
    can = bool(promise.labels)
    return EventThresholds(
        labels=scores.labels,
        settings=paths.settings,
        thresholds=high,
        low=low_thresholds(high, paths.settings, of.kind),
        criterion=of.criterion,
        metric=of.objective.metric,
        average=of.objective.average,
        zero_division=of.objective.zero_division,
        method="guarantee",
        status="local" if can else "infeasible",
        reason="the best of the cuts tested that keep the promise" if can else "nothing can be promised",
        value=float(of.objective(*counts)),
        upper_bound=None,
        counts=counts,
        scale=of.kind,
        score_dtype=str(scores.dtype),
        frame_seconds=scores.frame_seconds,
        n_recordings=len(scores.names),
        hours=scores.hours,
        digest="sha256:" + state.hexdigest()[:32],
        created=now(),
        versions={"limen": limen.__version__, "numpy": np.__version__},
        promise=promise,
        details={"n_tested": int(paths.size.sum()), **({"not_promised": found.why} if found.why else {})},
    )


def _warn(why: dict[str, str], pooled: bool) -> None:
    said = "; ".join(f"{name}: {text}" for name, text in list(why.items())[:3])
    more = f"; and {len(why) - 3} more" if len(why) > 3 else ""
    of = "the events of all labels together" if pooled else count(len(why), "label")
    warnings.warn(f"nothing can be promised of {of}, never given then. {said}{more}.", LimenWarning, stacklevel=3)
