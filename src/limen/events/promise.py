"""What thresholds of events promise on new recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from limen.decisions import Counts
from limen.promises import Measured, Promise, numbers


@dataclass(frozen=True, kw_only=True)
class EventPromise(Promise):
    """A promise of events, made by `limen.events.guarantee`; as `limen.promises.Promise` is of tags.

    ``asked`` holds ``precision`` and ``recall`` at least, ``false_per_hour`` at most. Units are recordings or
    groups of them, ``n_items`` recordings. A unit that holds more than ``largest`` (events given, events, or false
    events) counts as if it held so much.
    """

    given: ClassVar[str] = "events"
    item: ClassVar[str] = "recording"
    holds: ClassVar[dict[str, str]] = {
        "precision": "events given",
        "recall": "events",
        "false_per_hour": "false events",
    }

    def on(self, labels: Sequence[str], counts: Counts, hours: float) -> list[Measured]:
        """Return how each number that is promised came out on recordings of so many hours, by counts by label."""
        at = [labels.index(name) for name in self.labels]
        chosen = Counts(*(np.asarray(column, np.float64)[at] for column in counts))
        names: tuple[str, ...] = self.labels
        if self.per == "all" and names:
            chosen, names = Counts(*(column.sum(keepdims=True) for column in chosen)), ("all labels",)
        found = []
        for kind, share in self.asked.items():
            right, of = (
                (chosen.pp - chosen.tp, np.full(len(names), hours))
                if kind == "false_per_hour"
                else numbers(kind, chosen)
            )
            found += [
                Measured(name, kind, share, k, n)
                for name, k, n in zip(names, right.tolist(), of.tolist(), strict=True)
            ]
        return found
