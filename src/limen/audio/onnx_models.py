"""ONNX models that score the frames of a window of sound, or the window as a whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from limen.audio.description import KEY, completed, derived, known
from limen.audio.scorers import Described
from limen.errors import InputError, UnreadableError, examples, require
from limen.events.pooling import Activation

_SILENT = 4
_LONGEST_REASON = 200


class OnnxScorer(Described):
    """An ONNX model: float32 windows (n, window) in, scores (n, frames, labels) or (n, labels) out.

    Parameters
    ----------
    path : path
        The model. What it needs and gives stands in its metadata, written by `limen.audio.describe`, or is given.
    rate, window, hop, frame_seconds, labels, activation : optional
        As `Description` has them. They must not contradict the model, except for ``hop``, which is how the
        windows are laid, not what the model is. A ``frame_seconds`` that neither says is derived from the number
        of frames that the model gives.
    output : str, optional
        The output with the scores; the only one, or the first of three dimensions, or the only one of two with a
        score for each label, if left out.
    providers : sequence of str
        Of onnxruntime.
    threads : int
        Cores that a window is scored on. The scores may depend on it in their last bits.

    Attributes
    ----------
    path : Path
    digest : str
        SHA-256 of the file, in hexadecimal digits.

    Raises
    ------
    UnreadableError
        If the file is missing or no model.
    InputError
        If something is missing or contradicts the model.
    MissingDependencyError
        If onnxruntime is not installed.

    Warns
    -----
    LimenWarning
        If the length of a frame is derived: how long it is taken to be.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rate: int | None = None,
        window: int | None = None,
        hop: int | None = None,
        frame_seconds: float | None = None,
        labels: Sequence[str] | None = None,
        activation: Activation | None = None,
        output: str | None = None,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        threads: int = 1,
    ) -> None:
        runtime = require("onnxruntime", extra="audio")
        name = os.fspath(path)
        if not Path(path).is_file():
            raise UnreadableError(f"cannot read {name}: there is no such file. Check the path.")
        if threads < 1:
            raise InputError(f"threads={threads}: it must be 1 or more.")
        options = runtime.SessionOptions()
        options.log_severity_level = _SILENT
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        missing = sorted(set(providers) - set(runtime.get_available_providers()))
        if missing:
            raise InputError(
                f"this onnxruntime has no {examples(missing)}. "
                f"Choose of: {examples(runtime.get_available_providers())}."
            )
        try:
            self._session = runtime.InferenceSession(name, options, providers=list(providers))
        except Exception as error:  # onnxruntime's own share no base
            raise UnreadableError(
                f"{name} is no ONNX model that onnxruntime runs: {_short(error)}. Export it again."
            ) from error
        self.path = Path(path)
        with self.path.open("rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()
        given = {
            "rate": rate,
            "window": window,
            "hop": hop,
            "frame_seconds": frame_seconds,
            "labels": labels,
            "activation": activation,
        }
        said = known(self._session.get_modelmeta().custom_metadata_map.get(KEY), given, name)
        self._output, shape = self._scores(name, output, said.get("labels"))
        if "frame_seconds" not in said and {"rate", "window", "hop"} <= said.keys():
            said["frame_seconds"] = derived(said, lambda: self._frames_of(shape, said["window"]), name)
        super().__init__(completed(said, name))
        self._input = self._only_input(name)

    def _frames_of(self, shape: Sequence[Any], window: int) -> int:
        """Return how many frames the model gives for a window, by what it states or does; 1 for a whole one."""
        if len(shape) == 3 and isinstance(shape[1], int):
            return shape[1]
        if len(shape) == 2:
            return 1
        self._input = cast(str, self._session.get_inputs()[0].name)
        found = self(np.zeros((1, window), np.float32))
        return found.shape[1] if found.ndim == 3 else 1

    def _only_input(self, name: str) -> str:
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape or (0, 0)) != 2:
            found = ", ".join(f"{entry.name!r} {entry.type} {entry.shape}" for entry in inputs)
            raise InputError(f"{name} takes {found}. It must take one input: float32 windows (n, {self.window}).")
        size = (inputs[0].shape or (0, 0))[1]
        if isinstance(size, int) and size not in (0, self.window):
            raise InputError(
                f"{name} takes windows of {size} samples, and is described with {self.window}. "
                "Give the window that it takes."
            )
        return cast(str, inputs[0].name)

    def _scores(self, name: str, wanted: str | None, labels: Sequence[str] | None) -> tuple[str, Sequence[Any]]:
        """Return the output with the scores, and the shape that the model states of it."""
        outputs = {entry.name: tuple(entry.shape or ()) for entry in self._session.get_outputs()}
        if wanted is not None and wanted not in outputs:
            raise InputError(f"{name} has no output {wanted!r}. It has {examples(outputs)}.")
        if wanted is None:
            of_frames = [key for key, shape in outputs.items() if len(shape) in (0, 3)]
            of_windows = [
                key
                for key, shape in outputs.items()
                if len(shape) == 2 and (labels is None or shape[1] == len(labels))
            ]
            if len(outputs) == 1:
                wanted = next(iter(outputs))
            elif of_frames or len(of_windows) == 1:
                wanted = [*of_frames, *of_windows][0]
        shape = () if wanted is None else outputs[wanted]
        if wanted is None or len(shape) not in (0, 2, 3):
            raise InputError(
                f"{name} gives {', '.join(f'{key!r} {[*shape]}' for key, shape in outputs.items())}. Scores are "
                "(windows, frames, labels), or (windows, labels): name the output (in a description: "
                '"output"), or export the model with one.'
            )
        if shape and labels is not None and isinstance(shape[-1], int) and shape[-1] != len(labels):
            raise InputError(
                f"{name} gives {shape[-1]} scores for a frame, and has {len(labels)} labels "
                f"({examples(labels)}). Name each column, in order."
            )
        return wanted, shape

    def __call__(self, windows: NDArray[np.float32], /) -> NDArray[Any]:
        """Return scores (n, frames, labels) or (n, labels) of float32 windows (n, window)."""
        feed = {self._input: np.ascontiguousarray(windows, np.float32)}
        try:
            return np.asarray(self._session.run([self._output], feed)[0])
        except Exception as error:  # onnxruntime's own share no base
            raise InputError(
                f"{self.path} does not take windows {windows.shape}: {_short(error)}. "
                "It must take any number of windows: export it with that dimension free."
            ) from error


def _short(error: Exception) -> str:
    line = " ".join(str(error).split()).rstrip(".")
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 4] + " ..."
