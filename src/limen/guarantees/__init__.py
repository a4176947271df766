"""What may be promised of thresholds on new data, and what more would have to be checked to promise it."""

from __future__ import annotations

from limen.guarantees.checking import Plan, answers, to_check
from limen.guarantees.detections import PrecisionAt, precision_at
from limen.guarantees.making import guarantee as guarantee
from limen.guarantees.planning import needed

__all__ = ["Plan", "PrecisionAt", "answers", "needed", "precision_at", "to_check"]
