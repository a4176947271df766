"""A model that hears recordings: its frame scores as they come, and how long the recording was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.audio.reading import Channel, Reading
from limen.audio.scorers import Scorer
from limen.audio.scoring import iter_scores
from limen.audio.windows import Pooling
from limen.errors import InputError, UnreadableError


class Heard(Iterator[NDArray[np.float32]]):
    """Frame scores (n_frames, n_labels) in turn, and at the end how long the recording was."""

    def __init__(self, scores: Iterator[NDArray[np.float32]], seconds: Callable[[], float], name: str) -> None:
        self._scores, self._name = scores, name
        self.seconds = seconds
        """Gives how many seconds were heard up to now."""

    def __next__(self) -> NDArray[np.float32]:
        try:
            scores = next(self._scores)
        except UnreadableError:
            raise
        except InputError as error:  # of the model, which knows no recordings
            said = str(error)
            raise InputError(said if self._name in said else f"{self._name}: {said}") from error
        if not np.isfinite(scores).all():
            raise InputError(
                f"{self._name}: the model gave scores that are NaN or infinite, before {self.seconds():.2f} s. "
                "Scores must be finite: check the model, or leave the recording out."
            )
        return scores


class Listening:
    """A scorer, and how it hears recordings.

    Parameters
    ----------
    scorer : Scorer
    pooling : {"mean", "max", "noisy-or", "centre"}
        Of frames that lie in several windows, as in `limen.audio.iter_scores`.
    channel : "mean" or int
        Of files.
    """

    def __init__(self, scorer: Scorer, *, pooling: Pooling = "mean", channel: Channel = "mean") -> None:
        self.scorer, self.pooling, self.channel = scorer, pooling, channel

    @property
    def delay(self) -> float:
        """Seconds after which the scores of a frame are final: those of a window."""
        return self.scorer.window / self.scorer.rate

    def hear(self, path: Path, tick: Callable[[float], None]) -> Heard:
        """Return the scores of a recording as they come; ``tick`` is told which share of it was heard."""
        reading = Reading(path, self.scorer.rate, self.channel)

        def scores() -> Iterator[NDArray[np.float32]]:
            for block in iter_scores(reading, self.scorer, self.pooling):
                tick(reading.seconds_read / reading.info.seconds)
                yield block

        return Heard(scores(), lambda: reading.seconds_read, str(path))

    def hear_samples(self, samples: Iterable[NDArray[np.float32]], rate: int) -> Heard:
        """Return the scores of samples of one channel as soon as they are final."""
        n = 0

        def counted() -> Iterator[NDArray[np.float32]]:
            nonlocal n
            for block in samples:
                n += len(block)
                yield block

        scores = iter_scores(counted(), self.scorer, self.pooling, rate=rate, batch=1)
        return Heard(scores, lambda: n / rate, "the pipe")

    def about(self) -> dict[str, Any]:
        """Return what scores depend on beside the recording, as plain JSON."""
        scorer = self.scorer
        digest = getattr(scorer, "digest", None)
        return {
            **({} if digest is None else {"digest": digest}),
            "rate": scorer.rate,
            "window": scorer.window,
            "hop": scorer.hop,
            "activation": scorer.activation,
            "pooling": self.pooling,
            "channel": self.channel,
        }
