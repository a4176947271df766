"""Dask frames: joined by id or index and by label name, partition by partition, and never by luck."""

from dataclasses import replace

import numpy as np
import pytest

import limen
from limen.data import as_data
from limen.errors import InputError, UnsupportedError
from limen.shards import count_shard

dask = pytest.importorskip("dask", reason="dask is not installed: pip install limen[dask]")
pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install limen[dask]")
import dask.array as da  # noqa: E402
import dask.dataframe as dd  # noqa: E402

from limen.engines.dask import curves_of  # noqa: E402

ROWS, NAMES = 300, ["dog", "cat", "wind", "owl"]


SCHEDULERS = pytest.mark.parametrize("scheduler", ["sync", "threads"])


def frames(ids="id", seed=0):
    """Labels, some unknown, and scores of the same clips, as pandas frames."""
    rng = np.random.default_rng(seed)
    y_score = rng.random((ROWS, len(NAMES))).round(2).astype(np.float32)
    y_true = (rng.random(y_score.shape) < 0.6 * y_score).astype(float)
    y_true[rng.random(y_true.shape) < 0.1] = np.nan
    found = [pd.DataFrame(values, columns=NAMES) for values in (y_true, y_score)]
    if ids is not None:
        for frame in found:
            frame.insert(2, ids, [f"clip {k:03}" for k in range(ROWS)])
    return found


def expected(weight=None):
    y_true, y_score = (frame.to_numpy() for frame in frames(None))
    return replace(count_shard(as_data(y_true, y_score, labels=NAMES, sample_weight=weight)), sources=())


WEIGHT = np.random.default_rng(5).integers(0, 5, ROWS) / 4


def shuffled(frame):
    return frame.sample(frac=1, random_state=1)


def in_partitions(frame, number):
    return dd.from_pandas(frame, npartitions=number, sort=False)


@SCHEDULERS
def test_partitions_that_hold_the_same_ids_are_joined_where_they_are(scheduler):
    y_true, y_score = frames()
    y_true = pd.concat([shuffled(y_true[:100]), shuffled(y_true[100:200]), shuffled(y_true[200:])])
    truth = in_partitions(y_true[["owl", "id", "wind", "dog", "cat"]], 3)
    scores = in_partitions(y_score, 3)
    with dask.config.set(scheduler=scheduler):
        assert curves_of(truth, scores) == expected()
        for weight in (WEIGHT, da.from_array(WEIGHT, 100), in_partitions(pd.Series(WEIGHT), 3)):
            assert curves_of(truth, scores, sample_weight=weight) == expected(WEIGHT)


@SCHEDULERS
@pytest.mark.parametrize("number", [1, 4])
def test_partitions_that_do_not_are_moved(scheduler, number):
    y_true, y_score = frames()
    truth, scores = in_partitions(shuffled(y_true), 3), in_partitions(y_score, number)
    with dask.config.set(scheduler=scheduler):
        assert curves_of(truth, scores) == expected()
        assert curves_of(truth, scores, sample_weight=WEIGHT) == expected(WEIGHT)


def test_sums_of_any_weights_do_not_follow_how_rows_were_moved():
    y_true, y_score = frames()
    weight = np.random.default_rng(3).lognormal(0, 3, ROWS)
    truth, scores = in_partitions(shuffled(y_true), 3), in_partitions(y_score, 4)
    first = curves_of(truth, scores, sample_weight=weight)
    assert all(curves_of(truth, scores, sample_weight=weight) == first for _ in range(3))
    np.testing.assert_allclose(first.fp, expected(weight).fp, rtol=1e-12)


@pytest.mark.parametrize("kind", ["numbers", "named numbers", "category"])
def test_ids_of_other_kinds(kind):
    y_true, y_score = frames()
    for frame in (y_true, y_score):
        if kind == "category":
            frame["id"] = frame["id"].astype("category")
        else:
            frame["id"] = np.arange(ROWS) * 7
    if kind == "named numbers":
        y_true, y_score = (frame.rename(columns={"id": "clip_id"}) for frame in (y_true, y_score))
    assert curves_of(in_partitions(shuffled(y_true), 3), in_partitions(y_score, 4)) == expected()
    assert curves_of(in_partitions(y_true, 4), in_partitions(y_score, 4)) == expected()


@pytest.mark.parametrize("number", [3, 5])
def test_an_index_joins_rows(number):
    y_true, y_score = (frame.set_index("id") for frame in frames())
    for truth in (in_partitions(shuffled(y_true), 3), dd.from_pandas(y_true, npartitions=3)):
        assert curves_of(truth, in_partitions(y_score, number)) == expected()
        assert curves_of(truth, dd.from_pandas(y_score, npartitions=number), sample_weight=WEIGHT) == expected(
            WEIGHT
        )


def test_row_numbers_join_rows():
    y_true, y_score = frames(None)
    for number in (1, 3, 4):
        assert (
            curves_of(dd.from_pandas(y_true, npartitions=3), dd.from_pandas(y_score, npartitions=number))
            == expected()
        )
    again = [dd.from_pandas(frame, npartitions=3).reset_index(drop=True) for frame in (y_true, y_score)]
    assert curves_of(*again) == expected()
    chosen = [dd.from_pandas(frame, npartitions=3) for frame in (y_true, y_score)]
    kept = y_score["dog"] > 0.5
    found = curves_of(*(frame[chosen[1]["dog"] > 0.5] for frame in chosen))
    arrays = (frame[kept].to_numpy() for frame in (y_true, y_score))
    assert found == count_shard(as_data(*arrays, labels=NAMES))


def test_a_pandas_frame_on_one_side():
    y_true, y_score = frames()
    assert curves_of(y_true, in_partitions(y_score, 3)) == expected()
    assert curves_of(in_partitions(y_true, 3), y_score) == expected()


def test_columns_of_one_label():
    y_true, y_score = (dd.from_pandas(frame, npartitions=3)["dog"] for frame in frames(None))
    one = as_data(*(frame[["dog"]].to_numpy() for frame in frames(None)), labels=["bark"])
    assert curves_of(y_true, y_score, labels=["bark"]) == count_shard(one)
    assert limen.tune(y_true, y_score).labels == ("0",)


def pieces(frame, *changes):
    """A frame of three partitions, each changed as asked, whatever the collection says of them."""
    parts = [frame[:100], frame[100:200], frame[200:]]
    for k, change in changes:
        parts[k] = change(parts[k])
    return dd.from_delayed([dask.delayed(part) for part in parts], meta=frame[:0], verify_meta=False)


def test_partitions_may_have_their_columns_in_other_orders():
    y_true, y_score = frames()
    turned = [(1, lambda part: part[part.columns[::-1]])]
    assert curves_of(pieces(y_true), pieces(y_score, *turned)) == expected()
    assert curves_of(pieces(y_true, *turned), pieces(y_score)) == expected()
    assert curves_of(pieces(shuffled(y_true), *turned), pieces(y_score, *turned)) == expected()


def test_empty_partitions():
    y_true, y_score = frames()
    emptied = [
        dd.concat([frame, frame], axis=0, interleave_partitions=True) for frame in map(pieces, (y_true, y_score))
    ]
    with_empty = [frame.map_partitions(_without_repeats, meta=frame._meta) for frame in emptied]
    assert 0 in with_empty[0].map_partitions(len).compute().tolist()
    assert curves_of(*with_empty) == expected()
    assert curves_of(in_partitions(shuffled(y_true), 2), with_empty[1]) == expected()


def _without_repeats(part, partition_info=None):
    return part if partition_info is None or partition_info["number"] < 3 else part[:0]


@pytest.mark.parametrize("moved", [False, True])
def test_a_partition_that_does_not_fit_is_named(moved):
    y_true, y_score = frames()
    truth = in_partitions(shuffled(y_true), 2) if moved else pieces(y_true)
    lacking = pieces(y_score, (1, lambda part: part.drop(columns="wind")))
    with pytest.raises(InputError, match=r"^partition 1: .*'wind' only in the whole of y_score"):
        curves_of(truth, lacking)
    with pytest.raises(InputError, match=r"^partition 2: .*'hum' only in this partition"):
        curves_of(truth, pieces(y_score, (2, lambda part: part.assign(hum=0.5))))
    with pytest.raises(InputError, match=r"^partition 0: y_score has float64 scores of 'dog', .* says float32"):
        curves_of(truth, pieces(y_score, (0, lambda part: part.astype({"dog": float}))))
    narrow = pieces(y_score, (0, lambda part: part.astype({"dog": np.float16})))
    assert curves_of(truth, narrow).dtype == np.float32


def test_ids_that_do_not_fit():
    y_true, y_score = frames()
    twice = y_score.copy()
    twice.loc[250, "id"] = twice.loc[3, "id"]
    same = y_true.copy()
    same.loc[250, "id"] = same.loc[3, "id"]
    message = "y_score repeats 1 id: 'clip 003'"
    with pytest.raises(InputError, match=message):
        curves_of(pieces(same), pieces(twice))
    with pytest.raises(InputError, match=message):
        curves_of(in_partitions(shuffled(same), 2), pieces(twice))
    with pytest.raises(InputError, match="y_true repeats 1 id: 'clip 003'"):
        curves_of(in_partitions(pd.concat([y_true, y_true[3:4]]), 2), pieces(y_score))
    with pytest.raises(InputError, match=r"have labels but no scores \('clip 007'\)"):
        curves_of(pieces(y_true), in_partitions(y_score.drop(7), 2))
    nameless = y_score.copy()
    nameless.loc[11, "id"] = None
    with pytest.raises(InputError, match="y_score has no id in 1 row"):
        curves_of(pieces(y_true), pieces(nameless))
    with pytest.raises(InputError, match=r"y_true has ids \(column 'id'\) and y_score has none"):
        curves_of(pieces(y_true), pieces(y_score.drop(columns="id")))


def test_indexes_that_do_not_fit():
    y_true, y_score = frames(None)
    numbers = [dd.from_pandas(frame, npartitions=3) for frame in (y_true, y_score)]
    with pytest.raises(InputError, match="y_score has 2 partitions and y_true 3, and neither ids nor known"):
        curves_of(numbers[0].clear_divisions(), dd.from_pandas(y_score, npartitions=2))
    with pytest.raises(
        InputError, match=r"partition [12]: the indexes of y_score and y_true share 0 of 100 and 100"
    ):
        curves_of(numbers[0].clear_divisions(), numbers[1].reset_index(drop=True))
    texts = dd.from_pandas(frames()[0].set_index("id"), npartitions=3)
    with pytest.raises(InputError, match="the index of y_score is of int, that of y_true of str"):
        curves_of(texts, numbers[1])


def test_what_frames_do_not_do():
    y_true, y_score = map(pieces, frames())
    with pytest.raises(UnsupportedError, match="mask goes with arrays"):
        limen.tune(y_true, y_score, mask=np.ones((ROWS, 4), bool))
    with pytest.raises(InputError, match=r"y_score is a Dask frame and y_true a ndarray. Give both as frames"):
        limen.tune(np.ones((ROWS, 4)), y_score)
    with pytest.raises(InputError, match="labels differs from the column names"):
        limen.tune(y_true, y_score, labels=["a", "b", "c", "d"])
    long = in_partitions(pd.DataFrame({"id": ["a", "b"], "label": ["dog", "cat"], "score": [0.5, 0.6]}), 1)
    with pytest.raises(UnsupportedError, match="y_score is a long table"):
        limen.tune(y_true, long)
    with pytest.raises(InputError, match="sample_weight has 2 parts and y_score 3 partitions"):
        limen.tune(y_true, y_score, sample_weight=da.from_array(WEIGHT, 150))
    with pytest.raises(InputError, match="sample_weight has 10 rows and y_score 300 rows"):
        limen.tune(y_true, y_score, sample_weight=WEIGHT[:10])
    with pytest.raises(InputError, match="sample_weight has 2 rows for 150 items"):
        limen.tune(
            in_partitions(frames()[0], 3),
            in_partitions(frames()[1], 2),
            sample_weight=da.from_array([1, 2, 1, 2], 2),
        )
    with pytest.raises(InputError, match="sample_weight is zero for every item"):
        limen.tune(in_partitions(frames()[0], 3), in_partitions(frames()[1], 2), sample_weight=np.zeros(ROWS))


def test_tune_and_decide():
    y_true, y_score = frames()
    asked = {"method": "exact", "average": "macro"}
    thresholds = limen.tune(in_partitions(y_true, 3), in_partitions(y_score, 2), **asked)
    assert np.array_equal(thresholds.values, limen.tune(y_true, y_score, **asked).values)
    assert thresholds.labels == tuple(NAMES)

    evaluated = limen.evaluate(in_partitions(shuffled(y_true), 3), in_partitions(y_score, 2), thresholds)
    assert all(map(np.array_equal, evaluated.counts, thresholds.counts))
    assert evaluated.on_tuning_data

    turned = y_score[["owl", "id", "cat", "wind", "dog"]].assign(other=1.0)
    decided = thresholds.decide(in_partitions(turned, 4))
    assert isinstance(decided, dd.DataFrame)
    assert list(decided.columns) == ["id", *NAMES]
    assert set(decided.dtypes[NAMES]) == {np.dtype(bool)}
    found = decided.compute()
    pd.testing.assert_series_equal(found["id"].astype(str), y_score["id"].astype(str), check_index_type=False)
    assert np.array_equal(found[NAMES], thresholds.decide(y_score))

    by_index = thresholds.decide(dd.from_pandas(y_score.set_index("id"), npartitions=3))
    assert by_index.known_divisions
    assert list(by_index.columns) == NAMES
    assert np.array_equal(by_index.compute(), thresholds.decide(y_score))
    of_numbers = thresholds.decide(in_partitions(y_score.assign(id=range(ROWS)), 3)).compute()
    assert of_numbers["id"].tolist() == list(range(ROWS))

    one = limen.tune(y_true[["dog"]], y_score[["dog"]], **asked)
    column = one.decide(in_partitions(y_score, 3)["dog"])
    assert np.array_equal(column.compute(), one.decide(y_score[["dog"]])[:, 0])


@pytest.mark.parametrize("moved", [False, True])
def test_groups_stay_whole_as_in_memory(moved):
    y_true, y_score = frames()
    groups = np.arange(ROWS) // 4
    expected = limen.tune(y_true, y_score, groups=groups)
    truth = in_partitions(shuffled(y_true), 2) if moved else in_partitions(y_true, 3)
    found = limen.tune(truth, in_partitions(y_score, 3), groups=groups)
    assert np.array_equal(found.values, expected.values)


def test_errors_of_decisions_name_the_partition():
    y_true, y_score = frames()
    thresholds = limen.tune(y_true, y_score, method="exact")
    with pytest.raises(InputError, match="'owl' only in the thresholds"):
        thresholds.decide(pieces(y_score.drop(columns="owl")))
    holed = thresholds.decide(pieces(y_score, (1, lambda part: part.assign(cat=np.nan))))
    with pytest.raises(InputError, match=r"^partition 1: y_score has NaN in 1 of 4 labels"):
        holed.compute()
    empty = thresholds.decide(pieces(y_score, (1, lambda part: part[:0]))).compute()
    assert len(empty) == 200
