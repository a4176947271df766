"""`limen learn`, and scikit-learn's checks of its estimators."""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

from click.testing import CliRunner
from scipy import sparse
from sklearn.utils.estimator_checks import estimator_checks_generator

import limen
from limen.cli import cli
from limen.learn import SketchedBinaryRelevance
from limen.learn.recipes import Outcome, at_least, at_most, run, steps
from limen.learn.recipes import sketch as recipe


def checks():
    """Every check of an estimator but those of array libraries and of methods that are not there."""
    for kind in ("gaussian", "hadamard", "count", "identity"):
        for estimator, check in estimator_checks_generator(SketchedBinaryRelevance(kind, random_state=0)):
            name = str(check.func.__name__)
            if "array_api" not in name and "predict_proba" not in name:
                yield pytest.param(estimator, check, id=f"{kind}-{name}")


@pytest.mark.filterwarnings("ignore")  # of columns of classes, which the checks ask for
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def bookmarks(tmp_path_factory):
    """A small file like Delicious: 600 items to train on and 200 to test, 8 features, 5 labels."""
    rng = np.random.default_rng(0)
    x = rng.random((800, 8)) < 0.3
    y = x @ rng.standard_normal((8, 5)) + 0.3 * rng.standard_normal((800, 5)) > 0.7
    x, y = (sparse.csr_array(part.astype(np.int8)) for part in (x, y))
    folder = tmp_path_factory.mktemp("data")
    parts = {"x_indptr": x.indptr, "x_indices": x.indices, "y_indptr": y.indptr, "y_indices": y.indices}
    np.savez(folder / "delicious.npz", n_features=8, n_labels=5, n_train=600, **parts)
    return folder


@pytest.fixture(scope="module")
def finished(bookmarks, tmp_path_factory):
    output = tmp_path_factory.mktemp("out")
    done = CliRunner().invoke(cli, ["learn", "run", "sketch", "--data", str(bookmarks), "-o", str(output)])
    assert done.exit_code == 0, done.output
    return output, done.output


def test_a_recipe_goes_from_data_to_a_report(finished):
    output, said = finished
    assert len(limen.Thresholds.load(output / "thresholds.json").values) == 5
    assert "<html" in (output / "report.html").read_text()[:2000]
    for words in (
        "hadamard, 16",
        "Acceptance",
        "Delicious: count at 8, worst delta",
        "Frames of ESC-10 were left out",
    ):
        assert words in said
    stored = json.loads((output / "delicious-count-8.json").read_text())
    assert stored["result"]["theory"] == pytest.approx(1 + 9 / (72 - 10))
    assert stored["result"]["tuned"] > stored["result"]["half"] - 0.05


def test_a_stopped_run_goes_on_where_it_was(bookmarks, finished, tmp_path, monkeypatch):
    output = tmp_path / "again"
    shutil.copytree(finished[0], output)
    (output / "delicious-count-8.json").write_text('{"settings": {"da')  # cut short
    (output / "delicious-exact-1.json").unlink()
    fitted, made = recipe.fitted, []
    monkeypatch.setattr(recipe, "fitted", lambda *given: made.append(given[1:3]) or fitted(*given))
    outcome = run("sketch", bookmarks, output)
    assert made == [("exact", 1.0), ("count", 8.0)]
    assert isinstance(outcome, Outcome)
    made.clear()
    run("sketch", bookmarks, output)
    assert made == []


def test_a_step_is_of_its_settings_and_leaves_nothing_half_written(tmp_path):
    assert steps.once(tmp_path, "a", {"seed": 0}, lambda: {"value": 1}) == {"value": 1}
    assert steps.once(tmp_path, "a", {"seed": 0}, lambda: {"value": 2}) == {"value": 1}
    assert steps.once(tmp_path, "a", {"seed": 1}, lambda: {"value": 2}) == {"value": 2}
    with pytest.raises(TypeError):
        steps.once(tmp_path, "a", {"seed": 2}, lambda: {"value": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text())["result"] == {"value": 2}


def test_bars():
    assert at_most("x", 0.1, 0.1).passed
    assert not at_most("x", 0.11, 0.1).passed
    assert at_least("x", 3, 3) == ("x", "at least 3", "3.000", True)
    assert not at_least("x", float("nan"), 3).passed


def test_what_is_lacking_is_named(bookmarks, tmp_path):
    with pytest.raises(limen.InputError, match=r"there is no recipe 'stew'. Choose one of .*'sketch'"):
        run("stew", bookmarks, tmp_path)
    with pytest.raises(limen.InputError, match=r"reads 'delicious.npz'; .* lacks 'delicious.npz'. Put them there"):
        run("sketch", tmp_path, tmp_path)
    (tmp_path / "delicious.npz").write_bytes(b"no archive")
    with pytest.raises(limen.InputError, match=r"delicious.npz is no file of Delicious"):
        run("sketch", tmp_path, tmp_path / "out")
    assert "sketch" in CliRunner().invoke(cli, ["learn", "recipes"]).output


def test_frames_of_sound_are_the_classes_of_their_mix(tmp_path):
    import zipfile

    from limen.learn.recipes import esc10

    soundfile = pytest.importorskip("soundfile", reason="ESC-10 needs soundfile: pip install 'limen[learn]'")
    rng, seconds = np.random.default_rng(0), np.arange(44100) / 44100
    with zipfile.ZipFile(
        tmp_path / "esc10.zip", "w"
    ) as archive:  # one second of a tone for each class, in 5 folds
        for label, tone in (("low", 300), ("mid", 1500), ("high", 6000)):
            for fold in range(1, 6):
                wave = np.sin(2 * np.pi * tone * seconds) * 0.3 + 0.001 * rng.standard_normal(44100)
                path = tmp_path / "clip.ogg"
                soundfile.write(path, wave, 44100)
                archive.write(path, f"{label}/{fold}-{tone}-A.ogg")
    frames = esc10.load(tmp_path, 12)
    assert frames.names == ["high", "low", "mid"]
    assert frames.train.shape == (12 * 251, 360)
    assert frames.train.dtype == np.float32
    assert frames.frame_labels.shape == (12 * 251, 3)
    assert np.array_equal(frames.frame_labels[::251], frames.train_labels)
    assert np.allclose(frames.train[:, 160:200].mean(axis=0), 0, atol=0.01)
    assert np.array_equal(
        frames.train[9, :40], frames.train[5, 160:200]
    )  # the first context is four frames before
    model = SketchedBinaryRelevance("count", 2.0, random_state=0).fit(frames.train, frames.frame_labels)
    scores = model.decision_function(frames.train).reshape(12, 251, 3).mean(axis=1)
    assert limen.tune(frames.train_labels, scores, method="exact").value > 0.9
    # The mean of linear scores is the score of the mean frame.
    mean = model.decision_function(frames.train[:251]).mean(axis=0)
    assert np.allclose(model.decision_function(frames.train[:251].mean(axis=0, keepdims=True)), mean, atol=1e-4)
    assert np.argmax(esc10.log_mel(np.sin(2 * np.pi * 300 * np.arange(5 * 22050) / 22050))[100]) < 10
    (tmp_path / "esc10.zip").write_bytes(b"no archive")
    with pytest.raises(limen.InputError, match=r"esc10.zip is no archive of ESC-10"):
        esc10.load(tmp_path)
