"""`limen tune`: from files to thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from limen.cli.console import busy, progress, say
from limen.cli.help import Command
from limen.cli.inputs import prevalence_of, read_data, refuse_to_replace
from limen.cli.options import CORRECTIONS, FILES, GROUPS, MEDIA, SEED, objective_options
from limen.errors import InputError, count, examples

if TYPE_CHECKING:
    from limen.thresholds import Thresholds


@click.command(cls=Command, epilog=FILES, short_help="Find thresholds that serve a metric.")
@click.argument("scores")
@click.argument("labels")
@click.option("-o", "--output", default="thresholds.json", show_default=True, help="Where to write.")
@objective_options
@click.option("--method", default="auto", show_default=True, help="`limen methods` lists all.")
@click.option(
    "--placement",
    type=click.Choice(["midpoint", "score"]),
    default="midpoint",
    show_default=True,
    help="Halfway between two scores, or at the lowest kept one.",
)
@click.option(
    "--min-positive", type=click.FloatRange(min=0), default=0.0, help="auto: labels with fewer lean on all labels."
)
@CORRECTIONS
@GROUPS
@click.option("--target-prevalence", metavar="FILE", help="A file of label, share of positives where it is used.")
@click.option("--report", metavar="FILE", help="Also write a report to look at, an .html file.")
@MEDIA
@click.option("--adapt-to", metavar="SCORES", help="Unlabelled scores to estimate these shares from.")
@SEED
def tune(
    scores: str,
    labels: str,
    output: str,
    objective: dict[str, Any],
    method: str,
    placement: Any,
    min_positive: float,
    corrections: str | None,
    groups: str | None,
    target_prevalence: str | None,
    report: str | None,
    media: str | None,
    adapt_to: str | None,
    seed: int,
) -> None:
    """Find the thresholds that serve a metric, and write them to a JSON file.

    \b
    limen tune scores.csv labels.csv
    limen tune scores.parquet tags.tsv --metric fbeta --beta 0.5 --average macro
    limen tune data.npz data.npz --method sgl -o sgl.json
    limen tune scores.csv labels.csv --report report.html
    """
    import limen

    if media is not None and report is None:
        raise InputError(
            "--media goes with --report: it is seen there. Name the report, like --report report.html."
        )
    refuse_to_replace(output, report, inputs=(scores, labels, groups, corrections, target_prevalence, adapt_to))
    with busy(f"reading {scores} and {labels}"):
        data = read_data(scores, labels, groups, corrections=corrections)
        prevalence = prevalence_of(target_prevalence, adapt_to, data)
    if data.corrected:
        say(str(data.corrected))
    if media is not None:
        from limen.reporting.media import Media

        Media.of(media, data.ids)  # what is wrong with it is said before the work
    with progress(f"tuning ({method})") as tick:
        thresholds = limen.tune(
            data,
            **objective,
            method=method,
            placement=placement,
            min_positive=min_positive,
            target_prevalence=prevalence,
            random_state=seed,
            progress=lambda step, steps, value: tick(step, steps, f"{value:.4f}"),
        )
    thresholds.save(output)
    _print_tuned(thresholds)
    if thresholds.never:
        say(f"never given: {examples(thresholds.never)}")
    say(f"wrote {output} ({count(len(thresholds.labels), 'label')})")
    if report is not None:
        with progress("report") as tick:
            limen.report(data, None, thresholds, report, media=media, random_state=seed, progress=tick)
        say(f"wrote {report}: open it in a browser")
    if thresholds.expected is None:
        say("That is the fit. What new data will give: limen compare, or limen evaluate.")


def _print_tuned(thresholds: Thresholds) -> None:
    """Say what was tuned, what to expect, and what is poorly known."""
    from limen.states import FEW_POSITIVES

    if thresholds.expected is None:
        say(thresholds.summary())
        return
    metric, (value, low, high) = thresholds.metric, thresholds.expected
    say(
        f"{thresholds.objective.said(thresholds.value)} on the items tuned on; expect {metric.said(value)}, the "
        f"mean over new data ({metric.said_span(low, high)})",
    )
    leaning = thresholds.details.get("leaning_on_pool", [])
    if 0 < len(leaning) < len(thresholds.labels):
        say(f"cut mostly by what the other labels have in common, having few positives: {examples(leaning)}")
    few = [x for x, p in zip(thresholds.labels, thresholds.counts.p, strict=True) if p < FEW_POSITIVES]
    if few:
        say(f"fewer than {FEW_POSITIVES} positives, annotate more: {examples(few)}")
