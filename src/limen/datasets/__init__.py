"""What comes with limen, for its demonstrations: scores with labels, and a small tagger with recordings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def spoken_tags() -> tuple[NDArray[np.uint8], NDArray[np.float32], tuple[str, ...]]:
    """Return labels (4000, 16), scores (4000, 16) and label names of the spoken-tags data.

    Scores are probabilities of a small convolutional network on 4 000 two-second mixtures of one to
    four real spoken digits in noise; tags are the ten digits and the six speakers. Made from the Free
    Spoken Digit Dataset (CC BY-SA 4.0); see ATTRIBUTION.md beside the file.
    """
    with as_file(files(__name__) / "spoken_tags.npz") as path, np.load(path, allow_pickle=False) as data:
        content: dict[str, Any] = {key: data[key] for key in ("labels", "scores", "names")}
    return content["labels"], content["scores"], tuple(content["names"].tolist())


@contextmanager
def spoken_events() -> Iterator[Path]:
    """Give a folder with a tagger of spoken digits and speakers, and recordings to try it on.

    It holds ``tagger.onnx`` (waveform of 8 kHz in, a logit for each of 16 labels and 40 ms out),
    ``events.json`` (thresholds and settings tuned for it), and ``recordings``, eight soundscapes of 10 s
    mixed from utterances that neither saw, with the true events in ``recordings.tsv``. Made from the Free
    Spoken Digit Dataset (CC BY-SA 4.0); see ATTRIBUTION.md.
    """
    with as_file(files(__name__) / "spoken_events") as folder:
        yield folder
