"""Models that score the frames of a window of sound: ONNX, Hugging Face, or any function."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from limen.audio.description import KEY, Activation, Description, described, listed
from limen.errors import InputError, UnreadableError, examples, require

__all__ = ["Activation", "CallableScorer", "HuggingFaceScorer", "OnnxScorer", "Scorer"]
_SILENT = 4
_LONGEST_REASON = 200


class Scorer(Protocol):
    """What scores sound: windows of it in, scores of their frames out.

    Attributes
    ----------
    rate : int
        Samples a second.
    window, hop : int
        Samples of a window, and from one to the next.
    frame_seconds : float
        Of a frame; a hop is a whole number of frames.
    labels : tuple of str
    activation : {"probability", "logit"}
        What the scores are.
    """

    @property
    def rate(self) -> int:
        """Samples a second."""
        ...

    @property
    def window(self) -> int:
        """Samples of a window."""
        ...

    @property
    def hop(self) -> int:
        """Samples from one window to the next."""
        ...

    @property
    def frame_seconds(self) -> float:
        """Of a frame."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        ...

    @property
    def activation(self) -> Activation:
        """What the scores are."""
        ...

    def __call__(self, windows: NDArray[np.float32], /) -> NDArray[Any]:
        """Return scores (n, frames, labels) of windows (n, window)."""
        ...


@dataclass(frozen=True)
class _Described:
    """The attributes of a scorer, from its description."""

    description: Description

    rate = property(lambda self: self.description.rate)
    window = property(lambda self: self.description.window)
    hop = property(lambda self: self.description.hop)
    frame_seconds = property(lambda self: self.description.frame_seconds)
    labels = property(lambda self: self.description.labels)
    activation = property(lambda self: self.description.activation)


class OnnxScorer(_Described):
    """An ONNX model: float32 windows (n, window) in, scores (n, frames, labels) out.

    Parameters
    ----------
    path : path
        The model. What it needs and gives stands in its metadata, written by `limen.audio.describe`, or is given.
    rate, window, hop, frame_seconds, labels, activation : optional
        As `Scorer` has them. They must not contradict the model, except for ``hop``, which is how the windows
        are laid, not what the model is.
    output : str, optional
        The output with the scores; the only one, or the first of three dimensions, if left out.
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
        text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        super().__init__(described(text, given, name))
        self._input = self._only_input(name)
        self._output = self._scores(name, output)

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

    def _scores(self, name: str, wanted: str | None) -> str:
        outputs = {entry.name: entry for entry in self._session.get_outputs()}
        if wanted is not None and wanted not in outputs:
            raise InputError(f"{name} has no output {wanted!r}. It has {examples(outputs)}.")
        if wanted is None:
            fitting = [key for key, entry in outputs.items() if len(entry.shape or ()) in (0, 3)]
            wanted = next(iter(outputs)) if len(outputs) == 1 else next(iter(fitting), None)
        shape = () if wanted is None else outputs[wanted].shape or ()
        if wanted is None or len(shape) not in (0, 3):
            raise InputError(
                f"{name} gives {', '.join(f'{key!r} {entry.shape}' for key, entry in outputs.items())}. "
                "One must be scores (windows, frames, labels): add a dimension of 1 "
                "frame to a model of whole windows."
            )
        if shape and isinstance(shape[2], int) and shape[2] != len(self.labels):
            raise InputError(
                f"{name} gives {shape[2]} scores for a frame, and has {len(self.labels)} labels "
                f"({examples(self.labels)}). Name each column, in order."
            )
        return wanted

    def __call__(self, windows: NDArray[np.float32], /) -> NDArray[Any]:
        """Return scores (n, frames, labels) of float32 windows (n, window)."""
        feed = {self._input: np.ascontiguousarray(windows, np.float32)}
        try:
            return np.asarray(self._session.run([self._output], feed)[0])
        except Exception as error:  # onnxruntime's own share no base
            raise InputError(
                f"{self.path} does not take windows {windows.shape}: {_short(error)}. "
                "It must take any number of windows: export it with that dimension free."
            ) from error


class CallableScorer(_Described):
    """Any function of float32 windows (n, window) that gives scores (n, frames, labels).

    Parameters
    ----------
    function : callable
    rate, window, hop, frame_seconds, labels, activation
        As `Scorer` has them.

    Raises
    ------
    InputError
        If a value is not allowed.

    Examples
    --------
    >>> import numpy as np, limen.audio
    >>> loudness = limen.audio.CallableScorer(
    ...     lambda windows: np.abs(windows).reshape(len(windows), 10, -1).max(axis=2, keepdims=True),
    ...     rate=16000, window=16000, hop=8000, frame_seconds=0.1, labels=["loud"], activation="probability")
    >>> loudness(np.zeros((2, 16000), np.float32)).shape
    (2, 10, 1)
    """

    def __init__(
        self,
        function: Callable[[NDArray[np.float32]], NDArray[Any]],
        *,
        rate: int,
        window: int,
        hop: int,
        frame_seconds: float,
        labels: Sequence[str],
        activation: Activation,
    ) -> None:
        super().__init__(Description(rate, window, hop, frame_seconds, listed(labels), activation))
        self._function = function

    def __call__(self, windows: NDArray[np.float32], /) -> NDArray[Any]:
        """Return what the function gives."""
        return np.asarray(self._function(windows))


class HuggingFaceScorer(_Described):
    """An audio classifier of Hugging Face's transformers: each window is one frame, or each of its frames.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        For audio classification, with logits (n, labels) - a frame is then as long as a hop - or for audio frame
        classification, with logits (n, frames, labels). Its labels are those of ``model.config.id2label``. It is
        put into evaluation mode.
    extractor : transformers.FeatureExtractionMixin
        Makes the inputs of the model of waveforms; its ``sampling_rate`` is the rate.
    window_seconds : float
        Of a window. With logits (n, labels), a hop must divide it: a label is there in all of a window.
    hop_seconds : float, optional
        From one window to the next; a window if left out.
    frame_seconds : float, optional
        Of a frame, for logits (n, frames, labels); there it is needed.

    Raises
    ------
    InputError
        If a value is not allowed or contradicts the model.
    MissingDependencyError
        If torch is not installed.

    Notes
    -----
    The scores are the logits, and those of softmax models, which choose one label, are logits minus the log of
    the sum of exp of the others: log odds. ``model.config.problem_type`` decides, as in transformers:
    ``"multi_label_classification"`` has a sigmoid for each label, everything else a softmax.
    """

    def __init__(
        self,
        model: Any,
        extractor: Any,
        *,
        window_seconds: float,
        hop_seconds: float | None = None,
        frame_seconds: float | None = None,
    ) -> None:
        self._torch = require("torch", extra="torch", user="limen.audio.HuggingFaceScorer")
        rate = getattr(extractor, "sampling_rate", None)
        if not isinstance(rate, int):
            raise InputError(f"the extractor {type(extractor).__name__} has no sampling_rate. Give one for sound.")
        names = getattr(getattr(model, "config", None), "id2label", None)
        if not isinstance(names, Mapping) or not names:
            raise InputError(
                f"the model {type(model).__name__} has no config.id2label. Give a classifier of sound."
            )
        hop_seconds = window_seconds if hop_seconds is None else hop_seconds
        window, hop = _samples("window_seconds", window_seconds, rate), _samples("hop_seconds", hop_seconds, rate)
        if frame_seconds is None and window % hop:
            raise InputError(
                f"hop_seconds={hop_seconds:g} does not divide window_seconds={window_seconds:g}. "
                "Without frame_seconds a frame is as long as a hop: choose, say, a half."
            )
        self._model, self._extractor, self._by_window = model.eval(), extractor, frame_seconds is None
        self._sigmoid = getattr(model.config, "problem_type", None) == "multi_label_classification"
        super().__init__(
            Description(
                rate,
                window,
                hop,
                hop / rate if frame_seconds is None else frame_seconds,
                tuple(str(names[key]) for key in sorted(names, key=int)),
                "logit",
            )
        )

    def __call__(self, windows: NDArray[np.float32], /) -> NDArray[Any]:
        """Return log odds (n, frames, labels) of float32 windows (n, window)."""
        torch = self._torch
        inputs = self._extractor(list(windows), sampling_rate=self.rate, return_tensors="pt")
        with torch.inference_mode():
            found = self._model(**{key: value.to(self._model.device) for key, value in inputs.items()}).logits
            if found.ndim != (2 if self._by_window else 3):
                raise InputError(
                    f"the model gives logits {tuple(found.shape)}. Give frame_seconds where they are "
                    "(windows, frames, labels), and leave it out where they are (windows, labels)."
                )
            logits = found.detach().cpu().double().numpy()
        if not self._sigmoid:
            logits = _log_odds(logits)
        if self._by_window:
            logits = np.repeat(logits[:, None], self.window // self.hop, axis=1)
        return np.asarray(logits, np.float32)


def _log_odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log odds of each label in a softmax over the last axis."""
    n = logits.shape[-1]
    if n == 1:
        raise InputError(
            "a softmax over one label is always 1. Set model.config.problem_type = 'multi_label_classification'."
        )
    odds = np.empty_like(logits)
    for k in range(n):
        odds[..., k] = logits[..., k] - np.logaddexp.reduce(np.delete(logits, k, axis=-1), axis=-1)
    return odds


def _samples(name: str, seconds: float, rate: int) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise InputError(f"{name}={seconds!r}: it must be a number of seconds above 0.")
    return max(1, round(seconds * rate))


def _short(error: Exception) -> str:
    line = " ".join(str(error).split()).rstrip(".")
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 4] + " ..."
