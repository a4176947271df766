"""What a model of sound needs and gives, and how an ONNX file says it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from limen.errors import InputError, require
from limen.files.writing import write_atomically
from limen.names import unique

Activation = Literal["probability", "logit"]
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
        Of a frame.
    labels : tuple of str
    activation : {"probability", "logit"}
        What the scores are.

    Raises
    ------
    InputError
        If a value breaks these rules; a hop must be a whole number of frames.
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
        frames_of_hop(self.window, self.hop, self.frame_seconds * self.rate)

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


def described(text: str | None, given: Mapping[str, Any], name: str) -> Description:
    """Return the description of the model ``name`` from its metadata, and from what is given beside.

    Raises
    ------
    InputError
        If something is missing, contradicts what is given, or was altered.
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
    both = {**found, **given}
    missing = [key for key in NAMES if key not in both]
    if missing:
        raise InputError(
            f"{name} does not say its {', '.join(missing)}. Give them, or write them into the model: "
            "limen.audio.describe(path, rate=..., window=..., hop=..., frame_seconds=..., labels=..., "
            "activation='logit')."
        )
    return Description(**both)


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
        The model, waveform windows (n, window) in and scores (n, frames, labels) out. The file is replaced whole
        or not at all; weights in files of their own stay where they are.
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
