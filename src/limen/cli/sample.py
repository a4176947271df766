"""`limen sample` and `limen precision-at`: which detections to check, and what a detection at a score is worth."""

from __future__ import annotations

from typing import Any

import click

from limen.cli.console import busy, say
from limen.cli.help import Command
from limen.cli.inputs import number_of, read_data, refuse_to_replace, write_rows
from limen.cli.options import FILES, SEED
from limen.errors import InputError, count

SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command(cls=Command, epilog=FILES, short_help="Say which detections to check.")
@click.argument("scores")
@click.option("-o", "--output", default="to_check.csv", show_default=True, help="Where to write.")
@click.option("--number", type=click.IntRange(min=1), default=500, show_default=True, help="Detections to check.")
@click.option("--precision", type=SHARE, default=0.9, show_default=True, help="The promise wanted for each label.")
@click.option("--confidence", type=SHARE, default=0.95, show_default=True, help="Of all promises at once.")
@click.option(
    "--checked", metavar="FILE", help="A file of an earlier round, filled in: it tells where cuts will lie."
)
@SEED
def sample(
    scores: str,
    output: str,
    number: int,
    precision: float,
    confidence: float,
    checked: str | None,
    seed: int,
) -> None:
    """Say which detections a person should check, so that a precision can be promised with the fewest.

    Write 1 (right) or 0 (wrong) into the column value, and give the file as scores and as labels to limen
    guarantee, limen tune or limen precision-at.

    \b
    limen sample scores.csv --number 500 -o to_check.csv
    limen guarantee to_check.csv to_check.csv --precision 0.9
    """
    from limen.cli.inputs import checked_data
    from limen.files.reading import read_table
    from limen.guarantees import to_check

    refuse_to_replace(output, inputs=(scores, checked))
    with busy(f"reading {scores}"):
        table = read_table(scores, kind="scores")
        plan = to_check(
            table.values,
            number,
            precision=precision,
            confidence=confidence,
            labels=table.labels,
            checked=None if checked is None else checked_data(checked),
            random_state=seed,
        )
    write_rows(output, plan.rows(table.ids))
    say(plan)
    say(f"wrote {output} ({count(len(plan.row), 'check')}): write 1 or 0 into its column value")


@click.command(name="precision-at", cls=Command, epilog=FILES, short_help="Show from where detections are right.")
@click.argument("scores")
@click.argument("labels")
@click.option("--at", default="0.9,0.95,0.99", show_default=True, help="Probabilities, with commas.")
@click.option("-o", "--output", help="Also write the table to this .csv file.")
def precision_at(scores: str, labels: str, at: str, output: str | None) -> None:
    """Show the score at which a detection is right with a probability, beside the share right of all above it.

    \b
    limen precision-at scores.csv labels.csv
    limen precision-at to_check.csv to_check.csv --at 0.95
    """
    from limen.guarantees import precision_at as found_at

    shares: list[Any] = [number_of(part.strip()) for part in at.split(",")]
    if None in shares:
        raise InputError(f"--at {at} is no list of numbers. Write --at 0.9,0.95.")
    refuse_to_replace(output, inputs=(scores, labels))
    with busy(f"reading {scores} and {labels}"):
        found = found_at(read_data(scores, labels), at=shares)
    say(found)
    if output is not None:
        write_rows(output, found.table)
        say(f"wrote {output}")
