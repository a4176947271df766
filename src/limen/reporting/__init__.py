"""The report: one HTML file in which a person looks at thresholds, changes them and saves them.

`report` measures everything once and writes the file; the page needs no network, no server and no Python.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from limen import objectives, solvers
from limen.comparison import METHODS, Comparison, compare
from limen.constraints import Constraint
from limen.curves import Curves
from limen.data import Data, as_data
from limen.decisions import THRESHOLD_RULE, closed_edges, values_by_label
from limen.draws import as_seed
from limen.errors import InfeasibleError, InputError, LimenError, UnsupportedError, count
from limen.evaluation import labels_of, measured_by
from limen.files.writing import write_atomically
from limen.metrics import Metric, spec_to_save
from limen.reporting.assembly import assembled
from limen.reporting.limits import Limits, is_shown, rule_for
from limen.reporting.media import NO_MEDIA, Media
from limen.reporting.summary import Summary
from limen.solvers.base import Problem, Solver
from limen.solvers.constrained import extended
from limen.solvers.solution import Solution
from limen.sources.raised import Raised
from limen.thresholds import Thresholds
from limen.tuning import make_thresholds, tune

__all__ = ["report"]

MOST_LABELS = 20_000
"""A page of more takes minutes to make, and nobody looks at so many curves."""


def report(
    y_true: Any,
    y_score: Any = None,
    thresholds: Thresholds | float | Any = None,
    output: str | os.PathLike[str] = "report.html",
    *,
    metric: str | dict[str, Any] | Metric | None = None,
    average: str | None = None,
    labels: Sequence[str] | None = None,
    ids: Sequence[Any] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    zero_division: float | None = None,
    groups: Any = None,
    constraints: Sequence[Constraint] | None = None,
    methods: Iterable[str | Solver] | Mapping[str, str | Solver] = METHODS,
    cv: int = 5,
    title: str | None = None,
    media: str | os.PathLike[str] | None = None,
    files: Mapping[str, str | None] | None = None,
    random_state: Any = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Return the path of the HTML report written: thresholds to look at, change and save.

    Parameters
    ----------
    y_true, y_score, labels, sample_weight, mask, groups
        As in `limen.tune`.
    thresholds : Thresholds, or a number, or array-like (n_labels,), optional
        What the report is about; tuned on these data with the method "auto" if left out.
    output : path
        The file to write, whole or not at all.
    metric, average, zero_division : optional
        The objective; that of the thresholds if left out, or else micro-F1.
    ids : sequence of n_items, optional
        Names of the items, shown in the review; row numbers if left out.
    constraints : sequence of constraints, optional
        What the thresholds must keep, judged anew after each change: objects of `limen.constraints`, instead of
        those that the thresholds were tuned under; numbers of tags are for these data. Where nothing keeps them,
        thresholds that are tuned here are the nearest.
    methods : iterable of methods, or a mapping from a name to a method
        To compare by cross-validation, as `limen.compare` takes them; empty for no comparison. The method
        of the thresholds joins them, and those that take constraints get them.
    cv : int
        Number of folds of the comparison.
    title : str, optional
    media : path-like or str, optional
        Where to look at or listen to the items: a folder with files named like their ids, or an address of
        http or https with ``{id}`` in it. The page refers to files by where they lie from ``output``.
    files : mapping from "scores", "labels", "groups" and "thresholds" to names, optional
        Names of the files that these are in, for the commands that the page shows; else it shows Python.
    random_state : int
        Seed of the tuning, the folds and the bootstrap.
    progress : callable ``(step, steps, note)``, optional

    Raises
    ------
    InputError
        If the data do not fit together, or not the thresholds.
    UnreadableError
        If ``media`` is no folder.
    UnsupportedError
        If there are more than 20 000 labels, the thresholds decide by a rule without a cut by label (top-k, mcut),
        the metric is the user's own and not registered, or ``constraints`` close decisions that the thresholds
        leave open.
    FileError
        If the file cannot be written.

    Notes
    -----
    The counts behind every cut that the page can show are exact, so that what it says of an edited
    threshold is what `limen.evaluate` says on the same data. Of more than 200 000 cuts some are left out,
    and the page says so. With weights, histograms and calibration count weights; lists of items are of single
    items, and errors in common are counted in items.

    Examples
    --------
    >>> import tempfile
    >>> y_true = [[0, 1], [1, 0], [1, 1], [0, 0], [1, 0], [0, 1]]
    >>> y_score = [[0.2, 0.9], [0.6, 0.3], [0.8, 0.7], [0.4, 0.8], [0.7, 0.1], [0.1, 0.6]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = report(y_true, y_score, 0.5, Path(folder, "report.html"), labels=["dog", "cat"], methods=())
    ...     path.name, path.read_text()[:15]
    ('report.html', '<!doctype html>')
    """
    tick = _Ticks(progress)
    if isinstance(thresholds, Thresholds):
        _check_rule(thresholds)
    labels = labels_of(thresholds, y_true, y_score, labels)
    given = thresholds if isinstance(thresholds, Thresholds) else None
    objective = objectives.objective(*measured_by(given, metric, average, zero_division))
    if objective.needs_items:
        raise UnsupportedError(
            f"the report is drawn from counts by label; {objective} needs whole items. Show a metric of counts "
            "(metric='f1', average='micro'), and measure this one with limen.evaluate or limen.compare."
        )
    spec_to_save(objective.metric)  # The page saves thresholds files.
    data = as_data(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask, groups=groups, ids=ids)
    beside = None if media is None else Media.of(media, data.ids)
    if given is not None:
        data = data.in_order(given.labels)
    objective.check_labels(len(data.labels))
    if len(data.labels) > MOST_LABELS:
        raise UnsupportedError(
            f"the report shows single labels, at most {count(MOST_LABELS, 'label')} of them; these data have "
            f"{count(len(data.labels), 'label')}. Look at all with limen evaluate -o table.csv, or give the "
            "report the columns of the labels that matter, and thresholds tuned on these."
        )
    tick("counting", 0.0)
    seed = as_seed(random_state)
    settings: dict[str, Any] = {
        "metric": objective.metric,
        "average": objective.average,
        "zero_division": objective.zero_division,
        "random_state": seed,
    }
    if thresholds is None:
        tick("tuning", 0.1)
        given = tune(data, **settings, constraints=constraints or (), infeasible="status")
    problem = Problem.of(objective, data, seed)
    rule = rule_for(given, constraints, data.labels)
    if rule != THRESHOLD_RULE:
        problem = replace(problem, sources=(Raised(data.source, closed_edges(rule, len(data.labels))),))
    if given is None:
        values = values_by_label(thresholds, data.labels, data.source.dtype)
        name = f"fixed:{thresholds:g}" if isinstance(thresholds, int | float) else "given"
        given = make_thresholds(problem, Solution(values=values, rule=rule), name, "midpoint")
    limits = Limits.of(given, data.n_items, None if thresholds is None else constraints)
    problem, digest = _counted(problem, limits)
    comparison, why_not = _compared(data, methods, given, limits.constraints, {**settings, "cv": cv}, tick)
    names = None if data.ids is None else [_encodable(name) for name in data.ids]
    summary = Summary(given, problem, comparison, why_not, limits, digest, names, files)
    shown = title if title is not None else f"Thresholds of {count(len(data.labels), 'label')}"
    shown = _encodable(shown)
    content = summary.as_dict(shown, tick.measuring)
    policy = NO_MEDIA
    content["media"] = None
    if beside is not None:
        content["media"] = beside.content(content["review"]["ids"], Path(output), tick.picturing)
        policy = beside.policy(content["media"])
    tick("writing", 1.0)
    page = assembled(content, policy)
    with write_atomically(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(output)


class _Ticks:
    """Passes on how far the report is: the comparison is most of the work."""

    def __init__(self, progress: Callable[[int, int, str], None] | None) -> None:
        self.progress = progress

    def __call__(self, what: str, share: float) -> None:
        if self.progress is not None:
            self.progress(round(100 * share), 100, what)

    def comparing(self, step: int, steps: int, method: str) -> None:
        self(f"comparing {method}", 0.2 + 0.6 * step / steps)

    def measuring(self, what: str, share: float) -> None:
        self(what, 0.8 + 0.1 * share)

    def picturing(self, share: float) -> None:
        self("spectrograms", 0.9 + 0.1 * share)


def _counted(problem: Problem, limits: Limits) -> tuple[Problem, str]:
    """Return the problem with its curves, at all cuts that the constraints need, and the digest of `TunedOn`."""
    source, scores = problem.sources[0], problem.given[0]
    plain = Curves.from_source(scores)
    if limits.bound is not None:
        curves = extended(None, (source,), limits.bound)
    else:
        curves = plain if source is scores else Curves.from_source(source)
    return replace(problem, counted=curves), plain.digest()


def _compared(
    data: Data,
    methods: Iterable[str | Solver] | Mapping[str, str | Solver],
    given: Thresholds,
    constraints: list[Constraint],
    settings: dict[str, Any],
    tick: _Ticks,
) -> tuple[Comparison | None, str]:
    """Return the comparison of methods, or None and the reason why there is none."""
    chosen = dict(methods) if isinstance(methods, Mapping) else list(methods)
    if not chosen:
        return None, "No comparison was asked for."
    if isinstance(chosen, list) and given.method not in chosen and _is_method(given.method, settings):
        chosen.append(given.method)
    solver = [
        solvers.choose(settings["metric"], settings["average"], method)
        for method in (chosen.values() if isinstance(chosen, dict) else chosen)
    ]
    taken = constraints if any(map(solvers.takes_constraints, solver)) else []
    try:
        return compare(data, methods=chosen, constraints=taken, progress=tick.comparing, **settings), ""
    except InfeasibleError as error:
        return None, f"Not under these constraints: {error}"
    except InputError as error:
        if data.n_items > settings["cv"]:
            raise
        return None, f"Too few items: {error}"


def _is_method(name: str, settings: dict[str, Any]) -> bool:
    try:
        solvers.choose(settings["metric"], settings["average"], name)
    except LimenError:
        return False
    return True


def _check_rule(thresholds: Thresholds) -> None:
    if not is_shown(thresholds.rule):
        raise UnsupportedError(
            f"these thresholds decide by the rule {thresholds.rule!r}, which has no cut by label to show. Use "
            "limen.evaluate, or tune with another method."
        )


def _encodable(text: str) -> str:
    """Return the text with half characters, as of arguments that are no UTF-8, replaced."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
