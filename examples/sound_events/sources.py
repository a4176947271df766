"""Real recordings to mix soundscapes from, in three parts that share none: for the model, to tune, to test."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PARTS = ("model", "tune", "test")
FRAME_S = 0.02
LONGEST_GAP_S = 0.3


@dataclass(frozen=True)
class Sound:
    """One sound to mix in: from where it is heard to where it is not."""

    source: str
    labels: tuple[int, ...]
    pcm: NDArray[np.float32]


@dataclass(frozen=True)
class Sources:
    """Sounds by part, and how the parts were kept apart."""

    name: str
    rate: int
    labels: tuple[str, ...]
    parts: dict[str, list[Sound]]
    apart: str
    licence: str
    events: tuple[int, int]
    longest_s: float


def load(path: Path) -> Sources:
    """Return the sources in ``esc10.zip`` or ``fsdd_recordings.npz``, told apart by what the file holds."""
    if not path.is_file():
        raise SystemExit(f"{path} is no file. Give the path of esc10.zip or of fsdd_recordings.npz.")
    if path.suffix == ".npz":
        return _spoken_digits(path)
    if zipfile.is_zipfile(path):
        return _environmental(path)
    raise SystemExit(f"{path} is neither a zip of ESC-10 nor an npz of spoken digits.")


def _spoken_digits(path: Path) -> Sources:
    """Return the Free Spoken Digit Dataset: each utterance is an event of its digit and one of its speaker."""
    with np.load(path, allow_pickle=False) as data:
        pcm, offsets = data["pcm"], data["offsets"]
        names, rate = data["names"].tolist(), int(data["sample_rate"])
    split = [name.split("_") for name in names]
    labels = (*sorted({digit for digit, _, _ in split}), *sorted({speaker for _, speaker, _ in split}))
    indices = sorted({int(index) for _, _, index in split})
    # Of each digit and speaker the last fifth is for testing, the fifth before for tuning.
    to_test, to_tune = (indices[-(len(indices) * fifths // 5) or -1] for fifths in (1, 2))
    parts: dict[str, list[Sound]] = {part: [] for part in PARTS}
    for name, (digit, speaker, index), start, end in zip(names, split, offsets[:-1], offsets[1:], strict=True):
        part = PARTS[(int(index) >= to_tune) + (int(index) >= to_test)]
        heard = _heard(pcm[start:end].astype(np.float32) / 32768, rate, range_db=35)
        parts[part].append(Sound(name, (labels.index(digit), labels.index(speaker)), heard))
    return Sources(
        "spoken digits",
        rate,
        labels,
        parts,
        f"by recording: of each digit and speaker, take {to_test} and later are to test, {to_tune} and later to "
        "tune, the rest to train the model; the six speakers are in all parts, because they are labels",
        "Free Spoken Digit Dataset, Z. Jackson and contributors, CC BY-SA 4.0",
        (3, 8),
        2.0,
    )


def _environmental(path: Path) -> Sources:
    """Return ESC-10: the loudest sound of each clip; clips cut from one source are in one of its folds."""
    import soundfile
    import soxr

    rate = 16000
    found: list[tuple[str, int, str, NDArray[np.float32]]] = []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            match = re.fullmatch(r"(?:.*/)?(\w+)/(\d)-([^/]+)\.(?:ogg|wav)", name)
            if match is None:
                continue
            pcm, its_rate = soundfile.read(io.BytesIO(archive.read(name)), dtype="float32", always_2d=True)
            mono = soxr.resample(pcm.mean(axis=1), its_rate, rate)
            found.append((match[1], int(match[2]), match[3], _heard(mono, rate, range_db=30)))
    labels = tuple(sorted({label for label, *_ in found}))
    last = max(fold for _, fold, *_ in found)
    parts: dict[str, list[Sound]] = {part: [] for part in PARTS}
    for label, fold, clip, heard in found:
        part = PARTS[(fold >= last - 1) + (fold == last)]
        parts[part].append(Sound(f"{label}/{fold}-{clip}", (labels.index(label),), heard))
    return Sources(
        "ESC-10",
        rate,
        labels,
        parts,
        f"by its folds: {last} is to test, {last - 1} to tune, the rest to train the model; clips of one source "
        "share a fold",
        "ESC-10, K. J. Piczak; each clip CC BY 3.0 or CC0, authors in its README.txt",
        (1, 5),
        4.0,
    )


def _heard(pcm: NDArray[np.float32], rate: int, range_db: float) -> NDArray[np.float32]:
    """Return the stretch with most energy: frames at most ``range_db`` below the loudest, short gaps included."""
    size = int(FRAME_S * rate)
    whole = np.pad(pcm, (0, -len(pcm) % size)).reshape(-1, size)
    energy = np.mean(whole**2, axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (-range_db / 10))
    ends = np.flatnonzero(np.diff(loud) > round(LONGEST_GAP_S / FRAME_S))
    stretches = np.split(loud, ends + 1)
    first, last = max(
        ((part[0], part[-1]) for part in stretches), key=lambda ends: energy[ends[0] : ends[1] + 1].sum()
    )
    stretch = whole[first : last + 1].ravel()
    return np.asarray(stretch / np.sqrt(np.mean(stretch**2)), np.float32)
