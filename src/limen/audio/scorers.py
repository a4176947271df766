"""What scores sound: windows of it in, scores of their frames out; any function is one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from limen.audio.description import Description, listed
from limen.events.pooling import Activation


class Scorer(Protocol):
    """What scores sound: windows of it in, scores of their frames out.

    Attributes
    ----------
    rate : int
        Samples a second.
    window, hop : int
        Samples of a window, and from one to the next.
    frame_seconds : float
        Of a frame; a hop is a whole number of frames. Of a model that scores windows as a whole, a hop.
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
        """Return scores (n, frames, labels) of windows (n, window), or (n, labels), one for each window."""
        ...


@dataclass(frozen=True)
class Described:
    """The attributes of a scorer, from its description."""

    description: Description

    rate = property(lambda self: self.description.rate, doc="Samples a second.")
    window = property(lambda self: self.description.window, doc="Samples of a window.")
    hop = property(lambda self: self.description.hop, doc="Samples from one window to the next.")
    frame_seconds = property(lambda self: self.description.grid_seconds, doc="Of a frame of a recording's scores.")
    labels = property(lambda self: self.description.labels, doc="Names of the columns, in order.")
    activation = property(lambda self: self.description.activation, doc="What the scores are.")

    def with_hop(self, hop: int) -> Self:
        """Return the same model with windows laid ``hop`` samples apart.

        Raises
        ------
        InputError
            If a hop is longer than a window, or not a whole number of frames.
        """
        other = copy.copy(self)
        object.__setattr__(other, "description", replace(self.description, hop=hop))
        return other


class CallableScorer(Described):
    """Any function of float32 windows (n, window) that gives scores (n, frames, labels) or (n, labels).

    Parameters
    ----------
    function : callable
    rate, window, hop, frame_seconds, labels, activation
        As `Description` has them: with one score for a window, ``frame_seconds`` is a window.

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
