"""Timed events and frame scores in files of other programs, and out."""

from __future__ import annotations

from limen.events.formats.clips import write_clip_scores
from limen.events.formats.folders import model_of, read_scores, write_scores
from limen.events.formats.reading import read_events
from limen.events.formats.writing import write_events

__all__ = ["model_of", "read_events", "read_scores", "write_clip_scores", "write_events", "write_scores"]
