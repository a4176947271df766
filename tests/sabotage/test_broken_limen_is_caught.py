"""Deliberately broken parts must make a comparison with the oracle fail: the tests can fail.

`check` is a small copy of what the property tests ask. It passes with a counter written anew in Python,
so that what fails below is the fault and not the replacement.
"""

from dataclasses import replace

import numpy as np
import pytest

import limen
from limen import _kernels, curves, decisions, metrics
from limen.curves import Curves
from limen.solvers import SurrogateGradient, exact
from limen.solvers.item_table import ItemTable
from limen.sources.blocks import Tallies
from oracle import items, naive
from strategies import data, exactly, random_data, recounted, smooth_data, tuned

SEEDS = range(40)


def check(metrics_and_averages=(("f1", "micro"), ("f2", "macro")), seeds=SEEDS):
    """Counts, thresholds and values of a few problems, compared with the oracle."""
    for seed in seeds:
        problem = random_data(seed, dtype="f8")
        counted = Curves.from_arrays(problem.y_true, problem.y_score, sample_weight=problem.sample_weight)
        for k in range(counted.n_labels):
            own = slice(counted.offsets[k], counted.offsets[k + 1])
            parts = (counted.candidates.cuts, counted.tp, counted.fp)
            rows = list(zip(*(part[own].tolist() for part in parts), strict=True))
            assert rows == [row[:3] for row in naive.curve(*problem.column(k))]
        size = np.diff(counted.offsets)
        for level in range(size.max()):
            index = counted.offsets[:-1] + np.minimum(level, size - 1)
            kept = zip(counted.tp[index].tolist(), counted.pp[index].tolist(), strict=True)
            assert list(kept) == [label[:2] for label in recounted(problem, counted.thresholds(index))]
        for metric, average in metrics_and_averages:
            t = tuned(problem, metric=metric, average=average)
            assert exactly(t.counts) == recounted(problem, t.values)
            assert exactly(t.counts) == recounted(
                problem._replace(y_score=t.decide(problem.y_score) * 1.0), np.ones(len(t.labels))
            )
            reached = naive.value(metric, average, exactly(t.counts))
            assert reached == naive.best(metric, average, *problem)[0]
            assert t.value == pytest.approx(naive.as_float(metric, reached), abs=1e-14)


def check_kept_iterate():
    """The value that comes with keep="best" is the best that was seen, and belongs to the thresholds."""
    for seed in range(5):
        problem = smooth_data(seed)
        t = tuned(problem, method=SurrogateGradient(keep="best", bins=None, learning_rate=0.1, epochs=30))
        assert t.value == max(t.history)
        assert exactly(t.counts) == recounted(problem, t.values)


def counter(
    *,
    place=lambda cuts, score: int(np.count_nonzero(cuts > score)),
    code=lambda truth, score, cuts: truth,
    below=lambda truth: True,
    ends=lambda tp, fp: None,
):
    """`count_block` for dense blocks in plain Python; each argument is a part that can be broken.

    ``place`` is the number of cuts, falling, that do not keep the score.
    """

    def count_block(block, grid, tallies):
        scores, truth, weight = block[:3]
        for k in range(scores.shape[1]):
            own = slice(grid.offsets[k], grid.offsets[k + 1])
            cuts, tp, fp, beneath = grid.cuts[own], tallies.tp[own], tallies.fp[own], tallies.beneath[own]
            for i in range(scores.shape[0]):
                score, known = scores[i, k], code(truth[i, k], scores[i, k], cuts)
                if known < 0:
                    continue
                j = place(cuts, score)
                if j < len(cuts):
                    (tp if known == 1 else fp)[j] += weight[i]
                if j and below(known):
                    beneath[j - 1] = max(beneath[j - 1], score)
            ends(tp, fp)

    return count_block


def count_with(monkeypatch, count_block):
    """Count with this in place of both counters of limen."""

    def count_known(block, grid, tallies):
        every, beneath = tallies
        apart = Tallies(np.zeros_like(every), np.zeros_like(every), beneath)
        count_block(block, grid, apart)
        every += apart.tp + apart.fp

    monkeypatch.setattr(_kernels, "count_block", count_block)
    monkeypatch.setattr(_kernels, "count_known", count_known)


def lose_last(tp, fp):
    if len(tp) > 1:
        tp[-1] = fp[-1] = 0


def test_nothing_is_caught_where_nothing_is_broken(monkeypatch):
    check()
    check([("precision", "macro"), ("mcc", "micro")])
    check_kept_iterate()
    count_with(monkeypatch, counter())
    check()


COUNTERS = {
    "> for >=": counter(place=lambda cuts, score: int(np.count_nonzero(cuts >= score))),
    "< for <=, one group too high": counter(
        place=lambda cuts, score: max(int(np.count_nonzero(cuts > score)) - 1, 0)
    ),
    "unknown labels read as 0": counter(code=lambda truth, score, cuts: max(truth, 0)),
    "unknown labels read as 1": counter(code=lambda truth, score, cuts: 1 if truth < 0 else truth),
    "negatives tied with a positive left out": counter(
        code=lambda truth, score, cuts: -1 if truth == 0 and score in cuts else truth
    ),
    "the last candidate lost": counter(ends=lose_last),
    "nothing beneath but positives": counter(below=lambda truth: truth == 1),
}


@pytest.mark.parametrize("fault", COUNTERS)
def test_a_broken_counter(monkeypatch, fault):
    count_with(monkeypatch, COUNTERS[fault])
    with pytest.raises(AssertionError):
        check()


def test_cumulated_one_short(monkeypatch):
    def cumulate(offsets, counts):
        for k in range(len(offsets) - 1):
            counts[offsets[k] : offsets[k + 1] - 1] = np.cumsum(counts[offsets[k] : offsets[k + 1] - 1])

    monkeypatch.setattr(_kernels.points, "cumulate", cumulate)
    with pytest.raises(AssertionError):
        check()


def test_a_split_tie_group(monkeypatch):
    """Every positive is a cut of its own: ties are cut apart in the order of the items."""

    def distinct_falling(size, scores):
        times = np.insert(np.ones(len(scores), np.int64), np.cumsum(size) - size, 0)
        label = np.repeat(np.arange(2 * len(size)) // 2, np.stack([np.ones_like(size), size], axis=1).ravel())
        cuts = np.insert(scores, np.cumsum(size) - size, np.inf)
        return np.append(0, np.cumsum(size + 1)), cuts[np.lexsort((-cuts, label))], times

    monkeypatch.setattr(_kernels, "distinct_falling", distinct_falling)
    with pytest.raises(AssertionError):
        check()


def test_the_lowest_positive_is_no_candidate(monkeypatch):
    whole = _kernels.distinct_falling

    def without_last(size, scores):
        offsets, cuts, times = whole(size, scores)
        size = np.diff(offsets)
        last = offsets[1:][size > 1] - 1
        offsets = np.append(0, np.cumsum(np.where(size > 1, size - 1, size)))
        return offsets, np.delete(cuts, last), np.delete(times, last)

    monkeypatch.setattr(_kernels, "distinct_falling", without_last)
    with pytest.raises(AssertionError):
        check()


def test_beta_on_the_wrong_side(monkeypatch):
    """(1 + b^2) tp / (b^2 pp + p)."""

    def terms(self, p, n, zero_division=0.0):
        square = self.beta**2
        return metrics.Linear(1 + square, 0, 0), metrics.Linear(0, square, p)

    monkeypatch.setattr(metrics.FBeta, "terms", terms)
    check([("f1", "micro")])  # no fault at beta 1, which is why others are tested
    for objective in (("f2", "micro"), ("f0.5", "macro")):
        with pytest.raises(AssertionError):
            check([objective])


def test_midpoints_below_what_lies_beneath(monkeypatch):
    """Halfway to the middle of nowhere: negatives between two positives are let in."""

    def lower(kept, below, dtype):
        return np.where(np.isfinite(kept), np.asarray(kept) - 10, kept).astype(dtype)

    monkeypatch.setattr(curves, "halfway", lower)
    with pytest.raises(AssertionError):
        check()


def test_midpoints_in_another_dtype(monkeypatch):
    """float64 scores that float32 takes for equal: a midpoint rounded to float32 lets the lower one in."""
    close = data([[0], [1], [1], [0]], np.array([[1.0], [1.0 + 1e-12], [1.0 + 2e-12], [1.0]]))

    def single(kept, below, dtype):
        return whole(kept, below, dtype).astype(np.float32).astype(dtype)

    def compare():
        t = tuned(close)
        assert exactly(t.counts) == recounted(close, t.values)

    whole = curves.halfway
    compare()
    monkeypatch.setattr(curves, "halfway", single)
    with pytest.raises(AssertionError):
        compare()


def test_decisions_by_greater(monkeypatch):
    monkeypatch.setattr(decisions, "at_or_above", np.greater)
    for seed in SEEDS:
        problem = random_data(seed, weighted=False, unknown=False)
        t = tuned(problem, placement="score")
        if np.isfinite(t.values).any():
            break
    with pytest.raises(AssertionError):
        assert exactly(t.counts) == recounted(
            problem._replace(y_score=t.decide(problem.y_score) * 1.0), np.ones(len(t.labels))
        )


def argmax_of_each(counted, values):
    spans = zip(counted.offsets[:-1], counted.offsets[1:], strict=True)
    return np.array([first + np.argmax(values[first:last]) for first, last in spans])


def test_the_largest_of_values_with_nan_in_them(monkeypatch):
    """0/0 left as NaN: numpy's argmax then takes "never" for the best precision."""
    monkeypatch.setattr(exact, "first_best", argmax_of_each)
    check([("precision", "macro")])
    monkeypatch.setattr(metrics.base, "ratio", lambda a, b, zero: nan_ratio(a, b))
    with pytest.raises(AssertionError):
        check([("precision", "macro")])


def nan_ratio(numerator, denominator):
    with np.errstate(all="ignore"):
        return np.asarray(numerator, float) / np.asarray(denominator, float)


def test_a_walk_with_nan_in_it(monkeypatch):
    monkeypatch.setattr(metrics.formulas, "fill", lambda value, zero_division: value)
    with pytest.raises(AssertionError):
        check([("mcc", "micro")])


def test_an_epsilon_in_a_ratio(monkeypatch):
    """It makes 0/0 a 0, whatever zero_division says; and moves every value a little."""
    monkeypatch.setattr(
        metrics.base, "ratio", lambda a, b, zero: np.asarray(a, float) / (np.asarray(b, float) + 1e-7)
    )
    with pytest.raises(AssertionError):
        check()


def test_one_step_of_dinkelbach_is_not_enough(monkeypatch):
    """The thresholds of the first step are not the best, and "optimal" would be a lie."""

    def first_step(self, problem):
        index = exact.maximise_gain(problem.curves, 1, 0)
        return limen.solvers.Solution(index=index, status="optimal")

    monkeypatch.setattr(limen.solvers.Dinkelbach, "solve", first_step)
    with pytest.raises(AssertionError):
        check()


def test_the_last_thresholds_with_the_best_value(monkeypatch):
    whole = SurrogateGradient.solve
    monkeypatch.setattr(
        SurrogateGradient, "solve", lambda self, problem: whole(replace(self, keep="last"), problem)
    )
    with pytest.raises(AssertionError):
        check_kept_iterate()


def test_the_value_of_the_iterate_before(monkeypatch):
    whole = SurrogateGradient.solve

    def late(self, problem):
        solution = whole(self, problem)
        return replace(solution, values=whole(replace(self, epochs=self.epochs - 1, keep="last"), problem).values)

    monkeypatch.setattr(SurrogateGradient, "solve", late)
    with pytest.raises(AssertionError):
        check_kept_iterate()


def check_items():
    """Values of averages over items, and that no vector of thresholds is better."""
    for metric in ("f1", "subset_accuracy", "segment_error_rate"):
        for seed in range(25):
            problem = random_data(seed, dtype="f8")
            t = tuned(problem, metric=metric, average="samples", method="ascent")
            known = items.value(metric, problem.y_true, t.decide(problem.y_score), problem.sample_weight)
            assert t.value == pytest.approx(float(known), abs=1e-12)
            assert t.value == pytest.approx(float(items.best(metric, *problem)), abs=1e-12)


def test_items_of_the_wrong_candidate(monkeypatch):
    """Each label gives one candidate's items too many, or counts all of them as wrong."""
    check_items()
    whole = ItemTable.of.__func__

    def shifted(cls, *arguments):
        table = whole(cls, *arguments)
        starts = table.flips.starts.copy()
        starts[1:-1] = starts[2:]
        return replace(table, flips=table.flips._replace(starts=starts))

    def all_wrong(cls, *arguments):
        table = whole(cls, *arguments)
        starts = table.flips.starts.copy()
        starts[1::2] = starts[:-1:2]
        return replace(table, flips=table.flips._replace(starts=starts))

    for fault in (shifted, all_wrong):
        with monkeypatch.context() as patched:
            patched.setattr(ItemTable, "of", classmethod(fault))
            with pytest.raises(AssertionError):
                check_items()


def test_an_ascent_that_stays_where_it_starts(monkeypatch):
    monkeypatch.setattr(ItemTable, "ascend", lambda self, starts, order: [start.copy() for start in starts])
    with pytest.raises(AssertionError):
        check_items()


def test_a_wrong_average_over_items(monkeypatch):
    """Counts summed over items before the metric: the micro average."""
    of_items = metrics.FBeta.of_items
    monkeypatch.setattr(
        metrics.FBeta, "of_items", lambda self, tp, pp, p, n, zero_division=0.0: (2.0 * tp, 1.0 * (pp + p))
    )
    with pytest.raises(AssertionError):
        check_items()
    monkeypatch.setattr(metrics.FBeta, "of_items", of_items)
    check_items()
