"""The front door: from labelled scores to thresholds that keep a promise."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen import objectives
from limen.curves import Curves, Placement
from limen.data import Data, as_data
from limen.draws import as_seed
from limen.errors import InputError, LimenWarning, UnsupportedError, count, examples
from limen.guarantees import betting, binomial, pooled
from limen.guarantees.advice import reached, reasons
from limen.guarantees.sharing import Kept, Shared, shared_by, walked_all
from limen.metrics import Metric
from limen.promises import KINDS, PERS, Promise
from limen.solvers.base import Problem
from limen.solvers.exact import EXACT
from limen.solvers.solution import Solution
from limen.sources.candidates import Candidates
from limen.thresholds import Thresholds
from limen.tuning import make_thresholds

Correction = Literal["holm", "bonferroni", "none"]
SERVED = {"precision": "recall", "recall": "precision", "false_positive_rate": "recall"}
"""What is made large among the cuts that keep a promise, unless a metric is asked for."""


@dataclass
class Found:
    """Cuts that keep everything promised, and how that is known.

    Attributes
    ----------
    curves : Curves
    kept : bool (n_candidates,)
    placement : {"midpoint", "score"}
        Where the threshold may lie.
    bound : str
    level : float64 (n_labels,)
        Error that each label had.
    n_fitted : int
        Units that only chose which cuts to test.
    largest : dict of float64 (n_candidates,)
        For each promise by betting the size beyond which a unit counts as if it held so much.
    """

    curves: Curves
    kept: NDArray[np.bool_]
    placement: Placement
    bound: str
    level: NDArray[np.float64]
    n_fitted: int = 0
    largest: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def guarantee(
    y_true: Any,
    y_score: Any = None,
    *,
    precision: float | None = None,
    recall: float | None = None,
    false_positive_rate: float | None = None,
    per: Literal["label", "all"] = "label",
    confidence: float | None = 0.95,
    correction: Correction | Mapping[str, float] = "holm",
    infeasible: Literal["never", "refuse"] = "never",
    metric: str | dict[str, Any] | Metric | None = None,
    average: str | None = None,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    zero_division: float = 0.0,
    placement: Placement = "midpoint",
    groups: Any = None,
    fit: float = 0.3,
    random_state: Any = 0,
) -> Thresholds:
    """Return thresholds that keep a promise on new data, with a stated confidence.

    Parameters
    ----------
    y_true, y_score, labels, sample_weight, mask
        As in `limen.tune`. Items without any known label, and labels without an item, are allowed.
    precision, recall : float between 0 and 1, optional
        At least this much.
    false_positive_rate : float between 0 and 1, optional
        At most this much. Of several promises, all are kept at once.
    per : {"label", "all"}
        Each label by itself; or the tags of all labels together, by one walk along the frontier.
    confidence : float between 0 and 1, or None
        Share of calibration data for which the promises of all labels hold at once. None: the promise holds in
        expectation (conformal risk control; recall and false-positive rate only, the mean over items if ``per``
        is "all").
    correction : {"holm", "bonferroni", "none"} or mapping from label to float
        How the error is shared among labels. Numbers are shares for labels that matter more (others have 1). With
        "none" each promise has the confidence by itself.
    infeasible : {"never", "refuse"}
        A label of which nothing can be promised is never given, with a warning that says what would do; or that
        is an error.
    metric, average : optional
        What to make large among the cuts that keep the promise; if left out, recall for a promise of precision or
        false-positive rate, precision for one of recall, and F1 for both.
    placement : {"midpoint", "score"}
        As in `limen.tune`, where the bounds are exact; betting bounds are for the score itself.
    groups : array-like (n_items,), optional
        Group of each item, such as its recording: groups are independent, items of one are not.
    fit : float between 0 and 1
        Share of the units that only choose which cuts to test, where bounds are by betting (with groups or
        weights) or ``per`` is "all".
    random_state : int from 0, None or numpy Generator
        Seed that deals these units.

    Returns
    -------
    Thresholds
        Their ``promise`` says what is promised; ``details["not_promised"]`` says why not, by label.

    Raises
    ------
    InputError
        If the data or an argument break a rule, or nothing can be promised of a label and ``infeasible`` is
        "refuse".
    UnsupportedError
        If the promise cannot be made in the way asked for.

    Warns
    -----
    LimenWarning
        Once, naming the labels of which nothing can be promised.

    Notes
    -----
    Items (or groups) are taken to be drawn independently from what new data come from; nothing is assumed of the
    scores. See `docs/theory/guarantees.md` for the proofs.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.random((2000, 1)) < 0.3
    >>> t = guarantee(truth, rng.normal(2.0 * truth), precision=0.9, labels=["owl"])
    >>> print(t.promise.said())
    precision of at least 90.0 % for each of 1 label, with confidence 95.0 %
    """
    asked = _asked(precision, recall, false_positive_rate)
    _check(per, confidence, infeasible, fit, asked)
    seed = as_seed(random_state)
    if isinstance(y_true, Curves):
        raise InputError("a guarantee needs the scores and labels themselves. Give them, not curves.")
    data = as_data(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask, groups=groups)
    served = metric if metric is not None else "f1" if len(asked) > 1 else SERVED[next(iter(asked))]
    over = average if average is not None else "micro" if per == "all" else "macro"
    objective = objectives.objective(served, over, zero_division)
    objective.check_labels(len(data.labels))
    if objective.needs_items:
        raise UnsupportedError(
            f"a promise is made of the counts of labels, and {objective.noun} is no function of them. Use the "
            'average "micro", "macro" or "weighted".'
        )
    problem = Problem.of(objective, data, seed)
    known = problem.curves.n_known > 0
    shared = shared_by(correction, data.labels, known, confidence)
    units = data.groups is not None or data.source.weighted
    if confidence is None and (units or "precision" in asked):
        raise UnsupportedError(
            "a promise in expectation (confidence=None) is for recall or false-positive rate of items without "
            "weights and groups: precision need not fall as the cut does. Give a confidence, such as 0.95."
        )
    if per == "all":
        return _pooled(problem, data, asked, confidence, infeasible, fit, seed)
    if confidence is None:
        found = _expected(problem, asked)
    else:
        found = _bet(problem, data, asked, shared, fit, seed) if units else _exact(problem, asked, shared)
    return _chosen(problem, data, found, asked, confidence, correction, infeasible, placement)


def _asked(precision: Any, recall: Any, false_positive_rate: Any) -> dict[str, float]:
    given = dict(zip(KINDS, (precision, recall, false_positive_rate), strict=True))
    asked = {kind: share for kind, share in given.items() if share is not None}
    if not asked:
        raise InputError("nothing is asked for. Give precision, recall or false_positive_rate.")
    for kind, share in asked.items():
        if not isinstance(share, int | float | np.number) or not 0 < share < 1:
            raise InputError(f"{kind}={share!r} cannot be promised. Give a share between 0 and 1, such as 0.9.")
    return {kind: float(share) for kind, share in asked.items()}


def _check(per: Any, confidence: Any, infeasible: Any, fit: Any, asked: dict[str, float]) -> None:
    if per not in PERS:
        raise InputError(f"per={per!r} is unknown. Use 'label' or 'all'.")
    if infeasible not in ("never", "refuse"):
        raise InputError(f"infeasible={infeasible!r} is unknown. Use 'never' or 'refuse'.")
    for name, share in (("confidence", confidence), ("fit", fit)):
        if share is None and name == "confidence":
            continue
        if not isinstance(share, int | float | np.number) or not 0 < share < 1:
            raise InputError(f"{name}={share!r} is not usable. Give a number between 0 and 1.")


def _exact(problem: Problem, asked: dict[str, float], shared: Shared) -> Found:
    curves = problem.curves
    cuts = binomial.Cuts.of(curves) if "precision" in asked else None
    none_yet = np.zeros(curves.n_labels, bool)
    first = shared.levels(none_yet) / len(asked)

    def test(levels: NDArray[np.float64]) -> list[Kept]:
        found = []
        for kind, share in asked.items():
            if kind == "precision":
                assert cuts is not None
                found.append(binomial.proven_precision(cuts, share, levels, first))
            else:
                found.append(binomial.proven_monotone(curves, kind, share, levels))
        return found

    kept, levels = walked_all(shared, len(asked), test)
    return Found(curves, kept, "midpoint", "binomial", levels)


def _expected(problem: Problem, asked: dict[str, float]) -> Found:
    curves = problem.curves
    kept = np.logical_and.reduce(
        [binomial.kept_in_expectation(curves, kind, share) for kind, share in asked.items()]
    )
    return Found(curves, kept, "midpoint", "expectation", np.zeros(curves.n_labels))


def _bet(problem: Problem, data: Data, asked: dict[str, float], shared: Shared, fit: float, seed: int) -> Found:
    parts = betting.dealt(data, fit, seed)
    columns = betting.columns_of(data)
    tested = [betting.tested_all(columns, parts, kind, share) for kind, share in asked.items()]
    candidates = betting.candidates_of(data.labels, problem.dtype, tested)
    curves = Curves.from_source(data.source, candidates)

    places = [[_places(candidates, k, one.cuts) for k, one in enumerate(of_label)] for of_label in tested]
    largest = {kind: np.zeros(len(candidates.cuts)) for kind in asked}
    for sizes, of_label, at in zip(largest.values(), tested, places, strict=True):
        for one, own in zip(of_label, at, strict=True):
            sizes[own] = one.largest

    def test(levels: NDArray[np.float64]) -> list[Kept]:
        found = []
        for kind, of_label, at in zip(asked, tested, places, strict=True):
            kept, ends = np.zeros(len(candidates.cuts), bool), np.zeros(len(of_label), bool)
            for k, one in enumerate(of_label):
                kept[at[k]], ends[k] = betting.walked(one, kind, levels[k])
            found.append((kept, ends))
        return found

    kept, levels = walked_all(shared, len(asked), test)
    return Found(curves, kept, "score", "betting", levels, parts[0].number, largest)


def _places(candidates: Candidates, k: int, cuts: NDArray[Any]) -> NDArray[np.int64]:
    """Return the numbers of a label's cuts among all candidates."""
    own = candidates.cuts[candidates.offsets[k] : candidates.offsets[k + 1]]
    return np.asarray(candidates.offsets[k] + np.searchsorted(-own, -cuts))


def _chosen(
    problem: Problem,
    data: Data,
    found: Found,
    asked: dict[str, float],
    confidence: float | None,
    correction: Any,
    infeasible: str,
    placement: Placement,
) -> Thresholds:
    """Return the best of the cuts that keep the promise, label by label or together."""
    curves, kept = found.curves, found.kept.copy()
    never = curves.offsets[:-1]
    kept[never] = False
    can = np.logical_or.reduceat(kept, never)
    why = reasons(curves, ~can, asked, found.level, found.bound)
    if why and infeasible == "refuse":
        name, reason = next(iter(why.items()))
        raise InputError(
            f"nothing can be promised of {count(len(why), 'label')}: {examples(why)}. {name}: {reason}. Ask for "
            "less, check more items, or use infeasible='never', which never gives such labels."
        )
    kept[never[~can]] = True
    sub = curves.at(kept)
    objective = problem.objective
    index = EXACT[objective.structure]().solve(Problem(objective, (), sub)).index
    assert index is not None
    at = np.flatnonzero(kept)[index]
    values = curves.thresholds(at, placement if found.placement == "midpoint" else "score")
    best = objective.structure != "counts" and can.any()
    promise = Promise(
        asked=asked,
        per="label",
        labels=tuple(name for name, one in zip(data.labels, can, strict=True) if one),
        confidence=confidence,
        correction="by share" if isinstance(correction, Mapping) else correction,
        bound=found.bound,
        units="items" if data.groups is None else "groups",
        weighted=data.source.weighted,
        n_items=data.n_items,
        n_units=data.n_units,
        n_fitted=found.n_fitted,
        largest={kind: tuple(sizes[at[can]].tolist()) for kind, sizes in found.largest.items()},
    )
    status: Any = "infeasible" if not can.any() else "optimal" if best else "local"
    return _thresholds(problem, values, promise, status, why)


def _pooled(
    problem: Problem,
    data: Data,
    asked: dict[str, float],
    confidence: float | None,
    infeasible: str,
    fit: float,
    seed: int,
) -> Thresholds:
    """Return the best member of a family that was fitted on some units and tested on the others."""
    parts = betting.dealt(data, fit, seed)
    if not parts[0].number:
        raise InputError("per='all' fits on some items and tests on others; there is one. Give more items.")
    members = pooled.members_of(data, parts[0])
    fitted, others = (pooled.family_on(data, members, part) for part in parts)
    kept, sizes = np.ones(len(members), bool), {}
    for kind, share in asked.items():
        if confidence is None:
            kept &= pooled.members_in_expectation(others, kind, share)
        else:
            level = (1 - confidence) / len(asked)
            own, sizes[kind] = pooled.proven_members(fitted, others, kind, share, level)
            kept &= own
    totals = fitted.totals.sum(axis=1) + others.totals.sum(axis=1)
    tp, fp = (fitted.given.sum(axis=2) + others.given.sum(axis=2)).T
    objective = problem.objective
    values = np.array([objective.metric(a, a + b, totals[0], totals.sum(), objective.zero_division)
                       for a, b in zip(tp, fp, strict=True)])  # fmt: skip
    can = bool(kept.any())
    best = int(np.where(kept, values, -np.inf).argmax())
    promise = Promise(
        asked=asked,
        per="all",
        labels=data.labels if can else (),
        confidence=confidence,
        correction="none",
        bound="expectation" if confidence is None else "betting",
        units="items" if data.groups is None else "groups",
        weighted=data.source.weighted,
        n_items=data.n_items,
        n_units=data.n_units,
        n_fitted=parts[0].number,
        largest={kind: (float(most[best]),) for kind, most in sizes.items()} if can else {},
    )
    why = {} if can else {"all labels": reached(asked, tp, fp, totals)}
    if why and infeasible == "refuse":
        raise InputError(
            f"nothing can be promised of the tags of all labels together: {why['all labels']}. Ask for less, "
            "check more items, or use infeasible='never', which then gives no tags."
        )
    chosen = members[best].astype(np.float64) if can else np.full(len(data.labels), np.inf)
    return _thresholds(problem, chosen, promise, "local" if can else "infeasible", why)


def _thresholds(
    problem: Problem, values: NDArray[Any], promise: Promise, status: Any, why: dict[str, str]
) -> Thresholds:
    reason = "among the cuts that keep the promise" if promise.labels else "nothing can be promised"
    solution = Solution(values=np.asarray(values, np.float64), status=status, reason=reason)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)  # labels without positives: said below, with what would do
        made = make_thresholds(problem, solution, "guarantee", "midpoint")
    if why:
        said = "; ".join(f"{name}: {text}" for name, text in list(why.items())[:3])
        more = f"; and {len(why) - 3} more" if len(why) > 3 else ""
        of = "the tags of all labels together" if promise.per == "all" else count(len(why), "label")
        warnings.warn(
            f"nothing can be promised of {of}, never given then. {said}{more}.",
            LimenWarning,
            stacklevel=4,
        )
    details = {**made.details, **({"not_promised": why} if why else {})}
    return replace(made, promise=promise, details=details)
