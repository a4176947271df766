"""`limen guarantee`: thresholds that keep a promise on new data."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import click

from limen.cli.console import busy, say
from limen.cli.help import Command
from limen.cli.inputs import checked_data, metric_of, read_data, refuse_to_replace, with_sound
from limen.cli.options import AVERAGES, BETA, COSTS, FILES, GROUPS, SEED
from limen.errors import InputError, LimenWarning, count

if TYPE_CHECKING:
    from limen.data import Data

SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


SECTIONS = {
    "What to promise (one or more)": ("precision", "recall", "false_positive_rate"),
    "How sure, for whom": ("confidence", "per", "correction", "infeasible"),
    "What to serve besides": ("metric", "beta", "costs", "average"),
    "Data": ("groups", "seed"),
}
CORRECTION = click.option(
    "--correction",
    type=click.Choice(["holm", "bonferroni", "none"]),
    default="holm",
    show_default=True,
    help="How the error is shared among labels.",
)
UNPROMISED = click.option(
    "--infeasible",
    type=click.Choice(["never", "refuse"]),
    default="never",
    show_default=True,
    help="Labels of which nothing can be promised.",
)


@click.command(cls=Command, sections=SECTIONS, epilog=FILES, short_help="Find thresholds that keep a promise.")
@click.argument("scores")
@click.argument("labels")
@click.option("-o", "--output", default="thresholds.json", show_default=True, help="Where to write.")
@click.option("--precision", type=SHARE, help="Of the tags given, at least this share is right.")
@click.option("--recall", type=SHARE, help="Of the tags that are right, at least this share is given.")
@click.option(
    "--false-positive-rate", type=SHARE, help="Of the items without a label, at most this share gets it."
)
@click.option(
    "--per",
    type=click.Choice(["label", "all"]),
    default="label",
    show_default=True,
    help="For each label, or for all tags together.",
)
@click.option(
    "--confidence",
    default="0.95",
    show_default=True,
    help="Of all promises at once; 'expectation' for a promise in the mean over calibration data.",
)
@CORRECTION
@UNPROMISED
@click.option("--metric", help="What to make large besides; `limen methods` lists all.")
@BETA
@COSTS
@click.option("--average", type=AVERAGES, help="Of this metric.")
@GROUPS
@SEED
def guarantee(
    scores: str,
    labels: str,
    output: str,
    precision: float | None,
    recall: float | None,
    false_positive_rate: float | None,
    per: Any,
    confidence: str,
    correction: Any,
    infeasible: Any,
    metric: str | None,
    beta: float | None,
    costs: str | None,
    average: str | None,
    groups: str | None,
    seed: int,
) -> None:
    """Find thresholds that keep a promise on new data, with a stated confidence.

    \b
    limen guarantee scores.csv labels.csv --precision 0.9
    limen guarantee scores.csv labels.csv --recall 0.95 --confidence 0.9
    limen guarantee checked.csv checked.csv --precision 0.9     (a file of limen sample, filled in)
    limen guarantee scores.csv labels.csv --precision 0.9 --per all --groups recordings.csv
    """
    import limen

    refuse_to_replace(output, inputs=(scores, labels, groups))
    with busy(f"reading {scores} and {labels}"):
        data = _data(scores, labels, groups, only_precision=recall is None and false_positive_rate is None)
    with busy("testing cuts"), warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)  # said below, label by label
        thresholds = limen.guarantee(
            data,
            precision=precision,
            recall=recall,
            false_positive_rate=false_positive_rate,
            per=per,
            confidence=_confidence(confidence),
            correction=correction,
            infeasible=infeasible,
            metric=None if metric is None else metric_of(metric, beta, costs),
            average=average,
            random_state=seed,
        )
    thresholds = with_sound(thresholds, scores)
    thresholds.save(output)
    assert thresholds.promise is not None
    say(f"promised: {thresholds.promise.said()}")
    say(f"by {thresholds.promise.basis()}")
    say(thresholds.summary())
    for name, why in list(thresholds.details.get("not_promised", {}).items())[:10]:
        say(f"nothing promised, never given: {name}: {why}")
    more = len(thresholds.details.get("not_promised", {})) - 10
    if more > 0:
        say(f"and {count(more, 'more label')} never given; {output} says why, under details")
    say(f"wrote {output} ({count(len(thresholds.labels), 'label')})")


def _data(scores: str, labels: str, groups: str | None, only_precision: bool) -> Data:
    """Return the data; of checked detections, for precision alone, those above the floors, drawn evenly."""
    from limen.files.checked import is_checked

    if only_precision and is_checked(labels):
        return checked_data(labels, only="above")
    return read_data(scores, labels, groups)


def _confidence(text: str) -> float | None:
    from limen.cli.inputs import number_of

    if text == "expectation":
        return None
    number = number_of(text)
    if number is None:
        raise InputError(f"--confidence {text} is no number between 0 and 1, nor 'expectation'.")
    return number
