"""What the page of events holds: recordings with their frame scores, true events, settings."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from limen.errors import InputError, count
from limen.events import Events, EventThresholds, FrameScores
from limen.events.matching import Criterion, criterion_spec, references_of
from limen.reporting.encoding import packed
from limen.reporting.events.stretches import STRETCH_US

MOST_SCORES = 30_000_000
"""Scores of frames and labels; each takes 5 bytes of the page."""


def contents_of(
    title: str, scores: FrameScores, references: Events, thresholds: EventThresholds, criterion: Criterion
) -> dict[str, Any]:
    """Return all that the page shows but media: plain numbers, text, lists, and packed arrays.

    Parameters
    ----------
    references : Events
        Of the recordings and labels of the scores, in their order; none of one label overlap.

    Raises
    ------
    InputError
        If there are more scores than a page can hold.
    """
    size = scores.n_frames * scores.n_labels
    if size > MOST_SCORES:
        raise InputError(
            f"{count(scores.n_frames, 'frame')} of {count(scores.n_labels, 'label')} are {size:,} scores, and the "
            f"page holds all of them. It takes at most {MOST_SCORES:,}: choose some of the recordings."
        )
    rule = criterion.rule()
    return {
        "title": title,
        "created": thresholds.created,
        "labels": list(scores.labels),
        "recordings": list(scores.names),
        "frames": packed(np.array([len(own) for own in scores.recordings.values()])),
        "ends": packed(np.array([scores.bounds(name)[-1] for name in scores.names])),
        "frame_seconds": scores.frame_seconds,
        "scores": packed(np.concatenate([own.T for own in scores.recordings.values()], axis=1).ravel()),
        "probabilities": thresholds.scale == "probability",
        "references": {
            "recording": packed(references.recording),
            "label": packed(references.label),
            "onset": packed(references.onset),
            "offset": packed(references.offset),
            "needs": packed(criterion.needs(references.offset - references.onset)),
        },
        # The segment of whole recordings is longer than a number of the page can be.
        "criterion": {"kind": criterion.name, "length": min(int(rule.length), 1 << 53), "share": rule.share},
        "criterion_words": str(criterion),
        "chosen": [
            {
                **setting.to_dict(),
                "threshold": value if np.isfinite(value) else None,
                "low": low if np.isfinite(low) else 0,
            }
            for setting, value, low in zip(
                thresholds.settings, thresholds.thresholds.tolist(), thresholds.low.tolist(), strict=True
            )
        ],
        "stretch_us": STRETCH_US,
        "objective": {
            "f1": thresholds.metric.spec == "f1",
            "average": thresholds.average,
            "zero_division": thresholds.zero_division,
        },
        "file": {"original": thresholds.to_dict(), "edited": _edited(scores, references, thresholds, criterion)},
    }


def _edited(
    scores: FrameScores, references: Events, thresholds: EventThresholds, criterion: Criterion
) -> dict[str, Any]:
    """Return the file of settings edited in the page, but for what the page counts."""
    ends = np.array([scores.bounds(name)[-1] for name in scores.names])
    p, n = references_of(references, criterion, ends)[1:]
    digest = hashlib.sha256(repr((scores.labels, scores.names, scores.frame_seconds, criterion)).encode())
    for array in (*scores.recordings.values(), references.recording, references.label, references.onset):
        digest.update(np.ascontiguousarray(array).tobytes())
    content = thresholds.to_dict()
    return content | {
        "criterion": criterion_spec(criterion),
        "status": "local",
        "reason": "",
        "upper_bound": None,
        "expected": None,
        "expected_reason": "the settings were edited by hand",
        "n_recordings": len(scores.names),
        "hours": scores.hours,
        "data_digest": f"sha256:{digest.hexdigest()[:32]}",
        "constraints": [],
        "promise": None,
        "labels": [
            label | {"p": int(p[:, k].sum()), "n": int(n[:, k].sum())} for k, label in enumerate(content["labels"])
        ],
    }
