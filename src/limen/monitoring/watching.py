"""`monitor`: items of a stream, check by check, against what thresholds promise and tuning data explain."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.data import Data
from limen.errors import InputError, count
from limen.monitoring.batches import Batch, batches, refuse_shared
from limen.monitoring.betting import each_by_itself, evidence, grown, together
from limen.monitoring.checks import FAMILIES, Family, FamilyName, families_of
from limen.monitoring.items import items_of
from limen.monitoring.result import Monitoring
from limen.monitoring.state import LATELY, Course, Settings, State, digest_of, log10
from limen.monitoring.tallies import Answers, Found, Tags, found_in
from limen.thresholds import Thresholds

SHOWN = 20
"""So many labels of a check are kept for the picture."""
FROM = 1.0
"""Those whose e-value is at least this, as a logarithm of base 10, or that are blamed."""


def monitor(
    thresholds: Thresholds,
    y_score: Any,
    y_true: Any = None,
    *,
    state: State | str | os.PathLike[str] | None = None,
    labels: Sequence[str] | None = None,
    mask: Any = None,
    groups: Any = None,
    ids: Sequence[Any] | None = None,
    time: Any = None,
    every: int | None = None,
    labels_only: bool = False,
    extra: Literal["refuse", "ignore"] = "refuse",
    alpha: float | None = None,
    at_least: float | None = None,
    tolerance: float | None = None,
    group_size: int | None = None,
) -> Monitoring:
    """Return whether thresholds still do on a stream of items what they promised, and which labels are to blame.

    Run it with each day's items and the same ``state``: however often it looks, and however long it runs, a stream
    like the tuning data raises an alarm with a chance of at most ``alpha`` in all.

    Parameters
    ----------
    thresholds : Thresholds
    y_score : array-like (n_items, n_labels), scipy sparse or frame; or Data
        Scores of new items, the columns in the order of the thresholds' labels, or named. Data have labels too.
    y_true : array-like (n_items, n_labels), optional
        Their labels, NaN where unknown. Without them only how often each label is given is watched.
    state : State, or path, optional
        What earlier runs left: `Monitoring.state`, or its file, which need not exist yet and is written anew.
    labels : sequence of n_labels str, optional
    mask : bool array-like (n_items, n_labels), optional
        True where the label of an item is known.
    groups : array-like (n_items,), optional
        Group of each item, such as its recording. Each group bets once; its items may depend on each other.
    ids : sequence of n_items names, optional
        By them a check that comes in another run again is known and not counted, and items of the last check in
        another one are refused. Without them checks are known by their time and scores.
    time : array-like (n_items,), optional
        Such as the day of each item: items of one time are one check, by rising time. Otherwise all are one.
    every : int, optional
        Or so many rows are one check.
    labels_only : bool
        The tags of these items were counted before, without their labels: count only what their labels say.
    extra : {"refuse", "ignore"}
        What to do with labels that the thresholds do not have.
    alpha : float, optional
        Chance of a false alarm, over all time and all labels; 0.05, or that of the state.
    at_least : float, optional
        What the metric must be. The low end of the expected interval, at the level that ``alpha`` asks for, less
        ``tolerance``, if left out.
    tolerance : float, optional
        By how much the metric, and shares limited by constraints, may be worse than expected; 0.02, or that of the
        state. What was promised (`limen.guarantee`) has no tolerance.
    group_size : int, optional
        With groups, the most items of one in the tuning data. That of the first run, if left out.

    Raises
    ------
    InputError
        If the items do not fit the thresholds, or these or the settings are not those of the state.

    Notes
    -----
    Each watched share has an e-process (bets at 7 stakes, money put in at every check); over labels, closed
    testing by weighted means. ADR 41 says why the chance holds.

    Examples
    --------
    >>> import limen, numpy as np
    >>> draw = np.random.default_rng(0)
    >>> y_score = draw.random((2000, 2))
    >>> t = limen.tune(draw.random((2000, 2)) < y_score, y_score, labels=["owl", "rain"])
    >>> monitor(t, draw.random((500, 2)))
    Monitoring(no alarm after 1 check of 500 items)
    >>> monitor(t, draw.random((500, 2)) ** [1, 3]).blamed
    ('rain',)
    """
    known, path = _state_of(state)
    if labels_only and y_true is None and not isinstance(y_score, Data):
        raise InputError("labels_only counts labels, and there are none. Give y_true.")
    items = items_of(thresholds, y_score, y_true, labels, mask, ids, extra)
    groups = items.groups if groups is None else groups
    wanted = _settings(known, alpha, tolerance, at_least, groups, group_size)
    families = families_of(
        thresholds, wanted.alpha, wanted.at_least, wanted.tolerance, float(max(1, wanted.group_size))
    )
    known = _begun(thresholds, known, wanted, families)
    skipped, earlier = [], dict(known.counted)  # a check of this run is no other one of it
    for batch in batches(items.scores, items.ids, groups, time, every):
        what = ("" if labels_only else "t") + ("a" if items.data is not None else "")
        what = "".join(one for one in what if one not in earlier.get(batch.digest, ""))
        if not what:
            skipped.append(batch.when or f"a check of {count(len(batch.rows), 'item')}")
            continue
        if "t" in what and batch.digest not in earlier:
            refuse_shared(batch, items.ids, known.sketch)
        found: dict[FamilyName, Tags | Answers] = {}
        if "t" in what and families["tags"].checks:
            found["tags"] = Tags.of(thresholds, items.rows(batch.rows), batch.unit)
        if items.data is not None and "a" in what and families["answers"].checks:
            metric = any(check.kind == "metric" for check in families["answers"].checks)
            objective = thresholds.objective if metric else None
            found["answers"] = Answers.of(thresholds, items.data.take(batch.rows), batch.unit, objective)
        _checked(known, families, found, batch, wanted.group_size > 0, "t" in what)
        known.remember(batch.digest, what, batch.sketch)
    result = Monitoring(thresholds, known, families, tuple(skipped))
    if path is not None:
        known.save(path)
    return result


def _checked(
    state: State,
    families: dict[FamilyName, Family],
    counts: dict[FamilyName, Tags | Answers],
    batch: Batch,
    grouped: bool,
    new: bool,
) -> None:
    """Make one check: put money in, bet, and say who is to blame."""
    number = len(state.history)
    when = batch.when or f"check {1 + max((state.courses[name].number for name in FAMILIES), default=number)}"
    point: dict[str, Any] = {"when": when, "items": len(batch.rows), "labels": {}, "alarm": [], "blamed": []}
    for name in FAMILIES:
        family, course = families[name], state.courses[name]
        if name in counts:
            found = found_in(counts[name], family, grouped=grouped)
            _advance(course, found)
            log_e = evidence(course.logs, course.number)
            point[name] = log10(float(together(log_e, family.weights)))
            _decide(name, course, family, log_e, point)
        else:
            point[name] = None
    state.n_items += len(batch.rows) if new else 0
    state.picture(point)


def _advance(course: Course, found: Found) -> None:
    course.number += 1
    course.logs = grown(course.logs, found.growth, course.number)
    course.sums[:2] += found.bad, found.size
    course.sums[2:] = LATELY * course.sums[2:] + np.array([found.bad, found.size])


def _decide(name: str, course: Course, family: Family, log_e: NDArray[np.float64], point: dict[str, Any]) -> None:
    """Say whether there is an alarm, and which checks are to blame for it, once and for all."""
    when = point["when"]
    adjusted = each_by_itself(log_e, family.weights, family.level)
    if not course.alarm and float(together(log_e, family.weights)) >= -np.log(family.level):
        course.alarm = when
        point["alarm"].append(name)
    for k in np.flatnonzero(adjusted >= -np.log(family.level)).tolist():
        if course.blamed.setdefault(family.checks[k].name, when) == when:
            point["blamed"].append(family.checks[k].name)
    top = np.argsort(-log_e, kind="stable")[:SHOWN]
    kept = [k for k in top.tolist() if log10(float(log_e[k])) >= FROM or family.checks[k].name in course.blamed]
    point["labels"] |= {family.checks[k].name: log10(float(log_e[k])) for k in kept}


def _state_of(given: Any) -> tuple[State | None, Path | None]:
    """Return a state of earlier runs, if there were any, and where to write it."""
    if given is None or isinstance(given, State):
        return None if given is None else State.from_dict(given.to_dict()), None
    path = Path(given)
    return State.load(path) if path.exists() else None, path


def _settings(
    known: State | None,
    alpha: float | None,
    tolerance: float | None,
    at_least: float | None,
    groups: Any,
    group_size: int | None,
) -> Settings:
    """Return the settings: those of the state, if there is one, which must not change."""
    if group_size is not None and groups is None:
        raise InputError("group_size goes with groups. Give the group of each item, or leave it out.")
    if group_size is not None and group_size < 1:
        raise InputError(f"group_size={group_size} is not usable. Give a number of items from 1.")
    if groups is not None and group_size is None:
        group_size = int(np.unique(np.asarray(groups).astype(np.str_), return_counts=True)[1].max())
    if known is None:
        alpha = 0.05 if alpha is None else float(alpha)
        tolerance = 0.02 if tolerance is None else float(tolerance)
        if not 0 < alpha < 1:
            raise InputError(f"alpha={alpha} is not usable. It must lie between 0 and 1.")
        if not 0 <= tolerance < 1:
            raise InputError(f"tolerance={tolerance} is not usable. It must be from 0 to below 1.")
        if at_least is not None and not 0 < at_least < 1:
            raise InputError(f"at_least={at_least} is not usable. It must lie between 0 and 1.")
        return Settings(alpha, tolerance, at_least, group_size or 0)
    old = known.settings
    given = {"alpha": alpha, "tolerance": tolerance, "at_least": at_least}
    for name, value in given.items():
        if value is not None and value != getattr(old, name):
            raise InputError(
                f"{name}={value} is not that of the state, {getattr(old, name)}. Settings must not change while "
                "the same error is spent: leave it out, or begin a new state."
            )
    if (groups is not None) != (old.group_size > 0):
        was = "groups" if old.group_size else "items without groups"
        raise InputError(f"the state is of {was}. What is independent must not change: begin a new state.")
    return old


def _begun(
    thresholds: Thresholds, known: State | None, settings: Settings, families: dict[FamilyName, Family]
) -> State:
    """Return the state to go on with; a new one, if there was none."""
    digest = digest_of(thresholds)
    if not any(families[name].checks for name in FAMILIES):
        lacking = "; ".join(why for name in FAMILIES for why in families[name].not_watched)
        raise InputError(f"nothing of these thresholds can be monitored: {lacking}.")
    if known is None:
        courses: dict[FamilyName, Course] = {name: Course.new(len(families[name].checks)) for name in FAMILIES}
        return State(digest, settings, courses)
    if known.thresholds != digest:
        raise InputError(
            "the state is of other thresholds. Begin a new state for these: what was promised, and what tuning "
            "data explain, has changed."
        )
    for name in FAMILIES:
        course, names = known.courses[name], {check.name for check in families[name].checks}
        if len(course.logs) != len(names) or not set(course.blamed) <= names:
            raise InputError(f"the state has {len(course.logs)} checks of {name!r}, and {len(names)} are made.")
    return known
