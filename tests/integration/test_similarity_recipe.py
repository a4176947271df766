"""`limen learn run similarity`: from recordings to a student that `limen tag` runs."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")
pytest.importorskip("onnxruntime", reason="limen tag needs onnxruntime: pip install 'limen[audio]'")
pytest.importorskip("soundfile", reason="limen tag needs soundfile: pip install 'limen[audio]'")

import soundfile
from click.testing import CliRunner

import limen
from limen.audio import OnnxScorer
from limen.cli import cli
from limen.learn.recipes import fsdd, run
from limen.learn.recipes import similarity as recipe

DATA = Path(__file__).parents[1] / "data"
PLAN = recipe.Plan((40, 30, 30), 3, 1, (2,), 2, seeds=2, epochs=1, weights=(1.0, 10.0), trials=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    output = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "PLAN", PLAN)
        patch.setenv("COLUMNS", "100")
        done = CliRunner().invoke(cli, ["learn", "run", "similarity", "--data", str(DATA), "-o", str(output)])
    assert done.exit_code == 0, done.output
    return output, done.output


def test_it_says_what_was_reached_and_what_not(finished):
    output, said = finished
    for words in ("+ IUSP", "Weight of sp:", "Acceptance", "runs of 2 that IUSP betters", "own thresholds"):
        assert words in said
    assert limen.Thresholds.load(output / "thresholds.json").labels == tuple(f"digit {k}" for k in range(10))
    assert "<html" in (output / "report.html").read_text()[:2000]


def test_the_student_runs_in_limen_tag(finished, tmp_path):
    spoken = fsdd.load(DATA)
    waves, _ = fsdd.mixtures(spoken, 2, seed=5)
    for number, wave in enumerate(waves):
        soundfile.write(tmp_path / f"clip{number}.wav", wave, fsdd.RATE, subtype="FLOAT")
    given = ["--model", str(finished[0] / "student.onnx"), "--thresholds", str(finished[0] / "thresholds.json")]
    done = CliRunner().invoke(cli, ["tag", str(tmp_path), *given, "-o", str(tmp_path / "tags")])
    assert done.exit_code == 0, done.output
    decided = limen.Thresholds.load(finished[0] / "thresholds.json")
    expected = decided.decide(OnnxScorer(finished[0] / "student.onnx")(waves)[:, 0])
    for number, row in enumerate(expected):
        (path,) = (tmp_path / "tags").rglob(f"*clip{number}*")
        found = {label for label in decided.labels if f"{label}" in path.read_text()}
        assert found == {label for label, given in zip(decided.labels, row, strict=True) if given}


def test_a_stopped_run_goes_on_where_it_was(finished, monkeypatch):
    output = finished[0]
    monkeypatch.setattr(recipe, "PLAN", PLAN)
    fit, made = recipe.Study._fit, []
    monkeypatch.setattr(recipe.Study, "_fit", lambda *given: made.append(given[1:5]) or fit(*given))
    run("similarity", DATA, output)
    assert made == []
    (output / "student-2-labels-1.json").write_text('{"sett')  # cut short
    (output / "teacher.pt").unlink()
    run("similarity", DATA, output)
    assert made == [(3, None, [], 0), (2, None, [], 1)]
    made.clear()
    (output / "student.onnx").unlink()
    run("similarity", DATA, output)
    assert [given[0] for given in made] == [2]


def test_parts_share_no_recording():
    spoken = fsdd.load(DATA)
    plan = PLAN._replace(clips=(4, 4, 4))
    among = []
    mixtures = fsdd.mixtures
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fsdd, "mixtures", lambda own, n, seed: among.append(own) or mixtures(own, n, seed=seed))
        parts = recipe.parts_of(DATA, plan, 0)
    assert [sorted(set(own.speaker)) for own in among] == [
        spoken.speakers[:4],
        spoken.speakers[:4],
        spoken.speakers[4:],
    ]
    assert not set(among[0].take) & set(among[1].take)
    assert parts[0].X.shape == (4, 1, 16, 62)
    assert not np.array_equal(parts[0].waves, parts[1].waves)


def test_bars():
    """Gains are paired by seed, and a bar that is missed says so."""
    taught = {"test": 0.8}

    def arm(channels, name, values):
        runs = [
            {"test": v, "parameters": 10 * channels, "own_cuts": v, "teachers_cuts": 0.5, "seconds": 1.0}
            for v in values
        ]
        return recipe.Arm(channels, name, runs)

    arms = [arm(9, None, [0.6, 0.7]), arm(9, "sp", [0.66, 0.72]), arm(9, "iusp", [0.7, 0.69])]
    arms += [arm(6, None, [0.5, 0.5]), arm(6, "iusp", [0.5, 0.4])]
    found = recipe.checks(taught, arms, 9)
    assert [(check.measured, check.passed) for check in found] == [
        ("0.045", True),
        ("1", False),
        ("0.005", True),
        ("0.105", True),
        ("-0.050", False),
        ("0.097", True),
    ]
    assert arms[2].row(arms[0])[2:5] == ["0.695 ± 0.007", "+0.045 ± 0.078", "1 of 2"]
