"""`limen score`: frame scores of recordings, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from limen.cli.help import Command
from limen.cli.sounds import SOUNDS, channel_of, end, far, run_options, said, scorer_of


@click.command(cls=Command, epilog=SOUNDS, short_help="Score the frames of recordings.")
@click.argument("recordings", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Where to write, a folder.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["npy", "tsv"]),
    default="npy",
    show_default=True,
    help="Matrices, or the tables of sed_scores_eval.",
)
@run_options
def score(
    recordings: tuple[str, ...],
    output: str,
    form: Any,
    model: str,
    description: str | None,
    pooling: Any,
    channel: str,
    jobs: int,
    skip_bad: bool,
) -> None:
    """Score the frames of recordings with a model, one file of scores each.

    A run that was stopped goes on where it was. Then: limen tune-events.

    \b
    limen score recordings/ --model tagger.onnx -o scores/
    limen score dawn.flac dusk.flac --model tagger.onnx -o scores/ --jobs 2
    """
    from limen.audio.listening import Listening
    from limen.audio.running import Journal, find_recordings, run
    from limen.audio.writing import output_of, scores_settings, write_frame_scores

    scorer = scorer_of(model, description)
    hearing = Listening(scorer, pooling=pooling, channel=channel_of(channel))
    found = find_recordings(recordings)
    folder = Path(output)
    target = output_of(folder, form)
    settings = scores_settings(hearing.about(), scorer.labels, scorer.frame_seconds)
    # sed_scores_eval wants folders of nothing but tables.
    manifest = folder / "scores.json" if form == "npy" else folder.with_name(f"{folder.name}.json")

    def work(recording: Any, tick: Any) -> Any:
        heard = hearing.hear(recording.path, tick)
        return write_frame_scores(
            target(recording.name), heard, scorer.labels, scorer.frame_seconds, heard.seconds, form
        )

    with Journal(manifest, settings, target) as journal, far("scoring") as progress:
        outcome = run(found, journal, work, jobs=jobs, skip_bad=skip_bad, progress=progress)
    said(outcome, output)
    end(outcome)
