"""What must not change a decision, and inputs that nobody may write to."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import limen
from limen import solvers
from limen.curves import Curves
from limen.learning_curve import learning_curve
from strategies import AVERAGES, PATIENT, data, problems, random_data, smooth_data, tuned

OBJECTIVES = [("f1", "micro"), ("kappa", "micro"), ("mcc", "micro"), ("f2", "macro"), ("g_mean", "weighted")]
objectives = st.sampled_from(OBJECTIVES)


def decisions(problem, metric, average):
    return tuned(problem, metric=metric, average=average, method="exact").decide(problem.y_score)


@PATIENT
@given(problems(), objectives, st.randoms(use_true_random=False))
def test_items_in_another_order_get_the_same_tags(problem, objective, random):
    order = random.sample(range(len(problem.y_true)), len(problem.y_true))
    np.testing.assert_array_equal(
        decisions(problem.taken(order), *objective), decisions(problem, *objective)[order]
    )


@PATIENT
@given(problems(), objectives, st.randoms(use_true_random=False))
def test_labels_in_another_order_get_the_same_items(problem, objective, random):
    n_labels = problem.y_true.shape[1]
    order = random.sample(range(n_labels), n_labels)
    turned = data(problem.y_true[:, order], problem.y_score[:, order], problem.sample_weight)
    np.testing.assert_array_equal(decisions(turned, *objective), decisions(problem, *objective)[:, order])


@PATIENT
@given(problems(), objectives, st.data())
def test_only_the_order_of_the_scores_matters(problem, objective, draw):
    """Each label's distinct scores are replaced by others in the same order; unknown labels count nowhere."""
    y_score = np.empty(problem.y_score.shape, draw.draw(st.sampled_from([np.float16, np.float32, np.float64])))
    for k, scores in enumerate(problem.y_score.T):
        distinct, place = np.unique(scores, return_inverse=True)
        steps = st.lists(st.integers(-60, 60), min_size=len(distinct), max_size=len(distinct), unique=True)
        y_score[:, k] = (np.array(sorted(draw.draw(steps))) / 8)[place]
    mapped, known = problem._replace(y_score=y_score), ~np.isnan(np.asarray(problem.y_true, float))
    np.testing.assert_array_equal(decisions(mapped, *objective)[known], decisions(problem, *objective)[known])


@settings(PATIENT, max_examples=30)
@given(problems(unknown=False), objectives)
def test_an_item_of_unknown_labels_changes_nothing(problem, objective):
    n_items, n_labels = problem.y_true.shape
    weight = None if problem.sample_weight is None else np.append(problem.sample_weight, 2.0)
    y_score = np.vstack([problem.y_score, np.full((1, n_labels), problem.y_score[0, 0])])
    more = data(np.vstack([problem.y_true, np.full((1, n_labels), np.nan)]), y_score, weight)
    t = tuned(more, metric=objective[0], average=objective[1])
    np.testing.assert_array_equal(t.decide(y_score)[:n_items], decisions(problem, *objective))
    np.testing.assert_array_equal(t.values, tuned(problem, metric=objective[0], average=objective[1]).values)


@pytest.mark.parametrize("seed", range(6))
def test_tuning_again_gives_the_same_thresholds(seed):
    problem = random_data(seed)
    first, second = (tuned(problem, average=AVERAGES[seed % 3]) for _ in range(2))
    assert first.digest == second.digest
    assert first.values.tobytes() == second.values.tobytes()
    assert (first.value, first.upper_bound) == (second.value, second.upper_bound)


def by(method, **options):
    return lambda y, s, w, m: limen.tune(y, s, sample_weight=w, mask=m, method=method, **options)


CALLS = {
    "tune": by("auto"),
    "tune sgl": by(solvers.SurrogateGradient(epochs=2, batch_size=7, start="shared")),
    "tune rank": by(solvers.SurrogateGradient(epochs=2, space="rank", bins=8)),
    "tune numerical": by(solvers.Numerical(epochs=2)),
    "tune random": by(solvers.RandomSearch(rounds=2, proposals=5)),
    "tune shared": by("shared", average="macro"),
    "tune top-k": by("top-k"),
    "tune mcut": by("mcut"),
    "frontier": lambda y, s, w, m: limen.frontier(y, s, sample_weight=w, mask=m).thresholds(1),
    "evaluate": lambda y, s, w, m: limen.evaluate(y, s, np.full(3, 0.5), sample_weight=w, mask=m),
    "compare": lambda y, s, w, m: limen.compare(y, s, methods=["exact", "pcut"], cv=2, sample_weight=w, mask=m),
    "learning curve": lambda y, s, w, _: learning_curve(y, s, method="exact", groups=s[:, 0] > 0.5, cv=2),
    "curves": lambda y, s, w, m: (lambda c: c + c)(Curves.from_arrays(y, s, sample_weight=w, mask=m)),
    "decide": lambda y, s, w, m: limen.tune(y, s).decide(s),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_call_writes_to_its_inputs(call):
    """The arrays are read-only, so a write would raise; and nothing behind them changes."""
    problem = smooth_data(0, n_items=20)
    mask = np.ones(problem.y_true.shape, bool)
    mask[3] = False
    weight = np.ones(20)
    for array in (mask, weight):
        array.setflags(write=False)
    given_in = (problem.y_true, problem.y_score, weight, mask)
    before = copy.deepcopy(given_in)
    CALLS[call](*given_in)
    for array, copied in zip(given_in, before, strict=True):
        assert array.tobytes() == copied.tobytes()


def test_writable_arrays_are_not_written_to():
    """The same where limen could write: read-only arrays take other paths in numpy and numba."""
    y_true, y_score = np.array(smooth_data(1).y_true), np.array(smooth_data(1).y_score)
    before = y_true.copy(), y_score.copy()
    t = limen.tune(y_true, y_score, method=solvers.SurrogateGradient(epochs=2))
    limen.evaluate(y_true, y_score, t)
    t.decide(y_score)
    np.testing.assert_array_equal(y_true, before[0])
    np.testing.assert_array_equal(y_score, before[1])
