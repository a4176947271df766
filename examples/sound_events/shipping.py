"""What limen ships to show itself: the tagger of spoken digits, its settings, and recordings held out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from mixing import mix
from recordings import write_events, write_sound
from sources import Sources

N_RECORDINGS = 8
SECONDS = 10.0


def ship(sources: Sources, tagger: Path, thresholds: Any, folder: Path, seed: int) -> None:
    """Write tagger, thresholds, and recordings of the part to test on, of which only others were measured."""
    (folder / "recordings").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tagger, folder / "tagger.onnx")
    thresholds.save(folder / "events.json")
    rng = np.random.default_rng(seed + 4)
    made = {
        f"digits_{n:02d}": mix(sources, sources.parts["test"], SECONDS, rng) for n in range(1, N_RECORDINGS + 1)
    }
    for name, soundscape in made.items():
        write_sound(folder / "recordings" / f"{name}.ogg", soundscape, sources.rate)
    write_events(folder / "recordings.tsv", made, sources, ending="ogg")
