"""Every objective with every method: what a status promises is kept."""

from dataclasses import replace
from fractions import Fraction
from re import escape

import numpy as np
import pytest

import limen
import limen.datasets
from limen import solvers
from limen.curves import Curves
from limen.errors import InputError, UnsupportedError
from oracle import naive
from strategies import AVERAGES, METRICS, best_value, data, exactly, random_data, recounted, tuned

SEEDS = range(10)
ROUNDING = 1e-14

# The iterative ones with few steps, for what they promise does not depend on how long they search.
VARIANTS = {
    "auto": [solvers.Auto(folds=2, samples=3)],
    "bagged": [solvers.Bagged(samples=3)],
    "sgl": [
        solvers.SurrogateGradient(epochs=5),
        solvers.SurrogateGradient(epochs=3, space="rank", keep="best", surrogate="triangle"),
    ],
    "numerical": [solvers.Numerical(epochs=5)],
    "random-search": [solvers.RandomSearch(rounds=2, proposals=10)],
    "fixed": ["fixed:0.5", "fixed"],
    "top-k": ["top-k", "top-k:1"],
}
SOLVERS = {name: VARIANTS.get(name, [name]) for name in solvers.METHODS if name != "ascent"}
BY_ITEM = ("top-k", "mcut", "expected-f")
KIND = {
    **dict.fromkeys(("f1", "f0.5", "f2", "precision", "recall", "jaccard", "accuracy", "kappa"), "linear-ratio"),
    **dict.fromkeys(("balanced_accuracy", "youden_j", "cost"), "linear-ratio"),
    **dict.fromkeys(("mcc", "fowlkes_mallows"), "quasi-convex"),
    "g_mean": "counts",
}
EXACT = {"linear-ratio": solvers.Dinkelbach, "quasi-convex": solvers.FrontierWalk, "counts": solvers.FrontierWalk}


def problems_for(method):
    """At least two labels, which mcut needs; no label all unknown, which the rank scale cannot place."""
    for seed in SEEDS:
        problem = random_data(seed, n_labels=2 + seed % 2, most_items=7, unknown=seed % 4 == 3 and method != "sgl")
        if seed % 2:
            problem = problem._replace(sample_weight=np.arange(1, len(problem.y_true) + 1) / 2)
        yield problem


def counted_decisions(problem, decisions):
    """The oracle's counts of decisions by any rule: those of a score of 1 where a label is given, else 0."""
    return recounted(problem._replace(y_score=decisions.astype(float)), np.ones(decisions.shape[1]))


def test_the_tables_are_complete():
    assert set(VARIANTS) <= set(solvers.METHODS)
    assert set(KIND) == set(METRICS)
    counted = {name for name in limen.metrics.METRICS if not limen.metrics.get(name).of_whole_items}
    assert set(METRICS) | {"fbeta"} == counted


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("method", SOLVERS)
def test_status_keeps_its_promise(method, metric, average):
    for problem in problems_for(method):
        best = best_value(metric, average, problem)
        for how in SOLVERS[method]:
            t = tuned(problem, metric=metric, average=average, method=how)
            counts = exactly(t.counts)
            assert counts == counted_decisions(problem, t.decide(problem.y_score))
            reached = naive.value(metric, average, counts)
            assert t.value == pytest.approx(naive.as_float(metric, reached), abs=ROUNDING)
            if t.status == "optimal":
                assert reached == best
                assert t.upper_bound == t.value
            elif t.status == "bounded":
                top = naive.as_float(metric, best)
                assert t.value - ROUNDING <= top <= t.upper_bound + ROUNDING
            else:
                assert t.status == "local"
                assert t.upper_bound is None
                assert reached <= best or method in BY_ITEM  # a rule by item is no vector of thresholds


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("metric", METRICS)
def test_the_choice_can_be_asked_for(metric, average):
    expected = solvers.Enumeration if average != "micro" else EXACT[KIND[metric]]
    chosen = solvers.choose(metric, average, "exact")
    assert type(chosen) is expected
    assert isinstance(chosen, solvers.Solver)
    structure = limen.objectives.objective(metric, average).structure
    assert structure == ("separable" if average != "micro" else KIND[metric])
    assert structure in chosen.serves


@pytest.mark.parametrize(
    ("method", "made"),
    [
        ("sgl", solvers.SurrogateGradient()),
        ("numerical", solvers.Numerical()),
        ("random-search", solvers.RandomSearch()),
        ("shared", solvers.Shared()),
        ("fixed", solvers.Fixed(0.5)),
        ("fixed:0.25", solvers.Fixed(0.25)),
        ("fixed:-1e3", solvers.Fixed(-1000.0)),
        ("top-k", solvers.TopK(None)),
        ("top-k:3", solvers.TopK(3)),
        ("pcut", solvers.PCut()),
        ("mcut", solvers.MCut()),
    ],
)
def test_a_name_makes_its_solver(method, made):
    assert solvers.choose(method=method) == made
    assert type(solvers.choose(method=method)) is type(made)
    assert solvers.choose(method=made) is made


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("best", "method='best' is unknown. The methods are: auto, "),
        ("exact:2", "method='exact:2' is unknown"),
        ("pcut:", "method='pcut:' is unknown"),
        ("", "method='' is unknown"),
        ("fixed:", "'' is not a number. Write it like fixed:3"),
        ("fixed:half", "'half' is not a number"),
        ("top-k:1.5", "'1.5' is not a number. Write it like top-k:3"),
        ("fixed:nan", "fixed:nan is not a threshold. Give a finite number"),
        ("fixed:inf", "fixed:inf is not a threshold"),
        (3, "method is a int. Use a name (auto, "),
        (None, "method is a NoneType"),
        (solvers.Fixed, "method is a type"),
    ],
)
def test_no_such_method(method, words):
    with pytest.raises(InputError, match=escape(words)):
        solvers.choose(method=method)


@pytest.mark.parametrize(
    ("solver", "metric", "average", "words"),
    [
        (
            solvers.Enumeration(),
            "f1",
            "micro",
            "enumeration needs an objective that is separable; micro F1 is linear",
        ),
        (solvers.Dinkelbach(), "f1", "macro", "dinkelbach needs an objective that is linear-ratio; macro F1"),
        (solvers.Dinkelbach(), "mcc", "micro", "micro MCC is quasi-convex. Use method='exact'"),
        (solvers.FrontierWalk(), "f1", "micro", "frontier needs an objective that is quasi-convex or counts"),
    ],
)
def test_a_solver_that_does_not_serve_the_objective(solver, metric, average, words):
    with pytest.raises(UnsupportedError, match=escape(words)):
        tuned(random_data(0), metric=metric, average=average, method=solver)


@pytest.mark.parametrize("method", SOLVERS)
def test_counts_alone_are_enough_for_those_that_need_no_scores(method):
    problem = random_data(1, n_labels=2, unknown=False)
    curves = Curves.from_arrays(*problem[:2], sample_weight=problem.sample_weight)
    alone = curves.__class__(**{**curves.__dict__, "sources": ()})
    how = SOLVERS[method][0] if method != "auto" else "auto"
    solver = solvers.choose(method=how)
    assert solver.needs == "curves" or method not in ("exact", "pcut")
    if isinstance(solver, solvers.LogOddsSolver):
        if problem.sample_weight is not None:
            with pytest.raises(UnsupportedError, match="these curves count weights and have no data"):
                tuned(alone, method=how)
            alone = replace(Curves.from_arrays(*problem[:2]), sources=())
        found = tuned(alone, method=how)
        assert found.status == "local"
        assert found.value <= tuned(alone, method="exact").value
    elif solver.needs == "curves":
        here, there = (tuned(data, method=how).to_dict()["labels"] for data in (alone, problem))
        assert all(label.pop("gain") is None for label in here)  # They do not tell those at 0.5.
        assert here == [{key: value for key, value in label.items() if key != "gain"} for label in there]
    else:
        with pytest.raises(UnsupportedError, match="needs the scores; these curves hold only counts"):
            tuned(alone, method=how)


@pytest.mark.parametrize("method", SOLVERS)
def test_curves_with_their_data_serve_as_the_data_do(method):
    problem = random_data(2, n_labels=3, n_items=6, unknown=False)
    curves = Curves.from_arrays(*problem[:2], sample_weight=problem.sample_weight)
    how = SOLVERS[method][0]
    first, second = tuned(problem, method=how), tuned(curves, method=how)
    np.testing.assert_array_equal(first.values, second.values)
    assert first.digest == second.digest
    assert Fraction(first.value) == Fraction(second.value)


def test_foreign_candidates_prove_nothing():
    """Cuts that are not those of the data may miss the best one, so nothing found on them is proven."""
    problem = random_data(0, n_items=8, n_labels=1, unknown=False, weighted=False, dtype="f8")
    y_true = np.ones((8, 1))
    foreign = limen.curves.Candidates.shared(("0",), np.dtype(float), np.array([1e6]))
    t = tuned(Curves.from_arrays(y_true, problem.y_score, candidates=foreign))
    best = best_value("f1", "micro", problem._replace(y_true=y_true))
    assert t.status != "optimal" or naive.value("f1", "micro", exactly(t.counts)) == best


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("metric", ["f1", "mcc", "g_mean"])
def test_no_vector_of_thresholds_beats_the_exact_one_on_real_scores(metric, average):
    y_true, y_score, labels = limen.datasets.spoken_tags()
    problem = data(y_true[:400], y_score[:400])
    exact = tuned(problem, metric=metric, average=average, labels=labels)
    for method, variants in SOLVERS.items():
        t = tuned(problem, metric=metric, average=average, labels=labels, method=variants[0])
        if method not in BY_ITEM:
            assert t.value <= exact.upper_bound + ROUNDING
        measured = limen.evaluate(*problem[:2], t)
        assert measured.value == pytest.approx(t.value, abs=ROUNDING)
        assert measured.on_tuning_data


@pytest.mark.parametrize("method", [method for method in SOLVERS if method != "mcut"])
def test_weights_of_very_different_size(method):
    """1e20 + 1 is 1e20 in float64: a value may be poor, but it is one, and nobody is warned of a division by 0."""
    for y_true in ([[0], [1]], [[1], [0]]):
        t = tuned(data(y_true, [[0.9], [0.5]], [1e20, 1.0]), metric="mcc", method=SOLVERS[method][0])
        assert -1 <= t.value <= 1
