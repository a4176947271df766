"""EmoDB: 535 acted German utterances of ten speakers, ten texts and seven emotions; 2 seconds of each.

F. Burkhardt and others, "A database of German emotional speech", 2005. Read from a file of the user's.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError
from limen.learn.recipes.recorded import reading, stored

FILE = "emodb_recordings.npz"
RATE = 16000
EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "N": "neutral",
    "T": "sadness",
}


class Utterances(NamedTuple):
    """Utterances at 16 000 Hz.

    Attributes
    ----------
    waves : list of float32 ndarray
        One an utterance, in -1 to 1, without the zeros that pad the recording.
    emotion, speaker, text : str ndarray (n_utterances,)
    """

    waves: list[NDArray[np.float32]]
    emotion: NDArray[np.str_]
    speaker: NDArray[np.str_]
    text: NDArray[np.str_]


def load(folder: Path) -> Utterances:
    """Return the utterances in ``folder / FILE``.

    Raises
    ------
    InputError
        If the file does not hold them.
    """
    path = Path(folder) / FILE
    with reading(path, "EmoDB's utterances (pcm, offsets, names such as 03a01Fa: speaker, text, emotion)"):
        waves, names = stored(path)
        if not all(len(name) >= 6 for name in names):
            raise ValueError("names of fewer than 6 letters")
        emotion = np.array([EMOTIONS[name[5]] for name in names])
    waves = [_trimmed(wave) for wave in waves]
    return Utterances(waves, emotion, np.array([n[:2] for n in names]), np.array([n[2:5] for n in names]))


def splits(texts: NDArray[np.str_], n_splits: int, n_test: int, seed: int) -> list[NDArray[np.bool_]]:
    """Return for each split which items are to be tested on: those of ``n_test`` texts that no other split tests.

    Raises
    ------
    InputError
        If there are too few texts.
    """
    names = np.random.default_rng(seed).permutation(np.unique(texts))
    if len(names) < max(n_splits * n_test, n_test + 1):
        raise InputError(f"{len(names)} texts cannot be dealt into {n_splits} test parts of {n_test}. Give more.")
    return [np.isin(texts, names[k * n_test : (k + 1) * n_test]) for k in range(n_splits)]


def _trimmed(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    said = np.flatnonzero(wave)
    return wave[said[0] : said[-1] + 1] if len(said) else wave
