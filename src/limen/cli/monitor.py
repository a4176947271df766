"""`limen monitor`: whether thresholds still do on a stream what they promised."""

from __future__ import annotations

from typing import Any

import click

from limen.cli import words
from limen.cli.console import busy, say
from limen.cli.event_files import is_of_events
from limen.cli.help import Command
from limen.cli.inputs import groups_of, in_order, number_of, read_data, refuse_to_replace, thresholds_of
from limen.cli.options import EXTRA, FILES, GROUPS
from limen.errors import InputError, examples

ALARM = 3
"""Exit status of an alarm."""
SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
SECTIONS = {
    "From run to run": ("state", "time", "every", "labels_only"),
    "What is an alarm": ("alpha", "at_least", "tolerance"),
    "Data": ("groups", "group_size", "extra"),
    "Output": ("as_json", "page"),
}


@click.command(cls=Command, sections=SECTIONS, epilog=FILES, short_help="Watch thresholds on a stream.")
@click.argument("thresholds")
@click.argument("scores")
@click.argument("labels", required=False)
@click.option(
    "--state", metavar="FILE", help="What earlier runs left; made by the first run, written anew by each."
)
@click.option("--time", metavar="FILE", help="A file of id, time, such as days: each time is one check.")
@click.option("--every", type=click.IntRange(min=1), metavar="N", help="N rows, in their order, are one check.")
@click.option("--labels-only", is_flag=True, help="The tags of these items were counted before, without labels.")
@click.option("--alpha", type=SHARE, help="Chance of a false alarm, over all time and labels.  [default: 0.05]")
@click.option(
    "--at-least", type=SHARE, help="What the metric must be; the low end of what is expected, if left out."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, max_open=True),
    help="By how much less than expected is no alarm.  [default: 0.02]",
)
@GROUPS
@click.option(
    "--group-size",
    type=click.IntRange(min=1),
    help="The most items of a group in the tuning data; that of the first run, if left out.",
)
@EXTRA
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
@click.option("--page", metavar="FILE", help="Also write a page that shows the evidence over time.")
def monitor(
    thresholds: str,
    scores: str,
    labels: str | None,
    state: str | None,
    time: str | None,
    every: int | None,
    labels_only: bool,
    alpha: float | None,
    at_least: float | None,
    tolerance: float | None,
    groups: str | None,
    group_size: int | None,
    extra: Any,
    as_json: bool,
    page: str | None,
) -> None:
    """Say when thresholds no longer do on a stream what they promised, and which labels are to blame.

    Without LABELS: when the rates of given tags have left what tuning data explain. With them: also when the
    metric, recall and false positives of labels, a promise or a limit no longer hold. However often it runs, a
    stream like the tuning data raises an alarm with a chance of at most --alpha in all. Exit status: 0 if there is
    no alarm, 3 if there is one (of this run or an earlier one with the same --state), 1 or 2 for an error.

    \b
    limen monitor thresholds.json today.csv --state monitor.json
    limen monitor thresholds.json checked.csv labels.csv --state monitor.json --labels-only
    limen monitor thresholds.json year.csv --time days.csv --page monitor.html
    """
    from limen.monitoring import monitor as watch

    refuse_to_replace(state, inputs=(thresholds, scores, labels, time, groups))
    refuse_to_replace(page, inputs=(thresholds, scores, labels, time, groups, state))
    if is_of_events(thresholds):
        raise InputError(
            f"{thresholds} has thresholds of events. limen monitor watches tags: give a file of limen tune."
        )
    chosen = thresholds_of(thresholds)
    if isinstance(chosen, float):
        raise InputError("a number has no tuning data to compare with. Give a file of limen tune.")
    words.call(y_score=scores)
    with busy(f"reading {scores}"):
        given, ids = _read(chosen, scores, labels, extra)
    result = watch(
        chosen,
        given,
        ids=None if labels is not None else ids,
        groups=None if groups is None else groups_of(groups, ids),
        time=None if time is None else _times(time, ids),
        every=every,
        labels_only=labels_only,
        state=state,
        alpha=alpha,
        at_least=at_least,
        tolerance=tolerance,
        group_size=group_size,
    )
    if page is not None:
        result.save_page(page)
    if as_json:
        click.echo(result.to_json())
    else:
        say(result, *result.said(), result.basis())
        for path in filter(None, (state, page)):
            say(f"wrote {path}")
    if result.alarm:
        raise click.exceptions.Exit(ALARM)


def _read(chosen: Any, scores: str, labels: str | None, extra: Any) -> tuple[Any, tuple[str, ...] | None]:
    """Return scores with columns as the thresholds have them, or data that have the labels too; and ids."""
    from limen.files.reading import read_table

    if labels is not None:
        data = read_data(scores, labels, None, chosen, extra)
        return data, data.ids
    table = read_table(scores, kind="scores")
    return in_order(table, chosen.labels, extra), table.ids


def _times(path: str, ids: tuple[str, ...] | None) -> list[Any]:
    """Return the time of each item, from a file of id and time: numbers, or text such as 2026-03-01."""
    from limen.files.pairs import read_pairs

    if ids is None:
        raise InputError("--time needs ids in the scores file. Add an id column.")
    found = read_pairs(path, ids, "time")
    if missing := [name for name in ids if name not in found]:
        raise InputError(f"{path} has no time for {examples(missing)}. Every item needs one.")
    numbers = {text: number_of(text) for text in found.values()}
    return [found[name] if None in numbers.values() else numbers[found[name]] for name in ids]
