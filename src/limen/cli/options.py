"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from limen.cli.inputs import metric_of

AVERAGES = click.Choice(["micro", "macro", "weighted", "samples"])
BETA = click.option("--beta", type=click.FloatRange(1e-3, 1e3), help="For fbeta: above 1 favours recall.")
COSTS = click.option(
    "--costs", metavar="FP,FN", help="For cost: of a false positive and of a false negative, like 1,5."
)
GROUPS = click.option("--groups", metavar="FILE", help="A file of id, group: a group is never divided.")
MEDIA = click.option(
    "--media", metavar="FOLDER", help="Files named like the items, or an address with {id}: seen in the report."
)
CORRECTIONS = click.option(
    "--corrections", metavar="FILE", help="Labels that replace those given, such as the marks of a report."
)
SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="For whatever is drawn."
)

SKIP = click.option(
    "--skip-damaged",
    is_flag=True,
    help="Of folders and patterns: leave out files that cannot be read, and say so.",
)
EXTRA = click.option(
    "--extra",
    type=click.Choice(["refuse", "ignore"]),
    default="refuse",
    show_default=True,
    help="Labels in the files that the thresholds do not have.",
)

FILES = """
Files: .npy .npz .csv .tsv .parquet .h5; wide (an id column and a column a
label), long (id, label, score) or tag lists (id, tag;tag). Columns are joined
by label name and rows by id. FILE.npz:KEY picks one array of an .npz or .h5
file; "duckdb:FILE.db?query=SELECT ..." reads the rows of a query. A folder, or
a pattern in quotes such as "scores/*.npy", is one table in many files. Long
tables may lie in "sqlite:FILE?table=NAME" too: limen tune, evaluate, curves,
candidates.
"""


def objective_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say what is optimised; it gets them as ``objective``, for `limen.tune`."""

    @functools.wraps(command)
    def with_objective(
        *,
        metric: str,
        beta: float | None,
        costs: str | None,
        average: str,
        zero_division: float,
        **others: Any,
    ) -> None:
        objective = {
            "metric": metric_of(metric, beta, costs),
            "average": average,
            "zero_division": zero_division,
        }
        command(objective=objective, **others)

    options = (
        click.option(
            "--metric", default="f1", show_default=True, help="f1, fbeta, mcc, ... `limen methods` lists all."
        ),
        BETA,
        COSTS,
        click.option("--average", type=AVERAGES, default="micro", show_default=True),
        click.option(
            "--zero-division",
            type=click.FloatRange(0, 1),
            default=0.0,
            show_default=True,
            help="What 0/0 counts as, from 0 to 1.",
        ),
    )
    for option in reversed(options):
        with_objective = option(with_objective)
    return with_objective
