"""Soundscapes as files: recordings, the events in them, and which of them share sources."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from mixing import Soundscape, mix
from sources import Sound, Sources

N_GROUPS = 5
BLOCK = 4096


@dataclass(frozen=True)
class Part:
    """Recordings in ``folder``, their events in ``events``, and the group of each, whose sources no other has."""

    folder: Path
    events: Path
    groups: dict[str, int]


def write_part(sources: Sources, part: str, n_soundscapes: int, seconds: float, output: Path, seed: int) -> Part:
    """Write soundscapes of one part as flac, with ``{part}.tsv`` and ``{part}_groups.csv`` beside the folder.

    The part's sounds are dealt out to `N_GROUPS` groups, and a soundscape is mixed from one of them: what is
    tuned on some groups and measured on another has heard none of its sounds.
    """
    rng = np.random.default_rng(seed)
    folder = output / part
    folder.mkdir(parents=True, exist_ok=True)
    groups = _dealt_out(sources.parts[part])
    made: dict[str, Soundscape] = {}
    of: dict[str, int] = {}
    for number in range(n_soundscapes):
        name = f"{part}_{number:04d}"
        of[name] = number % len(groups)
        made[name] = mix(sources, groups[of[name]], seconds, rng)
        write_sound(folder / f"{name}.flac", made[name], sources.rate)
    write_events(output / f"{part}.tsv", made, sources)
    with (output / f"{part}_groups.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "group"), *of.items()])
    return Part(folder, output / f"{part}.tsv", of)


def write_sound(path: Path, soundscape: Soundscape, rate: int) -> None:
    """Write flac or ogg, in blocks: one large write of ogg crashes libsndfile."""
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        for start in range(0, len(soundscape.pcm), BLOCK):
            file.write(soundscape.pcm[start : start + BLOCK])


def write_events(path: Path, made: dict[str, Soundscape], sources: Sources, ending: str = "flac") -> None:
    """Write events in the format of DCASE: file, onset and offset in seconds, label; a file alone has none."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file, delimiter="\t")
        rows.writerow(("filename", "onset", "offset", "event_label"))
        for name, soundscape in made.items():
            for label, onset, offset in soundscape.events:
                times = (f"{sample / sources.rate:.6f}" for sample in (onset, offset))
                rows.writerow((f"{name}.{ending}", *times, sources.labels[label]))
            if not len(soundscape.events):
                rows.writerow((f"{name}.{ending}", "", "", ""))


def _dealt_out(sounds: list[Sound]) -> list[list[Sound]]:
    """Return sounds in `N_GROUPS` groups, or fewer; sounds of the same labels go to each in turn."""
    by_labels = sorted(sounds, key=lambda sound: sound.labels)
    n_groups = min(N_GROUPS, len(sounds))
    return [by_labels[start::n_groups] for start in range(n_groups)]
