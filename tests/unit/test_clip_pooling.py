"""Scores of frames as one of a recording: against plain sums, whatever the blocks; and the tables of them."""

import json
from fractions import Fraction

import numpy as np
import pytest

from limen.errors import InputError
from limen.events import FrameScores
from limen.events.formats import write_clip_scores
from limen.events.formats.clips import clips_of
from limen.events.pooling import ClipPool, clip_scores
from limen.files.reading import read_table

RULES = ("max", "mean", "noisy-or")


def plain(frames, how, activation):
    """Pool in whole fractions (max, mean), or with p and products."""
    if how == "max":
        return frames.max(axis=0)
    if how == "mean":
        return [float(sum(map(Fraction, column.tolist())) / len(column)) for column in frames.T]
    p = frames.astype(float) if activation == "probability" else 1 / (1 + np.exp(-frames.astype(float)))
    p = 1 - np.prod(1 - p, axis=0)
    return p if activation == "probability" else np.log(p / (1 - p))


@pytest.mark.parametrize("activation", ["probability", "logit"])
@pytest.mark.parametrize("how", RULES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("n_labels", [1, 3])
def test_blocks_do_not_change_a_bit(how, activation, dtype, n_labels):
    rng = np.random.default_rng(0)
    for n_frames in (1, 2, 37, 301):
        frames = rng.random((n_frames, n_labels)) ** 4 / 10 if activation == "probability" else None
        frames = (rng.normal(-5, 1, (n_frames, n_labels)) if frames is None else frames).astype(dtype)
        before = frames.copy()
        whole = clip_scores([frames], how, activation)
        assert whole.dtype == dtype
        np.testing.assert_allclose(
            whole, plain(frames, how, activation), rtol=max(4 * np.finfo(dtype).eps, 1e-13), atol=1e-15
        )
        for size in (1, 2, 8, 100):
            blocks = [frames[k : k + size] for k in range(0, n_frames, size)]
            np.testing.assert_array_equal(clip_scores([frames[:0], *blocks], how, activation), whole)
        np.testing.assert_array_equal(frames, before)


def test_noisy_or_at_the_ends():
    sure = np.array([[0.0, 1.0, 0.5], [0.0, 0.2, 1.0]])
    np.testing.assert_array_equal(clip_scores([sure], "noisy-or", "probability"), [0, 1, 1])
    logits = np.array([[-800.0, 800.0], [-800.0, -800.0]])
    found = clip_scores([logits], "noisy-or", "logit")
    assert np.isfinite(found).all()
    assert found[0] < -690
    assert found[1] == 800


@pytest.mark.parametrize("how", RULES)
def test_no_frames_have_no_score(how):
    with pytest.raises(InputError, match="no frames"):
        clip_scores([np.zeros((0, 2))], how, "logit")
    with pytest.raises(InputError, match="clips='median' is unknown"):
        ClipPool("median", "logit")


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_tables_have_every_digit_and_say_how_they_were_made(tmp_path, ending):
    rng = np.random.default_rng(3)
    frames = {f"site {k}/täke": rng.random((5 + k, 2)).astype(np.float32) for k in range(4)}
    scores = FrameScores(("=dog", "cat, small"), frames, 0.1)
    path = tmp_path / f"clips.{ending}"
    write_clip_scores(scores, path, "mean", model={"activation": "probability", "hop": 3})
    table = read_table(path, kind="scores")
    assert table.labels == scores.labels
    assert table.ids == scores.names
    expected = np.array([clip_scores([own], "mean", "probability") for own in frames.values()])
    np.testing.assert_array_equal(table.values, expected)
    assert clips_of(path) == {
        "clips": "mean",
        "model": {"activation": "probability", "hop": 3},
        "labels": ["=dog", "cat, small"],
    }
    assert clips_of(tmp_path / "other.csv") is None
    beside = tmp_path / f"clips.{ending}.json"
    beside.write_text(json.dumps({**json.loads(beside.read_text()), "schema_version": 2}))
    with pytest.raises(InputError, match="schema version 2"):
        clips_of(path)


def test_tables_that_cannot_be(tmp_path):
    scores = FrameScores(("dog",), {"a": np.array([[2.0], [1500.0]])}, 0.1)
    with pytest.raises(InputError, match=r"ending '\.npy'\. Clip scores are written as \.csv"):
        write_clip_scores(scores, tmp_path / "clips.npy")
    with pytest.raises(InputError, match="noisy-or is of probabilities or logits"):
        write_clip_scores(scores, tmp_path / "clips.csv", "noisy-or")
    with pytest.raises(InputError, match="a: the recording has no frames"):
        write_clip_scores(FrameScores(("dog",), {"a": np.zeros((0, 1))}, 0.1), tmp_path / "clips.csv")
    with pytest.raises(InputError, match="cannot be the column names"):
        write_clip_scores(FrameScores(("id",), {"a": np.zeros((1, 1))}, 0.1), tmp_path / "clips.csv")
    assert not [*tmp_path.iterdir()]
