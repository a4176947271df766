"""Dask arrays are counted in their blocks: bit for bit what the same data give in memory, and decided lazily."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import limen
import limen.decisions
from limen.data import as_data
from limen.errors import InputError
from limen.shards import count_shard

dask = pytest.importorskip("dask", reason="dask is not installed: pip install limen[dask]")
import dask.array as da  # noqa: E402

from limen.engines.dask import curves_of  # noqa: E402

SCHEDULERS = ("sync", "threads")
ROWS, LABELS = 600, 7
pytestmark = pytest.mark.filterwarnings("ignore:1 label without a positive item:limen.errors.LimenWarning")


@pytest.fixture(params=SCHEDULERS)
def scheduler(request):
    with dask.config.set(scheduler=request.param):
        yield request.param


def problem(n_items=ROWS, n_labels=LABELS, dtype=np.float32, seed=0):
    """Scores with ties; of the labels one has half of all positives, one has none, some are unknown."""
    rng = np.random.default_rng(seed)
    y_score = rng.random((n_items, n_labels)).round(2).astype(dtype)
    y_true = (rng.random(y_score.shape) < 0.2 * y_score).astype(float)
    y_true[:, 0] = rng.random(n_items) < 0.6
    y_true[:, -1] = 0
    y_true[rng.random(y_true.shape) < 0.1] = np.nan
    return y_true, y_score


def in_blocks(array, rows, columns=-1):
    return da.from_array(array, (rows, columns) if array.ndim == 2 else rows)


def in_memory(y_true, y_score, **given):
    """The curves of data in memory, as if they were read from a file: without the data."""
    return replace(count_shard(as_data(y_true, y_score, **given)), sources=())


def same(found, expected, folds=True):
    """Rows that are alike are dealt to folds in turn, by part: folds are the same where no two are."""
    for name in ("few", "tp", "fp", "beneath", "n_positive", "n_known", "n_items", "half") if folds else ():
        assert np.array_equal(getattr(found.folds, name), getattr(expected.folds, name)), name
    assert found.folds.candidates == expected.folds.candidates
    assert found.folds.extent.same(expected.folds.extent)
    assert found == expected
    assert found.digest() == expected.digest()
    assert found.candidates.dtype == expected.candidates.dtype


@pytest.mark.parametrize("rows", [ROWS, 100, 7, (1, ROWS - 2, 1), (0, 200, 0, 0, 400, 0)])
def test_curves_are_those_of_memory_whatever_the_blocks(scheduler, rows):
    y_true, y_score = problem()
    expected = in_memory(y_true, y_score)
    same(curves_of(in_blocks(y_true, rows), in_blocks(y_score, rows)), expected)
    same(curves_of(in_blocks(y_true, 250, 3), in_blocks(y_score, rows, 2)), expected)
    same(curves_of(y_true, in_blocks(y_score, rows)), expected)
    same(curves_of(in_blocks(y_true, rows), y_score), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16])
def test_dtypes_of_scores(dtype):
    y_true, y_score = problem()
    y_score = (100 * y_score).astype(dtype)
    found = curves_of(in_blocks(y_true, 90), in_blocks(y_score, 90))
    same(found, in_memory(y_true, y_score))
    assert limen.tune(in_blocks(y_true, 90), in_blocks(y_score, 90)).values.dtype == found.dtype


@pytest.mark.parametrize(("n_items", "n_labels", "rows"), [(5, 3, 2), (600, 1, 70), (40, 5000, 9), (1, 1, 1)])
def test_odd_sizes(n_items, n_labels, rows):
    y_true, y_score = problem(n_items, n_labels)
    y_true[0] = 1
    found = curves_of(in_blocks(y_true, rows), in_blocks(y_score, rows))
    same(found, in_memory(y_true, y_score), folds=n_labels > 1)
    method = "exact" if n_labels > 100 else "auto"
    thresholds = limen.tune(in_blocks(y_true, rows), in_blocks(y_score, rows), method=method)
    assert np.array_equal(thresholds.values, limen.tune(y_true, y_score, method=method).values)


def test_one_dimension_is_one_label():
    y_true, y_score = (array[:, 1] for array in problem())
    same(curves_of(in_blocks(y_true, 70), in_blocks(y_score, 70)), in_memory(y_true, y_score), folds=False)
    thresholds = limen.tune(y_true, y_score)
    assert np.array_equal(thresholds.decide(in_blocks(y_score, 70)).compute(), thresholds.decide(y_score))


def test_blocks_of_unknown_length(scheduler):
    y_true, y_score = problem()
    weight = np.arange(ROWS) % 5 / 4
    kept = np.random.default_rng(1).random(ROWS) < 0.4
    kept[:100] = False  # the first block becomes empty
    expected = in_memory(y_true[kept], y_score[kept], sample_weight=weight[kept])
    chosen, chosen_otherwise = in_blocks(kept, 100), in_blocks(kept, 150)
    truth, scores, weights = (in_blocks(array, 100)[chosen] for array in (y_true, y_score, weight))
    same(curves_of(truth, scores, sample_weight=weights), expected)
    same(curves_of(truth, scores, sample_weight=weight[kept]), expected)
    same(curves_of(y_true[kept], scores, sample_weight=weights), expected)
    same(curves_of(in_blocks(y_true, 150)[chosen_otherwise], scores, sample_weight=weights), expected)
    same(curves_of(in_blocks(y_true[kept], 30), scores, sample_weight=weights), expected)
    assert np.isnan(scores.chunks[0]).all(), "the caller's array has changed"


def test_weights_that_add_exactly_are_those_of_memory(scheduler):
    y_true, y_score = problem()
    weight = np.random.default_rng(2).integers(0, 9, ROWS) / 8
    weight[:100] = 0  # all of a block
    expected = in_memory(y_true, y_score, sample_weight=weight)
    for rows in (100, 64):
        truth, scores = in_blocks(y_true, rows), in_blocks(y_score, rows)
        same(curves_of(truth, scores, sample_weight=weight), expected)
        same(curves_of(truth, scores, sample_weight=in_blocks(weight, 50)), expected)


def test_sums_of_any_weights_do_not_follow_the_order_of_the_work():
    y_true, y_score = problem()
    weight = np.random.default_rng(3).lognormal(0, 3, ROWS)
    truth, scores = in_blocks(y_true, 23), in_blocks(y_score, 23)
    with dask.config.set(scheduler="sync"):
        first = curves_of(truth, scores, sample_weight=weight)
    whole = in_memory(y_true, y_score, sample_weight=weight)
    np.testing.assert_allclose(first.fp, whole.fp, rtol=1e-12)
    thresholds = limen.tune(truth, scores, sample_weight=weight, method="exact")
    exact = limen.tune(y_true, y_score, sample_weight=weight, method="exact")
    assert np.array_equal(thresholds.values, exact.values)
    for _ in range(4):
        with dask.config.set(scheduler="threads", num_workers=4):
            same(curves_of(truth, scores, sample_weight=weight), first)


def test_mask_and_sparse_labels():
    from scipy.sparse import csr_array

    y_true, y_score = problem()
    known = np.isfinite(y_true)
    ones = np.nan_to_num(y_true).astype(np.int8)
    expected = in_memory(y_true, y_score)
    same(curves_of(in_blocks(ones, 80), in_blocks(y_score, 110), mask=in_blocks(known, 45)), expected)
    same(curves_of(in_blocks(ones, 80), in_blocks(y_score, 110), mask=known), expected)
    same(curves_of(csr_array(ones), in_blocks(y_score, 110), mask=known), expected)


def test_sparse_blocks_of_scores():
    from scipy.sparse import csr_array

    y_true, y_score = problem()
    y_true, y_score = np.nan_to_num(y_true), np.where(y_score > 0.5, y_score, 0)
    scores = in_blocks(y_score, 150).map_blocks(csr_array)
    same(curves_of(in_blocks(y_true, 150), scores), in_memory(y_true, csr_array(y_score)), folds=False)


@pytest.mark.parametrize(
    "asked", [{}, {"method": "exact"}, {"average": "macro"}, {"metric": "mcc", "method": "exact"}]
)
def test_tune_takes_dask_as_it_takes_arrays(scheduler, asked):
    y_true, y_score = problem()
    y_true[:3, -1] = 1
    names = [f"label {k}" for k in range(LABELS)]
    expected = limen.tune(y_true, y_score, labels=names, **asked)
    found = limen.tune(in_blocks(y_true, 80), in_blocks(y_score, 90), labels=names, **asked)
    assert np.array_equal(found.values, expected.values)
    assert (found.labels, found.value, found.status) == (expected.labels, expected.value, expected.status)
    assert found.digest == expected.digest
    assert all(map(np.array_equal, found.counts, expected.counts))
    if "method" not in asked:  # the interval is of ten parts, and that of memory of resampled items
        assert abs(found.expected.value - expected.expected.value) < 0.01


def test_groups_stay_whole_as_in_memory():
    y_true, y_score = problem()
    y_true[:3, -1] = 1
    for groups in (np.arange(ROWS) // 9, np.array([f"file {k % 150}" for k in range(ROWS)])):
        expected = limen.tune(y_true, y_score, groups=groups)
        for given in (groups, da.from_array(groups, 70)):
            found = limen.tune(in_blocks(y_true, 80), in_blocks(y_score, 90), groups=given)
            assert np.array_equal(found.values, expected.values)
    with pytest.raises(InputError, match="groups has one group"):
        limen.tune(in_blocks(y_true, 80), in_blocks(y_score, 90), groups=np.zeros(ROWS))


@pytest.mark.parametrize("asked", [{}, {"average": "none", "metric": "precision"}, {"baseline": 0.5}])
def test_evaluate_counts_where_the_blocks_are(asked):
    y_true, y_score = problem()
    thresholds = limen.tune(y_true[:300], y_score[:300])
    for given in (thresholds, 0.37, np.linspace(0.1, 0.9, LABELS)):
        found = limen.evaluate(in_blocks(y_true, 80), in_blocks(y_score, 90), given, **asked)
        expected = limen.evaluate(y_true, y_score, given, **asked)
        assert all(map(np.array_equal, found.counts, expected.counts))
        assert np.array_equal(found.value, expected.value)
        assert found.bounds is None
        if "baseline" in asked:
            assert found.difference.value == pytest.approx(expected.difference.value, abs=1e-12)


def test_a_source_counts_again_and_adds_to_others():
    y_true, y_score = problem()
    found = curves_of(in_blocks(y_true, 80), in_blocks(y_score, 90))
    (source,) = found.sources
    whole = as_data(y_true, y_score).source
    assert source.candidates() == whole.candidates()
    assert all(map(np.array_equal, source.totals(whole.totals()), (2 * part for part in whole.totals())))
    first = limen.Curves.from_arrays(y_true[:200], y_score[:200])
    rest = curves_of(in_blocks(y_true[200:], 80), in_blocks(y_score[200:], 90))
    assert first + rest == limen.Curves.from_arrays(y_true, y_score)


def test_the_frontier_of_blocks_is_that_of_memory():
    y_true, y_score = problem()
    found = limen.frontier(in_blocks(y_true, 80), in_blocks(y_score, 90))
    expected = limen.frontier(y_true, y_score)
    assert np.array_equal(found.recall, expected.recall)
    assert np.array_equal(found.precision, expected.precision)


@pytest.mark.parametrize("rule", [">=", "top-k:2", "mcut", "argmax"])
def test_decisions_wait_and_are_those_of_numpy(rule):
    _, y_score = problem()
    read = []
    scores = in_blocks(y_score, 100, 3).map_blocks(lambda block: read.append(1) or block, dtype=np.float32)
    values = np.linspace(0.2, 0.8, LABELS).astype(np.float32)
    names = tuple(map(str, range(LABELS)))
    read.clear()
    decided = limen.engines.dask.decide(scores, names, values, rule)
    assert isinstance(decided, da.Array)
    assert (decided.shape, decided.dtype, decided.numblocks) == (y_score.shape, np.bool_, (6, 1))
    assert not read
    expected = limen.decisions.decide(y_score, names, values, rule)
    assert np.array_equal(decided.compute(), expected)
    kept = y_score[:, 0] > 0.9
    some = scores[in_blocks(kept, 100)]
    assert np.array_equal(limen.engines.dask.decide(some, names, values, rule).compute(), expected[kept])


def test_errors_name_the_row_or_the_block():
    y_true, y_score = problem()
    y_score[431, 2] = np.nan
    every = in_blocks(np.ones(ROWS, bool), 100)
    message = r"y_score has NaN in 1 of 7 labels \(first: '2', row 431\)"
    with pytest.raises(InputError, match="^" + message):
        limen.tune(in_blocks(y_true, 100), in_blocks(y_score, 100))
    with pytest.raises(InputError, match=r"^block 4: y_score has NaN in 1 of 7 labels \(first: '2', row 31\)"):
        limen.tune(in_blocks(y_true, 100)[every], in_blocks(y_score, 100)[every])
    thresholds = limen.tune(y_true[:400], y_score[:400], method="exact")
    with pytest.raises(InputError, match="^" + message):
        thresholds.decide(in_blocks(y_score, 100)).compute()
    with pytest.raises(InputError, match=r"^block 4: y_score has NaN"):
        thresholds.decide(in_blocks(y_score, 100)[every]).compute()
    y_true[9, 1] = 2
    with pytest.raises(InputError, match=r"y_true has 2\.0 in label '1', row 9"):
        limen.tune(in_blocks(y_true, 5), in_blocks(problem()[1], 5))


def test_what_does_not_fit_is_said():
    y_true, y_score = problem()
    truth, scores = in_blocks(y_true, 100), in_blocks(y_score, 100)
    kept = in_blocks(np.arange(ROWS) % 2 == 0, 100)
    for wrong, message in (
        ({"y_true": truth[:-1]}, "y_true has 599 rows and y_score 600 rows"),
        ({"y_true": truth[:, 1:]}, r"y_true has shape \(100, 6\), y_score \(100, 7\)"),
        ({"y_true": truth[kept]}, r"y_true has shape \(50, 7\), y_score \(100, 7\)"),
        ({"y_score": scores[:0], "y_true": truth[:0]}, "y_score has no rows in any of its parts"),
        ({"y_true": truth[:0], "y_score": scores[:0][:, :0]}, "y_score has no rows"),
        ({"sample_weight": np.ones(3)}, "sample_weight has 3 rows and y_score 600 rows"),
        ({"sample_weight": np.zeros(ROWS)}, "sample_weight is zero for every item"),
        ({"sample_weight": da.ones((ROWS, 2))}, "sample_weight has 2 dimensions"),
        ({"y_score": scores[:, :, np.newaxis]}, "y_score has 3 dimensions"),
        ({"labels": ["one"]}, "labels has 1 name, y_score has 7 columns"),
        ({"y_score": scores[:, in_blocks(np.arange(LABELS) > 2, 7)]}, "unknown number of columns"),
        ({"y_true": dask.delayed(1)}, "y_true is a dask Delayed"),
        ({"y_true": None}, "y_true is missing"),
    ):
        with pytest.raises(InputError, match=message):
            limen.tune(**{"y_true": truth, "y_score": scores} | wrong)
    with pytest.raises(InputError, match="y_score is missing"):
        limen.tune(truth)
    thresholds = limen.tune(truth, scores, method="exact")
    with pytest.raises(InputError, match="y_score has 6 columns, the thresholds are for 7 labels"):
        thresholds.decide(scores[:, 1:])
    with pytest.raises(InputError, match="y_score is a dask Delayed"):
        thresholds.decide(dask.delayed(1))


def test_summaries_do_not_hold_the_data(monkeypatch):
    """A tree of parts that kept their blocks would gather all data in one place."""
    from limen.engines import dask_parts

    y_true, y_score = problem()
    seen, merged = [], dask_parts.merged
    monkeypatch.setattr(dask_parts, "merged", lambda parts: seen.extend(parts) or merged(parts))
    with dask.config.set(scheduler="sync"):
        curves_of(in_blocks(y_true, 60), in_blocks(y_score, 60))
    assert len(seen) == 12
    assert not any(part.sources for part in seen)


def test_a_data_set_is_read_twice_and_no_more():
    y_true, y_score = problem()
    read = itertools.count()
    scores = in_blocks(y_score, 100).map_blocks(lambda block: (next(read), block)[1], dtype=np.float32)
    before = next(read)
    with dask.config.set(scheduler="sync"):
        curves_of(in_blocks(y_true, 100), scores)
    assert next(read) - before - 1 == 2 * 6
