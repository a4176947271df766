"""`limen evaluate`: how thresholds do on labelled files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from limen.cli.console import busy, progress, say
from limen.cli.event_files import evaluate_events, is_of_events
from limen.cli.help import Command
from limen.cli.inputs import (
    metric_of,
    read_data,
    refuse_to_replace,
    thresholds_of,
    watched,
    write_rows,
)
from limen.cli.options import AVERAGES, BETA, CORRECTIONS, COSTS, EXTRA, FILES, GROUPS, SEED, SKIP
from limen.cli.states import BAR, edits, legend
from limen.errors import InputError, examples

if TYPE_CHECKING:
    from limen.data import Data


@click.command(cls=Command, epilog=FILES, short_help="Measure thresholds on labelled data.")
@click.argument("scores", required=False)
@click.argument("labels", required=False)
@click.argument("thresholds", required=False)
@click.option("--curves", metavar="FILE", help="Instead of scores and labels: a file of limen curves, or merge.")
@click.option("--metric", help="Instead of the one tuned for.")
@BETA
@COSTS
@click.option("--average", type=AVERAGES, help="Instead of the one tuned for.")
@click.option("-o", "--output", help="Also write the table by label to this .csv file.")
@click.option("--baseline", metavar="THRESHOLDS", help="Compare with these, a file or a number.")
@click.option(
    "--zero-division", type=click.FloatRange(0, 1), help="What 0/0 counts as; as tuned for, if left out."
)
@EXTRA
@CORRECTIONS
@SKIP
@GROUPS
@BAR
@SEED
@click.option("--learning-curve", "curve", is_flag=True, help="Show how more labelled items would help.")
def evaluate(
    scores: str | None,
    labels: str | None,
    thresholds: str | None,
    curves: str | None,
    metric: str | None,
    beta: float | None,
    costs: str | None,
    average: str | None,
    output: str | None,
    baseline: str | None,
    zero_division: float | None,
    extra: Any,
    corrections: str | None,
    skip_damaged: bool,
    groups: str | None,
    bar: float,
    seed: int,
    curve: bool,
) -> None:
    """Measure thresholds on labelled data: the metric, and a table by label.

    THRESHOLDS is a file of `limen tune`, or one number for all labels.

    \b
    limen evaluate test_scores.csv test_labels.csv thresholds.json
    limen evaluate test_scores.csv test_labels.csv 0.5
    limen evaluate test_scores/ test_events.tsv events.json
    limen evaluate --curves all.curves thresholds.json
    """
    if curves is not None:
        beside = {"--groups": groups, "--corrections": corrections, "--learning-curve": curve or None}
        if given := [name for name, value in beside.items() if value is not None]:
            raise InputError(f"--curves takes the place of the data, and {examples(given)} need them.")
        if scores is None or labels is not None:
            raise click.UsageError("With --curves, give the thresholds alone.")
        scores, thresholds = None, scores
    if thresholds is None or (curves is None and (scores is None or labels is None)):
        raise click.UsageError("Missing argument 'SCORES', 'LABELS' or 'THRESHOLDS'. (Or give --curves FILE.)")
    if scores is not None and labels is not None and is_of_events(thresholds):
        refuse_to_replace(output, inputs=(labels, thresholds, groups))
        evaluate_events(scores, labels, thresholds, groups=groups, extra=extra, seed=seed, output=output)
        return
    import limen
    from limen.thresholds import Thresholds

    refuse_to_replace(output, inputs=(scores, labels, thresholds, baseline, groups, corrections, curves))
    chosen = thresholds_of(thresholds)
    data: Any
    if scores is None or labels is None:
        data = limen.Curves.load(str(curves))
    else:
        with busy(f"reading {scores} and {labels}"):
            data = read_data(
                scores, labels, groups, chosen, extra, corrections, skip_damaged=skip_damaged, in_blocks=True
            )
        if data.corrected:
            say(str(data.corrected))
    with progress("measuring") as tick:
        result = limen.evaluate(
            watched(data, tick),
            None,
            chosen,
            metric=None if metric is None else metric_of(metric, beta, costs),
            average=average,
            zero_division=zero_division,
            baseline=None if baseline is None else thresholds_of(baseline, called="the baseline"),
            random_state=seed,
            bar=bar,
        )
    if output is not None:
        write_rows(output, result.table)
    say(result)
    for line in legend(result.states, result.metric, bar):
        say(line)
    if isinstance(chosen, Thresholds) and (edited := edits(chosen)):
        say(f"{thresholds} was {edited}")
    for sentence in result.said_constraints():
        say(sentence)
    if curve:
        _print_learning_curve(data, chosen, result)
    if output is not None:
        say(f"wrote {output}")


def _print_learning_curve(data: Data, chosen: Any, result: Any) -> None:
    """Show what tuning on ever more of the same items gives, by the method that made the thresholds."""
    from limen.learning_curve import learning_curve

    with progress("tuning") as tick:
        curve = learning_curve(
            data,
            method=getattr(chosen, "method", "auto"),
            metric=result.metric,
            average=result.average,
            progress=tick,
        )
    say(curve)
