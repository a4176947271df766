"""Frame scores of recordings, whole or while they come."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.audio.reading import Channel, Reading, check_channel, one_channel
from limen.audio.resampling import resampled
from limen.audio.scorers import Scorer
from limen.audio.windows import Pooling, pooled
from limen.errors import InputError, LimenWarning

_warned: set[tuple[int, int]] = set()
"""Rates of recordings and of models that were warned of."""
PIPE = "the pipe"


def score(
    path: str | os.PathLike[str] | Reading, scorer: Scorer, pooling: Pooling = "mean", *, channel: Channel = "mean"
) -> NDArray[np.float32]:
    """Return the frame scores (n_frames, n_labels) of a recording, float32.

    Parameters
    ----------
    path : path or Reading
        A recording, as `limen.audio.info` takes it. A `Reading` has its channel, and the rate of the scorer.
    scorer : Scorer
        Such as `OnnxScorer`.
    pooling : {"mean", "max", "noisy-or", "centre"}
        What becomes of frames that lie in several windows: their mean, their greatest score, 1 minus the product
        of 1 - p, or the score of the window whose centre is nearest.
    channel : int or "mean"
        Which channel, from 0, or the mean of all.

    Returns
    -------
    scores : float32 (n_frames, n_labels)
        On the scale of the scorer. Frame k lasts from ``k * frame_seconds`` to ``(k + 1) * frame_seconds`` or to
        the end of the recording; there is at least one.

    Raises
    ------
    UnreadableError
        If the recording is missing, damaged or cut short; the message names the file and the second.
    InputError
        If there is no such channel, or the model's output contradicts its description.

    Warns
    -----
    LimenWarning
        If the recording has a lower rate than the model, once for each pair of rates.

    Notes
    -----
    The recording is read, resampled and scored in blocks; it need not fit into memory, its scores must.
    """
    blocks = [*iter_scores(path, scorer, pooling, channel=channel)]
    return np.concatenate(blocks)


def iter_scores(
    source: str | os.PathLike[str] | Reading | Iterable[NDArray[Any]],
    scorer: Scorer,
    pooling: Pooling = "mean",
    *,
    channel: Channel = "mean",
    rate: int | None = None,
    batch: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Give the frame scores (n, n_labels) of a recording or of a pipe, each frame as soon as it is final.

    Parameters
    ----------
    source : path, Reading, or iterable of arrays
        A recording, or samples as they come: floats (n,) or (n, channels), 1.0 the loudest.
    scorer, pooling, channel
        As for `score`.
    rate : int, optional
        Samples a second of an iterable; needed for one, and for nothing else.
    batch : int, optional
        Windows scored at once. 1 where scores should come soon: a frame is then final at the latest one window
        and one block after it began. Left out, as many as are fast.

    Raises
    ------
    UnreadableError, InputError
        As for `score`. They come where the sound is damaged, after the frames before it.

    Warns
    -----
    LimenWarning
        As for `score`.
    """
    if isinstance(source, str | os.PathLike):
        source = Reading(source, scorer.rate, channel)
    if isinstance(source, Reading):
        if rate is not None:
            raise InputError(
                f"rate={rate} is of samples that are given. A file says its rate itself: leave it out."
            )
        if source.rate != scorer.rate:
            raise InputError(
                f"{source.info.path} is read at {source.rate} Hz, and the model needs {scorer.rate} Hz: "
                f"limen.audio.read(path, {scorer.rate})."
            )
        name, own_rate, blocks = str(source.info.path), source.info.rate, iter(source)
    else:
        if rate is None:
            raise InputError("samples do not say their rate. Give it: rate=16000.")
        if isinstance(rate, bool) or not isinstance(rate, int) or rate < 1:
            raise InputError(f"rate={rate!r}: it must be a whole number, 1 or more.")
        name, own_rate = PIPE, rate
        blocks = resampled(_heard(source, channel, rate), rate, scorer.rate)
    if own_rate < scorer.rate and (own_rate, scorer.rate) not in _warned:
        _warned.add((own_rate, scorer.rate))
        warnings.warn(
            f"{name} has {own_rate} Hz, and the model {scorer.rate} Hz: above {own_rate / 2:g} Hz it hears "
            "nothing, and its scores may be worse. More recordings of this rate are not named.",
            LimenWarning,
            stacklevel=2,
        )
    return pooled(blocks, scorer, pooling, batch=batch, name=name)


def _heard(blocks: Iterable[NDArray[Any]], channel: Channel, rate: int) -> Iterator[NDArray[np.float32]]:
    """Give one channel of samples as they come, checked as those of a file are."""
    n_heard = 0
    for block in blocks:
        pcm = np.asarray(block)
        if pcm.ndim not in (1, 2) or pcm.dtype.kind != "f":
            raise InputError(
                f"samples are {pcm.dtype} {pcm.shape}. They must be floats (n,) or (n, channels): "
                "16-bit samples are divided by 32768."
            )
        pcm = pcm.reshape(len(pcm), -1) if pcm.size else np.zeros((0, 1))
        if len(pcm):
            check_channel(channel, pcm.shape[1], PIPE)
            yield one_channel(pcm.astype(np.float32, copy=False), channel, PIPE, n_heard / rate, rate)
        n_heard += len(pcm)
