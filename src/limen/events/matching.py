"""When an event is right: by collars, by intersection, by segments, by clips."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from limen._kernels import events as kernels
from limen.errors import InputError
from limen.events.recordings import Events, microseconds


def _check(what: str, value: Any, low: float, high: float) -> None:
    good = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (good and low <= value <= high):
        raise InputError(f"{what} is {value!r}. It must be a number from {low:g} to {high:g}.")


@dataclass(frozen=True)
class Collar:
    """A detection is right if its onset and its offset are near those of a reference of its own.

    Parameters
    ----------
    onset, offset : float
        Seconds that the onset and the offset may be away.
    offset_ratio : float
        The offset may be away by this share of the reference's length, if that is more.

    Notes
    -----
    Of all ways to pair detections with references the one with most pairs counts, as in sed_eval
    (``event_matching_type="optimal"``) and sed_scores_eval (Mesaros, Heittola and Virtanen 2016). tp are pairs, pp
    detections, p references.
    """

    onset: float = 0.2
    offset: float = 0.2
    offset_ratio: float = 0.2

    name: ClassVar[str] = "collar"
    noun: ClassVar[str] = "event"
    has_negatives: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for key, value in asdict(self).items():
            _check(f"{key} of a collar", value, 0, 1e6)

    def rule(self) -> kernels.Rule:
        """Return it as the kernels take it."""
        return kernels.Rule(kernels.COLLAR, int(microseconds(self.onset)), 0.0)

    def needs(self, length: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the tolerance of the offset of references of these lengths, microseconds."""
        return np.asarray(
            np.maximum(microseconds(self.offset), np.rint(self.offset_ratio * length).astype(np.int64))
        )

    def __str__(self) -> str:
        return f"collars of {self.onset:g} s and {self.offset:g} s or {100 * self.offset_ratio:g} %"


@dataclass(frozen=True)
class Intersection:
    """A detection is right if enough of it lies in references; a reference is found if right detections cover it.

    Parameters
    ----------
    dtc, gtc : float above 0, at most 1
        Share of a detection that must lie in references of its label, and share of a reference that right
        detections must cover.
    cttc : float above 0, at most 1
        Share of a detection that is not right, and lies in references of another label, for a cross trigger.

    Notes
    -----
    As in PSDS (Bilen et al. 2020) without cross triggers, which couple the labels; `evaluate` reports them. tp are
    references found, fp detections that are not right, pp their sum, p references. Shares are compared in whole
    microseconds.
    """

    dtc: float = 0.5
    gtc: float = 0.5
    cttc: float = 0.3

    name: ClassVar[str] = "intersection"
    noun: ClassVar[str] = "event"
    has_negatives: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for key, value in asdict(self).items():
            _check(f"{key} of an intersection", value, 1e-6, 1)

    def rule(self) -> kernels.Rule:
        """Return it as the kernels take it."""
        return kernels.Rule(kernels.INTERSECTION, 0, float(self.dtc))

    def needs(self, length: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how much of references of these lengths must be covered, microseconds."""
        return np.asarray(np.maximum(np.rint(self.gtc * length), 1), np.int64)

    def __str__(self) -> str:
        return f"intersections of {self.dtc:g} and {self.gtc:g}"


@dataclass(frozen=True)
class Segments:
    """Recordings are cut into segments; a label is right in a segment if detection and reference reach into it.

    Parameters
    ----------
    seconds : float
        Length of a segment; the last one of a recording may be shorter.
    """

    seconds: float = 1.0

    name: ClassVar[str] = "segment"
    noun: ClassVar[str] = "segment"
    has_negatives: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check("seconds of segments", self.seconds, 1e-3, 1e6)

    def rule(self) -> kernels.Rule:
        """Return it as the kernels take it."""
        return kernels.Rule(kernels.SEGMENT, int(microseconds(self.seconds)), 0.0)

    def needs(self, length: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return nothing of use."""
        return np.zeros_like(length)

    def __str__(self) -> str:
        return f"segments of {self.seconds:g} s"


@dataclass(frozen=True)
class Clips:
    """A label is right in a recording if it has a detection and a reference there: tags, by way of events."""

    name: ClassVar[str] = "clip"
    noun: ClassVar[str] = "recording"
    has_negatives: ClassVar[bool] = True

    def rule(self) -> kernels.Rule:
        """Return it as the kernels take it."""
        return kernels.Rule(kernels.SEGMENT, 1 << 62, 0.0)

    def needs(self, length: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return nothing of use."""
        return np.zeros_like(length)

    def __str__(self) -> str:
        return "whole recordings"


Criterion = Collar | Intersection | Segments | Clips
COLLAR = Collar()
CRITERIA: dict[str, type[Any]] = {kind.name: kind for kind in (Collar, Intersection, Segments, Clips)}


def as_criterion(given: Criterion | str | dict[str, Any]) -> Criterion:
    """Return a criterion of its name, of what `criterion_spec` gave, or as it is.

    Examples
    --------
    >>> as_criterion("segment")
    Segments(seconds=1.0)
    """
    if isinstance(given, Criterion):
        return given
    spec = {"name": given} if isinstance(given, str) else given
    if not isinstance(spec, dict) or spec.get("name") not in CRITERIA:
        raise InputError(f"criterion={given!r} is unknown. Use {', '.join(map(repr, CRITERIA))}, or an object.")
    try:
        made: Criterion = CRITERIA[spec["name"]](**{key: value for key, value in spec.items() if key != "name"})
    except TypeError as error:
        raise InputError(f"the criterion {given!r} is not understood: {error}.") from error
    return made


def criterion_spec(criterion: Criterion) -> dict[str, Any]:
    """Return what a criterion is, in plain numbers and text."""
    return {"name": criterion.name, **asdict(criterion)}


def references_of(
    events: Events, criterion: Criterion, durations: NDArray[np.int64]
) -> tuple[list[kernels.References], NDArray[np.int64], NDArray[np.int64]]:
    """Return the references of each label as the kernels take them, and p and n of each recording and label.

    Parameters
    ----------
    events : Events
        Those of one label do not overlap.
    durations : int64 (n_recordings,)
        Microseconds.

    Returns
    -------
    references : list of n_labels References
    p, n : int64 (n_recordings, n_labels)
        References and all that can be right, or 0 where that is not counted.
    """
    rule, n_recordings = criterion.rule(), len(events.recordings)
    p = np.zeros((n_recordings, len(events.labels)), np.int64)
    n = np.zeros_like(p)
    segments = np.zeros(n_recordings + 1, np.int64)
    if rule.kind == kernels.SEGMENT:
        pieces = -(-durations // rule.length)
        segments[1:] = np.cumsum(np.maximum(pieces, 1) if isinstance(criterion, Clips) else pieces)
        n[:] = np.diff(segments)[:, None]
    order = np.argsort(events.label, kind="stable")
    recording, onset, offset = events.recording[order], events.onset[order], events.offset[order]
    needs = criterion.needs(offset - onset)
    ends = np.searchsorted(events.label[order], np.arange(len(events.labels) + 1)).tolist()
    found = []
    for k, own in enumerate(map(slice, ends[:-1], ends[1:])):
        offsets = np.searchsorted(recording[own], np.arange(n_recordings + 1))
        active = np.zeros(segments[-1], bool)
        if rule.kind != kernels.SEGMENT:
            p[:, k] = np.diff(offsets)
        elif own.stop > own.start:
            p[:, k] = kernels.reach(recording[own], (onset[own], offset[own]), segments, rule.length, active)
        found.append(kernels.References(offsets, onset[own], offset[own], needs[own], segments, active))
    return found, p, n


def count_right(
    detections: Events, references: Events, criterion: Criterion, durations: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return tp, pp, p and n of each recording and label, int64 (4, n_recordings, n_labels).

    Both must name the same recordings and labels in one order; references of one label do not overlap.
    """
    by_label, p, n = references_of(references, criterion, durations)
    counts = np.zeros((4, *p.shape), np.int64)
    counts[2], counts[3] = p, n
    out = np.empty((2, len(p)), np.int64)
    for k, own in enumerate(by_label):
        mine = np.flatnonzero(detections.label == k)
        offsets = np.searchsorted(detections.recording[mine], np.arange(len(p) + 1))
        kernels.count_events(
            (offsets, detections.onset[mine], detections.offset[mine]), own, criterion.rule(), out
        )
        counts[:2, :, k] = out
    return counts
