"""Commands that the page shows to copy: they measure its thresholds with limen."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import numpy as np

from limen.metrics import Cost, FBeta
from limen.objectives import Objective

SAVED = "thresholds.json"


def commands(
    files: Mapping[str, str | None] | None,
    objective: Objective,
    *,
    of_tuned_objective: bool,
    more: Sequence[str] = (),
) -> dict[str, str]:
    """Return the commands by what they measure.

    Parameters
    ----------
    files : mapping, optional
        Names of the files of ``scores``, ``labels``, ``groups`` and ``thresholds``; commands are Python without.
    objective : Objective
        Of the report.
    of_tuned_objective : bool
        Whether the thresholds as given were tuned for it.
    more : sequence of str
        Arguments in Python that the data have beyond labels and scores, such as "groups".

    Returns
    -------
    dict
        ``saved``: the saved file, on these data. ``given``: the thresholds as given, on these data.
        ``elsewhere``: the saved file, on other data.
    """
    options = _options(objective)
    if files is None or options is None:
        loaded = f'limen.Thresholds.load("{SAVED}"), baseline=0.5'
        here = f"limen.evaluate(y_true, y_score, {', '.join([loaded, *(f'{name}={name}' for name in more)])})"
        return {
            "saved": here,
            "given": here if of_tuned_objective else "",
            "elsewhere": f"limen.evaluate(new_y_true, new_y_score, {loaded})",
        }
    given = files.get("thresholds") or SAVED
    groups = ["--groups", files["groups"]] if files.get("groups") else []
    data = [files["scores"], files["labels"]]
    instead = [] if of_tuned_objective else options
    return {
        "saved": _line("limen", "evaluate", *data, SAVED, "--baseline", "0.5", *groups),
        "given": _line("limen", "evaluate", *data, given, "--baseline", "0.5", *groups, *instead),
        "elsewhere": _line("limen", "evaluate", "NEW_SCORES", "NEW_LABELS", SAVED, "--baseline", "0.5"),
    }


def _line(*words: str | None) -> str:
    """Return words as a shell takes them."""
    return shlex.join(str(word) for word in words)


def _options(objective: Objective) -> list[str] | None:
    """Return the options that name the objective; None if the command line has none."""
    metric = objective.metric
    if type(metric).__module__ != "limen.metrics.formulas":
        return None
    more: list[str] = []
    if isinstance(metric, FBeta) and metric.beta != 1:
        more = ["--beta", f"{metric.beta!r}"]
    if isinstance(metric, Cost):
        if np.ndim(metric.fp) or np.ndim(metric.fn):
            return None
        more = ["--costs", f"{metric.fp!r},{metric.fn!r}"]
    name = metric.spec if isinstance(metric.spec, str) else metric.name
    return ["--metric", name, *more, "--average", objective.average]
