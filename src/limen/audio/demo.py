"""The demonstration of tagging: recordings that come with limen, and how good the tags found in them are."""

from __future__ import annotations

import os
from pathlib import Path

from limen.datasets import spoken_events
from limen.events import EventEvaluation, Events, EventThresholds, evaluate
from limen.events.formats import read_events


def measured(output: str | os.PathLike[str]) -> EventEvaluation:
    """Return how the events in a folder of Audacity labels compare with what is spoken in the recordings shipped.

    Parameters
    ----------
    output : path-like
        What `limen tag --demo` wrote.
    """
    with spoken_events() as shipped:
        truth = read_events(shipped / "recordings.tsv")
        thresholds = EventThresholds.load(shipped / "events.json")
    files = [Path(output) / f"{name}.txt" for name in truth.recordings]
    rows = [row for file in files if file.stat().st_size for row in read_events(file, "audacity").rows()]
    names = {"recordings": truth.recordings, "labels": thresholds.labels}
    references = Events.from_rows(truth.rows(), **names)
    return evaluate(references, Events.from_rows(rows, **names), thresholds.criterion)
