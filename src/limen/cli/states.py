"""What the commands say of labels and their states, and of thresholds that were edited by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from limen.errors import count, examples, percent
from limen.names import shortened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from limen.metrics import Metric
    from limen.thresholds import Thresholds

MOST = 5
NAMED = 30
"""Longer names of labels are shortened in lists."""
BAR = click.option(
    "--bar",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="A label whose F1 is lower is called weak.",
)


def legend(keys: Sequence[str], metric: Metric, bar: float) -> list[str]:
    """Return a line for each warning that some label has: its words, how many labels, its rule."""
    from limen.states import STATES, rules

    said = rules(metric, bar)
    return [
        f"{state.words} ({count(keys.count(key), 'label')}): {said[key]}"
        for key, state in STATES.items()
        if key != "none" and key in keys
    ]


def attention(thresholds: Thresholds) -> list[str]:
    """Return a line for each warning, with the labels that have it, those first where most is at stake."""
    import numpy as np

    from limen import metrics
    from limen.display import MANY_LABELS
    from limen.states import STATES

    keys, (tp, pp, p, n) = thresholds.states(), thresholds.counts
    f1 = metrics.get("f1")(tp, pp, p, n)
    gain = np.zeros(len(p)) if thresholds.gains is None else thresholds.gains[0]
    called = thresholds.objective.noun.removeprefix(f"{thresholds.average} ")

    def shown(some: list[int]) -> list[str]:
        """Return the names of labels, told apart from all others; of very many, from each other."""
        labels = thresholds.labels
        if len(labels) > MANY_LABELS:
            return shortened([labels[k] for k in some], NAMED)
        names = shortened(labels, NAMED)
        return [names[k] for k in some]

    def positives(k: int) -> str:
        return f"{p[k]:g} positive" + ("" if p[k] == 1 else "s")

    figures: dict[str, tuple[NDArray[Any], Any]] = {
        "no_tags": (-p, positives),
        "few": (p, positives),
        "worse": (gain, lambda k: f"{called} {thresholds.metric.said_points(float(gain[k]))}"),
        "weak": (f1, lambda k: f"F1 {percent(f1[k])}"),
    }
    lines = []
    for key, (order, figure) in figures.items():
        members = np.flatnonzero(np.array(keys) == key)
        members = members[np.argsort(order[members], kind="stable")]
        if len(members):
            first = members[:MOST].tolist()
            named = ", ".join(f"{name!r} ({figure(k)})" for name, k in zip(shown(first), first, strict=True))
            rest = f" and {count(len(members) - MOST, 'more label')}" if len(members) > MOST else ""
            lines.append(f"{STATES[key].words}: {named}{rest}")
    return lines


def edits(thresholds: Thresholds) -> str:
    """Return what is known of the editing by hand in a report; nothing if there was none."""
    edited = thresholds.details.get("edited")
    if not isinstance(edited, dict):
        return ""
    changed = edited.get("thresholds")
    labels = count(len(changed), "label") if isinstance(changed, list) else "labels"
    title, n_items, on = (edited.get(key) for key in ("report", "n_items", "counts_of"))
    named = f" {title!r}" if isinstance(title, str) and title else ""
    items = (
        f" ({count(n_items, 'item')})" if isinstance(n_items, int) else f" ({count(thresholds.n_items, 'item')})"
    )
    data = f"{on}{items}" if isinstance(on, str) else f"data that the file does not name{items}"
    before = edited.get("before")
    again = "; it had been edited before" if isinstance(before, dict) and before.get("edited") else ""
    dropped = edited.get("promise_dropped")
    lost = (
        f"; the promise of {examples(dropped, most=3)} was dropped"
        if dropped and isinstance(dropped, list)
        else ""
    )
    return f"edited by hand in a report{named}: {labels}, looking at {data}{again}{lost}"
