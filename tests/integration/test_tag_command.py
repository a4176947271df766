"""`limen score` and `limen tag` on real files with a real model: outputs, resuming, bad files, pipes."""

import json
import os
import subprocess
import time

import numpy as np
import pytest

pytest.importorskip("soundfile")
pytest.importorskip("soxr")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import soundfile

from integration.sound_files import LABELS, tone_model, tones, write_annotations, write_recordings
from limen.events.formats import read_events, read_scores
from limen.events.settings import Setting
from limen.events.thresholds import EventThresholds
from shell import LIMEN, run

SETTINGS = (Setting(median=0.12, hysteresis=0.5, gap=0.08), Setting(gap=0.12, shortest=0.08))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with recordings of tones, their events, a model that hears them, thresholds, and scores."""
    folder = tmp_path_factory.mktemp("sounds")
    events = write_recordings(folder / "rec")
    write_annotations(folder / "events.tsv", events)
    tone_model(folder / "tagger.onnx")
    run("score", "rec", "--model", "tagger.onnx", "-o", "scores", cwd=folder, check=0)
    tuned = run(
        "tune-events", "scores", "events.tsv", "-o", "events.json", "--method", "exact", cwd=folder, check=0
    )
    assert "proven optimal" in tuned.stdout
    return folder


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def tag(home, *arguments, out, check=0, recordings="rec"):
    given = ("--model", "tagger.onnx", "--thresholds", "events.json", "-o", out)
    return run("tag", recordings, *given, *arguments, cwd=home, check=check)


def test_the_tones_are_found_where_they_are(home):
    done = tag(home, "--format", "audacity", out="found")
    assert "wrote found: 6 recordings" in done.stdout
    scores = read_scores(home / "scores")
    found = read_events(home / "found", scores=scores)
    wanted = read_events(home / "events.tsv", scores=scores)
    assert len(found) == len(wanted) > 10
    np.testing.assert_array_less(np.abs(found.onset - wanted.onset), 120_000)
    np.testing.assert_array_equal(found.label, wanted.label)
    assert EventThresholds.load(home / "events.json").decide(scores) == found


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "audacity", "raven", "dcase"])
def test_jobs_change_nothing(home, form):
    tag(home, "--format", form, out=f"one {form}")
    tag(home, "--format", form, "--jobs", 3, out=f"three {form}")
    assert contents(home / f"one {form}") == contents(home / f"three {form}")
    assert len(contents(home / f"one {form}")) == 7


def test_tables_for_sed_scores_eval_have_the_very_same_scores(home):
    run(
        "score", "rec", "--model", "tagger.onnx", "-o", "tables", "--format", "tsv", "--jobs", 2, cwd=home, check=0
    )
    assert {path.suffix for path in contents(home / "tables")} == {".tsv"}
    matrices, tables = read_scores(home / "scores"), read_scores(home / "tables")
    assert (tables.durations, tables.names) == (matrices.durations, matrices.names)
    for name in tables.names:
        np.testing.assert_array_equal(tables.recordings[name], matrices.recordings[name])


@pytest.mark.parametrize("command", ["tag", "score"])
def test_a_run_killed_at_any_time_goes_on_and_ends_with_the_same_bytes(home, tmp_path, command):
    rec = tmp_path / "rec"
    rec.mkdir()
    soundfile.write(tmp_path / "long.wav", tones(60, [(10, 11, "low")]), 16000)
    for k in range(20):
        (rec / f"take{k:02}.wav").symlink_to(tmp_path / "long.wav")
    given = ["--model", str(home / "tagger.onnx")] + (
        ["--thresholds", str(home / "events.json")] if command == "tag" else []
    )

    def call(out, *more):
        return [LIMEN, command, "rec", *given, "-o", out, *more]

    subprocess.run(call("whole"), cwd=tmp_path, check=True, capture_output=True, timeout=120)
    ending = ".csv" if command == "tag" else ".npy"
    kills = 0
    for n in (1, 9):
        with subprocess.Popen(
            call("out", "--jobs", "2"), cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as process:
            while process.poll() is None and len(list(tmp_path.glob(f"out/take*{ending}"))) < n:
                time.sleep(0.001)
            kills += process.poll() is None
            process.kill()
    assert kills == 2
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob(f"out/take*{ending}")}
    done = run(command, "rec", *given, "-o", "out", cwd=tmp_path, check=0)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    again = [path for path, when in before.items() if path.stat().st_mtime_ns != when]
    assert len(again) <= 2  # in work when the run was killed
    assert f"({len(before) - len(again)} were done before)" in done.stdout


def test_bad_recordings_stop_the_run_or_are_named(home, tmp_path):
    rec = tmp_path / "rec"
    rec.mkdir()
    whole = (home / "rec/site 0/take0.wav").read_bytes()
    (rec / "a.wav").write_bytes(whole)
    (rec / "b.wav").write_bytes(whole[:20000])
    (rec / "c.wav").write_bytes(b"")
    (rec / "d.wav").write_bytes(whole)
    stopped = tag(home, out=tmp_path / "out", check=2, recordings=rec)
    assert "b.wav" in stopped.stderr
    assert stopped.stderr.rstrip().endswith("or leave it out. --skip-bad leaves out all such.")
    assert [path.name for path in (tmp_path / "out").glob("*.csv")] == ["a.csv"]
    for jobs in (1, 2):
        done = tag(home, "--skip-bad", "--jobs", jobs, out=tmp_path / "out", check=1, recordings=rec)
        assert "b.wav" in done.stderr
        assert "c.wav" in done.stderr
        assert "2 recordings skipped" in done.stderr
        assert sorted(path.name for path in (tmp_path / "out").glob("*.csv")) == ["a.csv", "d.csv"]
    assert json.loads((tmp_path / "out/tagged.json").read_text())["skipped"] == ["b", "c"]
    assert not list((tmp_path / "out").glob(".*"))


def test_runs_that_would_mix_results_are_refused(home, tmp_path):
    tag(home, out=tmp_path / "out")
    assert (
        'format "csv" there, "dcase" now' in tag(home, "--format", "dcase", out=tmp_path / "out", check=2).stderr
    )
    refused = tag(home, "--pooling", "max", out=tmp_path / "out", check=2)
    assert "was tuned on scores with pooling mean, and here it is max" in refused.stderr
    (tmp_path / "own").mkdir()
    (tmp_path / "own/take0.csv").write_text("mine")
    refused = tag(home, out=tmp_path / "own", check=2, recordings="rec/site 0")
    assert "take0.csv is there already, and no run of limen made it" in refused.stderr
    assert (tmp_path / "own/take0.csv").read_text() == "mine"
    (tmp_path / "x").mkdir()
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / "x" / name, tones(1, []), 16000)
    twice = tag(home, out=tmp_path / "y", check=2, recordings=tmp_path / "x")
    assert "would both be the recording 'a'" in twice.stderr
    changed = tmp_path / "z/a.wav"
    changed.parent.mkdir()
    soundfile.write(changed, tones(1, []), 16000)
    tag(home, out=tmp_path / "w", recordings=tmp_path / "z")
    soundfile.write(changed, tones(2, []), 16000)
    assert "when" in tag(home, out=tmp_path / "w", check=2, recordings=tmp_path / "z").stderr
    assert "has no recordings" in tag(home, out=tmp_path / "v", check=2, recordings=tmp_path / "own").stderr


def test_models_that_contradict_the_thresholds_are_refused(home, tmp_path):
    tone_model(tmp_path / "other.onnx", labels=("low", "middle"))
    given = ("--thresholds", "events.json", "-o", tmp_path / "out")
    said = run("tag", "rec", "--model", tmp_path / "other.onnx", *given, cwd=home, check=2).stderr
    assert "name different labels: 'high' only in events.json, 'middle' only in the model" in said
    from limen.audio import describe

    tone_model(tmp_path / "slow.onnx")
    describe(
        tmp_path / "slow.onnx",
        rate=8000,
        window=16000,
        hop=6400,
        frame_seconds=0.08,
        labels=LABELS,
        activation="probability",
    )
    said = run("tag", "rec", "--model", tmp_path / "slow.onnx", *given, cwd=home, check=2).stderr
    assert "is for frames of 0.04 s, and the model gives frames of 0.08 s" in said
    describe(
        tmp_path / "slow.onnx",
        rate=16000,
        window=16000,
        hop=6400,
        frame_seconds=0.04,
        labels=LABELS,
        activation="logit",
    )
    said = run("tag", "rec", "--model", tmp_path / "slow.onnx", *given, cwd=home, check=2).stderr
    assert "is for probabilities, and the model gives logits" in said
    tone_model(tmp_path / "again.onnx", scale=39.0)
    said = run("tag", "rec", "--model", tmp_path / "again.onnx", *given, cwd=home, check=0).stderr
    assert "was tuned on scores of another model file" in said


def test_clips_are_tagged_by_thresholds_of_items(home, tmp_path):
    import limen

    scores = read_scores(home / "scores")
    pooled = np.stack([own.max(axis=0) for own in scores.recordings.values()])
    events = read_events(home / "events.tsv", scores=scores)
    present = np.zeros(pooled.shape, int)
    present[events.recording, events.label] = 1
    present[:, 0] ^= np.arange(len(present)) == 0  # else a label has every recording
    limen.tune(present, pooled, labels=LABELS, method="exact").save(tmp_path / "thresholds.json")
    chosen = limen.Thresholds.load(tmp_path / "thresholds.json")
    for how in ("max", "mean"):
        run(
            "tag",
            "rec",
            "--model",
            "tagger.onnx",
            "--thresholds",
            tmp_path / "thresholds.json",
            "-o",
            tmp_path / how,
            "--clips",
            how,
            "--format",
            "csv",
            cwd=home,
            check=0,
        )
        given = read_events(tmp_path / how, scores=scores)
        row = np.stack([getattr(own, how)(axis=0) for own in scores.recordings.values()])
        wanted = chosen.decide(row)
        assert sorted(zip(given.recording, given.label, strict=True)) == [*zip(*np.nonzero(wanted), strict=True)]
        assert (given.onset == 0).all()


# A pipe


def pcm(samples):
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def pipe(home, form="csv", rate=16000):
    command = [LIMEN, "tag", "-", "--rate", str(rate), "--model", "tagger.onnx", "--thresholds", "events.json"]
    return subprocess.Popen(
        [*command, "--format", form],
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_pipe_gives_what_the_file_gives_and_keeps_its_delay(home, tmp_path):
    events = [(1.0, 1.6, "low"), (3.0, 3.5, "high"), (6.0, 6.8, "low")]
    samples = tones(10, events)
    soundfile.write(tmp_path / "a.wav", np.frombuffer(pcm(samples), "<i2"), 16000)
    tag(home, out=tmp_path / "out", recordings=tmp_path / "a.wav")
    wanted = (tmp_path / "out/a.csv").read_text().splitlines()
    with pipe(home) as process:
        said = process.stderr.readline().decode()
        assert "16000 samples a second of 16 bits, little-endian, one channel" in said
        delay = float(said.split("at most ")[1].split(" s")[0])
        assert delay < 2
        assert process.stdout.readline().decode().strip() == wanted[0]
        sent = 0
        os.set_blocking(process.stdout.fileno(), False)
        lines = []
        for row, (_, offset, _) in zip(wanted[1:], events, strict=True):
            until = round((offset + 0.12 + delay) * 16000)  # the model hears a tone in a frame that it half fills
            process.stdin.write(pcm(samples[sent:until]))
            process.stdin.flush()
            sent = until
            for _ in range(500):
                if line := process.stdout.readline():
                    break
                time.sleep(0.01)
            lines.append(line.decode().strip())
            assert lines[-1] == row.replace("a,", "-,", 1)
        process.stdin.write(pcm(samples[sent:]))
        process.stdin.close()
        assert process.wait(60) == 0
        assert not process.stdout.read()


def test_pipes_that_cannot_be(home, tmp_path):
    given = ("--model", "tagger.onnx", "--thresholds", "events.json")
    assert "--rate 16000" in run("tag", "-", *given, cwd=home, check=2).stderr
    assert "Leave other recordings" in run("tag", "-", "rec", "--rate", 8000, *given, cwd=home, check=2).stderr
    assert "--rate is of a pipe" in run("tag", "rec", "--rate", 8000, *given, cwd=home, check=2).stderr
    assert "-o out/" in run("tag", "rec", *given, cwd=home, check=2).stderr
    with pipe(home, "audacity", 44100) as process:
        _, err = process.communicate(pcm(tones(2, [(0.5, 1, "low")], rate=44100)) + b"\0", timeout=60)
    assert process.returncode == 2
    assert b"the middle of a sample" in err
    with pipe(home, "raven") as process:
        assert b"raven has none" in process.communicate(b"", timeout=60)[1]
