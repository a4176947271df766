"""`limen export onnx` as a user meets it: files, wrong files, and once through the whole program."""

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

from limen.cli.export import export
from limen.errors import FileError, InputError, LimenWarning
from limen.onnx import read_thresholds
from limen.thresholds import Thresholds
from shell import run

from .onnx_models import run as run_model
from .onnx_models import tagger, thresholds, wide


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(tagger("Sigmoid"), tmp_path / "tagger.onnx")
    onnx.save(tagger(dtype="float16"), tmp_path / "logits.onnx")
    onnx.save(wide(), tmp_path / "wide.onnx")
    thresholds([0.5, 0.3, np.inf]).save(tmp_path / "t.json")
    return tmp_path


def limen(*arguments, output="out.onnx"):
    done = CliRunner().invoke(export, ["onnx", *arguments, "-o", output], catch_exceptions=False)
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_what_is_written_and_said(folder):
    out = limen("tagger.onnx", "t.json")
    assert "scores: 'y' float32 (clips, 3), opset 17" in out
    assert "tags: y >= thresholds, rounded up to float32" in out
    assert "equal to the decisions of limen in onnxruntime" in out
    assert "\n  45 scores at and beside the thresholds, 3 072 random ones\n" in out
    assert "\n  12 items through the whole model, also with its own scores for thresholds\n" in out
    assert "wrote out.onnx" in out
    t = Thresholds.load(folder / "t.json")
    assert read_thresholds(folder / "out.onnx") == t
    y, tags = run_model(folder / "out.onnx", np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32))
    np.testing.assert_array_equal(tags, t.decide(y))


def test_what_the_model_gives(folder):
    out = limen("logits.onnx", "t.json", "--logits", "--name", "given")
    assert "given: y >= thresholds, moved through the sigmoid" in out
    assert "every one of 63 488 finite scores for each label\n" in out
    logits = np.array([[0.0, -0.8477, 9.0], [-0.001, -0.8467, 9.0]], np.float16)
    tags = run_model(folder / "out.onnx", logits, ["given"])[0]
    assert tags.tolist() == [[True, False, False], [False, True, False]]

    assert "tags: p >= thresholds" in limen("logits.onnx", "t.json", "--logits", "--sigmoid", "p")
    p, tags = run_model(folder / "out.onnx", np.zeros((1, 3), np.float16), ["p", "tags"])
    assert (p.tolist(), tags.tolist()) == ([[0.5, 0.5, 0.5]], [[True, True, False]])

    out = limen("tagger.onnx", "t.json", "--probabilities", "--no-verify")
    assert "tags: y >= thresholds, moved through the logit" in out
    assert "not verified" in out

    with pytest.warns(LimenWarning, match=r"^'y' gave scores from -.*--logits"):
        limen("logits.onnx", "t.json")


def test_one_of_several_outputs_and_columns_by_name(folder):
    (folder / "columns.txt").write_text("c\na\n\nb\n", encoding="utf-8")
    np.savez(folder / "inputs.npz", x=np.full((5, 3), 0.4, np.float32))
    out = limen("wide.onnx", "t.json", "--scores", "b", "--labels", "columns.txt", "--inputs", "inputs.npz")
    assert "scores: 'b' float32 (clips, 3)" in out
    assert "5 items through the whole model" in out
    assert read_thresholds(folder / "out.onnx").labels == ("c", "a", "b")


def test_weights_beside_the_model_are_copied(folder):
    model = tagger("Add")
    model.graph.node[0].input.append("w")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full(3, 0.5, np.float32), "w"))
    onnx.save(model, folder / "big.onnx", save_as_external_data=True, location="big.data", size_threshold=0)
    (folder / "other").mkdir()
    thresholds([0.5, -0.5, 2.0]).save(folder / "t.json")
    out = limen("big.onnx", "t.json", output="other/out.onnx")
    assert "copied the weights" in out
    assert "big.data" in out
    assert (folder / "other" / "big.data").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["wide.onnx", "t.json"],
            "has 2 outputs that may be the scores: 'a' float32 (clips, 3), 'b' float32 (clips, 3)",
        ),
        (["t.json", "tagger.onnx"], "t.json is no ONNX model, or is cut short"),
        (["tagger.onnx", "none.json"], "cannot read none.json"),
        (["tagger.onnx", "t.json", "--logits"], "'y' comes from a Sigmoid"),
        (["tagger.onnx", "t.json", "--labels", "none.txt"], "cannot read none.txt"),
        (
            ["tagger.onnx", "t.json", "--labels", "tagger.npz"],
            "tagger.npz is not UTF-8 text. It should have one name in each line",
        ),
        (["tagger.onnx", "t.json", "--inputs", "none.npz"], "cannot read none.npz"),
        (["tagger.onnx", "t.json", "--inputs", "t.json"], "t.json is no .npz file of numbers"),
        (["tagger.onnx", "t.json", "--inputs", "x.npy"], "x.npy is no .npz file of numbers"),
        (["tagger.onnx", "t.json", "--inputs", "empty.npz"], "empty.npz is no .npz file of numbers"),
        (["tagger.onnx", "t.json", "--inputs", "half.npz"], "half.npz is no .npz file of numbers"),
    ],
)
def test_what_is_wrong_is_said(folder, arguments, words):
    np.savez(folder / "tagger.npz", x=np.full(3, np.pi))
    np.save(folder / "x.npy", np.zeros(3))
    (folder / "empty.npz").touch()
    whole = (folder / "tagger.npz").read_bytes()
    (folder / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError) as caught:
        limen(*arguments)
    assert words in str(caught.value)
    assert not (folder / "out.onnx").exists()


def test_the_output_is_checked_before_the_work(folder):
    onnx.save(tagger("Sigmoid", dims=("clips", 4), shown=("clips", 3)), folder / "wrong.onnx")
    with pytest.raises(FileError, match=r"none is no folder\. Make it first"):
        limen("wrong.onnx", "t.json", output="none/out.onnx")


def test_as_a_whole(folder):
    """A mistake is said in one line; the help shows examples."""
    done = run("export", "onnx", "wide.onnx", "t.json", "-o", "out.onnx", cwd=folder, check=2)
    assert done.stderr.startswith("limen: wide.onnx has 2 outputs that may be the scores")
    assert done.stderr.endswith("Name one with --scores.\n")
    assert done.stderr.count("\n") == 1
    assert "limen export onnx tagger.onnx thresholds.json -o tagger_with_tags.onnx" in (
        run("export", "onnx", "--help", cwd=folder, check=0).stdout
    )
