"""`limen tune-events`: settings and thresholds of events, from scores and annotations."""

from __future__ import annotations

from typing import Any

import click

from limen.cli.console import busy, progress, say, say_next
from limen.cli.event_files import hours, recording_groups
from limen.cli.help import Command
from limen.cli.inputs import refuse_to_replace
from limen.cli.options import GROUPS, SEED
from limen.errors import InputError, count

FILES = """
SCORES is a folder of limen score, or of score tables of sed_scores_eval.
EVENTS is a table (filename, onset, offset, event_label), labels of Audacity, a
selection table of Raven, or a folder of such files, one a recording.
"""


@click.command(name="tune-events", cls=Command, epilog=FILES, short_help="Find settings and thresholds of events.")
@click.argument("scores")
@click.argument("events")
@click.option("-o", "--output", default="events.json", show_default=True, help="Where to write.")
@click.option(
    "--criterion",
    "--metric",
    "criterion",
    type=click.Choice(["collar", "intersection", "segment", "clip"]),
    default="collar",
    show_default=True,
    help="When an event is right.",
)
@click.option(
    "--collar", "onset", type=click.FloatRange(min=0), help="Seconds that onset and offset may be away [0.2]."
)
@click.option("--segment", "seconds", type=click.FloatRange(min=0.001), help="Seconds of a segment [1].")
@click.option("--average", type=click.Choice(["micro", "macro"]), default="micro", show_default=True)
@click.option(
    "--method",
    type=click.Choice(["auto", "exact", "shared"]),
    default="auto",
    show_default=True,
    help="auto serves new recordings; exact is the best on these; shared has one setting.",
)
@click.option("--min-precision", type=click.FloatRange(0, 1), help="Of each label, on these recordings.")
@click.option(
    "--false-per-hour", type=click.FloatRange(min=0), help="At most so many false events of each label an hour."
)
@GROUPS
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "dcase", "audacity", "raven"]),
    help="Of the annotations; found by their first line, if left out.",
)
@click.option(
    "--unlisted",
    type=click.Choice(["refuse", "empty", "ignore"]),
    default="refuse",
    show_default=True,
    help="Recordings that no annotation lists: without events, or left out.",
)
@click.option(
    "--extra",
    type=click.Choice(["refuse", "ignore"]),
    default="refuse",
    show_default=True,
    help="Recordings and labels that have no scores.",
)
@SEED
def tune_events(
    scores: str,
    events: str,
    output: str,
    criterion: Any,
    onset: float | None,
    seconds: float | None,
    average: Any,
    method: Any,
    min_precision: float | None,
    false_per_hour: float | None,
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
    """
    from dataclasses import replace

    from limen import events as sound_events
    from limen.constraints import MaxFalsePositives, MinPrecision
    from limen.events.formats import read_events, read_scores
    from limen.events.formats.folders import model_of

    refuse_to_replace(output, inputs=(events, groups))
    rule = _criterion(criterion, onset, seconds)
    with busy(f"reading {scores} and {events}"):
        found = read_scores(scores)
        annotated = read_events(events, form, scores=found, extra=extra, unlisted=unlisted)
        found = found if annotated.recordings == found.names else found.take(annotated.recordings)
    constraints: list[Any] = []
    if min_precision is not None:
        constraints.append(MinPrecision(min_precision, per="label"))
    if false_per_hour is not None:
        constraints.append(MaxFalsePositives(per_hour=false_per_hour, hours=found.hours, per="label"))
    say(
        f"{count(len(annotated), 'event')} of {count(found.n_labels, 'label')} in "
        f"{count(len(found.names), 'recording')} ({hours(found.hours)})"
    )
    with progress(f"tuning ({method})") as tick:
        tuned = sound_events.tune(
            found,
            annotated,
            criterion=rule,
            average=average,
            method=method,
            groups=None if groups is None else recording_groups(groups, found.names),
            constraints=constraints,
            random_state=seed,
            progress=lambda step, steps: tick(step, steps, f"label {step} of {steps}"),
        )
    if model := model_of(scores):
        tuned = replace(tuned, details={**tuned.details, "model": model})
    tuned.save(output)
    say(tuned)
    for sentence in tuned.said_constraints():
        say(sentence)
    if groups is None:
        say("no --groups: if recordings share sources, expect less than this on new ones")
    say(f"wrote {output} ({count(len(tuned.labels), 'label')})")
    say_next("limen", "tag", "new/", "--model", "tagger.onnx", "--thresholds", output, "-o", "out/")


def _criterion(name: str, onset: float | None, seconds: float | None) -> Any:
    from limen.events import Collar, Segments
    from limen.events.matching import as_criterion

    if onset is not None:
        if name != "collar":
            raise InputError(f"--collar goes with --metric collar, not with {name}.")
        return Collar(onset=onset, offset=onset)
    if seconds is not None:
        if name != "segment":
            raise InputError(f"--segment goes with --metric segment, not with {name}.")
        return Segments(seconds=seconds)
    return as_criterion(name)
