"""Whether thresholds still keep on a stream what they promised, told again and again with one error."""

from __future__ import annotations

from limen.monitoring.result import Monitoring
from limen.monitoring.state import State
from limen.monitoring.watching import monitor

__all__ = ["Monitoring", "State", "monitor"]
