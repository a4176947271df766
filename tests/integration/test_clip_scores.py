"""From recordings to tags of whole recordings, by files: limen score --clips, limen tune, limen tag."""

import json
import subprocess
import time

import numpy as np
import pytest

import limen
from limen.events.formats import read_events
from limen.files.reading import read_table
from shell import LIMEN, run

soundfile = pytest.importorskip("soundfile")
for package in ("soxr", "onnx", "onnxruntime"):
    pytest.importorskip(package)
sound_files = pytest.importorskip("integration.sound_files")
LABELS, tone_model, tones = sound_files.LABELS, sound_files.tone_model, sound_files.tones

N = 12


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Recordings, a model that hears their tones, and tags that name the files; clip scores by each rule."""
    folder, rng = tmp_path_factory.mktemp("clips"), np.random.default_rng(5)
    tone_model(folder / "tagger.onnx")
    rows = ["file,tags"]
    for k in range(N):
        here = [label for label in LABELS if rng.random() < 0.5]
        events = [(0.4 + 0.8 * j, 1.0 + 0.8 * j, label) for j, label in enumerate(here)]
        path = folder / f"rec/site {k % 2}/tâke{k}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tones(2.1, events, seed=k), 16000)
        rows.append(f"tâke{k}.wav,{';'.join(here)}")
    (folder / "tags.csv").write_text("\n".join(rows) + "\n")
    (folder / "groups.csv").write_text("file,site\n" + "".join(f"tâke{k}.wav,{k % 4}\n" for k in range(N)))
    run("score", "rec", "--model", "tagger.onnx", "-o", "scores", cwd=folder, check=0)
    for how in ("max", "mean", "noisy-or"):
        given = ("score", "rec", "--model", "tagger.onnx", "--clips", how, "-o", f"{how}.csv")
        assert f"limen tune {how}.csv" in run(*given, "--jobs", 2, cwd=folder, check=0).stdout
    return folder


@pytest.mark.parametrize("how", ["max", "mean", "noisy-or"])
def test_tags_of_recordings_are_those_that_were_tuned(home, how, tmp_path):
    """limen tag pools as the thresholds were tuned, without being told, and decides as limen.Thresholds does."""
    tuned = tmp_path / "t.json"
    run(
        "tune",
        f"{how}.csv",
        "tags.csv",
        "-o",
        tuned,
        "--method",
        "exact",
        "--groups",
        "groups.csv",
        cwd=home,
        check=0,
    )
    given = ("tag", "rec", "--model", "tagger.onnx", "--thresholds", tuned)
    run(*given, "-o", tmp_path / "out", cwd=home, check=0)
    chosen, table = limen.Thresholds.load(tuned), read_table(home / f"{how}.csv", kind="scores")
    assert chosen.details["sound"]["clips"] == how
    assert chosen.details["sound"]["hop"] == 6400
    wanted = chosen.decide(table.values)
    assert 0 < wanted.sum() < wanted.size
    found = read_events(tmp_path / "out").aligned(table.ids, table.labels)
    assert sorted(zip(found.recording, found.label, strict=True)) == [*zip(*np.nonzero(wanted), strict=True)]
    assert json.loads((tmp_path / "out/tagged.json").read_text())["clips"] == how
    if how != "mean":
        return
    said = run(*given, "-o", tmp_path / "no", "--clips", "max", cwd=home, check=2).stderr
    assert "tuned on clip scores pooled by mean, and --clips max is asked for" in said
    said = run(*given, "-o", tmp_path / "no", "--pooling", "max", cwd=home, check=2).stderr
    assert "was tuned on scores with pooling mean, and here it is max" in said


@pytest.mark.parametrize(("how", "ending"), [("max", "csv"), ("mean", "parquet"), ("noisy-or", "tsv")])
def test_frame_scores_pooled_later_are_the_same(home, how, ending, tmp_path):
    run("score", "scores", "--clips", how, "-o", tmp_path / f"later.{ending}", cwd=home, check=0)
    now, later = (read_table(path, kind="scores") for path in (home / f"{how}.csv", tmp_path / f"later.{ending}"))
    assert (now.ids, now.labels) == (later.ids, later.labels)
    np.testing.assert_array_equal(now.values, later.values)
    beside = [json.loads(p.read_text()) for p in (home / f"{how}.csv.json", tmp_path / f"later.{ending}.json")]
    assert beside[0]["model"] == beside[1]["model"]


def test_a_run_killed_goes_on_and_ends_with_the_same_bytes(home, tmp_path):
    rec = tmp_path / "rec"
    rec.mkdir()
    soundfile.write(tmp_path / "long.wav", tones(60, [(10, 11, "low")]), 16000)
    for k in range(20):
        (rec / f"take{k:02}.wav").symlink_to(tmp_path / "long.wav")
    call = ["score", "rec", "--model", str(home / "tagger.onnx"), "--clips", "mean", "-o"]
    run(*call, "whole.csv", cwd=tmp_path, check=0)
    with subprocess.Popen(
        [LIMEN, *call, "out.csv", "--jobs", "2"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        journal = tmp_path / ".out.csv.json.part"
        while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 4):
            time.sleep(0.001)
        assert process.poll() is None
        process.kill()
    assert not (tmp_path / "out.csv").exists()
    assert "were done before" in run(*call, "out.csv", cwd=tmp_path, check=0).stdout
    for ending in ("", ".json"):
        assert (tmp_path / f"out.csv{ending}").read_bytes() == (tmp_path / f"whole.csv{ending}").read_bytes()
    soundfile.write(rec / "more.wav", tones(1, []), 16000)  # done ones are read from the table
    done = run(*call, "out.csv", cwd=tmp_path, check=0).stdout
    assert "1 recording (20 were done before)" in done
    old, new = (read_table(tmp_path / name, kind="scores") for name in ("whole.csv", "out.csv"))
    assert new.ids == ("more", *old.ids)
    np.testing.assert_array_equal(new.values[1:], old.values)
    said = run(*call, "out.csv", "--pooling", "max", cwd=tmp_path, check=2).stderr
    assert "out.csv holds the results of another run" in said
    assert not [*tmp_path.glob(".*")]


def test_windows_may_be_laid_otherwise(home, tmp_path):
    given = ("score", "rec/site 0/tâke0.wav", "--model", "tagger.onnx", "-o")
    run(*given, tmp_path / "own", "--hop", "0.2", cwd=home, check=0)
    assert json.loads((tmp_path / "own/scores.json").read_text())["model"]["hop"] == 3200
    said = run(*given, tmp_path / "no", "--hop", "0.21", cwd=home, check=2).stderr
    assert "hop=3360 samples is 5.25 frames" in said


def test_what_cannot_be_is_said(home, tmp_path):
    said = run("score", "rec", "-o", tmp_path / "x", cwd=home, check=2).stderr
    assert "there is no model to score with: --model FILE" in said
    said = run("score", "rec", "--clips", "max", "-o", tmp_path / "x.csv", cwd=home, check=2).stderr
    assert "rec is no folder of frame scores" in said
    given = ("score", "rec", "--model", "tagger.onnx", "--clips", "max", "-o")
    assert "ending '.txt'" in run(*given, tmp_path / "x.txt", cwd=home, check=2).stderr
    (tmp_path / "own.csv").write_text("mine")
    assert "no run of limen made it" in run(*given, tmp_path / "own.csv", cwd=home, check=2).stderr
    assert (tmp_path / "own.csv").read_text() == "mine"
    said = run("tag", "rec", "--thresholds", "t.json", cwd=home, check=2).stderr
    assert "--model FILE is missing" in said
    assert "limen tag --demo needs nothing else" in said
