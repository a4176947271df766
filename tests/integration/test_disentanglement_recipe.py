"""`limen learn run disentanglement` on made utterances: choices, checks, files, and runs that go on."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

import limen
from limen.learn.recipes import disentanglement as recipe
from limen.learn.recipes import emodb, persons, run
from limen.learn.recipes.disentanglement import Arm, Runs, checks, spread_of
from limen.learn.recipes.persons import Fit

FAST = {"grl": (0.3,), "alternate": (0.1,), "confusion": (0.3, 1.0)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten texts by two speakers in three emotions: tones that differ in pitch, and in how it moves."""
    found, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    names = [
        f"{speaker}{text}{emotion}a"
        for speaker in ("03", "08")
        for text in ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
        for emotion in "WNT"
    ]
    waves = []
    for name in names:
        hertz = (110 if name[:2] == "03" else 220) * (
            1 + {"W": 0.5, "N": 0.0, "T": -0.3}[name[5]] * np.linspace(0, 1, 3200)
        )
        turns = 2 * np.pi * np.cumsum(hertz) / emodb.RATE
        waves.append(6000 * (np.sin(turns) + np.sin(2 * turns)) + 200 * rng.standard_normal(3200))
    pcm = np.concatenate(waves).astype(np.int16)
    np.savez(found / emodb.FILE, pcm=pcm, offsets=np.arange(len(names) + 1) * 3200, names=names, sample_rate=16000)
    return found


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    output, said = tmp_path_factory.mktemp("out"), []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recipe, "WEIGHTS", FAST)
        patched.setattr(recipe, "SEEDS", 1)
        patched.setitem(persons.EPOCHS, "EmoDB", 2)
        outcome = run("disentanglement", folder, output, progress=lambda *told: said.append(told))
    return outcome, output, said


def test_it_goes_from_recordings_to_decisions(finished):
    outcome, output, said = finished
    assert limen.Thresholds.load(output / "thresholds.json").labels == ("anger", "neutral", "sadness")
    assert "emotion without the person" in (output / "report.html").read_text()
    picture = (output / "probe-and-accuracy.svg").read_text()
    assert picture.count("<circle") == 6
    assert ">chance<" in picture
    assert [row[1] for row in outcome.rows] == [
        *("single task", "multitask", "grl", "alternate", "confusion", "best of three")
    ]
    assert len(outcome.checks) == 4
    assert outcome.notes[0].startswith("EmoDB: validation rows chose ")
    assert "lie apart by multitask" in outcome.notes[-1]
    steps, of = zip(*((step, steps) for step, steps, _ in said), strict=True)
    assert len(set(of)) == 1
    assert list(steps) == sorted(steps)
    assert max(steps) < of[0]


def test_finished_steps_are_not_done_again(finished, folder, monkeypatch):
    _, output, _ = finished
    (output / "emodb-2-choose-grl-0.3.json").unlink()
    (output / "emodb-1-test-single-task-0.json").write_text('{"settings": {')  # cut short
    monkeypatch.setattr(recipe, "WEIGHTS", FAST)
    monkeypatch.setattr(recipe, "SEEDS", 1)
    monkeypatch.setitem(persons.EPOCHS, "EmoDB", 2)
    fitted, made = recipe.fitted, []
    monkeypatch.setattr(recipe, "fitted", lambda *given: made.append(given[3]) or fitted(*given))
    run("disentanglement", folder, output)
    assert made == ["grl", "grl", None]
    made.clear()
    monkeypatch.setitem(persons.EPOCHS, "EmoDB", 1)  # other settings: all anew
    monkeypatch.setattr(recipe, "fitted", lambda *given: made.append(given[3]) or _stop())
    with pytest.raises(KeyError, match="enough"):
        run("disentanglement", folder, output)
    assert made == [None]


def _stop():
    raise KeyError("enough")


def test_validation_and_test_rows_share_no_text(folder):
    problem = persons.emotions(folder)
    text = emodb.load(folder).text
    assert problem.X["audio"].shape == (60, 80)
    for split in problem.splits:
        parts = [set(text[split.test]), *(set(text[held]) for _, held in split.folds)]
        assert [len(part) for part in parts] == [3, 2, 2]
        assert len(set.union(*parts)) == 7
        assert all(not set(text[rows]) & set(text[held]) for rows, held in split.folds)
        assert not set(split.train) & set(split.test)


def fit(accuracy, probe, mlp=0.0):
    return Fit(accuracy, probe, mlp, probe, 1.0, [])


def chosen(table, tmp_path):
    """Return the choice among fits given by method and weight."""
    runs = Runs("X", lambda: None, tmp_path, {}, 0, 1, lambda note: None)
    runs.of = lambda k, method, weight, part: [table[method, weight]]
    return runs.choice(0)


def test_a_choice_keeps_accuracy_and_then_hides_most(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "WEIGHTS", {"grl": (0.1, 1.0), "confusion": (0.1, 1.0)})
    table = {
        ("single task", 0.0): fit(0.70, 0.5),
        ("multitask", 1.0): fit(0.72, 0.9),
        ("grl", 0.1): fit(0.71, 0.45, 0.48),
        ("grl", 1.0): fit(0.69, 0.10),  # hides most, and is below multitask less two points
        ("confusion", 0.1): fit(0.73, 0.47),
        ("confusion", 1.0): fit(0.70, 0.46),
    }
    assert chosen(table, tmp_path) == ({"grl": 0.1, "confusion": 1.0}, "confusion")
    for key in (("grl", 0.1), ("confusion", 0.1), ("confusion", 1.0)):
        table[key] = fit(0.5, 0.2)
    assert chosen(table, tmp_path) == ({"grl": 1.0, "confusion": 0.1}, "grl")  # the most accurate, none is allowed


def test_checks_are_of_the_stronger_probe():
    def arm(name, accuracy, linear, mlp):
        return Arm(name, [1.0], [fit(accuracy, linear, mlp), fit(accuracy, linear, mlp)])

    arms = [
        arm("single task", 0.7, 0.5, 0.4),
        arm("multitask", 0.7, 0.8, 0.9),
        arm("best of three", 0.69, 0.3, 0.44),
    ]
    found = checks({"EmoDB": arms})
    assert [check.measured for check in found] == ["0.511", "0.120", "-0.010", "-0.010"]
    assert [check.passed for check in found][:3] == [True, True, True]
    arms = [arms[0], arms[1], arm("confusion", 0.68, 0.75, 0.7), arms[2]]
    found = checks({"FSDD": arms})
    assert [(check.measured, check.passed) for check in found] == [("0.167", False), ("-0.020", False)]


def test_the_spread_of_best_thresholds():
    rng = np.random.default_rng(0)
    y, person = np.repeat(["a", "b"], 300), np.tile(["p", "q", "r"], 200)
    scores = np.stack([y == "a", y == "b"], axis=1) + rng.normal(0, 0.2, (600, 2))
    alike = spread_of(scores, y, person)
    apart = spread_of(
        scores + np.array([0.0, 1.0, 2.0])[np.unique(person, return_inverse=True)[1]][:, None], y, person
    )
    assert alike < 0.3 < 0.6 < apart
