"""`limen tune-events`: settings and thresholds of events, from scores and annotations."""

from __future__ import annotations

from typing import Any

import click

from limen.cli.console import progress, say, say_next
from limen.cli.event_options import FILES, annotation_options, criterion_options, read_both, with_model
from limen.cli.help import Command
from limen.cli.inputs import recording_groups, refuse_to_replace
from limen.cli.limits import HOLD, INFEASIBLE, SHARE
from limen.cli.options import GROUPS, SEED
from limen.errors import count

RATE = click.FloatRange(min=0)
SECTIONS = {
    "What to serve": ("criterion", "onset", "seconds", "average", "method"),
    "What to keep": (
        *("min_precision", "min_recall", "false_per_hour", "max_per_hour", "min_per_hour"),
        *("per", "infeasible", "hold"),
    ),
    "Data": ("groups", "form", "unlisted", "extra", "seed"),
}


@click.command(
    name="tune-events",
    cls=Command,
    sections=SECTIONS,
    epilog=FILES,
    short_help="Find settings and cuts of events.",
)
@click.argument("scores")
@click.argument("events")
@click.option("-o", "--output", default="events.json", show_default=True, help="Where to write.")
@criterion_options
@click.option("--average", type=click.Choice(["micro", "macro"]), default="micro", show_default=True)
@click.option(
    "--method",
    type=click.Choice(["auto", "exact", "shared"]),
    default="auto",
    show_default=True,
    help="auto serves new recordings; exact is the best on these; shared has one setting.",
)
@click.option("--min-precision", type=SHARE, help="Least precision of each label.")
@click.option("--min-recall", type=SHARE, help="Least recall of each label.")
@click.option("--false-per-hour", type=RATE, help="Most false events of each label an hour.")
@click.option("--max-per-hour", type=RATE, help="Most events given of each label an hour.")
@click.option("--min-per-hour", type=RATE, help="Fewest events given of each label an hour.")
@click.option(
    "--per",
    type=click.Choice(["label", "all"]),
    default="label",
    show_default=True,
    help="Whether these limits are for each label, or for all labels together.",
)
@INFEASIBLE
@HOLD
@GROUPS
@annotation_options
@SEED
def tune_events(
    scores: str,
    events: str,
    output: str,
    criterion: Any,
    average: Any,
    method: Any,
    min_precision: float | None,
    min_recall: float | None,
    false_per_hour: float | None,
    max_per_hour: float | None,
    min_per_hour: float | None,
    per: Any,
    infeasible: Any,
    hold: float | None,
    groups: str | None,
    form: Any,
    unlisted: Any,
    extra: Any,
    seed: int,
) -> None:
    """Find the setting and the threshold of each label that find events best, and write them to a JSON file.

    A setting is a median filter, a second threshold, gaps closed and a shortest length. Recordings of one source
    (a place, a mixture's sounds) belong to one group; without --groups results look better than they are.

    \b
    limen tune-events scores/ events.tsv
    limen tune-events scores/ labels/ --metric segment --groups site.csv -o events.json
    limen tune-events scores/ events.tsv --false-per-hour 2
    limen tune-events scores/ events.tsv --min-precision 0.8 --per all --hold 0.95
    """
    from limen import constraints as limits
    from limen import events as sound_events

    refuse_to_replace(output, inputs=(events, groups))
    found, annotated = read_both(scores, events, form, unlisted, extra)
    constraints: list[Any] = [
        make(value, per=per)
        for value, make in ((min_precision, limits.MinPrecision), (min_recall, limits.MinRecall))
        if value is not None
    ]
    constraints += [
        make(per_hour=value, hours=found.hours, per=per)
        for value, make in (
            (false_per_hour, limits.MaxFalsePositives),
            (max_per_hour, limits.MaxPredictions),
            (min_per_hour, limits.MinPredictions),
        )
        if value is not None
    ]
    with progress(f"tuning ({method})") as tick:
        tuned = sound_events.tune(
            found,
            annotated,
            criterion=criterion,
            average=average,
            method=method,
            groups=None if groups is None else recording_groups(groups, found.names),
            constraints=constraints,
            infeasible=infeasible,
            hold=hold,
            random_state=seed,
            progress=lambda step, steps: tick(step, steps, f"label {step} of {steps}"),
        )
    with_model(tuned, scores).save(output)
    say(tuned)
    if tuned.reason:
        say(f"status: {tuned.status}; {tuned.reason}")
    for sentence in tuned.said_constraints():
        say(sentence)
    if groups is None:
        say("no --groups: if recordings share sources, expect less than this on new ones")
    say(f"wrote {output} ({count(len(tuned.labels), 'label')})")
    say_next("limen", "tag", "new/", "--model", "tagger.onnx", "--thresholds", output, "-o", "out/")
