"""The recipe of multi-representation distillation, end to end on a few recordings."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

import limen
from limen.learn.recipes import fsdd, run
from limen.learn.recipes import representations as recipe

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of one epoch and one seed."""
    output = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("EPOCHS", 1), ("SEEDS", 1), ("TAKES", 1), ("N_MIXES", (24, 12, 12))):
            patch.setattr(recipe, name, value)
        said = []
        outcome = run("representations", DATA, output, progress=lambda *line: said.append(line))
        again = tmp_path_factory.mktemp("again") / "out"
        shutil.copytree(output, again)
        (again / "digits-mutual-1-0-4-2.json").unlink()
        trained = []
        patch.setattr(recipe, "_measured", lambda *given: trained.append(given) or measured(*given))
        second = run("representations", DATA, again)
    return output, outcome, second, trained, said


measured = recipe._measured


def test_it_ends_in_thresholds_a_report_and_a_model(finished):
    output, outcome, _, _, said = finished
    assert [path.name for path in outcome.files] == ["thresholds.json", "report.html", "branch.onnx"]
    assert list(limen.Thresholds.load(output / "thresholds.json").labels) == [f"digit {k}" for k in range(10)]
    assert "<html" in (output / "report.html").read_text()[:2000]
    assert [step for step, _, _ in said] == list(range(len(said)))
    assert [row[:2] for row in outcome.rows] == [
        [task, arm] for task in ("digits", "mixtures") for arm in recipe.ARMS
    ]
    assert outcome.rows[0][6:8] == ["", ""]
    assert outcome.rows[1][7].endswith(" of 3")


def test_its_model_scores_sound_as_limen_audio_does(finished):
    audio = pytest.importorskip("limen.audio")
    pytest.importorskip("onnxruntime")
    scorer = audio.OnnxScorer(finished[0] / "branch.onnx")
    waves, _ = fsdd.mixtures(fsdd.load(DATA), 3, recipe.MIX_SECONDS)
    assert scorer(waves).shape == (3, 1, 10)
    assert np.isfinite(scorer(waves)).all()


def test_what_was_trained_is_not_trained_again(finished):
    _, outcome, second, trained, _ = finished
    assert len(trained) == 1

    def without_seconds(rows):
        return [row[:-1] for row in rows]

    assert without_seconds(second.rows) == without_seconds(outcome.rows)


def test_the_acceptance_is_of_pairs():
    def runs(*means):
        return [recipe.Run({"stft": m, "logmel": m + 0.1, "mfcc": m - 0.1}, 0.8, "logmel", 1.0, 11) for m in means]

    pairs = {"independent": runs(0.6, 0.7), "ensemble": runs(0.62, 0.69), "mutual": runs(0.65, 0.72)}
    assert np.allclose(recipe.gains(pairs, "ensemble"), [2, -1])
    found = {check.what: check for check in recipe.checks(pairs)}
    gain = found["digits: ensemble, mean gain of the branches, points"]
    assert (gain.measured, gain.passed) == ("0.50", False)
    assert not found["digits: ensemble, runs up of 2"].passed
    assert found["digits: mutual, runs up of 2"].passed
    assert found["digits: mutual, mean gain of the branches, points"].measured == "3.50"
    below = found["digits: ensemble, chosen branch less the independent branches together, points"]
    assert (below.measured, below.passed) == ("-4.5", True)
    assert not found["parameters of a branch, of a plain backbone"].passed
    assert recipe.table("digits", pairs)[2][5:8] == ["68.5", "+3.50", "2 of 2"]


def test_speakers_who_are_measured_are_not_trained_on():
    recordings = fsdd.load(DATA)
    folds = [recipe.speakers_of(recordings, fold) for fold in range(recipe.FOLDS)]
    assert sorted(name for _, test in folds for name in test) == recordings.speakers
    assert all(not set(train) & set(test) and len(train) == 4 for train, test in folds)
