"""`limen show` and `limen curve`: the essentials of thresholds and of one label, without a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import numpy as np

from limen.cli.console import busy, say
from limen.cli.event_files import is_of_events, show_events
from limen.cli.help import Command
from limen.cli.inputs import read_data, thresholds_of
from limen.cli.options import FILES
from limen.cli.states import BAR, edits, legend
from limen.errors import InputError, count, examples

if TYPE_CHECKING:
    from limen.curves import Curves
    from limen.thresholds import Thresholds

DRAWN = 12
OPTIONAL = ("95 % range", ("precision", "recall"), "positives")
SORTS = {"label": 0, "threshold": 1, "positives": 2, "precision": 3, "recall": 4, "f1": 5}


@click.command(cls=Command, short_help="Show a thresholds file.")
@click.argument("thresholds")
@click.option("--sort", type=click.Choice(list(SORTS)), help="Order of the labels; that of the file, if left out.")
@click.option("--most", type=click.IntRange(min=1), help="Show at most so many; else all, or 60 of over 2000.")
@click.option(
    "--new-items", type=click.IntRange(min=1), help="Say what to expect on so many new items, not of their mean."
)
@BAR
def show(thresholds: str, sort: str | None, most: int | None, new_items: int | None, bar: float) -> None:
    """Show a thresholds file: what it was tuned for, what to expect, and every label.

    \b
    limen show thresholds.json
    limen show thresholds.json --sort positives --most 20
    limen show thresholds.json --new-items 500
    limen show events.json
    """
    if is_of_events(thresholds):
        show_events(thresholds)
        return
    from limen import metrics
    from limen.display import MANY_LABELS, MOST_ROWS, TextTable
    from limen.errors import percent
    from limen.states import warnings_of
    from limen.thresholds import REWEIGHTED, Thresholds
    from limen.unscored import said_unscored

    chosen = Thresholds.load(thresholds)
    ratios = [metrics.get(name)(*chosen.counts, chosen.zero_division) for name in ("precision", "recall", "f1")]
    keys = dict(zip(SORTS, (chosen.labels, chosen.values, chosen.counts.p, *ratios), strict=True))
    many = len(chosen.labels) > MANY_LABELS
    if sort is not None:
        order = np.argsort(keys[sort], kind="stable")
    else:
        order = np.argsort(-chosen.counts.p, kind="stable") if many else np.arange(len(chosen.labels))
    at = order[: most or (MOST_ROWS if many else len(order))]
    shown = {key: column for key, column in chosen.columns(at).items() if key not in ("given", "correct")}
    keys_of_states = chosen.states(bar)
    shown["state"] = warnings_of([keys_of_states[k] for k in at.tolist()])
    shown.update({name: [percent(value) for value in keys[name][at]] for name in ("precision", "recall", "f1")})
    rows = list(zip(*shown.values(), strict=True))
    table = TextTable(chosen.summary(), list(shown), rows, text=("state",), optional=OPTIONAL, names=("label",))
    say(table)
    if len(at) < len(order):
        first = "; these have most positives" if many and sort is None else ""
        advice = "; --most shows more, --sort others" if most is None else ""
        say(f"and {count(len(order) - len(at), 'more label')}{first}{advice}")
    weighed = ", reweighted to the target shares" if chosen.value_measured_on == REWEIGHTED else ""
    say(f"precision, recall and f1 are those of the {count(chosen.n_items, 'item')} tuned on{weighed}")
    if lacking := said_unscored(chosen.details.get("unscored")):
        say(lacking)
    for sentence in chosen.said_constraints():
        say(sentence)
    if chosen.promise is not None:
        say(f"promised: {chosen.promise.said()}")
        say(f"by {chosen.promise.basis()}")
    if new_items is not None:
        _print_expected(chosen, new_items)
    for line in legend(keys_of_states, chosen.metric, bar):
        say(line)
    if chosen.gains is None:
        say("which labels are clearly worse than 0.5 is not in the file: limen evaluate tells")
    if chosen.never:
        say(f"never given, whatever the score: {examples(chosen.never)}")
    if edited := edits(chosen):
        say(f"{thresholds} was {edited}")


def _print_expected(chosen: Thresholds, new_items: int) -> None:
    expected, items = chosen.expected_on(new_items), count(new_items, "new item")
    if expected is None:
        why = chosen.expected_reason or "the method did not cross-fit; use limen compare"
        say(f"what {items} will give is not estimable: {why}")
        return
    metric, (value, low, high) = chosen.metric, expected
    say(
        f"on {items} expect {metric.said(value)} ({metric.said_span(low, high)}); their mean over many such sets "
        "varies less"
    )


@click.command(cls=Command, epilog=FILES, short_help="Show the cuts of one label.")
@click.argument("scores")
@click.argument("labels")
@click.option("--label", required=True, help="Which label.")
@click.option("--thresholds", metavar="THRESHOLDS", help="Mark the cut of this file, or this number.")
@click.option("--rows", type=click.IntRange(min=2), default=20, show_default=True, help="How many cuts to show.")
def curve(scores: str, labels: str, label: str, thresholds: str | None, rows: int) -> None:
    """Show precision, recall and F1 of one label against its cut.

    \b
    limen curve scores.csv labels.csv --label Speech
    limen curve scores.csv labels.csv --label Speech --thresholds thresholds.json
    """
    from limen.curves import Curves
    from limen.sources.candidates import Candidates

    marked = None if thresholds is None else _cut_of(thresholds, label)
    with busy(f"reading {scores} and {labels}"):
        data = read_data(scores, labels)
    if label not in data.labels:
        raise InputError(f"the files have no label {label!r}. They have {examples(data.labels)}.")
    source = data.in_order((label,), extra="ignore").source
    cuts = source.candidates()
    if marked is not None:
        cuts |= Candidates.shared(cuts.labels, cuts.dtype, np.array([marked]))
    _print_curve(Curves.from_source(source, cuts), marked, rows)


def _cut_of(thresholds: str, label: str) -> float:
    chosen = thresholds_of(thresholds)
    if isinstance(chosen, float):
        return chosen
    if label not in chosen.labels:
        raise InputError(f"{thresholds} has no label {label!r}. It has {examples(chosen.labels)}.")
    return float(chosen.values[chosen.labels.index(label)])


def _print_curve(curves: Curves, marked: float | None, rows: int) -> None:
    """Show the curve of the only label at up to ``rows`` cuts, among them the best by F1 and the marked one."""
    from limen import metrics
    from limen.display import TextTable
    from limen.errors import percent

    n_cuts = len(curves.tp)
    positive, known = np.repeat(curves.n_positive, n_cuts), np.repeat(curves.n_known, n_cuts)
    precision, recall, f1 = (
        metrics.get(name)(curves.tp, curves.pp, positive, known, 0.0) for name in ("precision", "recall", "f1")
    )
    cut = curves.thresholds(np.arange(n_cuts))
    notes = {int(f1.argmax()): "best F1"}
    if marked is not None:
        at = int(np.flatnonzero(curves.candidates.cuts == np.asarray(marked, curves.candidates.cuts.dtype))[0])
        cut[at] = marked
        notes[at] = f"{notes[at]}, given cut" if at in notes else "given cut"
    shown = sorted({*np.linspace(0, n_cuts - 1, min(rows, n_cuts)).astype(int).tolist(), *notes}, reverse=True)
    table = [
        [
            "never" if cut[k] == np.inf else f"{cut[k]:.4g}",
            f"{curves.pp[k]:g}",
            *(percent(ratio[k]) for ratio in (precision, recall, f1)),
            "█" * round(DRAWN * float(f1[k])) + "·" * (DRAWN - round(DRAWN * float(f1[k]))),
            notes.get(k, ""),
        ]
        for k in shown
    ]
    title = f"{curves.labels[0]}: {positive[0]:g} of {known[0]:g} items have it; measured on these items"
    headings = ("cut", "given", "precision", "recall", "f1", "f1 drawn", "note")
    say(TextTable(title, headings, table, text=("note",), optional=("f1 drawn", "given", ("precision", "recall"))))
    if n_cuts > len(shown):
        say(f"{len(shown)} of {count(n_cuts, 'cut')} shown; --rows shows more")
