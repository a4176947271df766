"""What the page of events holds: recordings with their frame scores, true events, settings, limits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from limen.constraints import bind
from limen.decisions import Counts
from limen.errors import InputError, count
from limen.events import Events, EventThresholds, FrameScores
from limen.events.matching import Criterion, count_right, criterion_spec, references_of
from limen.metrics import Metric
from limen.promises import Measured
from limen.reporting.encoding import packed
from limen.reporting.events.stretches import STRETCH_US
from limen.reporting.formulas import told
from limen.reporting.limits import Limits, outlasts_edits
from limen.thresholds_file import constraint_of

MOST_SCORES = 30_000_000
"""Scores of frames and labels; each takes 5 bytes of the page."""
WHOLE = 1 << 53
"""No whole number of the page is larger."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What a page is made of.

    Attributes
    ----------
    scores : FrameScores
    references : Events
        Of the recordings and labels of the scores, in their order; none of one label overlap.
    found : Events
        What the thresholds decide.
    thresholds : EventThresholds
    criterion : Collar, Intersection, Segments or Clips
        Of the report.
    """

    scores: FrameScores
    references: Events
    found: Events
    thresholds: EventThresholds
    criterion: Criterion

    def as_dict(self, title: str) -> dict[str, Any]:
        """Return all that the page shows but media: plain numbers, text, lists, and packed arrays.

        Raises
        ------
        InputError
            If there are more scores than a page can hold.
        """
        scores, references, given, criterion = self.scores, self.references, self.thresholds, self.criterion
        _check_size(scores)
        rule = criterion.rule()
        return {
            "title": title,
            "created": given.created,
            "labels": list(scores.labels),
            "recordings": list(scores.names),
            "hours": scores.hours,
            "frames": packed(np.array([len(own) for own in scores.recordings.values()])),
            "ends": packed(self._ends),
            "frame_seconds": scores.frame_seconds,
            "scores": packed(np.concatenate([own.T for own in scores.recordings.values()], axis=1).ravel()),
            "probabilities": given.scale == "probability",
            "references": {
                "recording": packed(references.recording),
                "label": packed(references.label),
                "onset": packed(references.onset),
                "offset": packed(references.offset),
                "needs": packed(criterion.needs(references.offset - references.onset)),
            },
            "known": packed(self._known[1]),
            # The segment of whole recordings is longer than a number of the page can be.
            "criterion": {
                "kind": criterion.name,
                "noun": criterion.noun,
                "length": min(int(rule.length), WHOLE),
                "share": rule.share,
            },
            "criterion_words": str(criterion),
            "chosen": [
                {
                    **setting.to_dict(),
                    "threshold": value if np.isfinite(value) else None,
                    "low": low if np.isfinite(low) else 0,
                }
                for setting, value, low in zip(
                    given.settings, given.thresholds.tolist(), given.low.tolist(), strict=True
                )
            ],
            "stretch_us": STRETCH_US,
            "objective": {
                "metric": self._told(given.metric),
                "average": given.average,
                "zero_division": given.zero_division,
                "noun": given.objective.noun,
                "given": float(given.objective(*self._counts)),
            },
            "tuned": self._tuned(),
            "limits": self._limits_content(),
            "promise": self._promise(),
            "file": {"original": given.to_dict(), "edited": self._edited()},
        }

    @cached_property
    def _ends(self) -> Any:
        return np.array([self.scores.bounds(name)[-1] for name in self.scores.names])

    @cached_property
    def _counts(self) -> Counts:
        """The counts by label of what the thresholds decide."""
        return Counts(*count_right(self.found, self.references, self.criterion, self._ends).sum(axis=1))

    @cached_property
    def _known(self) -> tuple[Any, Any]:
        """What can be found, and all that can be right, by label."""
        p, n = references_of(self.references, self.criterion, self._ends)[1:]
        return p.sum(axis=0), n.sum(axis=0)

    def _told(self, metric: Metric) -> dict[str, Any]:
        return told(metric, self.thresholds.zero_division, *self._known)

    @cached_property
    def on_tuning_data(self) -> bool:
        """Whether these seem to be the recordings tuned on: as many, as long, with the same counts by label."""
        given, scores = self.thresholds, self.scores
        if len(scores.names) != given.n_recordings or not np.isclose(scores.hours, given.hours, rtol=1e-9):
            return False
        here = Counts(*count_right(self.found, self.references, given.criterion, self._ends).sum(axis=1))
        return all(bool((one == other).all()) for one, other in zip(here, given.counts, strict=True))

    def _tuned(self) -> dict[str, Any]:
        """Return what the file says of itself, for the page to put in words."""
        given = self.thresholds
        return {
            "here": self.on_tuning_data,
            "same_criterion": given.criterion == self.criterion,
            "criterion": str(given.criterion),
            "method": given.method,
            "status": given.status,
            "value": given.value,
            "n_recordings": given.n_recordings,
            "edited": "edited" in given.details,
            "expected": None if given.expected is None else list(given.expected),
            "why_not": given.expected_reason,
        }

    @cached_property
    def _limits(self) -> Limits:
        """The constraints tuned under, with numbers of events for as many hours as there are here."""
        given = self.thresholds
        if not given.constraints:
            return Limits(None)
        bound = bind([constraint_of(entry) for entry in given.constraints], given.labels)
        share = self.scores.hours / given.hours if given.hours else 1.0
        # Numbers of the very recordings tuned on are not rounded away from whole ones.
        scaled = bound.scaled(1.0 if self.on_tuning_data else share)
        return Limits(scaled, given.constraints, tuple(given.details.get("never_by_constraint", [])))

    def _limits_content(self) -> dict[str, Any]:
        content = self._limits.content(self.on_tuning_data)
        noun = self.criterion.noun
        for one in content["all"]:
            for key in ("said", "noun"):
                one[key] = one[key].replace("tags", f"{noun}s")
            one["decision"] = [one["decision"][0].replace("tag", noun), one["decision"][1]]
        return content

    def _promise(self) -> dict[str, Any] | None:
        """Return what the thresholds promise, and for which labels it may outlast edits; None if nothing."""
        promise = getattr(self.thresholds, "promise", None)
        if promise is None:
            return None
        return {
            "said": promise.said(),
            "held": _held(promise.on(self.thresholds.labels, self._counts, self.scores.hours)),
            "labels": [self.thresholds.labels.index(name) for name in promise.labels],
            "lasting": outlasts_edits(promise),
        }

    def _edited(self) -> dict[str, Any]:
        """Return the file of settings edited in the page, but for what the page counts and judges."""
        given, scores = self.thresholds, self.scores
        content = given.to_dict()
        p, n = self._known
        return content | {
            "criterion": criterion_spec(self.criterion),
            "status": "local",
            "reason": "",
            "upper_bound": None,
            "expected": None,
            "expected_reason": "the settings were edited by hand",
            "n_recordings": len(scores.names),
            "hours": scores.hours,
            "data_digest": self._digest(),
            "constraints": self._limits.to_save(),
            "labels": [label | {"p": int(p[k]), "n": int(n[k])} for k, label in enumerate(content["labels"])],
        }

    def _digest(self) -> str:
        """Return a digest of the recordings, their scores and true events, and the criterion."""
        scores, references = self.scores, self.references
        names = scores.labels, scores.names, scores.frame_seconds, self.criterion
        digest = hashlib.sha256(repr(names).encode())
        for array in (*scores.recordings.values(), references.recording, references.label, references.onset):
            digest.update(np.ascontiguousarray(array).tobytes())
        return f"sha256:{digest.hexdigest()[:32]}"


def _held(measured: Sequence[Measured]) -> str:
    """Return a sentence: whether a promise held on the recordings of the report."""
    some = [one for one in measured if one.of]
    if not some:
        return "nothing in these recordings says whether it holds"
    kept = sum(not one.below for one in some)
    chance = "" if kept == len(some) else "; a few events more or less on either side are chance"
    return f"on these recordings it held in {kept} of {count(len(some), 'number')} that could be checked{chance}"


def _check_size(scores: FrameScores) -> None:
    size = scores.n_frames * scores.n_labels
    if size > MOST_SCORES:
        raise InputError(
            f"{count(scores.n_frames, 'frame')} of {count(scores.n_labels, 'label')} are {size:,} scores, and the "
            f"page holds all of them. It takes at most {MOST_SCORES:,}: choose some of the recordings."
        )
