"""`limen apply`: from scores to tags."""

from __future__ import annotations

from typing import Any

import click

from limen.cli.console import busy, say
from limen.cli.inputs import LazyDecisions, in_order, refuse_to_replace
from limen.cli.options import FILES


@click.command(name="apply", epilog=FILES)
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
def apply_(scores: str, thresholds: str, output: str, layout: Any) -> None:
    """Decide which labels each item gets, and write them.

    \b
    limen apply new_scores.csv thresholds.json -o tags.csv
    """
    from limen.files.reading import read_table
    from limen.files.tags import write_tags
    from limen.thresholds import Thresholds

    refuse_to_replace(output, inputs=(scores, thresholds))
    chosen = Thresholds.load(thresholds)
    with busy(f"reading {scores}"):
        table = read_table(scores, kind="scores")
    decisions = LazyDecisions(chosen, in_order(table, chosen))
    with busy(f"writing {output}"):
        write_tags(output, table.ids, chosen.labels, decisions, layout=layout)
    items, given = decisions.shape[0], decisions.given
    say(f"wrote {output}: {given} tags for {items} items ({given / items:.2f} an item)")
