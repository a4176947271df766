"""Damaged files of curves and of candidates: bytes, and members that are another file's."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from faults_cases import Outcome, Trial, bring, pick, whole_run
from faults_files import Draw
from faults_texts import bytes_damaged

PARTS = {"scores": "scores_one.npz", "labels": "labels_one.npz"}


def stored_counts(ending: str) -> Any:
    """Return trials of files of curves, or of candidates."""

    def trial(draw: Draw, base: Path, folder: Path) -> Trial:
        file, other = f"one.{ending}", f"two.{ending}"
        bring(base, folder, *PARTS.values(), "one.candidates", "two.candidates", "one.curves", "two.curves")
        data, what = damaged((base / file).read_bytes(), (base / other).read_bytes(), draw)
        (folder / file).write_bytes(data)
        merge = ["merge", file, other, "-o", f"out.{ending}"]
        if ending == "curves":
            method = pick(draw, ["exact", "auto"])
            arguments = pick(draw, [["tune", "--curves", file, "--method", method, "-o", "out.json"], merge])
        else:
            arguments = pick(draw, [["curves", *PARTS.values(), "--candidates", file, "-o", "out.curves"], merge])

        def judge(outcome: Outcome) -> str:
            found = content(outcome)
            whole = content(whole_run(arguments, file, base, folder))
            return "" if found == whole else f"another result than the whole file's: {what}"

        return Trial(what, arguments, (file,), judge)

    return trial


def content(outcome: Outcome) -> Any:
    """Return what files hold, apart from the time at which archives were packed."""
    return outcome.content()[0], {
        name: {key: value.tobytes() for key, value in np.load(io.BytesIO(data)).items()}
        if name.endswith((".curves", ".candidates"))
        else {key: value for key, value in json.loads(data).items() if key not in ("created", "versions")}
        for name, data in outcome.files.items()
        if name.startswith("out.")
    }


def damaged(data: bytes, other: bytes, draw: Draw) -> tuple[bytes, str]:
    """Return a file with damaged bytes, or packed anew with members changed, swapped or another file's."""
    if draw.random() < 0.5:
        return bytes_damaged(data, draw)
    arrays, others = (dict(np.load(io.BytesIO(one))) for one in (data, other))
    name = pick(draw, arrays)
    sort = pick(draw, ["drop", "take", "swap", "value", "reverse", "shorten", "cast", "header", "add", "none"])
    if sort == "drop":
        del arrays[name]
    elif sort == "take":
        arrays[name] = others[name]
    elif sort == "swap":
        alike = [key for key in arrays if arrays[key].shape == arrays[name].shape]
        key = pick(draw, alike)
        arrays[name], arrays[key] = arrays[key], arrays[name]
        name = f"{name} and {key}"
    elif sort == "value":
        changed = arrays[name].copy()
        changed[int(draw.integers(len(changed)))] += 1
        arrays[name] = changed
    elif sort == "reverse":
        arrays[name] = arrays[name][::-1].copy()
    elif sort == "shorten":
        arrays[name] = arrays[name][:-1]
    elif sort == "cast":
        with np.errstate(invalid="ignore"):  # never, which is infinite, is no whole number
            arrays[name] = arrays[name].astype(pick(draw, ["f4", "i4", ">f8", "U8", "O"]))
    elif sort == "header":
        name = header_changed(arrays, draw)
    elif sort == "add":
        arrays["more"] = arrays[name]
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue(), f"members: {sort} {name}"


def header_changed(arrays: dict[str, Any], draw: Draw) -> str:
    """Change one key of the header, and return which."""
    header = json.loads(arrays["header"].tobytes())
    key = pick(draw, header)
    old = header[key]
    values: list[Any] = [None, [], {}, "", -1, 10**30, True, [old]]
    if isinstance(old, list):
        values += [old[::-1], old[:-1], [*old, "more"]]
    elif isinstance(old, int):
        values += [old + 1, old + 1000, not old]
    elif isinstance(old, str):
        values += [old + "x", "float64"]
    header[key] = pick(draw, [value for value in values if value != old])
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    return f"{key}={str(header[key])[:30]!r}"
