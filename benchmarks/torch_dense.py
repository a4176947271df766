"""Dense full-batch SGL of `limen.torch.fit_thresholds` at AudioSet's size, on the processor and on a GPU.

python benchmarks/torch_dense.py --data DIR [--epochs 10] [--repeats 3], where DIR has
audioset_eval_labels.npz. Data are on the device before the clock starts. Exit code 1 if a GPU is
there and 100 epochs take 0.3 s or more.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

import audioset
import limen
import torch_sgl
from audioset import Data
from limen.torch import fit_thresholds
from report import Checks, brief, interleaved, machine, markdown, seconds

EPOCHS = 100


def fit_seconds(data: Data, device: str, epochs: int, repeats: int) -> tuple[float, float]:
    """Return the seconds before the first epoch, and those of an epoch."""
    y_true, y_score = (torch.from_numpy(part).to(device) for part in (data.y_true == 1, data.y_score))

    def run(number: int) -> None:
        fit_thresholds(y_true, y_score, epochs=number).thresholds.cpu()

    timing = interleaved({"few": lambda: run(1), "more": lambda: run(1 + epochs)}, repeats)
    epoch = (timing["more"].best - timing["few"].best) / epochs
    # One epoch looks at the scores twice: at the start, and where it led.
    return timing["few"].best - 2 * epoch, epoch


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    data, checks = audioset.load(options.data), Checks()
    rows = []
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
        before, epoch = fit_seconds(data, device, options.epochs, options.repeats)
        whole = before + (1 + EPOCHS) * epoch
        rows.append([f"limen.torch.fit_thresholds, {device} ({name})", brief(before), brief(epoch), brief(whole)])
        if device == "cuda":
            checks.at_most(f"{EPOCHS} epochs on {name}", whole, 0.3)
    few, more = (
        min(seconds(lambda n=n: torch_sgl.learn(*data, epochs=n)) for _ in range(options.repeats)) for n in (1, 3)
    )
    epoch = (more - few) / 2
    rows.append(["plain PyTorch SGL, cpu", "", brief(epoch), brief(few + (EPOCHS - 1) * epoch)])
    binned = interleaved({"": lambda: limen.tune(data.y_true, data.y_score, method="sgl")}, options.repeats)[""]
    rows.append(['limen.tune(method="sgl"), binned, cpu', "", "", brief(binned.best)])
    print(machine(["limen", "numpy", "torch"]))
    print()
    print(markdown(["what", "before, s", "an epoch, s", f"{EPOCHS} epochs, s"], rows))
    print()
    if not torch.cuda.is_available():
        print("No CUDA device here: the GPU was not measured.")
    print(checks)
    return checks.exit_code


if __name__ == "__main__":
    sys.exit(main())
