"""Kill commands that write files, at random moments: is a file ever lost, half written, or wrong.

``python benchmarks/kills.py --kills 400 --seed 1`` kills each command in turn (SIGKILL, SIGTERM, SIGINT,
SIGHUP), at any time of its run or while its file is being written, with an old file in its place or without. After
each kill all inputs must be as they were, byte for byte, and the output the old one or the whole new one; then the
command runs again, must succeed, and leaves nothing of the killed run behind. The exit status is 1 if anything
else is found.

Commands are copies of one warm process, so that kills hit the work and not the start of Python.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import hashlib
import io
import json
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from faults_run import ended, readable, start

BOTH = ["scores.npz", "labels.npz"]
LABELS = [f"Genus species{k}_Bird {k}" for k in range(12)]
SIGNALS = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
TEMPORARY = ".limen-"
NEW, OLD, NONE = "new", "old", "none"
# The command; then the outputs that it may be given. An input in place of an output is changed in place.
COMMANDS: dict[str, tuple[list[str], list[str]]] = {
    "tune": (["tune", *BOTH, "--method", "exact"], ["out.json"]),
    "tune auto": (["tune", *BOTH], ["out.json"]),
    "tune --curves": (["tune", "--curves", "all.curves"], ["out.json"]),
    "candidates": (["candidates", *BOTH], ["out.candidates"]),
    "curves": (["curves", *BOTH, "--candidates", "all.candidates"], ["out.curves"]),
    "merge": (["merge", "one.curves", "two.curves"], ["out.curves"]),
    "merge candidates": (["merge", "one.candidates", "two.candidates"], ["out.candidates"]),
    "evaluate": (["evaluate", *BOTH, "exact.json"], ["out.csv"]),
    "evaluate --curves": (["evaluate", "--curves", "all.curves", "exact.json"], ["out.csv"]),
    "apply": (
        ["apply", "scores.npz", "exact.json", "--layout", "wide"],
        ["out.csv", "out.tsv", "out.parquet", "out.npy", "out.npz", "out.h5"],
    ),
    "report": (["report", *BOTH, "exact.json", "--no-compare"], ["out.html"]),
    "guarantee": (["guarantee", *BOTH, "--precision", "0.8"], ["out.json"]),
    "sample": (["sample", "scores.npz", "--precision", "0.8"], ["out.csv"]),
    "export sql": (["export", "sql", "exact.json"], ["out.sql"]),
    "export duckdb": (["export", "duckdb", "exact.json"], ["out.sql"]),
    "export birdnet": (["export", "birdnet", "exact.json", "--confidences", "cuts.csv"], ["out.txt"]),
    "export onnx": (["export", "onnx", "model.onnx", "exact.json"], ["out.onnx"]),
    "birdnet-filter": (["birdnet-filter", "detections.csv", "exact.json"], ["out.csv"]),
    "export huggingface": (["export", "huggingface", "exact.json", "config.json"], ["config.json"]),
}


class Run(NamedTuple):
    """An undisturbed run: its files, how long it took, and of this how long its file was being written."""

    files: dict[str, bytes]
    took: float
    writing: float


def write_inputs(folder: Path, items: int) -> None:
    """Write the inputs of all commands; those that limen itself writes are written by it."""
    draw = np.random.default_rng(5)
    truth = (draw.random((items, len(LABELS))) < np.geomspace(0.02, 0.3, len(LABELS))).astype(np.int8)
    scores = np.clip(0.3 * truth + 0.7 * draw.random(truth.shape), 0, 1).astype(np.float32)
    ids = [f"clip {row}" for row in range(items)]
    half = items // 2
    for name, rows in (("", slice(None)), ("one_", slice(half)), ("two_", slice(half, None))):
        np.savez(folder / f"{name}scores.npz", scores=scores[rows], names=LABELS, ids=ids[rows])
        np.savez(folder / f"{name}labels.npz", labels=truth[rows], names=LABELS, ids=ids[rows])
    (folder / "config.json").write_text(json.dumps({"id2label": dict(enumerate(LABELS))}))
    rows = [f"{k},{k + 3},Genus species{k % 12},Bird {k % 12},0.{k % 97:02d},a.wav" for k in range(20_000)]
    header = "Start (s),End (s),Scientific name,Common name,Confidence,File"
    (folder / "detections.csv").write_text("\n".join([header, *rows]) + "\n")
    write_model(folder / "model.onnx")
    parts = [[f"{part}_scores.npz", f"{part}_labels.npz"] for part in ("one", "two")]
    first = [["candidates", *files, "-o", f"{files[0][:3]}.candidates"] for files in parts]
    for command in (
        *first,
        ["merge", "one.candidates", "two.candidates", "-o", "all.candidates"],
        *(["curves", *files, "-o", f"{files[0][:3]}.curves"] for files in parts),
        ["curves", *BOTH, "-o", "all.curves"],
        ["tune", *BOTH, "-o", "exact.json", "--method", "exact"],
    ):
        said = folder.parent / "said"
        if ended(start(folder, command, said), 120) != 0:
            raise SystemExit(f"limen {' '.join(command)}: {said.read_text()}")


def write_model(path: Path) -> None:
    """Write a model of one layer that gives scores of all labels."""
    import onnx
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["clips", 2000])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["clips", len(LABELS)])
    weight = np.random.default_rng(2).normal(size=(2000, len(LABELS))).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "tagger", [x], [y], [onnx.numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def warm(folder: Path) -> None:
    """Load what the commands need into this process; without files, whose readers have threads of their own."""
    import limen
    import limen.reporting
    import limen.shards
    from limen.files import reading, tags  # noqa: F401

    with np.load(folder / "scores.npz") as scores, np.load(folder / "labels.npz") as labels:
        y_true, y_score = labels["labels"][:500], scores["scores"][:500]
    warnings.simplefilter("ignore")
    for method in ("exact", "auto"):
        limen.evaluate(y_true, y_score, limen.tune(y_true, y_score, method=method))
    limen.guarantee(y_true, y_score, precision=0.8)


def strays(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if TEMPORARY in name]  # noqa: PTH208


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def undisturbed(folder: Path, arguments: list[str], outputs: list[str], limit: float) -> Run:
    """Run a command to its end; what it wrote goes."""
    said = folder.parent / "said"
    kept = {name: (folder / name).read_bytes() for name in outputs if (folder / name).exists()}
    begun = time.monotonic()
    child = start(folder, arguments, said)
    first, over = 0.0, False
    while not over and time.monotonic() < begun + limit:
        over = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if not first and strays(folder):
            first = time.monotonic()
        time.sleep(0.0005)
    took = time.monotonic() - begun
    if ended(child, 1) != 0 or not all((folder / name).exists() for name in outputs):
        raise SystemExit(f"limen {' '.join(arguments)}: {said.read_text(errors='replace')}")
    files = {name: (folder / name).read_bytes() for name in outputs}
    restore(folder, outputs, kept)
    return Run(files, took, begun + took - first if first else 0.0)


def restore(folder: Path, outputs: list[str], kept: dict[str, bytes]) -> None:
    for name in outputs:
        (folder / name).unlink(missing_ok=True)
        if name in kept:
            (folder / name).write_bytes(kept[name])


def same(name: str, here: bytes, whole: bytes) -> bool:
    """Return whether two files are the same but for the time at which they were written."""
    if here == whole:
        return True
    if name.endswith((".json", ".html")):
        try:
            return bool(readable(name, here) == readable(name, whole))
        except ValueError:
            return False
    if name.endswith((".npz", ".curves", ".candidates")):
        try:
            one, other = (dict(np.load(io.BytesIO(data), allow_pickle=False)) for data in (here, whole))
        except (ValueError, OSError, EOFError):
            return False
        return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)
    return False


def killed(
    folder: Path, run: Run, arguments: list[str], draw: np.random.Generator, limit: float
) -> dict[str, Any]:
    """Kill a command once, and return what was done, what was left, and what is wrong ("" if nothing)."""
    said, outputs = folder.parent / "said", list(run.files)
    number = SIGNALS[int(draw.integers(len(SIGNALS)))]
    inputs = digests(folder)
    in_place = {name: (folder / name).read_bytes() for name in outputs if name in inputs}
    old = in_place or (dict.fromkeys(outputs, b"old") if draw.random() < 0.6 else {})
    restore(folder, outputs, old)
    for name in outputs:
        inputs.pop(name, None)
    child = start(folder, arguments, said)
    watch = run.writing > 0 and draw.random() < 0.5
    end = time.monotonic() + (2 * run.took + 1 if watch else draw.random() * run.took * 1.05)
    while time.monotonic() < end and not (watch and strays(folder)):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
    if watch:
        time.sleep(draw.random() * run.writing)
    os.kill(child, number)
    status = ended(child, limit)
    found = {"signal": number.name, "watch": watch, "left": "", "wrong": "", "stray": bool(strays(folder))}
    text = said.read_text(errors="replace")
    found["wrong"] = "not ended by the signal" if status is None else wrong_after(folder, run, inputs, old, found)
    found["wrong"] = found["wrong"] or wrong_words(number, status, text, found)
    again = ended(start(folder, arguments, said), limit)
    if not found["wrong"] and again != 0:
        found["wrong"] = f"the next run failed: {said.read_text(errors='replace')[-300:]}"
    if not found["wrong"] and not all(
        same(name, (folder / name).read_bytes(), run.files[name]) for name in outputs
    ):
        found["wrong"] = "the next run wrote something else"
    if not found["wrong"] and strays(folder):
        found["wrong"] = f"left by a killed run, and by the next one: {strays(folder)}"
    restore(folder, outputs, in_place)
    return found


def wrong_after(
    folder: Path, run: Run, inputs: dict[str, str], old: dict[str, bytes], found: dict[str, Any]
) -> str:
    """Return what is wrong in a folder after a kill; what the output is then goes to ``found``."""
    here = digests(folder)
    if any(here.get(name) != digest for name, digest in inputs.items()):
        return f"an input was changed: {[name for name in inputs if here.get(name) != inputs[name]]}"
    for name, whole in run.files.items():
        data = (folder / name).read_bytes() if name in here else None
        is_new = data is not None and same(name, data, whole)
        if not is_new and data != old.get(name):
            return f"{name} is neither the old file nor the new one ({len(data or b'')} of {len(whole)} bytes)"
        found["left"] = NEW if is_new else OLD if data is not None else NONE
    more = [name for name in here if name not in inputs and name not in run.files]
    if more and (found["signal"] != "SIGKILL" or any(not name.startswith(TEMPORARY) for name in more)):
        return f"left behind: {more}"
    return ""


def wrong_words(number: int, status: int | None, text: str, found: dict[str, Any]) -> str:
    """Return what is wrong in what a killed command said and how it ended."""
    if "Traceback" in text or "Exception ignored" in text:
        return f"Traceback: {text.strip().splitlines()[-1]}"
    if status == 0:
        return "" if found["left"] == NEW else "status 0, and no new file"
    allowed = (-9,) if number == signal.SIGKILL else (128 + number, -number)
    return "" if status in allowed else f"status {status}: {text.strip()[-200:]}"


def campaign(folder: Path, kills: int, seed: int, limit: float) -> list[dict[str, Any]]:
    """Return what was found, kill by kill, the commands in turn."""
    draw = np.random.default_rng(seed)
    runs: dict[tuple[str, str], Run] = {}
    found = []
    for turn in range(kills):
        name = list(COMMANDS)[turn % len(COMMANDS)]
        command, targets = COMMANDS[name]
        target = targets[turn // len(COMMANDS) % len(targets)]
        arguments = command if target in command else [*command, "-o", target]
        outputs = [target, *(["cuts.csv"] if "cuts.csv" in command else [])]
        key = (name, target)
        if key not in runs:
            runs[key] = undisturbed(folder, arguments, outputs, limit)
        found.append({"command": name, "turn": turn, **killed(folder, runs[key], arguments, draw, limit)})
        if sys.stderr.isatty():
            print(f"\r{turn + 1}/{kills}", end="", file=sys.stderr)
    return found


def show(found: list[dict[str, Any]]) -> None:
    columns = [
        "kills",
        "while writing",
        *(f"{left} file" for left in (NONE, OLD, NEW)),
        "stray, then gone",
        "wrong",
    ]
    print("| command | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in [*COMMANDS, "all"]:
        own = [one for one in found if name in (one["command"], "all")]
        left = Counter(one["left"] for one in own)
        cells = [
            len(own),
            sum(one["watch"] for one in own),
            *(left[sort] for sort in (NONE, OLD, NEW)),
            sum(one["stray"] for one in own),
            sum(bool(one["wrong"]) for one in own),
        ]
        if own:
            print(f"| {name} | " + " | ".join(map(str, cells)) + " |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--items", type=int, default=30_000)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a command hangs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name, "files")
        folder.mkdir()
        begun = time.monotonic()
        write_inputs(folder, given.items)
        warm(folder)
        found = campaign(folder, given.kills, given.seed, given.limit)
    show(found)
    print(f"\nseed {given.seed}, {time.monotonic() - begun:.0f} s")
    for one in found:
        if one["wrong"]:
            when = "while writing" if one["watch"] else "at any time"
            print(f"\n{one['turn']}: {one['command']}, {one['signal']} {when}\n  {one['wrong']}")
    return int(any(one["wrong"] for one in found))


if __name__ == "__main__":
    sys.exit(main())
