"""`limen apply`: from scores to tags."""

from __future__ import annotations

from typing import Any

import click

from limen.cli import words
from limen.cli.console import busy, progress, say
from limen.cli.help import Command
from limen.cli.inputs import LazyDecisions, in_order, refuse_to_replace, thresholds_of
from limen.cli.options import EXTRA, FILES
from limen.errors import count


@click.command(name="apply", cls=Command, epilog=FILES, short_help="Decide which labels each item gets.")
@click.argument("scores")
@click.argument("thresholds")
@click.option("-o", "--output", required=True, help="A .csv, .tsv, .parquet, .npy, .npz or .h5 file.")
@click.option(
    "--layout",
    type=click.Choice(["tags", "wide", "long"]),
    default="tags",
    show_default=True,
    help="id and tag;tag, a 0/1 column a label, or a line a tag.",
)
@EXTRA
def apply_(scores: str, thresholds: str, output: str, layout: Any, extra: Any) -> None:
    """Decide which labels each item gets, and write them.

    THRESHOLDS is a file of `limen tune`, or one number for all labels.

    \b
    limen apply new_scores.csv thresholds.json -o tags.csv
    limen apply new_scores.csv 0.5 -o tags.csv
    """
    from limen.decisions import THRESHOLD_RULE, values_by_label
    from limen.files.reading import read_table
    from limen.files.tags import write_tags
    from limen.thresholds import Thresholds

    refuse_to_replace(output, inputs=(scores, thresholds))
    words.call(y_score=scores)
    chosen = thresholds_of(thresholds)
    with busy(f"reading {scores}"):
        table = read_table(scores, kind="scores")
    if isinstance(chosen, Thresholds):
        labels, values, rule = chosen.labels, chosen.values, chosen.rule
    else:
        labels = table.labels or tuple(map(str, range(table.shape[1])))
        values, rule = values_by_label(chosen, labels, float), THRESHOLD_RULE
    if table.n_unlisted:
        say(f"{scores} leaves out {count(table.n_unlisted, 'pair')} of item and label: no score, no tag")
    with progress(f"writing {output}") as bar:
        decisions = LazyDecisions(in_order(table, labels, extra), labels, values, rule, bar)
        write_tags(output, table.ids, labels, decisions, layout=layout)
    items, given = decisions.shape[0], decisions.given
    say(f"wrote {output}: {count(given, 'tag')} for {count(items, 'item')} ({given / items:.2f} an item)")
