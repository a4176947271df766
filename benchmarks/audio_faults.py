"""Read mutated recordings: does limen.audio ever lose sound without a word, crash, or never come back.

``python benchmarks/audio_faults.py --inputs 500 --seed 1`` mutates files of six formats (cut, bytes changed, taken
out, put in, repeated or zeroed, in the header or anywhere), reads each in a process of its own, and prints how
many end in a clear message (an UnreadableError that names the file and a second), in a right result, silently
wrong, in a traceback, or never (a crash, or over the limit). The exit status is 1 if there is any but clear and
right.

Right is: all that the file holds. Samples must be those of the whole file; where stored bytes were changed that
no checksum guards (wav, aiff, mp3), as many as before, and in wav and aiff exactly those that the bytes say;
where the header was changed, as many as it says now.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
import tempfile
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

import limen.audio
from limen.errors import UnreadableError

CLASSES = ("clear", "right", "odd", "silent", "traceback", "hang")
FORMATS = {
    "wav": ("WAV", "PCM_16", 44100),
    "flac": ("FLAC", "PCM_16", 44100),
    "ogg": ("OGG", "VORBIS", 44100),
    "opus": ("OGG", "OPUS", 48000),
    "mp3": ("MP3", "MPEG_LAYER_III", 44100),
    "aiff": ("AIFF", "PCM_16", 44100),
}
UNGUARDED = ("wav", "aiff", "mp3")
SECONDS = 1.5
LIMIT_S = 30.0
WAYS = ("cut", "change", "change one", "take out", "put in", "repeat", "zero", "header")


class Base(NamedTuple):
    """A whole file: its bytes, its samples, and how many bytes its header takes."""

    content: bytes
    samples: np.ndarray
    head: int


def bases(folder: Path) -> dict[str, Base]:
    """Return a whole file of each format: noise and a tone in two channels, written in blocks."""
    rng = np.random.default_rng(0)
    found = {}
    for name, (form, subtype, rate) in FORMATS.items():
        n = int(SECONDS * rate)
        tone = 0.3 * np.sin(0.05 * np.arange(n))[:, None] * [1, 0.5]
        pcm = (tone + 0.05 * rng.normal(size=(n, 2))).astype(np.float32)
        path = folder / f"whole.{name}"
        with soundfile.SoundFile(path, "w", rate, 2, subtype, format=form) as file:
            for start in range(0, n, 4096):
                file.write(pcm[start : start + 4096])
        content = path.read_bytes()
        at = {"wav": content.find(b"data") + 8, "aiff": content.find(b"SSND") + 16}.get(name, 200)
        found[name] = Base(content, heard(path), at)
    return found


def heard(path: Path) -> np.ndarray:
    """Return the samples of the first channel."""
    return np.concatenate([*limen.audio.read(path, channel=0, block=10000)])


def mutated(content: bytes, head: int, way: str, rng: np.random.Generator) -> bytes:
    """Return other bytes."""
    at = int(rng.integers(head, len(content)))
    size = int(min(2 ** rng.integers(0, 14), len(content) - at))
    some = rng.bytes(size)
    if way == "cut":
        return content[: int(rng.integers(1, len(content)))]
    if way == "header":
        at = int(rng.integers(0, head))
        return content[:at] + rng.bytes(int(rng.integers(1, 5))) + content[at + 4 :]
    if way == "change one":
        return content[:at] + bytes([content[at] ^ int(rng.integers(1, 256))]) + content[at + 1 :]
    middle = {
        "change": some,
        "take out": b"",
        "put in": some + content[at : at + size],
        "repeat": 2 * content[at : at + size],
        "zero": bytes(size),
    }[way]
    return content[:at] + middle + content[at + size :]


def judge(path: Path, name: str, way: str, base: Base) -> tuple[str, str]:
    """Return the class of what limen does with a mutated file, and in words why."""
    try:
        found = heard(path)
    except UnreadableError as error:
        said = str(error)
        clear = path.name in said and re.search(r"\d s\b", said)
        return ("clear" if clear else "odd"), said
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    if np.array_equal(found, base.samples):
        return "right", "as the whole file"
    if way == "header" and path.read_bytes()[base.head :] == base.content[base.head :]:
        promised = limen.audio.info(path).samples
        return ("right" if len(found) == promised else "silent"), f"{len(found)} samples, promised {promised}"
    if len(found) != len(base.samples):
        return "silent", f"{len(found)} samples of {len(base.samples)}"
    if name in ("wav", "aiff"):
        stored = path.read_bytes()[base.head :][: 4 * len(found)]
        exact = np.frombuffer(stored, "<i2" if name == "wav" else ">i2")[::2].astype(np.float32) / 32768
        return ("right" if np.array_equal(exact, found) else "silent"), "samples as stored"
    return ("right" if name in UNGUARDED else "silent"), "as many, with other values"


def _work(send: Connection, *given: object) -> None:
    send.send(judge(*given))  # type: ignore[arg-type]


def tried(path: Path, name: str, way: str, base: Base) -> tuple[str, str]:
    """Return the class of a trial in a process of its own."""
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(False)
    child = context.Process(target=_work, args=(send, path, name, way, base), daemon=True)
    child.start()
    send.close()
    try:
        if not receive.poll(LIMIT_S):
            return "hang", f"over {LIMIT_S:g} s"
        found: tuple[str, str] = receive.recv()
        return found
    except EOFError:
        child.join()
        return "hang", f"crashed with {child.exitcode}"
    finally:
        child.kill()
        child.join()


def main() -> None:
    """Print how many trials of each format end how."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--say", action="store_true", help="each trial in a line")
    given = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    failed = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        whole = bases(folder)
        for number in range(given.inputs):
            rng = np.random.default_rng([given.seed, number])
            name = list(FORMATS)[number % len(FORMATS)]
            way = WAYS[int(rng.integers(len(WAYS)))]
            path = folder / f"mutated.{name}"
            path.write_bytes(mutated(whole[name].content, whole[name].head, way, rng))
            outcome, why = tried(path, name, way, whole[name])
            counts[name, outcome] += 1
            if given.say or outcome not in ("clear", "right"):
                failed.append(f"{number} {name} {way}: {outcome}: {why}")
    print(f"| format | {' | '.join(CLASSES)} |\n|---|{'---|' * len(CLASSES)}")
    for name in FORMATS:
        print(f"| {name} | {' | '.join(str(counts[name, kind]) for kind in CLASSES)} |")
    print("\n".join(failed))
    sys.exit(any(number and kind not in ("clear", "right") for (_, kind), number in counts.items()))


if __name__ == "__main__":
    main()
