"""SGL-Thresh: gradients against the oracle and differences, shapes, iterates."""

from dataclasses import replace

import numpy as np
import pytest

from limen.errors import InputError
from limen.objectives import objective
from limen.scales import Probability
from limen.solvers.base import Problem
from limen.solvers.bins import Bins
from limen.solvers.surrogate import SURROGATES, SurrogateGradient
from limen.sources.door import as_source
from oracle import naive
from strategies import exactly, random_data, recounted, smooth_data, tuned

PEAK = {  # thresholding-notes 1.5, at slope 1
    "sigmoid": 1 / 4,
    "fast-sigmoid": 1 / 2,
    "arctan": 1 / np.pi,
    "triangle": 1.0,
    "truncated-cosine": np.pi / 4,
}
HALF_WIDTH = {"sigmoid": 1.76, "fast-sigmoid": 0.41, "arctan": 1.0, "triangle": 0.5, "truncated-cosine": 2 / 3}
every_shape = pytest.mark.parametrize("shape", SURROGATES)


def problem_of(problem, metric="f1", average="micro"):
    source = as_source(problem.y_true, problem.y_score, sample_weight=problem.sample_weight)
    return Problem(objective(metric, average), (source,))


def table_of(problem):
    return Bins.of(problem_of(problem), Probability(False), bins=len(problem.y_true))


def gradient(problem, thresholds, slope, of=None, **options):
    solver, n_labels = SurrogateGradient(**options), len(thresholds)
    return solver.gradient(table_of(problem), of or objective(), np.array(thresholds), np.full(n_labels, slope))


@pytest.mark.parametrize("slope", [1.0, 20.0, 50.0, 300.0])
@pytest.mark.parametrize("seed", range(12))
def test_the_gradient_is_the_oracles(seed, slope):
    problem = random_data(seed, n_labels=2, dtype="f8")
    for thresholds in ([0.3, 0.5], [0.0, 0.25]):
        found, by_slope = gradient(problem, thresholds, slope)
        expected = naive.surrogate_gradient(
            problem.y_true, problem.y_score, thresholds, slope, sample_weight=problem.sample_weight
        )
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-300)
        assert by_slope.tolist() == [0, 0]


def test_another_metric_has_other_partials():
    problem = smooth_data(0)
    of = objective("jaccard")

    def partials(tp, pp, p, n):
        below = float(pp + p - tp)
        return 1 / below + float(tp) / below**2, -float(tp) / below**2

    found, _ = gradient(problem, [0.3, 0.4, 0.5], 20.0, of)
    expected = naive.surrogate_gradient(problem.y_true, problem.y_score, [0.3, 0.4, 0.5], 20.0, partials)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("space", ["probability", "logit"])
def test_binned_is_close_to_dense(space):
    problem = smooth_data(3, n_items=3000)
    dense = tuned(problem, method=SurrogateGradient(bins=None, epochs=60, space=space))
    binned = tuned(problem, method=SurrogateGradient(bins=1024, epochs=60, space=space))
    np.testing.assert_allclose(binned.values, dense.values, atol=2e-3)
    np.testing.assert_allclose(binned.history, dense.history, atol=5e-3)
    assert not np.array_equal(binned.values, dense.values)


@every_shape
def test_shapes_have_unit_mass_and_their_peak_at_0(shape):
    f = SURROGATES[shape]
    u = np.tan(np.linspace(-np.pi / 2, np.pi / 2, 400_001)[1:-1])
    middle = (f(u[1:]) + f(u[:-1])) / 2
    assert np.sum(middle * np.diff(u)) == pytest.approx(1, abs=1e-4)
    assert float(f(np.zeros(1))[0]) == pytest.approx(PEAK[shape])
    assert f(u).max() == pytest.approx(PEAK[shape])
    np.testing.assert_allclose(f(u), f(-u), atol=1e-15)
    assert (f(u) >= 0).all()
    half = f(np.array([HALF_WIDTH[shape]]))[0]
    assert half == pytest.approx(PEAK[shape] / 2, rel=0.02)


def test_no_shape_overflows():
    for f in SURROGATES.values():
        assert np.isfinite(f(np.array([-1e300, -1e9, 1e9, 1e300])[1:3])).all()


STEPS = {  # the smooth steps whose derivatives the shapes are
    "sigmoid": lambda u: 1 / (1 + np.exp(-u)),
    "fast-sigmoid": lambda u: 0.5 * (1 + u / (1 + np.abs(u))),
    "arctan": lambda u: 0.5 + np.arctan(u) / np.pi,
    "triangle": lambda u: np.where(np.abs(u) < 1, 0.5 + u - u * np.abs(u) / 2, u > 0),
    "truncated-cosine": lambda u: np.where(np.abs(u) < 1, 0.5 * (1 + np.sin(np.pi / 2 * u)), u > 0),
}


@every_shape
@pytest.mark.parametrize("metric", ["f1", "mcc"])
def test_gradients_are_limits_of_differences_of_the_smooth_sum(shape, metric):
    """Metric partials at the hard counts, times the change of the smoothed counts."""
    problem, thresholds, slope, step = smooth_data(1), np.array([0.3, 0.45, 0.6]), 8.0, 1e-6
    of = objective(metric)
    hard = np.array(recounted(problem, thresholds), float).T
    by_tp, by_pp = of.gradient(*hard)

    def smooth(t, b):
        kept = STEPS[shape](b * (problem.y_score - t))
        return by_tp * (kept * problem.y_true).sum(axis=0) + by_pp * kept.sum(axis=0)

    by_t, by_slope = gradient(problem, thresholds, slope, of, surrogate=shape, learn_slope=True)
    rise = smooth(thresholds + step, slope) - smooth(thresholds - step, slope)
    np.testing.assert_allclose(by_t, rise / (2 * step), rtol=1e-4, atol=1e-8)
    rise = smooth(thresholds, slope + step) - smooth(thresholds, slope - step)
    np.testing.assert_allclose(by_slope, rise / (2 * step), rtol=1e-4, atol=1e-8)


class TestIterates:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("options", [{}, {"batch_size": 16}, {"learn_slope": True}, {"surrogate": "triangle"}])
    def test_the_last_is_returned_with_its_value(self, seed, options):
        problem = smooth_data(seed)
        t = tuned(problem, method=SurrogateGradient(bins=None, epochs=12, **options))
        assert len(t.history) == 13
        assert t.history[-1] == t.value
        assert exactly(t.counts) == recounted(problem, t.values)
        starts = [naive.value("f1", "micro", recounted(problem, [cut] * 3)) for cut in (0.3, 0.5)]
        assert t.history[0] == pytest.approx(float(max(starts)), abs=1e-15)

    @pytest.mark.parametrize("seed", range(5))
    def test_the_best_is_returned_on_request(self, seed):
        problem = smooth_data(seed)
        solver = SurrogateGradient(bins=None, epochs=30, learning_rate=0.1, keep="best")
        t = tuned(problem, method=solver)
        last = tuned(problem, method=replace(solver, keep="last"))
        assert t.value == max(t.history)
        assert t.history == last.history
        assert last.value == last.history[-1]
        assert exactly(t.counts) == recounted(problem, t.values)

    def test_best_and_last_differ_somewhere(self):
        solvers = [
            SurrogateGradient(bins=None, epochs=30, learning_rate=0.1, keep=keep) for keep in ("best", "last")
        ]
        values = [[tuned(smooth_data(seed), method=solver).value for seed in range(5)] for solver in solvers]
        assert all(best >= last for best, last in zip(*values, strict=True))
        assert values[0] != values[1]

    def test_the_first_step_goes_up_the_gradient_by_the_learning_rate(self):
        problem = smooth_data(0)
        t = tuned(problem, method=SurrogateGradient(bins=None, epochs=1, slope=20.0, learning_rate=0.02))
        by_t, _ = gradient(problem, [0.3] * 3, 20.0)
        assert t.values - 0.3 == pytest.approx(0.02 * np.sign(by_t), rel=1e-4)

    def test_defaults_are_the_papers(self):
        solver = SurrogateGradient()
        assert (solver.surrogate, solver.space, solver.epochs, solver.batch_size, solver.keep) == (
            "sigmoid", "probability", 100, None, "last"
        )  # fmt: skip
        explicit = SurrogateGradient(slope=50.0, learning_rate=0.01)
        problem = smooth_data(0)
        assert tuned(problem, method=explicit).history == tuned(problem, method="sgl").history
        logit = SurrogateGradient(space="logit", slope=2.0, learning_rate=0.1)
        assert (
            tuned(problem, method=logit).history == tuned(problem, method=replace(solver, space="logit")).history
        )

    def test_progress_is_told(self):
        seen = []
        t = tuned(smooth_data(0), method=SurrogateGradient(epochs=4), progress=lambda *step: seen.append(step))
        assert seen == [(k, 4, t.history[k]) for k in range(1, 5)]


class TestSpaces:
    def test_logits_are_told_from_probabilities(self):
        """Scores that are the log odds of others are learned alike, in either space."""
        problem = smooth_data(0)
        logits = problem._replace(y_score=np.log(problem.y_score / (1 - problem.y_score)))
        for space in ("probability", "logit"):
            solver = SurrogateGradient(space=space, epochs=20, bins=None)
            first = tuned(problem, method=solver)
            second = tuned(logits, method=replace(solver, start=float(np.log(0.3 / 0.7))))
            np.testing.assert_allclose(second.history, first.history, atol=1e-12)
            np.testing.assert_array_equal(second.decide(logits.y_score), first.decide(problem.y_score))

    def test_ranks_stay_when_the_scores_are_stretched(self):
        """Starting from the scores of the same item, whatever the scale."""
        problem = smooth_data(0)
        stretched = problem._replace(y_score=np.exp(7 * problem.y_score))
        solver = SurrogateGradient(space="rank", epochs=15, bins=None)
        first = tuned(problem, method=replace(solver, start=problem.y_score[5]))
        second = tuned(stretched, method=replace(solver, start=stretched.y_score[5]))
        assert first.history == second.history
        assert len(set(first.history)) > 3
        np.testing.assert_array_equal(first.decide(problem.y_score), second.decide(stretched.y_score))

    @pytest.mark.parametrize("space", ["probability", "logit", "rank"])
    def test_values_belong_to_the_thresholds_in_every_space(self, space):
        for seed in range(5):
            problem = smooth_data(seed)
            t = tuned(problem, method=SurrogateGradient(space=space, epochs=10, bins=None))
            assert t.history[-1] == t.value
            assert exactly(t.counts) == recounted(problem, t.values)

    def test_a_shared_start(self):
        problem = smooth_data(0)
        t = tuned(problem, method=SurrogateGradient(start="shared", epochs=3, bins=None))
        assert t.history[0] == tuned(problem, method="shared").value


class TestBatches:
    def test_a_batch_of_everything_is_the_full_batch(self):
        problem = smooth_data(0)
        full = tuned(problem, method=SurrogateGradient(epochs=5, bins=None))
        for size in (60, 1000):
            assert (
                tuned(problem, method=SurrogateGradient(epochs=5, bins=None, batch_size=size)).history
                == full.history
            )

    def test_small_batches_take_more_steps(self):
        """Six batches an epoch: up to six steps of the learning rate."""
        problem = smooth_data(0)
        t = tuned(problem, method=SurrogateGradient(epochs=1, batch_size=10, learning_rate=0.01))
        moved = np.abs(t.values - 0.3)
        assert (moved <= 0.06 + 1e-9).all()
        assert moved.max() > 0.0101

    def test_weights_and_unknown_labels_go_along(self):
        problem = smooth_data(0)
        y_true = np.where(np.random.default_rng(0).random(problem.y_true.shape) < 0.2, np.nan, problem.y_true)
        problem = problem._replace(y_true=y_true, sample_weight=np.random.default_rng(1).integers(0, 5, 60) / 2)
        t = tuned(problem, method=SurrogateGradient(epochs=3, batch_size=16, bins=None))
        assert t.history[-1] == pytest.approx(t.value, abs=1e-14)
        assert exactly(t.counts) == recounted(problem, t.values)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"surrogate": "relu"}, "surrogate='relu' is unknown. Use sigmoid, fast-sigmoid, arctan, triangle,"),
        ({"keep": "first"}, "keep='first' is unknown. Use 'last' or 'best'."),
        ({"slope": 0}, "slope=0 is not usable. It must be above 0."),
        ({"learning_rate": -1}, "learning_rate=-1 is not usable"),
        ({"epochs": 0}, "epochs=0 is not usable"),
        ({"batch_size": 0}, "batch_size=0 is not usable"),
        ({"bins": 0}, "bins=0 is not usable"),
        ({"slope": float("nan")}, "slope=nan is not usable"),
    ],
)
def test_refused(options, words):
    with pytest.raises(InputError) as caught:
        SurrogateGradient(**options)
    assert words in str(caught.value)
