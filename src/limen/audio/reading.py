"""Recordings read in blocks: one channel, one rate, and nothing lost without a word."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.audio.headers import cut_short
from limen.audio.resampling import resampled
from limen.audio.streams import broken, least_samples
from limen.errors import InputError, UnreadableError, count, require

Channel = int | Literal["mean"]
Samples = NDArray[np.float32]
FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "AIFF")
"""Containers whose length is known beyond what the decoder says, as libsndfile names them."""
BLOCK = 1 << 16


@dataclass(frozen=True)
class Info:
    """What the header of a recording says.

    Attributes
    ----------
    path : Path
    rate : int
        Samples a second.
    channels : int
    samples : int
        Of each channel.
    format, subtype : str
        Container and coding as libsndfile names them, such as ``"WAV"`` and ``"PCM_16"``.
    """

    path: Path
    rate: int
    channels: int
    samples: int
    format: str
    subtype: str

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.samples / self.rate


def info(path: str | os.PathLike[str]) -> Info:
    """Return what the header of a recording says, after a look at whether the file is whole.

    Parameters
    ----------
    path : path
        A file of `FORMATS`: wav, flac, ogg, opus, mp3 or aiff. Its content counts, not its name.

    Raises
    ------
    UnreadableError
        If it is missing, empty, no recording, of another format, cut short, or without samples.
    MissingDependencyError
        If soundfile is not installed.
    """
    with _opened(Path(path)) as (_, found):
        return found


class Reading:
    """A recording being read: iterate over it for blocks of float32 (n,), most of them as long as ``block``.

    Parameters
    ----------
    path : path
        As `info` takes it.
    rate : int, optional
        Samples a second of the blocks; those of the file, if left out.
    channel : int or "mean"
        Which channel, from 0, or the mean of all.
    block : int
        Samples of each channel read at once, at the rate of the file. Blocks that are joined do not depend on it.

    Attributes
    ----------
    info : Info
    rate : int
        Of the blocks.
    seconds_read : float
        How far the file is read.

    Raises
    ------
    UnreadableError
        As `info` raises it; also while reading, where the sound is damaged, ends before the header says, or
        holds NaN or infinite samples. The message names the second.
    InputError
        If there is no such channel, or ``rate`` or ``block`` is not positive.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        rate: int | None = None,
        channel: Channel = "mean",
        *,
        block: int = BLOCK,
    ) -> None:
        for name, value in (("rate", rate), ("block", block)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name}={value!r}: it must be a whole number of samples, 1 or more.")
        self.info = info(path)
        check_channel(channel, self.info.channels, str(path))
        self.rate = self.info.rate if rate is None else rate
        self.seconds_read = 0.0
        self._channel, self._block = channel, block

    def __iter__(self) -> Iterator[Samples]:
        return resampled(self._decoded(), self.info.rate, self.rate)

    def _decoded(self) -> Iterator[Samples]:
        path, rate = self.info.path, self.info.rate
        self.seconds_read, n_read = 0.0, 0
        if (end := broken(path, self.info.format, rate, self.info.subtype)) is not None:
            raise UnreadableError(
                f"{path} is damaged or cut short at {end.second:.3f} s: {end.why}. "
                "Get the file again, or leave it out."
            )
        with _opened(path) as (file, found):
            promised = max(found.samples, least_samples(path) if found.format == "MP3" else 0)
            buffer = np.empty((self._block, found.channels), np.float32)
            while True:
                try:
                    pcm = file.read(out=buffer)
                except (require("soundfile", extra="audio").SoundFileError, RuntimeError, OSError) as error:
                    raise UnreadableError(
                        f"{path} is damaged or cut short at {n_read / rate:.3f} s of {found.seconds:.3f} s: "
                        f"{_reason(error)}. Get the file again, or leave it out."
                    ) from error
                if not len(pcm):
                    break
                yield one_channel(pcm, self._channel, str(path), n_read / rate, rate)
                n_read += len(pcm)
                self.seconds_read = n_read / rate
        if n_read < promised:
            raise UnreadableError(
                f"{path} is damaged or cut short: {n_read / rate:.3f} s could be read of the "
                f"{promised / rate:.3f} s that it promises. Get the file again, or leave it out."
            )


def read(
    path: str | os.PathLike[str], rate: int | None = None, channel: Channel = "mean", *, block: int = BLOCK
) -> Reading:
    """Return a recording to iterate over, in blocks of float32 (n,); parameters and errors are those of `Reading`.

    Examples
    --------
    >>> import numpy as np, limen.audio
    >>> samples = np.concatenate([*limen.audio.read("dawn.flac", 16000)])  # doctest: +SKIP
    """
    return Reading(path, rate, channel, block=block)


def check_channel(channel: Channel, channels: int, name: str) -> None:
    """Raise `InputError` if a recording has no such channel."""
    if channel == "mean":
        return
    if isinstance(channel, bool) or not isinstance(channel, int):
        raise InputError(f"channel={channel!r}: it must be 'mean' or the number of a channel, from 0.")
    if not 0 <= channel < channels:
        raise InputError(
            f"{name} has {count(channels, 'channel')}; channel={channel} is none of them. They are counted from 0."
        )


def one_channel(pcm: Samples, channel: Channel, name: str, begin_s: float, rate: int) -> Samples:
    """Return one channel (n,) of samples (n, channels), a new array.

    Raises
    ------
    UnreadableError
        If a sample of any channel is NaN or infinite; the block begins ``begin_s`` into the recording ``name``.
    """
    # A NaN or an infinity is never lost in a sum; in float64, finite samples stay finite.
    if not np.isfinite(pcm.sum(dtype=np.float64)) and not (fine := np.isfinite(pcm)).all():
        row, which = np.argwhere(~fine)[0]
        raise UnreadableError(
            f"{name} holds a sample that is {pcm[row, which]} at {begin_s + row / rate:.3f} s (channel {which}). "
            "Samples must be finite: write the file again, or leave it out."
        )
    if channel != "mean":
        return np.array(pcm[:, channel])
    if pcm.shape[1] == 1:
        return np.array(pcm[:, 0])
    # By columns: several times as fast as a mean over short rows, and the sum keeps one order.
    mixed = pcm[:, 0].astype(np.float64)
    for k in range(1, pcm.shape[1]):
        mixed += pcm[:, k]
    return np.asarray(mixed / pcm.shape[1], np.float32)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Info]]:
    soundfile = require("soundfile", extra="audio")
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise UnreadableError(f"{path} is {kind}. Give a file of sound.")
    if not status.st_size:
        raise UnreadableError(f"{path} is empty: 0 bytes, 0 s of sound. Get the file again, or leave it out.")
    if not os.access(path, os.R_OK):
        raise UnreadableError(f"cannot read {path}: Permission denied. Check who may read it.")
    try:
        file = soundfile.SoundFile(path)
    # A TypeError asks for the rate of raw samples, which a file ending in .raw is taken for.
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError, ValueError) as error:
        raise UnreadableError(
            f"{path} is no recording, or is damaged at 0 s: {_reason(error)}. "
            "Read are wav, flac, ogg, opus, mp3 and aiff: convert it, or leave it out."
        ) from error
    with file:
        # soundfile seeks after every read of a file that can; on damaged ones libsndfile may then never return.
        file.seekable = lambda: False
        found = Info(path, file.samplerate, file.channels, file.frames, file.format, file.subtype)
        if found.format not in FORMATS:
            raise UnreadableError(
                f"{path} is {found.format}: of that, a missing end would not be noticed. "
                "Read are wav, flac, ogg, opus, mp3 and aiff: convert it."
            )
        if (cut := cut_short(path, found.format)) is not None:
            raise UnreadableError(
                f"{path} is cut short at about {found.seconds:.3f} s: {cut.why}. "
                "Get the file again, or leave it out."
            )
        if found.samples < 1 or found.rate < 1:
            raise UnreadableError(f"{path} has no samples: 0 s of sound. Record again, or leave it out.")
        yield file, found


def _reason(error: Exception) -> str:
    said = " ".join(str(getattr(error, "error_string", error)).split())
    return said.removeprefix("Error : ").rstrip(".")
