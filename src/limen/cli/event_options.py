"""Options of commands that read scores and annotations of events."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from limen.errors import InputError

FILES = """
SCORES is a folder of limen score, or of score tables of sed_scores_eval.
EVENTS is a table (filename, onset, offset, event_label), labels of Audacity, a
selection table of Raven, or a folder of such files, one a recording.
"""


def criterion_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say when an event is right; it gets a ``criterion``."""

    @functools.wraps(command)
    def with_criterion(*, criterion: str, onset: float | None, seconds: float | None, **others: Any) -> None:
        command(criterion=_criterion(criterion, onset, seconds), **others)

    options = (
        click.option(
            "--criterion",
            "--metric",
            "criterion",
            type=click.Choice(["collar", "intersection", "segment", "clip"]),
            default="collar",
            show_default=True,
            help="When an event is right.",
        ),
        click.option(
            "--collar",
            "onset",
            type=click.FloatRange(min=0),
            help="Seconds that onset and offset may be away [0.2].",
        ),
        click.option("--segment", "seconds", type=click.FloatRange(min=0.001), help="Seconds of a segment [1]."),
    )
    for option in reversed(options):
        with_criterion = option(with_criterion)
    return with_criterion


def annotation_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how annotations are read: ``form``, ``unlisted``, ``extra``."""
    options = (
        click.option(
            "--format",
            "form",
            type=click.Choice(["csv", "dcase", "audacity", "raven"]),
            help="Of the annotations; found by their first line, if left out.",
        ),
        click.option(
            "--unlisted",
            type=click.Choice(["refuse", "empty", "ignore"]),
            default="refuse",
            show_default=True,
            help="Recordings that no annotation lists: without events, or left out.",
        ),
        click.option(
            "--extra",
            type=click.Choice(["refuse", "ignore"]),
            default="refuse",
            show_default=True,
            help="Recordings and labels that have no scores.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def read_both(scores: str, events: str, form: Any, unlisted: Any, extra: Any) -> tuple[Any, Any]:
    """Return the scores and the events of the same recordings, and say what they are."""
    from limen.cli.console import busy, say
    from limen.cli.event_files import hours
    from limen.errors import count
    from limen.events.formats import read_events, read_scores

    with busy(f"reading {scores} and {events}"):
        found = read_scores(scores)
        annotated = read_events(events, form, scores=found, extra=extra, unlisted=unlisted)
        found = found if annotated.recordings == found.names else found.take(annotated.recordings)
    say(
        f"{count(len(annotated), 'event')} of {count(found.n_labels, 'label')} in "
        f"{count(len(found.names), 'recording')} ({hours(found.hours)})"
    )
    return found, annotated


def with_model(tuned: Any, scores: str) -> Any:
    """Return event thresholds that know the model of a folder of scores."""
    from dataclasses import replace

    from limen.events.formats.folders import model_of

    model = model_of(scores)
    return replace(tuned, details={**tuned.details, "model": model}) if model else tuned


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
