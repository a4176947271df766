"""`limen report`: one HTML file in which thresholds are looked at, changed and saved."""

from __future__ import annotations

from typing import Any

import click

from limen.cli.console import busy, progress, say
from limen.cli.help import Command
from limen.cli.inputs import (
    metric_of,
    read_data,
    refuse_to_replace,
    thresholds_of,
    watched,
)
from limen.cli.limits import constraint_options
from limen.cli.options import AVERAGES, BETA, CORRECTIONS, COSTS, FILES, GROUPS, MEDIA, SEED
from limen.errors import InputError


@click.command(name="report", cls=Command, epilog=FILES, short_help="Write a page to look, change, save.")
@click.argument("scores")
@click.argument("labels")
@click.argument("thresholds", required=False)
@click.option("-o", "--output", default="report.html", show_default=True, help="Where to write.")
@click.option("--metric", help="Default: the one tuned for, or f1.")
@BETA
@COSTS
@click.option("--average", type=AVERAGES, help="Default: the one tuned for, or micro.")
@click.option(
    "--methods", default="fixed:0.5, shared, sgl, exact, auto", show_default=True, help="To compare, by commas."
)
@click.option("--no-compare", is_flag=True, help="Compare no methods: much faster for large data.")
@click.option(
    "--cv", type=click.IntRange(min=2), default=5, show_default=True, help="Number of folds of the comparison."
)
@MEDIA
@CORRECTIONS
@constraint_options
@GROUPS
@click.option("--title", help="Heading of the report.")
@SEED
def report_(
    scores: str,
    labels: str,
    thresholds: str | None,
    output: str,
    metric: str | None,
    beta: float | None,
    costs: str | None,
    average: str | None,
    methods: str,
    no_compare: bool,
    cv: int,
    media: str | None,
    corrections: str | None,
    constraints: list[Any],
    groups: str | None,
    title: str | None,
    seed: int,
) -> None:
    """Write a report in which thresholds can be looked at, changed and saved.

    One HTML file that opens in any browser, without network or server. THRESHOLDS is a file of
    `limen tune`, or one number for all labels; without it, thresholds are tuned on these data.

    \b
    limen report scores.csv labels.csv
    limen report test_scores.csv test_labels.csv thresholds.json -o test.html
    limen report scores.csv labels.csv --media recordings
    limen report scores.csv labels.csv thresholds.json --min-precision 0.9 --same "Cat,Dog"

    Constraints are judged in the page after each change; those given here stand in for the thresholds' own.
    """
    from limen.reporting import report
    from limen.thresholds import Thresholds

    refuse_to_replace(output, inputs=(scores, labels, thresholds, groups, corrections))
    if metric is None and (beta is not None or costs is not None):
        raise InputError("--beta and --costs belong to a metric. Name it: --metric fbeta, or --metric cost.")
    chosen = None if thresholds is None else thresholds_of(thresholds)
    with busy(f"reading {scores} and {labels}"):
        data = read_data(scores, labels, groups, chosen, corrections=corrections)
    if data.corrected:
        say(str(data.corrected))
    with progress("report") as tick:
        path = report(
            watched(data, tick),
            None,
            chosen,
            output,
            constraints=constraints or None,
            metric=None if metric is None else metric_of(metric, beta, costs),
            average=average,
            methods=() if no_compare else [name.strip() for name in methods.split(",") if name.strip()],
            cv=cv,
            title=title,
            media=media,
            files={"scores": scores, "labels": labels, "groups": groups, "thresholds": thresholds},
            random_state=seed,
            progress=tick,
        )
    if constraints and isinstance(chosen, Thresholds) and chosen.constraints:
        say("the page judges the constraints given here, not those that the thresholds were tuned under")
    say(f"wrote {path}. Open it in a browser: {path.resolve().as_uri()}")
