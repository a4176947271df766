"""Curves of a stream, so that thresholds follow what drifts."""

from __future__ import annotations

from limen.online.accumulator import Accumulator

__all__ = ["Accumulator"]
