"""What the commands on recordings share: the model, the runs, how far they are."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from limen.cli.console import console, is_watched, progress, say
from limen.errors import InputError, UnreadableError, count

if TYPE_CHECKING:
    from limen.audio.listening import Listening
    from limen.audio.running import Outcome

SOUNDS = """
Recordings: .wav .flac .ogg .opus .mp3 .aiff and others; a folder is read with
all its folders. A model says itself what it needs (limen.audio.describe), or
--description FILE.json does: rate, window and hop in samples, frame_seconds,
labels, activation ("probability" or "logit"), and output, if the model has
several. A model that gives one score for a window has frame_seconds of a
window; with --hop its windows overlap.
"""
PLAIN_EVERY = 30.0
"""Seconds between two lines on how far a run is, where no terminal shows a bar."""


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the model and of a run over many recordings."""
    options = (
        click.option("--model", metavar="FILE", help="An ONNX model: waveform in, frames (or one score) out."),
        click.option("--description", metavar="FILE.json", help="What the model needs, if it does not say it."),
        click.option(
            "--hop",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="From one window to the next, in place of the model's own.",
        ),
        click.option(
            "--pooling",
            type=click.Choice(["mean", "max", "noisy-or", "centre"]),
            default="mean",
            show_default=True,
            help="Of frames that lie in several windows.",
        ),
        click.option(
            "--channel",
            metavar="mean|1|2|...",
            default="mean",
            show_default=True,
            help="Which to hear; of a pipe, which it is.",
        ),
        click.option(
            "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Recordings at once."
        ),
        click.option("--skip-bad", is_flag=True, help="Leave out recordings that cannot be read; exit status 1."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def hearing_of(model: str, description: str | None, hop: float | None, pooling: Any, channel: str) -> Listening:
    """Return the model that scores recordings, with what it needs, and how it hears them."""
    from limen.audio import OnnxScorer
    from limen.audio.listening import Listening

    scorer = OnnxScorer(model, **({} if description is None else _description(description)))
    if hop is not None:
        scorer = scorer.with_hop(max(1, round(hop * scorer.rate)))
    return Listening(scorer, pooling=pooling, channel=channel_of(channel))


def _description(path: str) -> dict[str, Any]:
    known = {"rate", "window", "hop", "frame_seconds", "labels", "activation", "output"}
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    except ValueError as error:
        raise InputError(f'{path} is no JSON: {error}. Write {{"rate": 16000, ...}}.') from error
    strange = sorted(set(content) - known - {"version"}) if isinstance(content, dict) else ["a list or a value"]
    if strange:
        raise InputError(f"{path} has {', '.join(strange)}. It may have {', '.join(sorted(known))}.")
    return {key: value for key, value in content.items() if key != "version"}


def channel_of(text: str) -> Any:
    """Return ``mean``, or the number of a channel, from 0; people count from 1."""
    if text == "mean":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--channel {text} is neither mean nor a number from 1.")
    return int(text) - 1


@contextmanager
def far(what: str) -> Iterator[Callable[[float, float, str], None]]:
    """Give a function ``(done, all, recording)`` that shows how far a run is, and the time that is left."""
    if is_watched(console(stderr=True)):
        with progress(what) as tick:
            yield lambda done, everything, name: tick(round(done), max(round(everything), 1), Path(name).name)
        return
    begun = last = time.monotonic()

    def tell(done: float, everything: float, _: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_EVERY and done > 0:
            last = now
            left = (now - begun) * (everything - done) / done
            click.echo(f"{what}: {100 * done / everything:.0f} %, about {_time(left)} left", err=True)

    yield tell


def _time(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(minutes, 1)} min"


def said(outcome: Outcome, folder: str) -> None:
    """Say what a run did."""
    before = f" ({len(outcome.before)} were done before)" if outcome.before else ""
    say(f"wrote {folder}: {count(len(outcome.done), 'recording')}{before}")


def end(outcome: Outcome) -> None:
    """Name the recordings that were skipped, and end with status 1 if there are any."""
    for message in outcome.skipped.values():
        click.echo(f"limen: skipped: {message}", err=True)
    if outcome.skipped:
        click.echo(f"limen: {count(len(outcome.skipped), 'recording')} skipped", err=True)
        sys.exit(1)
