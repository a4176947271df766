"""Disks that are full, folders that are read-only: a clear message, and every old file as it was."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest

from shell import run

BOTH = ["scores.npz", "labels.npz"]
COMMANDS = {
    "tune": ["tune", *BOTH, "--method", "exact", "-o", "{}/out.json"],
    "tune --curves": ["tune", "--curves", "all.curves", "-o", "{}/out.json"],
    "candidates": ["candidates", *BOTH, "-o", "{}/out.candidates"],
    "curves": ["curves", *BOTH, "-o", "{}/out.curves"],
    "merge": ["merge", "all.curves", "more.curves", "-o", "{}/out.curves"],
    "evaluate": ["evaluate", *BOTH, "t.json", "-o", "{}/out.csv"],
    "apply": ["apply", "scores.npz", "t.json", "-o", "{}/out.csv"],
    "apply npz": ["apply", "scores.npz", "t.json", "-o", "{}/out.npz"],
    "report": ["report", *BOTH, "t.json", "--no-compare", "-o", "{}/out.html"],
    "guarantee": ["guarantee", *BOTH, "--precision", "0.5", "-o", "{}/out.json"],
    "export sql": ["export", "sql", "t.json", "-o", "{}/out.sql"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    draw = np.random.default_rng(0)
    truth = draw.random((3000, 60)) < 0.2
    scores = (0.3 * truth + 0.7 * draw.random(truth.shape)).astype(np.float32)
    ids, names = [f"clip {row}" for row in range(len(truth))], [f"label {k}" for k in range(60)]
    np.savez(folder / "scores.npz", scores=scores, names=names, ids=ids)
    np.savez(folder / "labels.npz", labels=truth.astype(np.int8), names=names, ids=ids)
    run("curves", *BOTH, "-o", "all.curves", cwd=folder, check=0)
    run("curves", *BOTH, "-o", "more.curves", cwd=folder, check=0)
    run("tune", *BOTH, "--method", "exact", "-o", "t.json", cwd=folder, check=0)
    return folder


@contextmanager
def disk(place, kibibytes):
    """Mount a disk of so many KiB in memory."""
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(place)]
    try:
        done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no disk can be mounted here: there is no mount")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here, which needs root: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def listing(place):
    return {path.name: path.read_bytes() for path in place.iterdir()}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk(folder, tmp_path, command):
    arguments = [part.format(tmp_path / "disk") for part in COMMANDS[command]]
    name = os.path.basename(arguments[-1])  # noqa: PTH119
    before = listing(folder)
    with disk(tmp_path / "disk", 64) as place:
        (place / name).write_bytes(b"old")
        (place / "filler").write_bytes(bytes(60 * 1024))  # the last page is the old file's
        done = run(*arguments, cwd=folder, check=1)
        assert "No space left on device. The old file is untouched. Free some space" in " ".join(
            done.stderr.split()
        )
        assert listing(place) == {name: b"old", "filler": bytes(60 * 1024)}
        (place / name).unlink()
        (place / "filler").write_bytes(bytes(64 * 1024))
        done = run(*arguments, cwd=folder, check=1)
        assert "No file was made" in " ".join(done.stderr.split())
        assert set(listing(place)) == {"filler"}
    assert listing(folder) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_read_only_or_missing(folder, tmp_path, command):
    arguments = [part.format(tmp_path / "disk") for part in COMMANDS[command]]
    done = run(*arguments, cwd=folder, check=1)
    assert "is no folder. Make it first" in " ".join(done.stderr.split())
    with disk(tmp_path / "disk", 64) as place:
        name = os.path.basename(arguments[-1])  # noqa: PTH119
        (place / name).write_bytes(b"old")
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        done = run(*arguments, cwd=folder, check=1)
        said = " ".join(done.stderr.split())
        assert "write-protected" in said or "Read-only file system" in said
        assert listing(place) == {name: b"old"}


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "apply npz"])
def test_an_output_that_is_an_input(folder, command):
    before = listing(folder)
    arguments = COMMANDS[command]
    inputs = [part for part in arguments if (folder / part).exists()]
    assert inputs
    for name in inputs:
        done = run(*arguments[:-1], f"./{name}", cwd=folder, check=2)
        assert f"would replace {name}" in " ".join(done.stderr.split())
    assert listing(folder) == before


def test_an_output_that_is_an_input_by_another_name(folder, tmp_path):
    """An array in a file, a file that a query reads, or one of many files."""
    from limen.cli.inputs import refuse_to_replace
    from limen.errors import InputError

    for name in ("a.npz", "b.npz", "x.parquet", "scores.db"):
        (tmp_path / name).write_bytes(b"data")
    (tmp_path / "here.json").write_text("{}")
    inputs = [
        ("{}/a.npz:scores", "a.npz"),
        ("{}/*.npz", "b.npz"),
        ("{}", "b.npz"),
        ("duckdb:{}/scores.db?query=SELECT * FROM t", "scores.db"),
        ("duckdb:?query=SELECT * FROM '{}/*.parquet'", "x.parquet"),
    ]
    for given, lost in inputs:
        with pytest.raises(InputError, match=f"would replace .*{lost}"):
            refuse_to_replace(str(tmp_path / lost), inputs=(given.format(tmp_path), None))
        outputs = [str(tmp_path / name) for name in ("new.json", "here.json")]
        refuse_to_replace(*outputs, inputs=(given.format(tmp_path),))
    before = listing(folder)
    run("apply", "scores.npz:scores", "t.json", "-o", "scores.npz", cwd=folder, check=2)
    run("tune", "scores.npz:scores", "labels.npz:labels", "-o", "labels.npz", cwd=folder, check=2)
    assert listing(folder) == before
