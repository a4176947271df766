"""Soundscapes mixed, a tagger trained and exported, its events tuned, held-out recordings tagged: one command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from crnn import WINDOW_S, train
from export import export
from mixing import mix
from recordings import write_part
from shipping import ship
from sources import load
from tagging import compared, score_part, tag_part, tuned


def main() -> None:
    """Run all steps; say after each what came of it."""
    asked = _arguments()
    output = asked.output
    output.mkdir(parents=True, exist_ok=True)

    sources = load(asked.data)
    sizes = ", ".join(f"{len(sounds)} {part}" for part, sounds in sources.parts.items())
    print(f"{sources.name}: {len(sources.labels)} labels, {sizes} sounds, kept apart {sources.apart}.")
    (output / "ATTRIBUTION.txt").write_text(f"Made from real recordings: {sources.licence}.\n")

    model = train(sources, sources.parts["model"], asked.train_seconds, asked.seed, _progress)
    rng = np.random.default_rng(asked.seed + 1)
    trial = np.stack([mix(sources, sources.parts["model"], WINDOW_S, rng).pcm for _ in range(8)])
    tagger = output / "tagger.onnx"
    apart = export(model, sources, tagger, trial)
    print(f"wrote {tagger} ({tagger.stat().st_size / 1000:.0f} kB); ONNX and PyTorch agree to {apart:.1e}.")

    scored = {}
    for number, part in enumerate(("tune", "test")):
        made = write_part(sources, part, asked.soundscapes, asked.seconds, output, asked.seed + 2 + number)
        scored[part] = score_part(made, tagger)
        print(f"{part}: {asked.soundscapes} recordings of {asked.seconds:g} s scored.", flush=True)

    thresholds = tuned(scored["tune"], asked.metric)
    thresholds.save(output / "events.json")
    print(f"wrote {output / 'events.json'}: {thresholds.summary()}\n", flush=True)
    tag_part(scored["test"], thresholds, output / "tags")
    print(f"Tags of the recordings held out are in {output / 'tags'}, as Audacity labels.")
    if asked.ship is not None:
        ship(sources, tagger, thresholds, asked.ship, asked.seed)
        print(f"wrote what is shipped to {asked.ship}.", flush=True)
    print(compared(scored["tune"], scored["test"]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python examples/sound_events", description=__doc__)
    parser.add_argument("data", type=Path, help="esc10.zip or fsdd_recordings.npz")
    parser.add_argument("-o", "--output", type=Path, default=Path("sound_events"), help="folder to write")
    parser.add_argument("--train-seconds", type=float, default=240, help="of one core, for training")
    parser.add_argument("--soundscapes", type=int, default=300, help="to tune on, and as many to test on")
    parser.add_argument("--seconds", type=float, default=10, help="length of a soundscape")
    parser.add_argument("--metric", choices=("collar", "intersection", "segment"), default="collar")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ship", type=Path, help="folder for a tagger, its events.json and held-out recordings")
    return parser.parse_args()


def _progress(done: float, loss: float) -> None:
    if sys.stderr.isatty() or done == 1:
        print(f"\rtraining {100 * done:3.0f} %, loss {loss:.4f}", end="\n" if done == 1 else "", file=sys.stderr)


if __name__ == "__main__":
    main()
