"""Recordings tagged by thresholds: timed events, or tags of whole recordings."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from limen.audio.journal import Journal, Recording
from limen.audio.listening import Heard, Listening
from limen.audio.running import Outcome, Tick, find_recordings, run
from limen.audio.writing import clip_events, found_events, output_of, write_found
from limen.errors import InputError, LimenWarning, UnreadableError
from limen.events.formats.writing import check_labels
from limen.events.pooling import Clips, clip_scores
from limen.events.streaming import Decider, Found
from limen.events.thresholds import EventThresholds
from limen.names import match
from limen.thresholds import Thresholds
from limen.thresholds_file import SCHEMA

MANIFEST = "tagged.json"
MANIFEST_SCHEMA, MANIFEST_VERSION = "limen.tagged", 1
READING = 0.1
"""Seconds that reading a pipe and resampling may add to the delay."""


class Tagger:
    """A model with thresholds: of events (`limen.events.EventThresholds`), or of items, for clip tags.

    Parameters
    ----------
    hearing : Listening
    thresholds : path-like
        A file of `limen tune-events`, or of `limen tune`.
    clips : {"max", "mean", "noisy-or"}, optional
        For the latter: what the score of a recording is, of its frames. As when the thresholds were tuned, if left
        out; ``max`` where they do not say it.
    extra : {"refuse", "ignore"}
        What becomes of labels of the model that the thresholds do not have.

    Raises
    ------
    InputError
        If the labels, the frames or the kind of scores of model and thresholds contradict each other.
    UnreadableError
        If the file cannot be read.
    """

    def __init__(
        self,
        hearing: Listening,
        thresholds: str | os.PathLike[str],
        *,
        clips: Clips | None = None,
        extra: Literal["refuse", "ignore"] = "refuse",
    ) -> None:
        self.hearing, self.source = hearing, os.fspath(thresholds)
        self.thresholds = load_thresholds(thresholds)
        self._tuned = tuned_on(self.thresholds)
        self.clips = self._clips(clips)
        scorer = hearing.scorer
        labels = self.thresholds.labels
        aside = " Or leave them aside: --extra ignore." if set(labels) <= set(scorer.labels) else ""
        self._columns = match(
            labels,
            scorer.labels,
            between=(self.source, "the model"),
            extra=extra,
            advice=f"Use the model that the thresholds were tuned for.{aside}",
        )
        self._check()

    def decider(self) -> Decider:
        """Return what finds the events of one recording."""
        chosen = self.thresholds
        assert isinstance(chosen, EventThresholds)
        return Decider(chosen.settings, chosen.thresholds, chosen.low, self.hearing.scorer.frame_seconds)

    def find(self, heard: Heard) -> list[Found]:
        """Return the events of a recording, or its tags from end to end."""
        if isinstance(self.thresholds, EventThresholds):
            return found_events(self._own(heard), self.decider(), heard.seconds)
        scores = clip_scores(self._own(heard), self.clips, self.hearing.scorer.activation)
        given = np.asarray(self.thresholds.decide(scores[None]))[0]
        return clip_events(given, heard.seconds())

    def follow(self, samples: Iterable[NDArray[np.float32]], rate: int) -> Iterator[Found]:
        """Give the events in samples of one channel as they end.

        Raises
        ------
        InputError
            If the thresholds are of whole recordings.
        """
        if not isinstance(self.thresholds, EventThresholds):
            raise InputError(
                f"{self.source} has thresholds of whole recordings, and a pipe has no end to wait for. Use a "
                "file of limen tune-events."
            )
        heard, decider = self.hearing.hear_samples(samples, rate), self.decider()
        for block in self._own(heard):
            yield from decider.push(block)
        yield from decider.close(heard.seconds())

    @property
    def delay(self) -> float:
        """Seconds of sound from the moment a score falls, to stay low, until `follow` gives the event."""
        return self.hearing.delay + self.decider().delay + READING

    def about(self) -> dict[str, Any]:
        """Return what the events depend on beside the recording, as plain JSON."""
        content = Path(self.source).read_bytes()
        found = {"model": self.hearing.about(), "thresholds": f"sha256:{hashlib.sha256(content).hexdigest()[:32]}"}
        return found if isinstance(self.thresholds, EventThresholds) else {**found, "clips": self.clips}

    def _own(self, heard: Heard) -> Iterator[NDArray[np.float32]]:
        if self._columns == list(range(len(self.hearing.scorer.labels))):
            yield from heard
        else:
            for block in heard:
                yield block[:, self._columns]

    def _clips(self, asked: Clips | None) -> Clips:
        """Return how frames are pooled: as for the scores tuned on, which nothing asked for may contradict."""
        known = self._tuned.get("clips")
        if known is not None and asked not in (None, known):
            raise InputError(
                f"{self.source} was tuned on clip scores pooled by {known}, and --clips {asked} is asked for. "
                f"Leave it out, or pool by {asked} and tune anew: limen score --clips {asked}."
            )
        if known is not None and known not in get_args(Clips):
            raise InputError(f"{self.source} was tuned on clip scores pooled by {known!r}: upgrade limen.")
        if asked is not None and isinstance(self.thresholds, EventThresholds):
            raise InputError(
                f"--clips {asked} is for thresholds of whole recordings (limen tune), and {self.source} has "
                "thresholds of events. Leave it out."
            )
        return asked or known or "max"

    def _check(self) -> None:
        scorer = self.hearing.scorer
        if isinstance(self.thresholds, EventThresholds):
            seconds = self.thresholds.frame_seconds
            if abs(seconds - scorer.frame_seconds) > 1e-9 * seconds:
                raise InputError(
                    f"{self.source} is for frames of {seconds:g} s, and the model gives frames of "
                    f"{scorer.frame_seconds:g} s. Use the model that the thresholds were tuned for, or tune anew."
                )
        self._check_model(self._tuned)
        scale = self.thresholds.scale
        if scale is not None and (scale == "probability") != (scorer.activation == "probability"):
            said = {"probability": "probabilities", "logit": "logits", "real": "real numbers"}
            raise InputError(
                f"{self.source} is for {said[scale]}, and the model gives {said[scorer.activation]}. Use the "
                "model that the thresholds were tuned for, or tune anew."
            )

    def _check_model(self, tuned: dict[str, Any]) -> None:
        """Compare how the model hears with what made the scores tuned on, as far as that is known."""
        own = self.hearing.about()
        for key in ("rate", "window", "hop", "pooling", "channel"):
            if key in tuned and tuned[key] != own[key]:
                raise InputError(
                    f"{self.source} was tuned on scores with {key} {tuned[key]}, and here it is {own[key]}. Use "
                    "the model and options that the recordings were scored with, or tune anew."
                )
        if "digest" in tuned and tuned["digest"] != own.get("digest"):
            warnings.warn(
                f"{self.source} was tuned on scores of another model file: its thresholds may not suit this one.",
                LimenWarning,
                stacklevel=4,
            )


def tuned_on(thresholds: EventThresholds | Thresholds) -> dict[str, Any]:
    """Return what thresholds say of the sound that they were tuned on: the model, and ``clips``."""
    found = thresholds.details.get("model" if isinstance(thresholds, EventThresholds) else "sound", {})
    return dict(found) if isinstance(found, dict) else {}


def load_thresholds(path: str | os.PathLike[str]) -> EventThresholds | Thresholds:
    """Return the thresholds in a file, of events or of items."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableError(f"cannot read {os.fspath(path)}: {error.strerror}. Check the path.") from error
    except ValueError:
        content = None
    of_items = not isinstance(content, dict) or content.get("schema") == SCHEMA
    return Thresholds.load(Path(path)) if of_items else EventThresholds.load(Path(path))


def tag_files(
    paths: Iterable[str | os.PathLike[str]],
    tagger: Tagger,
    folder: str | os.PathLike[str],
    format: str = "csv",
    *,
    jobs: int = 1,
    skip_bad: bool = False,
    progress: Any = None,
) -> tuple[Outcome, int]:
    """Tag recordings, one file of events each; return what was done, and how many events were found now.

    Parameters
    ----------
    paths : iterable of path-like
        Recordings, and folders of them.
    tagger : Tagger
    folder : path-like
    format : {"csv", "jsonl", "parquet", "audacity", "raven", "dcase"}
    jobs, skip_bad, progress
        As `limen.audio.running.run` has them.
    """
    from limen.audio.reading import info

    check_labels(tagger.thresholds.labels, format)
    target = output_of(Path(folder), format)
    n_found: dict[str, int] = {}

    def work(recording: Recording, tick: Tick) -> dict[str, Any]:
        heard = tagger.hearing.hear(recording.path, tick)
        found = tagger.find(heard)
        highest = info(recording.path).rate / 2 if format == "raven" else 0.0
        file = f"{recording.name}{recording.path.suffix}"
        write_found(
            target(recording.name),
            found,
            recording.name,
            tagger.thresholds.labels,
            format,
            file=file,
            highest_hz=highest,
        )
        n_found[recording.name] = len(found)
        return {"seconds": round(heard.seconds(), 6), "events": len(found)}

    settings = {"schema": MANIFEST_SCHEMA, "schema_version": MANIFEST_VERSION, **tagger.about(), "format": format}
    with Journal(Path(folder) / MANIFEST, settings, target) as journal:
        found = find_recordings(list(paths))
        outcome = run(found, journal, work, jobs=jobs, skip_bad=skip_bad, progress=progress)
    return outcome, sum(n_found.values())
