"""`limen tag`: from recordings to events, or to tags."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from limen.cli.console import say
from limen.cli.sounds import SOUNDS, end, far, hearing_of, run_options, said
from limen.cli.tag_demo import TagCommand, say_how_good
from limen.errors import InputError, count

if TYPE_CHECKING:
    from limen.audio.tagging import Tagger

FORMATS = click.Choice(["csv", "jsonl", "parquet", "audacity", "raven", "dcase"])


@click.command(cls=TagCommand, epilog=SOUNDS, short_help="Find events in recordings, or tags.")
@click.argument("recordings", nargs=-1)
@click.option("--thresholds", metavar="FILE", help="Thresholds: of events, or of tags (limen tune).")
@click.option("-o", "--output", metavar="FOLDER", help="Where to write, a folder.")
@click.option("--format", "form", type=FORMATS, default="csv", show_default=True, help="Of the outputs.")
@click.option(
    "--clips",
    type=click.Choice(["max", "mean", "noisy-or"]),
    help="For thresholds of limen tune: the score of a recording is this of its frames. As tuned; else max.",
)
@click.option(
    "--extra",
    type=click.Choice(["refuse", "ignore"]),
    default="refuse",
    show_default=True,
    help="Labels of the model that the thresholds do not have.",
)
@click.option("--rate", type=click.IntRange(min=1), help="Of the samples on a pipe, where the recording is -.")
@click.option("--demo", is_flag=True, help="Tag spoken digits that come with limen; needs nothing else.")
@run_options
def tag(
    recordings: tuple[str, ...],
    thresholds: str | None,
    output: str | None,
    form: str,
    clips: Any,
    extra: Any,
    rate: int | None,
    demo: bool,
    model: str | None,
    description: str | None,
    hop: float | None,
    pooling: Any,
    channel: str,
    jobs: int,
    skip_bad: bool,
) -> None:
    """Find the events in recordings with a model and tuned thresholds, one file of events each.

    With thresholds of limen tune, a recording gets tags, which last from its beginning to its end. A run that was
    stopped goes on where it was. The recording - is a pipe of raw samples (16 bits, little-endian, one channel):
    its events are printed as they end.

    \b
    limen tag --demo
    limen tag --demo -o labels/
    limen tag new/ --model tagger.onnx --thresholds events.json -o out/ --format audacity
    limen tag new/ --model tagger.onnx --thresholds thresholds.json -o tags/ --jobs 2 --skip-bad
    arecord -t raw -f S16_LE -r 16000 | limen tag - --rate 16000 --model tagger.onnx --thresholds events.json
    """
    if not recordings or model is None or thresholds is None:
        given = {"recordings": recordings, "--model FILE": model, "--thresholds FILE": thresholds}
        lacking = [name for name, value in given.items() if not value]
        verb = "is" if len(lacking) == 1 else "are"
        raise InputError(
            f"{' and '.join(lacking)} {verb} missing. limen tag RECORDINGS --model FILE --thresholds FILE -o "
            "FOLDER; limen tag --demo needs nothing else."
        )
    from limen.audio.tagging import Tagger, tag_files

    hearing = hearing_of(model, description, hop, pooling, channel)
    tagger = Tagger(hearing, thresholds, clips=clips, extra=extra)
    if "-" in recordings:
        if len(recordings) > 1 or output is not None:
            raise InputError(
                "the recording - is a pipe: its events are printed. Leave other recordings and -o out."
            )
        if rate is None:
            raise InputError("a pipe does not say its sample rate. Give it: --rate 16000.")
        _listen(tagger, rate, form)
        return
    if rate is not None:
        raise InputError("--rate is of a pipe, where the recording is -. Files say their rate themselves.")
    if output is None:
        raise InputError("recordings in files need a folder for their events: -o out/.")
    with far("tagging") as progress:
        outcome, n_found = tag_files(
            recordings, tagger, output, form, jobs=jobs, skip_bad=skip_bad, progress=progress
        )
    said(outcome, output)
    what = "event" if hasattr(tagger.thresholds, "settings") else "tag"
    say(f"{count(n_found, what)} in {count(len(outcome.done), 'recording')}")
    if demo:
        say_how_good(output)
    end(outcome)


def _listen(tagger: Tagger, rate: int, form: str) -> None:
    """Print the events in the samples on standard input as they end."""
    if form in ("raven", "parquet"):
        raise InputError(
            f"events of a pipe are printed as lines, and {form} has none. Use csv, jsonl, audacity or dcase."
        )
    found = tagger.follow(_samples(), rate)
    if hasattr(tagger.thresholds, "settings"):
        click.echo(
            f"limen: {rate} samples a second of 16 bits, little-endian, one channel; an event is printed at most "
            f"{tagger.delay:.2f} s after its score falls",
            err=True,
        )
    for line in HEADS.get(form, []):
        click.echo(line)
    for event in found:
        click.echo(_line(event, tagger.thresholds.labels[event.label], form))
        sys.stdout.flush()


HEADS = {"csv": ["recording,onset,offset,label"], "dcase": ["filename\tonset\toffset\tevent_label"]}


def _line(event: Any, label: str, form: str) -> str:
    from limen.events.formats.writing import seconds
    from limen.files.text import spelled

    onset, offset = seconds(event.onset), seconds(event.offset)
    if form == "jsonl":
        row = {"recording": "-", "onset": float(onset), "offset": float(offset), "label": label}
        return json.dumps(row, ensure_ascii=False)
    if form == "audacity":
        return f"{float(onset):.6f}\t{float(offset):.6f}\t{label}"
    if form == "dcase":
        return f"-\t{onset}\t{offset}\t{label}"
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["-", onset, offset, spelled(label)])
    return line.getvalue()


def _samples() -> Iterator[Any]:
    """Give the samples on standard input as they come: 16 bits, little-endian, one channel."""
    import numpy as np

    rest = b""
    while part := os.read(sys.stdin.fileno(), 1 << 16):
        part = rest + part
        whole = len(part) // 2 * 2
        rest = part[whole:]
        if whole:
            yield np.frombuffer(part[:whole], "<i2").astype(np.float32) / 32768
    if rest:
        raise InputError(
            "the pipe ended in the middle of a sample: it has an odd number of bytes. Send 16 bits each."
        )
