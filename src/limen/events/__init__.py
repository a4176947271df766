"""Sound events: settings and thresholds tuned together, from frame scores to timed events."""

from __future__ import annotations

from limen.events.curves import EventCurves, event_curves
from limen.events.evaluation import EventEvaluation, evaluate
from limen.events.guaranteeing import guarantee
from limen.events.matching import Clips, Collar, Intersection, Segments
from limen.events.promise import EventPromise
from limen.events.recordings import Events, FrameScores
from limen.events.settings import Setting, settings_grid
from limen.events.thresholds import EventThresholds
from limen.events.tuning import tune

__all__ = [
    "Clips",
    "Collar",
    "EventCurves",
    "EventEvaluation",
    "EventPromise",
    "EventThresholds",
    "Events",
    "FrameScores",
    "Intersection",
    "Segments",
    "Setting",
    "evaluate",
    "event_curves",
    "guarantee",
    "settings_grid",
    "tune",
]
