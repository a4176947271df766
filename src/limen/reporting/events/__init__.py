"""The report of events: one HTML file in which a person looks at, listens to, changes and saves them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from limen.errors import count
from limen.events import Events, EventThresholds, FrameScores
from limen.events.matching import Criterion, as_criterion
from limen.files.writing import write_atomically
from limen.metrics import spec_to_save
from limen.names import match
from limen.reporting.assembly import Parts, assembled
from limen.reporting.events.contents import Contents
from limen.reporting.events.stretches import differing, picturing
from limen.reporting.media import NO_MEDIA, Media

__all__ = ["report"]

PAGE = Parts(
    "events/page",
    "events/page/events.html",
    ("page/page.css", "page/review.css", "page/limits.css", "events/page/events.css"),
    chart=False,
)


def report(
    scores: FrameScores,
    events: Events,
    thresholds: EventThresholds,
    output: str | os.PathLike[str] = "events.html",
    *,
    criterion: Criterion | str | None = None,
    media: str | os.PathLike[str] | None = None,
    title: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Return the path of the HTML report written: events to look at, listen to, change and save.

    Parameters
    ----------
    scores : FrameScores
        Of the recordings to show, all of them in the page.
    events : Events
        The true events of these recordings. Those of one label that overlap are taken for one.
    thresholds : EventThresholds
        What the report is about.
    output : path
        The file to write, whole or not at all.
    criterion : Collar, Intersection, Segments, Clips or a name, optional
        When an event is right; that of the thresholds if left out.
    media : path-like or str, optional
        Where to listen to the recordings: a folder with files named like them, or an address of http or https
        with ``{id}`` in it. The page refers to files by where they lie from ``output`` and copies none;
        spectrograms, which need soundfile, are drawn into it.
    title : str, optional
    progress : callable ``(step, steps, note)``, optional

    Raises
    ------
    InputError
        If scores, events and thresholds do not name the same recordings and labels, or the scores are too many
        for a page.
    UnreadableError
        If ``media`` is no folder.
    UnsupportedError
        If the metric of the thresholds is the user's own and not registered.
    FileError
        If the file cannot be written.

    Notes
    -----
    The page holds the frame scores and decides anew whenever a handle is moved, by the steps of
    `EventThresholds.decide` in whole microseconds: its counts, its objective and whether constraints hold are
    those of `limen.events.evaluate`. Of a metric of the user's own that is no ratio of linear terms it knows the
    value as given alone, and saves no edits. It needs no network and no server.
    """
    spec_to_save(thresholds.metric)  # The page saves files of event thresholds.
    tick = progress or (lambda step, steps, note: None)
    tick(0, 100, "deciding")
    scores = _in_order(scores, thresholds)
    references, _ = events.aligned(scores.names, scores.labels).merged()
    right_if = thresholds.criterion if criterion is None else as_criterion(criterion)
    beside = None if media is None else Media.of(media, scores.names)
    shown = title if title is not None else f"Events of {count(scores.n_labels, 'label')}"
    found = thresholds.decide(scores)
    content = Contents(scores, references, found, thresholds, right_if).as_dict(shown)
    content["media"], policy = None, NO_MEDIA
    if beside is not None:
        wanted = differing(scores, references, found)
        content["media"] = beside.content(
            scores.names,
            Path(output),
            lambda share: tick(10 + round(80 * share), 100, "spectrograms"),
            picturing(wanted),
        )
        policy = beside.policy(content["media"])
    tick(95, 100, "writing")
    page = assembled(content, policy, PAGE)
    with write_atomically(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(output)


def _in_order(scores: FrameScores, thresholds: EventThresholds) -> FrameScores:
    """Return the scores with labels in the order of the thresholds."""
    thresholds.check(scores)
    at = match(thresholds.labels, scores.labels, between=("event thresholds", "scores"))
    found = {name: own[:, at] for name, own in scores.recordings.items()}
    return FrameScores(thresholds.labels, found, scores.frame_seconds, scores.durations)
