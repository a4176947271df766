"""How fast recordings are read and pooled, and in how much memory: everything but the model.

python benchmarks/audio.py [--hours 4] prints a markdown table. Each figure is of a process of its own with one
thread: times real time in CPU seconds, and the most memory (VmHWM) beyond what stood before the recording was
opened. The model is a function that gives an array made before.
The recording is stereo flac of 44.1 kHz, noise and tones, made on the way; it takes 0.6 GB an hour at most.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

RATE = 44100
WAYS = {
    "decoding alone (soundfile)": """
with soundfile.SoundFile(path) as file:
    buffer = np.empty((1 << 16, 2), np.float32)
    while len(file.read(out=buffer)):
        pass
""",
    "read, mean of the channels": "for block in limen.audio.read(path): pass",
    "read, mean, resampled to 16 kHz": "for block in limen.audio.read(path, 16000): pass",
    "read, resampled, windows, pooled (all but the model)": """
for block in limen.audio.iter_scores(path, scorer): pass
""",
}
SETUP = """
import sys, time
import numpy as np, soundfile, soxr, limen.audio
path = sys.argv[1]
ready = np.zeros((16, 250, 10), np.float32)
scorer = limen.audio.CallableScorer(
    lambda windows: ready[: len(windows)], rate=16000, window=160000, hop=80000, frame_seconds=0.04,
    labels=[f"label {k}" for k in range(10)], activation="probability")
def most(): return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before, start = most(), time.process_time()
"""
END = """
print(time.process_time() - start, (most() - before) / 1024)
"""


def write(path: Path, hours: float) -> None:
    """Write a recording of so many hours, ten different seconds over and over."""
    rng = np.random.default_rng(0)
    time = np.arange(10 * RATE)[:, None] / RATE
    pcm = 0.2 * np.sin(2 * np.pi * time * [440, 660]) * np.sin(time) + 0.01 * rng.normal(size=(len(time), 2))
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(round(hours * 360)):
            file.write(pcm)


def measure(way: str, path: Path) -> tuple[float, float]:
    """Return CPU seconds and MiB."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, "-c", SETUP + WAYS[way] + END, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | threads)
    seconds, mib = map(float, done.stdout.split())
    return seconds, mib


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=4.0)
    hours = parser.parse_args().hours
    print("| what | hours | CPU seconds | times real time | MiB more |\n|---|---|---|---|---|")
    for length in (hours / 8, hours):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "recording.flac"
            write(path, length)
            for way in WAYS:
                seconds, mib = measure(way, path)
                real = round(length * 360) * 10 / seconds
                print(f"| {way} | {length:g} | {seconds:.1f} | {real:.0f} | {mib:.0f} |", flush=True)


if __name__ == "__main__":
    main()
