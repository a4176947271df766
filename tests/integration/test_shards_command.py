"""Folders of files on the command line: runs that go on where they stopped, damaged files, tags of all."""

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import limen
from limen.files.reading import read_table
from shell import LIMEN, run

N, FILES = 1200, 6


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.random((N, 4)) < 0.2
    scores = (rng.random((N, 4)) + truth).astype(np.float32)
    for name, values in (("scores", scores), ("labels", truth)):
        (tmp_path / name).mkdir()
        for k, part in enumerate(np.array_split(values, FILES)):
            np.save(tmp_path / name / f"part{k + 5}.npy", part)
    return tmp_path, truth, scores


BOTH = ("scores/*.npy", "labels/*.npy")


def test_a_run_goes_on_where_it_stopped(folder):
    path, truth, scores = folder
    run("candidates", *BOTH, "-o", "all.candidates", cwd=path, check=0)
    curves = ("curves", *BOTH, "--candidates", "all.candidates", "-o", "counted/")
    assert "wrote 6 files to counted/\n" in run(*curves, cwd=path, check=0).stdout
    before = {file: file.stat().st_mtime_ns for file in (path / "counted").glob("*.curves")}
    np.save(path / "labels" / "part7.npy", np.load(path / "labels" / "part7.npy"))  # as before, with a new time
    (path / "counted" / "part9.curves").unlink()
    (path / "counted" / "part10.curves").write_bytes(b"PK")
    done = run(*curves, cwd=path, check=0)
    assert "wrote 3 files to counted/, and took over 3 of an earlier run" in done.stdout
    changed = {file.name for file, when in before.items() if file.stat().st_mtime_ns != when}
    assert changed == {"part7.curves", "part9.curves", "part10.curves"}
    run("merge", *sorted((path / "counted").glob("*.curves")), "-o", "all.curves", cwd=path, check=0)
    run("curves", *BOTH, "-o", "whole.curves", cwd=path, check=0)
    merged, whole = (limen.Curves.load(path / f"{name}.curves") for name in ("all", "whole"))
    assert merged == whole
    for method in ("exact", "auto"):
        run("tune", "--curves", "all.curves", "--method", method, "-o", "merged.json", cwd=path, check=0)
        run("tune", "scores", "labels", "--method", method, "-o", "streamed.json", cwd=path, check=0)
        for name, expected in (
            ("merged.json", limen.tune(whole, method=method)),
            ("streamed.json", limen.tune(truth, scores, method=method)),
        ):
            np.testing.assert_array_equal(limen.Thresholds.load(path / name).values, expected.values)
    run("candidates", *BOTH, "-o", "all.candidates", cwd=path, check=0)  # the same content: nothing is made again
    assert "wrote 0 files" in run(*curves, cwd=path, check=0).stdout


def test_a_run_that_is_killed_leaves_whole_files(folder):
    path, _, _ = folder
    command = [LIMEN, "curves", *BOTH, "-o", "counted/"]
    for number, wait in ((signal.SIGINT, 0.6), (signal.SIGKILL, 0.9)):
        process = subprocess.Popen(command, cwd=path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.send_signal(number)
        process.wait(30)
        for file in (path / "counted").glob("*.curves"):
            limen.Curves.load(file)
    run("curves", *BOTH, "-o", "counted/", cwd=path, check=0)
    assert len(list((path / "counted").glob("*.curves"))) == FILES


def test_damaged_shards(folder):
    path, truth, scores = folder
    short = path / "scores" / "part8.npy"
    short.write_bytes(short.read_bytes()[:-7])
    done = run("tune", *BOTH, cwd=path, check=2)
    assert "scores/part8.npy cannot be read as .npy" in " ".join(done.stderr.split())
    done = run("tune", *BOTH, "--skip-damaged", "--method", "exact", "-o", "t.json", cwd=path, check=0)
    said = " ".join(done.stdout.split())
    assert "left out scores/part8.npy and labels/part8.npy: scores/part8.npy cannot be read" in said
    assert "missing: 1 of 6 shards, 200 items. What follows is of the others alone" in said
    rest = np.r_[0:600, 800:1200]
    whole = limen.tune(truth[rest], scores[rest], method="exact")
    np.testing.assert_array_equal(limen.Thresholds.load(path / "t.json").values, whole.values)
    assert "part8.npy" in run("curves", *BOTH, "-o", "counted/", cwd=path, check=2).stderr
    said = " ".join(run("curves", *BOTH, "-o", "counted/", "--skip-damaged", cwd=path, check=0).stdout.split())
    assert "missing: 1 of 6 shards, 200 items" in said
    assert "wrote 2 files to counted/, and took over 3 of an earlier run" in said
    (path / "labels" / "part8.npy").unlink()
    done = run("evaluate", *BOTH, "t.json", "--skip-damaged", cwd=path, check=2)
    assert "scores/*.npy is 6 files and labels/*.npy 5 files" in " ".join(done.stderr.split())


@pytest.mark.parametrize("output", ["tags.csv", "tags.npy", "tags.parquet", "tags.h5", "tags.npz"])
def test_tags_of_many_files(folder, output):
    path, _, scores = folder
    run("apply", "scores", "0.8", "-o", output, "--layout", "wide", cwd=path, check=0)
    tags = read_table(path / output, kind="labels")
    np.testing.assert_array_equal(np.asarray(tags.values), scores >= np.float32(0.8))


def test_two_shards_of_one_name(folder):
    path, _, _ = folder
    for name in ("scores", "labels"):
        (path / name / "more").mkdir()
        part = np.load(path / name / "part5.npy")
        np.save(path / name / "more" / "part5.npy", part)
    both = ("scores/**/*.npy", "labels/**/*.npy")
    done = run("curves", *both, "-o", "counted/", cwd=path, check=2)
    assert "same name" in done.stderr
    assert not Path(path / "counted").exists()
