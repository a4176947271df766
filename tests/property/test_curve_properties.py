"""Curves against the oracle: counts, thresholds, and nothing written to the inputs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen.curves import Curves, at_or_above, halfway
from oracle import naive
from strategies import PATIENT, SCORE_DTYPES, curves_of, grid, problems, recounted


def rows_of(curves: Curves, k: int) -> list[tuple]:
    """A label's curve as the oracle writes it."""
    own = slice(curves.offsets[k], curves.offsets[k + 1])
    columns = (curves.candidates.cuts, curves.tp, curves.fp, curves.beneath)
    rows = zip(*(column[own].tolist() for column in columns), strict=True)
    return [(cut, tp, fp, None if below == -math.inf else below) for cut, tp, fp, below in rows]


@PATIENT
@given(problems())
def test_every_count_is_the_oracles(problem):
    curves = curves_of(problem)
    for k in range(curves.n_labels):
        assert rows_of(curves, k) == naive.curve(*problem.column(k))
    totals = [label[2:] for label in recounted(problem, [0.0] * curves.n_labels)]
    assert list(zip(curves.n_positive.tolist(), curves.n_known.tolist(), strict=True)) == totals
    assert curves.n_items == len(problem.y_score)
    assert curves.dtype == problem.y_score.dtype
    assert curves.tp.dtype == (np.int64 if problem.sample_weight is None else np.float64)


@PATIENT
@given(problems(), st.sampled_from(["midpoint", "score"]))
def test_thresholds_give_the_counts_of_their_candidate(problem, placement):
    curves = curves_of(problem)
    size = np.diff(curves.offsets)
    for level in range(size.max()):
        index = curves.offsets[:-1] + np.minimum(level, size - 1)
        values = curves.thresholds(index, placement)
        assert values.dtype == problem.y_score.dtype
        expected = zip(curves.tp[index].tolist(), curves.pp[index].tolist(), strict=True)
        assert [label[:2] for label in recounted(problem, values)] == list(expected)
        kept = at_or_above(problem.y_score, values) & ~np.isnan(problem.y_true)
        weight = np.ones(len(kept)) if problem.sample_weight is None else problem.sample_weight
        np.testing.assert_array_equal(weight @ kept, curves.pp[index])


@given(st.data(), st.sampled_from(SCORE_DTYPES))
def test_halfway_lies_above_what_is_below_and_not_above_what_is_kept(draw, dtype):
    below, kept = sorted(draw.draw(st.lists(st.sampled_from(grid(dtype)), min_size=2, max_size=2)))
    middle = halfway(kept, below, np.dtype(dtype))
    assert middle.dtype == dtype
    assert below < middle <= kept or below == middle == kept
    assert (middle < kept) == (np.nextafter(below, kept) < kept)


@PATIENT
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_the_items_does_not_matter(problem, random):
    order = random.sample(range(len(problem.y_true)), len(problem.y_true))
    assert curves_of(problem.taken(order)) == curves_of(problem)


@PATIENT
@given(problems(weighted=False), st.data())
def test_whole_weights_are_repeated_items(problem, draw):
    n_items = len(problem.y_true)
    times = draw.draw(st.lists(st.integers(1, 3), min_size=n_items, max_size=n_items))
    weighted = curves_of(problem._replace(sample_weight=np.array(times, float)))
    repeated = curves_of(problem.taken(np.repeat(np.arange(n_items), times)))
    assert weighted.candidates == repeated.candidates
    for name in ("tp", "fp", "beneath", "n_positive", "n_known"):
        np.testing.assert_array_equal(getattr(weighted, name), getattr(repeated, name))


@PATIENT
@given(problems(unknown=False), st.data())
def test_a_mask_and_nan_say_the_same(problem, draw):
    known = np.array(
        draw.draw(st.lists(st.booleans(), min_size=problem.y_true.size, max_size=problem.y_true.size))
    ).reshape(problem.y_true.shape)
    masked = Curves.from_arrays(problem.y_true, problem.y_score, sample_weight=problem.sample_weight, mask=known)
    assert masked == curves_of(problem._replace(y_true=np.where(known, problem.y_true, np.nan)))


@pytest.mark.parametrize("dtype", SCORE_DTYPES)
@pytest.mark.parametrize("n_labels", [1, 3, 12])
def test_many_items_are_counted_alike_by_several_threads(dtype, n_labels):
    rng = np.random.default_rng(0)
    y_score = (rng.integers(0, 20, (300, n_labels)) / 16 - 0.5).astype(dtype)
    y_true = np.where(rng.random((300, n_labels)) < 0.1, np.nan, rng.random((300, n_labels)) < 0.2)
    weight = rng.integers(0, 8, 300) / 4
    curves = Curves.from_arrays(y_true, y_score, sample_weight=weight)
    for k in range(n_labels):
        assert rows_of(curves, k) == naive.curve(y_true[:, k], y_score[:, k], weight)
