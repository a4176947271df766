"""Polars expressions on real frames: eager, lazy and streaming."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import PATIENT, SCORE_DTYPES, problems, tuned
from strategies import thresholds_at as one

pl = pytest.importorskip("polars")

from limen.exports.polars import expressions, long_expression  # noqa: E402

PATTERNS = ["^.*$", "*", "^dog$", "dog", "", " ", "a\nb", "\0", "'", "Dog", "Ñ 🐦", "given", "literal"]
NAMES = st.lists(
    st.one_of(st.sampled_from(PATTERNS), st.text(st.characters(exclude_categories=["Cs"]))),
    min_size=3,
    max_size=3,
    unique=True,
)
SOME = settings(PATIENT, max_examples=60)


def wide(labels, scores):
    return pl.DataFrame({name: scores[:, k].copy() for k, name in enumerate(labels)})


def long(labels, scores):
    return pl.DataFrame(
        {
            "id": np.repeat(np.arange(len(scores)), len(labels)),
            "label": list(labels) * len(scores),
            "score": scores.ravel().copy(),
        },
        schema_overrides={"label": pl.String},
    )


@SOME
@given(problems(), NAMES)
def test_wide_frames_decide_as_limen_does(problem, names):
    labels = names[: problem.y_score.shape[1]]
    t = tuned(problem, labels=labels)
    frame, expected = wide(labels, problem.y_score), t.decide(problem.y_score)
    before = frame.clone()
    decided = frame.select(expressions(t))
    assert decided.columns == labels
    assert set(decided.dtypes) == {pl.Boolean}
    np.testing.assert_array_equal(decided.to_numpy(), expected)
    np.testing.assert_array_equal(frame.lazy().select(expressions(t)).collect().to_numpy(), expected)
    assert frame.equals(before)


@SOME
@given(problems(), NAMES)
def test_long_frames_decide_as_limen_does(problem, names):
    labels = names[: problem.y_score.shape[1]]
    t = tuned(problem, labels=labels)
    frame, expected = long(labels, problem.y_score), t.decide(problem.y_score).ravel()
    decided = frame.select(long_expression(t))
    assert decided.schema == {"given": pl.Boolean}
    np.testing.assert_array_equal(decided["given"].to_numpy(), expected)
    assert frame.filter(long_expression(t)).equals(frame.filter(pl.Series(expected)))


@pytest.mark.parametrize("dtype", SCORE_DTYPES)
def test_scores_at_a_threshold_and_beside_it(dtype):
    rng = np.random.default_rng(0)
    cuts = rng.random(200).astype(dtype)
    labels = [f"label {k}" for k in range(len(cuts))]
    t = one(cuts, labels, dtype)
    scores = np.stack([np.nextafter(cuts, dtype(0)), cuts, np.nextafter(cuts, dtype(1))])
    expected = np.repeat([[False], [True], [True]], len(cuts), axis=1)
    np.testing.assert_array_equal(t.decide(scores), expected)
    np.testing.assert_array_equal(wide(labels, scores).select(expressions(t)).to_numpy(), expected)
    decided = long(labels, scores).select(long_expression(t))
    np.testing.assert_array_equal(decided["given"].to_numpy(), expected.ravel())


def test_thresholds_of_64_bits_are_not_rounded_to_a_column_of_32():
    # 0.1 in 32 bits is above 0.1 in 64 bits; its neighbour below is not.
    above, below = np.float32(0.1), np.nextafter(np.float32(0.1), np.float32(0))
    frame = pl.DataFrame({"dog": [above, below]}, schema={"dog": pl.Float32})
    barely = np.nextafter(np.float64(above), 1)
    assert frame.select(expressions(one([0.1])))["dog"].to_list() == [True, False]
    assert frame.select(expressions(one([barely])))["dog"].to_list() == [False, False]


VALUES = [0.75, None, float("nan"), float("inf"), float("-inf"), 0.25]


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_missing_nan_and_infinite_scores_are_undecided(dtype):
    frame = pl.DataFrame({"dog": VALUES, "rare": VALUES}, schema={"dog": dtype, "rare": dtype})
    t = one([0.5, np.inf], ("dog", "rare"))
    decided = frame.select(expressions(t))
    assert decided["dog"].to_list() == [True, None, None, None, None, False]
    assert decided["rare"].to_list() == [False, None, None, None, None, False]
    rows = frame.unpivot(variable_name="label", value_name="score").select(long_expression(t))
    assert rows["given"].to_list() == decided["dog"].to_list() + decided["rare"].to_list()


def test_integers_and_numbers_as_text_are_compared_as_numbers():
    frame = pl.DataFrame({"dog": [0, 1, 10], "cat": ["0", "1", "10"]})
    decided = frame.select(expressions(one([1.0, 2.0], ("dog", "cat"))))
    assert decided.rows() == [(False, False), (True, False), (True, True)]


def test_files_larger_than_memory_are_streamed(tmp_path):
    rng = np.random.default_rng(0)
    scores = rng.choice(rng.random(9).astype("f4"), (5000, 3))
    labels = ["^a.*$", "a", "b"]
    t = one(scores[:3].max(axis=0), labels, "f4")
    wide(labels, scores).write_parquet(tmp_path / "wide.parquet")
    long(labels, scores).write_parquet(tmp_path / "long.parquet")
    expected = t.decide(scores)
    assert 0 < expected.sum() < expected.size
    lazy = pl.scan_parquet(tmp_path / "wide.parquet").select(expressions(t))
    np.testing.assert_array_equal(lazy.collect(engine="streaming").to_numpy(), expected)
    lazy = pl.scan_parquet(tmp_path / "long.parquet").filter(long_expression(t)).select("id", "label")
    given = lazy.collect(engine="streaming").rows()
    assert sorted(given) == sorted((i, labels[k]) for i, k in np.argwhere(expected))


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["cat", "dog"])])
def test_labels_may_be_categories(kind):
    t = one([0.5, 0.7], ("dog", "cat"))
    frame = pl.DataFrame({"tag": ["dog", "cat", None], "p": [0.6, 0.6, 0.6]}, schema_overrides={"tag": kind})
    assert frame.select(long_expression(t, label="tag", score="p"))["given"].to_list() == [True, False, None]


def test_what_does_not_match_is_an_error_of_polars():
    t = one([0.5])
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="dog"):
        pl.DataFrame({"cat": [0.5]}).select(expressions(t))
    with pytest.raises(pl.exceptions.InvalidOperationError, match="incomplete mapping"):
        pl.DataFrame({"label": ["dog", "Dog"], "score": [0.5, 0.5]}).select(long_expression(t))
