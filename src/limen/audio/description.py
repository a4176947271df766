"""What a model of sound needs and gives, and how an ONNX file says it."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args

from limen.errors import InputError, LimenWarning, require
from limen.events.pooling import Activation
from limen.files.writing import write_atomically
from limen.names import unique

KEY = "limen.audio"
"""Of the metadata of an ONNX model."""
VERSION = 1


@dataclass(frozen=True)
class Description:
    """What a model of sound needs and gives.

    Attributes
    ----------
    rate : int
        Samples a second.
    window, hop : int
        Samples of a window, and from one to the next; at most the window.
    frame_seconds : float
        Of a frame; a window, if the model gives one score for all of it.
    labels : tuple of str
    activation : {"probability", "logit"}
        What the scores are.

    Raises
    ------
    InputError
        If a value breaks these rules; a hop must be a whole number of frames, where a frame is no window.
    """

    rate: int
    window: int
    hop: int
    frame_seconds: float
    labels: tuple[str, ...]
    activation: Activation

    def __post_init__(self) -> None:
        for name in ("rate", "window", "hop"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}={value!r}: it must be a whole number, 1 or more.")
        seconds = self.frame_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
            raise InputError(f"frame_seconds={seconds!r}: it must be a number of seconds above 0.")
        if isinstance(self.labels, str) or not all(isinstance(label, str) and label for label in self.labels):
            raise InputError(f"labels={self.labels!r}: they must be a list of names.")
        object.__setattr__(self, "labels", unique(self.labels, "labels"))
        if not self.labels:
            raise InputError("labels is empty. Name the columns of the scores, in order.")
        if self.activation not in get_args(Activation):
            raise InputError(f"activation={self.activation!r} is unknown. Use 'probability' or 'logit'.")
        frames_of_hop(self.window, self.hop, self.grid_seconds * self.rate)

    @property
    def grid_seconds(self) -> float:
        """Seconds of a frame of a recording's scores: where one score stands for a window, windows may overlap."""
        by_window = abs(self.frame_seconds * self.rate - self.window) <= SLACK * self.window
        return self.hop / self.rate if by_window and self.hop < self.window else self.frame_seconds

    def to_json(self) -> str:
        """Return the description as text."""
        return json.dumps({**asdict(self), "version": VERSION}, ensure_ascii=False, allow_nan=False)


NAMES = tuple(field.name for field in fields(Description))
SLACK = 1e-6
"""Frames; frame_seconds such as 0.064 times a rate is whole but for rounding."""


def listed(labels: Sequence[str]) -> tuple[str, ...]:
    """Return labels as a tuple; a text is no list of them."""
    if isinstance(labels, str):
        raise InputError(f"labels={labels!r}: they must be a list of names.")
    return tuple(labels)


def frames_of_hop(window: int, hop: int, frame_samples: float) -> int:
    """Return the frames from one window to the next.

    Raises
    ------
    InputError
        If a hop is not a whole number of frames, or windows leave gaps.
    """
    if not 1 <= hop <= window:
        raise InputError(f"hop={hop} samples, window={window}: a hop must be 1 or more and at most the window.")
    frames = hop / frame_samples
    if round(frames) < 1 or abs(frames - round(frames)) > SLACK * frames:
        raise InputError(
            f"hop={hop} samples is {frames:.6g} frames of {frame_samples:.6g} samples. "
            "It must be a whole number of frames, 1 or more: change hop or frame_seconds."
        )
    return round(frames)


def known(text: str | None, given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what is known of the model ``name``, from its metadata and from what is given beside.

    Raises
    ------
    InputError
        If they contradict each other, or the metadata was altered.
    """
    found = {} if text is None else _parsed(text, name)
    given = {key: value for key, value in given.items() if value is not None}
    if "labels" in given:
        given["labels"] = listed(given["labels"])
    for key in found.keys() & given.keys():
        if found[key] != given[key] and key != "hop":
            raise InputError(
                f"{name} says {key}={found[key]!r}, and {given[key]!r} is given. Leave it out, or write it "
                "into the model: limen.audio.describe."
            )
    return {**found, **given}


def completed(said: Mapping[str, Any], name: str) -> Description:
    """Return the description of the model ``name``, of which all must be known.

    Raises
    ------
    InputError
        If something is missing, or not allowed.
    """
    missing = [key for key in NAMES if key not in said]
    if missing:
        raise InputError(
            f"{name} does not say its {', '.join(missing)}. Give them, or write them into the model: "
            "limen.audio.describe(path, rate=..., window=..., hop=..., frame_seconds=..., labels=..., "
            "activation='logit')."
        )
    return Description(**said)


def frames_apart(window: int, frame_samples: float) -> float:
    """Return how many frames more or fewer a model may give for a window than fit in: padding makes 4 at most.

    One of them always may be; more only where they are 5 % of a window or less.
    """
    return max(1.0, min(4.0, 0.05 * window / frame_samples))


def derived(said: Mapping[str, Any], n_frames: Callable[[], int], name: str) -> float:
    """Return the seconds of a frame of the model ``name``, which does not say it but gives ``n_frames`` a window.

    Raises
    ------
    InputError
        If the window is no such number, or no length of a frame is the nearest.

    Warns
    -----
    LimenWarning
        How long a frame is taken to be.

    Notes
    -----
    A frame is a whole number of samples that divides the hop. Models pad at the ends of a window, so that the
    frames of this length that fit in may be a few more or fewer than are given (`frames_apart`); the nearest
    number wins.
    """
    rate, window, hop = said["rate"], said["window"], said["hop"]
    if not all(isinstance(value, int) and value >= 1 for value in (rate, window, hop)):
        return 1.0  # what is wrong with them is said with the whole description
    n = n_frames()
    if n == 1:
        frame = window
    else:
        apart = {
            size: abs(window / size - n)
            for size in range(1, hop + 1)
            if hop % size == 0 and abs(window / size - n) <= frames_apart(window, size)
        }
        nearest = [size for size in apart if apart[size] == min(apart.values())]
        if len(nearest) != 1:
            raise InputError(
                f"{name} gives {n} frames for a window of {window} samples and does not say how long they are; "
                f"no part of hop={hop} fits. Give frame_seconds, or write it into the model: limen.audio.describe."
            )
        frame = nearest[0]
    what = "one score, for all of it" if n == 1 else f"{n} frames, taken to be {frame / rate:g} s each"
    warnings.warn(
        f"{name} does not say how long a frame is. It gives for a window of {window / rate:g} s {what}. "
        "If that is wrong, write it into the model: limen.audio.describe.",
        LimenWarning,
        stacklevel=3,
    )
    return float(frame / rate)


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
        if (version := content["version"]) != VERSION:
            raise InputError(
                f"{name} is described by version {version!r}; this limen knows {VERSION}. Upgrade it: "
                "pip install --upgrade limen"
            )
        found = {key: content[key] for key in NAMES}
        found["labels"] = tuple(found["labels"])
    except InputError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"what {name} says of its sound was altered. Write it again: limen.audio.describe."
        ) from error
    return found


def describe(
    path: str | os.PathLike[str],
    *,
    rate: int,
    window: int,
    hop: int,
    frame_seconds: float,
    labels: Sequence[str],
    activation: Activation,
) -> None:
    """Write into an ONNX model what it needs and gives, so that `OnnxScorer` needs nothing but the file.

    Parameters
    ----------
    path : path
        The model, waveform windows (n, window) in and scores (n, frames, labels) or (n, labels) out. The file is
        replaced whole or not at all; weights in files of their own stay where they are.
    rate, window, hop, frame_seconds, labels, activation
        As `Description` has them.

    Raises
    ------
    InputError
        If a value is not allowed, or labels or window contradict the shapes that the model states.
    UnreadableError, FileError
        If the model cannot be read or written.
    MissingDependencyError
        If onnx is not installed.
    """
    about = Description(rate, window, hop, frame_seconds, listed(labels), activation)
    require("onnx", extra="onnx", user="limen.audio.describe")
    from limen.onnx import models

    model = models.read(path)
    inputs = [value.type.tensor_type.shape.dim for value in model.proto.graph.input]
    if inputs and len(inputs[0]) and inputs[0][-1].dim_value not in (0, window):
        raise InputError(
            f"{model.name} takes windows of {inputs[0][-1].dim_value} samples, and window={window} is given. "
            "Give the one that it takes."
        )
    sizes = [out.dims[-1] for out in models.outputs(model.proto) if out.dims]
    whole = [size for size in sizes if isinstance(size, int)]
    if sizes and len(whole) == len(sizes) and len(about.labels) not in whole:
        found = " or ".join(map(str, whole))
        raise InputError(
            f"{model.name} gives {found} scores for a frame, and {len(about.labels)} labels are given. "
            "Name each column, in order."
        )
    kept = [entry for entry in model.proto.metadata_props if entry.key != KEY]
    del model.proto.metadata_props[:]
    model.proto.metadata_props.extend(kept)
    model.proto.metadata_props.add(key=KEY, value=about.to_json())
    with write_atomically(Path(path)) as beside:
        beside.write_bytes(model.proto.SerializeToString())
