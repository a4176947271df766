"""`limen guarantee-events`: settings and thresholds of events that keep a promise."""

from __future__ import annotations

import warnings
from typing import Any

import click

from limen.cli.console import progress, say
from limen.cli.event_options import FILES, annotation_options, criterion_options, read_both, with_model
from limen.cli.guarantee import CORRECTION, SHARE, UNPROMISED
from limen.cli.help import Command
from limen.cli.inputs import recording_groups, refuse_to_replace
from limen.cli.options import GROUPS, SEED
from limen.errors import LimenWarning, count

SECTIONS = {
    "What to promise (one or more)": ("precision", "recall", "false_per_hour"),
    "How sure, for whom": ("confidence", "per", "correction", "infeasible"),
    "What is right": ("criterion", "onset", "seconds"),
    "Data": ("groups", "form", "unlisted", "extra", "seed"),
}


@click.command(
    name="guarantee-events",
    cls=Command,
    sections=SECTIONS,
    epilog=FILES,
    short_help="Keep a promise of events on new data.",
)
@click.argument("scores")
@click.argument("events")
@click.option("-o", "--output", default="events.json", show_default=True, help="Where to write.")
@click.option("--precision", type=SHARE, help="Of the events given, at least this share is right.")
@click.option("--recall", type=SHARE, help="Of the events there are, at least this share is found.")
@click.option(
    "--false-per-hour", type=click.FloatRange(0, min_open=True), help="At most so many false events an hour."
)
@click.option(
    "--per",
    type=click.Choice(["label", "all"]),
    default="label",
    show_default=True,
    help="For each label, or for the events of all labels together.",
)
@click.option("--confidence", type=SHARE, default=0.95, show_default=True, help="Of all promises at once.")
@CORRECTION
@UNPROMISED
@criterion_options
@GROUPS
@annotation_options
@SEED
def guarantee_events(
    scores: str,
    events: str,
    output: str,
    precision: float | None,
    recall: float | None,
    false_per_hour: float | None,
    per: Any,
    confidence: float,
    correction: Any,
    infeasible: Any,
    criterion: Any,
    groups: str | None,
    form: Any,
    unlisted: Any,
    extra: Any,
    seed: int,
) -> None:
    """Find settings and thresholds of events that keep a promise on new recordings, with a stated confidence.

    Recordings are taken to be independent; those of one source (a place, a night) are not: name them with
    --groups. `limen evaluate` says whether the promise held on other recordings.

    \b
    limen guarantee-events scores/ events.tsv --precision 0.8
    limen guarantee-events scores/ events.tsv --false-per-hour 2 --groups site.csv
    limen guarantee-events scores/ events.tsv --precision 0.9 --per all --metric intersection
    """
    from limen import events as sound_events

    refuse_to_replace(output, inputs=(events, groups))
    found, annotated = read_both(scores, events, form, unlisted, extra)
    with progress("testing cuts") as tick, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "nothing can be promised", LimenWarning)  # said below, label by label
        made = sound_events.guarantee(
            found,
            annotated,
            precision=precision,
            recall=recall,
            false_per_hour=false_per_hour,
            per=per,
            confidence=confidence,
            correction=correction,
            infeasible=infeasible,
            criterion=criterion,
            groups=None if groups is None else recording_groups(groups, found.names),
            random_state=seed,
            progress=lambda step, steps: tick(step, steps, f"label {step} of {steps}"),
        )
    with_model(made, scores).save(output)
    assert made.promise is not None
    say(made)
    say(f"by {made.promise.basis()}")
    why = made.details.get("not_promised", {})
    for name, reason in list(why.items())[:10]:
        say(f"nothing promised, never given: {name}: {reason}")
    if len(why) > 10:
        say(f"and {count(len(why) - 10, 'more label')} never given; {output} says why, under details")
    if groups is None:
        say("no --groups: the promise takes every recording for independent of the others")
    say(f"wrote {output} ({count(len(made.labels), 'label')})")
