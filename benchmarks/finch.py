"""Syllables of a real bird's song: frame scores, events tuned, and what each way gives on recordings held out.

python benchmarks/finch.py --data DIR [--seconds 60] [--seed 0] [--criteria collar intersection segment]

`finch.tar` holds 571 songs of one Bengalese finch, cut from 134 recordings, and its syllables, annotated by a
person. Every third recording trains a small convolutional network; of the other two thirds one is tuned on and one
measured on, both ways. Songs of one recording stay together. Reported, without a bar: there is none to reach.
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn

import limen.audio
from limen.events import (
    Collar,
    Events,
    FrameScores,
    Intersection,
    Segments,
    Setting,
    evaluate,
    settings_grid,
    tune,
)
from limen.events.detecting import detect
from limen.events.formats import read_events
from report import machine, markdown

RATE, STEP, SIZE, BANDS, WINDOW_S = 16000, 160, 512, 40, 2.0
"""Frames of 10 ms; spectra of 32 ms."""
MEDIAN = Setting(median=0.05)
GRID = settings_grid(median=(0, 0.03, 0.05, 0.07), hysteresis=(0, 1, 2), gap=(0, 0.01), shortest=(0, 0.02))
"""Syllables last 47 to 116 ms; limen's own grid is made for sounds of 0.1 s and more."""
CRITERIA = {
    "collar": Collar(0.02, 0.02, 0.2),
    "intersection": Intersection(0.7, 0.7),
    "segment": Segments(0.02),
}
WAYS = (
    "0.5, median 5",
    "shared cut, median 5",
    "cut by label, median 5",
    "shared",
    "exact",
    "auto",
    "auto, limen's own grid",
)


class Network(nn.Module):
    """Log spectra in bands, two convolutions over time, a logit for each frame and syllable."""

    def __init__(self, n_labels: int) -> None:
        super().__init__()
        edges = np.linspace(0, SIZE // 2, BANDS + 1).astype(int)
        bins = np.arange(SIZE // 2 + 1)
        bands = np.stack([(bins >= low) & (bins < high) for low, high in pairwise(edges)])
        self.register_buffer("bands", torch.tensor(bands / bands.sum(axis=1, keepdims=True), dtype=torch.float32))
        self.register_buffer("taper", torch.hann_window(SIZE))
        self.layers = nn.Sequential(
            nn.BatchNorm1d(BANDS),
            nn.Conv1d(BANDS, 48, 9, padding=4),
            nn.ReLU(),
            nn.Conv1d(48, 48, 9, padding=4),
            nn.ReLU(),
            nn.Conv1d(48, n_labels, 1),
        )

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return logits (n, frames, labels) of samples (n, window)."""
        around = (SIZE - STEP) // 2
        parts = nn.functional.pad(samples, (around, around)).unfold(1, SIZE, STEP) * self.taper
        power = torch.fft.rfft(parts).abs() ** 2
        return self.layers(torch.log(power @ self.bands.T + 1e-5).transpose(1, 2)).transpose(1, 2)


def trained(names: list[str], folder: Path, events: Events, seconds: float, seed: int) -> Network:
    """Return a network that learned for some seconds of one core, on windows of these songs."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng, window = np.random.default_rng(seed), round(WINDOW_S * RATE)
    own = events.take(names)
    sounds, targets = [], []
    for k, name in enumerate(names):
        pcm = np.concatenate([*limen.audio.read(folder / f"{name}.flac", RATE)])
        sounds.append(np.pad(pcm, (0, max(0, window - len(pcm)) + STEP)))
        active = np.zeros((len(sounds[-1]) // STEP + 1, len(own.labels)), np.float32)
        mine = own.recording == k
        for label, onset, offset in zip(own.label[mine], own.onset[mine], own.offset[mine], strict=True):
            active[round(onset / 1e4) : round(offset / 1e4), label] = 1
        targets.append(active)
    network = Network(len(own.labels)).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    start, share = time.process_time(), np.array([len(sound) for sound in sounds], float)
    share /= share.sum()
    while time.process_time() - start < seconds:
        chosen = rng.choice(len(sounds), 16, p=share)
        at = [int(rng.integers(0, (len(sounds[k]) - window) // STEP + 1)) for k in chosen]
        x = torch.from_numpy(
            np.stack([sounds[k][a * STEP : a * STEP + window] for k, a in zip(chosen, at, strict=True)])
        )
        y = torch.from_numpy(
            np.stack([targets[k][a : a + window // STEP] for k, a in zip(chosen, at, strict=True)])
        )
        loss = nn.functional.binary_cross_entropy_with_logits(network(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def scored(names: list[str], folder: Path, labels: tuple[str, ...], network: Network) -> FrameScores:
    """Return the frame scores of songs, read and laid in windows by limen."""

    def logits(windows: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.tensor(windows)).numpy()

    window = round(WINDOW_S * RATE)
    about = {"rate": RATE, "window": window, "hop": window // 2, "frame_seconds": STEP / RATE}
    scorer = limen.audio.CallableScorer(logits, **about, labels=labels, activation="logit")
    found = {name: limen.audio.score(folder / f"{name}.flac", scorer, "centre") for name in names}
    seconds = {name: limen.audio.info(folder / f"{name}.flac").seconds for name in names}
    return FrameScores(labels, found, scorer.frame_seconds, seconds)


def value(
    way: str, here: tuple[FrameScores, Events], there: tuple[FrameScores, Events], criterion: object
) -> float:
    """Return micro-F1 in per cent on the part that was not tuned on."""
    scores, events = there
    if way.startswith("0.5"):
        cuts = np.zeros(scores.n_labels)
        found = detect(scores, [MEDIAN] * scores.n_labels, cuts, cuts)
    else:
        method = {"shared cut": "shared", "cut by label": "exact"}.get(way.split(",")[0], way.split(",")[0])
        settings = None if "own grid" in way else MEDIAN if "median" in way else GRID
        groups = [source(name) for name in here[0].names]
        chosen = tune(*here, criterion=criterion, settings=settings, method=method, groups=groups)
        found = chosen.decide(scores)
    return 100 * evaluate(events, found, criterion, durations=scores).value


def source(name: str) -> str:
    """Return the recording that a song was cut from."""
    return name.split("_")[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with finch.tar")
    parser.add_argument("--seconds", type=float, default=60, help="of one core, for training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--criteria", nargs="+", choices=CRITERIA, default=list(CRITERIA))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with tarfile.open(asked.data / "finch.tar") as archive:
            archive.extractall(folder, filter="data")
        events = read_events(next(folder.rglob("events.tsv")))
        folder = next(folder.rglob("*.flac")).parent
        names = sorted(events.recordings, key=lambda name: tuple(map(int, name.split("_"))))
        parts = [[name for name in names if int(source(name)) % 3 == part] for part in range(3)]
        sizes = ", ".join(str(len(part)) for part in parts)
        print(
            f"{len(events)} syllables of {len(events.labels)} classes; {sizes} songs in the three parts",
            flush=True,
        )
        network = trained(parts[0], folder, events, asked.seconds, asked.seed)
        both = [(scored(part, folder, events.labels, network), events.take(part)) for part in parts[1:]]
    rows = []
    for criterion in (CRITERIA[name] for name in asked.criteria):
        cells = [np.mean([value(way, both[k], both[1 - k], criterion) for k in range(2)]) for way in WAYS]
        rows.append([str(criterion), *(f"{cell:.1f}" for cell in cells)])
        print(*rows[-1], flush=True)
    print(f"\nHeld-out micro-F1 in per cent, mean of both ways ({machine(['torch', 'soundfile'])}):\n")
    print(markdown(["criterion", *WAYS], rows))


if __name__ == "__main__":
    main()
