"""`limen score`: scores of recordings, once: of their frames, or one of each recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from limen.cli.console import busy, say, say_next
from limen.cli.help import Command
from limen.cli.sounds import SOUNDS, end, far, hearing_of, run_options, said
from limen.errors import InputError, count

if TYPE_CHECKING:
    from limen.audio.journal import Journal
    from limen.audio.listening import Listening


@click.command(cls=Command, epilog=SOUNDS, short_help="Score recordings, or their frames.")
@click.argument("recordings", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="PATH", help="Where to write: a folder; of clips, a file.")
@click.option(
    "--clips",
    type=click.Choice(["max", "mean", "noisy-or"]),
    help="One score for a recording: this of its frames. Into a .csv, .tsv or .parquet file, for limen tune.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["npy", "tsv"]),
    default="npy",
    show_default=True,
    help="Of frame scores: matrices, or the tables of sed_scores_eval.",
)
@run_options
def score(
    recordings: tuple[str, ...],
    output: str,
    clips: Any,
    form: Any,
    model: str | None,
    description: str | None,
    hop: float | None,
    pooling: Any,
    channel: str,
    jobs: int,
    skip_bad: bool,
) -> None:
    """Score the frames of recordings, for limen tune-events, or with --clips each as a whole, for limen tune.

    A run that was stopped goes on where it was. Frame scores that are there already are pooled into clip scores
    without a model.

    \b
    limen score recordings/ --model tagger.onnx -o scores/
    limen score dawn.flac dusk.flac --model tagger.onnx -o scores/ --jobs 2
    limen score recordings/ --model tagger.onnx --clips max -o clips.csv
    limen score scores/ --clips mean -o clips.parquet
    """
    if model is None:
        _pool(recordings, output, clips)
        return
    hearing = hearing_of(model, description, hop, pooling, channel)
    journal, work = _clip_run(hearing, output, clips) if clips else _frame_run(hearing, output, form)
    from limen.audio.running import find_recordings, run

    found = find_recordings(recordings)
    with journal, far("scoring") as progress:
        outcome = run(found, journal, work, jobs=jobs, skip_bad=skip_bad, progress=progress)
    said(outcome, output)
    if clips:
        say_next("limen", "tune", output, "tags.csv")
    else:
        say_next("limen", "tune-events", output, "events.tsv")
    end(outcome)


def _frame_run(hearing: Listening, output: str, form: Any) -> tuple[Journal, Callable[..., Any]]:
    """Return the journal of a folder of frame scores, and what scores a recording."""
    from limen.audio.journal import Journal
    from limen.audio.writing import output_of, scores_settings, write_frame_scores

    scorer, folder = hearing.scorer, Path(output)
    target = output_of(folder, form)
    settings = scores_settings(hearing.about(), scorer.labels, scorer.frame_seconds)
    # sed_scores_eval wants folders of nothing but tables.
    manifest = folder / "scores.json" if form == "npy" else folder.with_name(f"{folder.name}.json")

    def work(recording: Any, tick: Any) -> Any:
        heard = hearing.hear(recording.path, tick)
        return write_frame_scores(
            target(recording.name), heard, scorer.labels, scorer.frame_seconds, heard.seconds, form
        )

    return Journal(manifest, settings, target), work


def _clip_run(hearing: Listening, output: str, clips: Any) -> tuple[Journal, Callable[..., Any]]:
    """Return the journal of a table of clip scores, and what scores a recording."""
    from limen.audio.clips import ClipJournal
    from limen.events.formats.clips import clip_settings
    from limen.events.pooling import clip_scores

    scorer = hearing.scorer

    def work(recording: Any, tick: Any) -> Any:
        heard = hearing.hear(recording.path, tick)
        scores = clip_scores(heard, clips, scorer.activation).tolist()
        return {"seconds": round(heard.seconds(), 6), "scores": scores}

    return ClipJournal(Path(output), clip_settings(clips, scorer.labels, hearing.about())), work


def _pool(folders: tuple[str, ...], output: str, clips: Any) -> None:
    """Pool a folder of frame scores into clip scores."""
    from limen.events.formats import model_of, read_scores, write_clip_scores

    if clips is None:
        raise InputError(
            "there is no model to score with: --model FILE. Only frame scores that are there already need none: "
            "limen score scores/ --clips max -o clips.csv."
        )
    if len(folders) > 1:
        raise InputError(f"{count(len(folders), 'path')} are given. Give one folder of frame scores, or --model.")
    if not any(any(Path(folders[0]).rglob(name)) for name in ("scores.json", "*.tsv")):
        raise InputError(
            f"{folders[0]} is no folder of frame scores, which --clips pools without a model. Recordings need "
            "one: --model FILE."
        )
    with busy(f"reading {folders[0]}"):
        scores = read_scores(folders[0])
        write_clip_scores(scores, output, clips, model=model_of(folders[0]))
    say(f"wrote {output}: {count(len(scores.names), 'recording')}, {count(scores.n_labels, 'label')}")
    say_next("limen", "tune", output, "tags.csv")
