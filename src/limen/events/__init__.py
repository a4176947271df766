"""Sound events: settings and thresholds tuned together, from frame scores to timed events."""

from __future__ import annotations

from limen.events.recordings import Events, FrameScores

__all__ = ["Events", "FrameScores"]
