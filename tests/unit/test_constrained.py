"""Constraints in `limen.tune`: what is proven, what is told, closure, new data, what is refused."""

import math
import re
from re import escape

import numpy as np
import pytest

import limen
from limen import constraints as limits
from limen.errors import InfeasibleError, InputError, UnsupportedError
from oracle import constrained, naive
from strategies import data, exactly, random_data, recounted, smooth_data, tuned

OWL = data(
    [[0, 1], [1, 0], [0, 1], [1, 1], [0, 0], [1, 1]],
    [[0.9, 0.9], [0.8, 0.2], [0.7, 0.8], [0.6, 0.7], [0.5, 0.6], [0.4, 0.5]],
)


def linked(n_labels):
    """Scores that overlap: no cut of a label finds nearly all and is always right."""
    rng = np.random.default_rng(5)
    y_true = (rng.random((80, n_labels)) < 0.4).astype(int)
    return data(y_true, np.round(np.clip(rng.normal(0.35, 0.2, y_true.shape) + 0.3 * y_true, 0, 1), 2))


class TestInfeasible:
    def test_the_message_names_what_can_be_reached(self):
        words = (
            "1 label cannot keep precision at least 90.0 % for each label: 'Owl' reaches precision 50.0 % at "
            'most, with 2 tags. Loosen it, leave these labels out of it, or use infeasible="never", which gives '
            "such labels no tags."
        )
        with pytest.raises(InfeasibleError, match=escape(words)):
            tuned(OWL, labels=["Owl", "Dog"], constraints=[limits.MinPrecision(0.9)])

    def test_never(self):
        t = tuned(OWL, labels=["Owl", "Dog"], constraints=[limits.MinPrecision(0.9)], infeasible="never")
        assert t.never == ("Owl",)
        assert t.status == "optimal"
        assert t.details["never_by_constraint"] == ["Owl"]
        assert t.constraints[0]["holds"]

    def test_every_label_given_up_is_named_and_excused(self):
        """A label by itself, those of a group with it, and those below one of these; nothing above."""
        problem = linked(7)
        names = ["owl", "dog", "cat", "bird", "robin", "toad", "frog"]
        some = [
            limits.MinPrecision(None, per={"owl": 1.0}),
            limits.MinRecall(None, per=dict.fromkeys(names, 0.95) | {"bird": 0.1}),
            limits.SameThreshold(("owl", "dog")),
            limits.AtMost("dog", "cat"),
            limits.AtMost("bird", "robin"),
            limits.ThresholdRange(0.4, 0.9, ("bird",)),
            limits.ThresholdRange(-1.0, 0.2, ("robin",)),
        ]
        t = tuned(problem, labels=names, constraints=some, infeasible="never")
        assert t.status == "optimal"
        assert t.details["never_by_constraint"] == ["owl", "dog", "cat", "robin"] == list(t.never)
        assert all(entry["holds"] for entry in t.constraints)
        assert t.constraints[1]["excused"] == ["owl", "dog", "cat", "robin"]
        assert t.constraints[6]["excused"] == ["robin"]
        said = "kept; excused: 4 labels never given, 'owl', 'dog', 'cat' and 1 more, for not all constraints can"
        assert said in t.said_constraints()[1]
        found = limen.evaluate(problem.y_true, problem.y_score, t)
        assert [entry.get("excused") for entry in found.constraints] == [e.get("excused") for e in t.constraints]

    def test_a_child_of_two_parents_is_raised_to_both_or_never_given(self):
        problem = linked(3)
        some = [limits.AtMost("a", "c"), limits.AtMost("b", "c"), limits.MinRecall(None, per={"c": 0.9})]
        some.append(limits.ThresholdRange(0.95, 1.0, ("a",)))
        t = tuned(problem, labels=["a", "b", "c"], constraints=some, infeasible="never")
        assert t.details["never_by_constraint"] == ["c"]
        assert all(entry["holds"] for entry in t.constraints)
        t = tuned(problem, labels=["a", "b", "c"], constraints=some, infeasible="status")
        assert "the labels 'a', 'c' have no thresholds" in t.reason or "'a', 'b', 'c'" in t.reason

    def test_status(self):
        t = tuned(OWL, labels=["Owl", "Dog"], constraints=[limits.MinPrecision(0.9)], infeasible="status")
        assert t.status == "infeasible"
        assert t.reason.startswith("1 label cannot keep precision")
        assert t.counts.tp[0] / t.counts.pp[0] == 0.5
        assert t.constraints[0]["broken_by"] == ["Owl"]
        assert "nothing meets what was asked" in t.summary()

    @pytest.mark.parametrize(
        ("constraints", "words"),
        [
            (
                [limits.MinPrecision(1.0, per="all"), limits.MinRecall(1.0, per="all")],
                "together, though each alone",
            ),
            ([limits.MaxPredictions(0, per="all"), limits.MinRecall(0.5)], "it reaches 6 at least. Loosen it."),
            (
                [limits.MinRecall(0.9), limits.MaxPredictions(2)],
                "2 labels cannot keep tags given at most 2 for each label: 'a' reaches tags given 6 at least",
            ),
            ([limits.MinPredictions(7)], "'a' reaches tags given 6 at most"),
            (
                [
                    limits.SameThreshold(["a", "b"]),
                    limits.ThresholdRange(0.75, 0.85, ["a"]),
                    limits.MinRecall(1.0),
                ],
                "cannot keep recall at least 100.0 % for each label: 'a' reaches recall 33.3 % at most",
            ),
            (
                [
                    limits.AtMost("b", "a"),
                    limits.ThresholdRange(0.95, labels=["b"]),
                    limits.ThresholdRange(0, 0.3),
                ],
                "the threshold ranges leave nothing",
            ),
            (
                [
                    limits.AtMost("b", "a"),
                    limits.ThresholdRange(0.95, labels=["b"]),
                    limits.ThresholdRange(0, 0.3, ["a"]),
                ],
                "the labels 'a', 'b' have no thresholds that keep their constraints together.",
            ),
        ],
    )
    def test_messages(self, constraints, words):
        with pytest.raises(InputError, match=escape(words)):
            tuned(OWL, labels=["a", "b"], constraints=constraints)

    def test_of_all_labels(self):
        poor = data([[0], [1], [0]], [[0.9], [0.5], [0.6]])
        with pytest.raises(InfeasibleError, match=r"and give any tag: precision reaches 33\.3 % at most"):
            tuned(poor, constraints=[limits.MinPrecision(0.5, per="all")])


class TestProofs:
    @pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
    def test_looser_is_never_less(self, average):
        for seed in range(3):
            problem = smooth_data(seed, n_items=40, n_labels=4)
            for make, values in (
                (lambda v: limits.MinPrecision(v), (0.9, 0.8, 0.6, 0.3, 0.0)),
                (lambda v: limits.MinPrecision(v, per="all"), (0.95, 0.8, 0.6, 0.3)),
                (lambda v: limits.MinRecall(v, per="all"), (0.9, 0.7, 0.5, 0.2)),
                (lambda v: limits.MaxPredictions(v, per="all"), (5, 17, 40, 80, 160)),
                (lambda v: limits.MaxFalsePositiveRate(v), (0.0, 0.05, 0.2, 1.0)),
                (lambda v: limits.ThresholdRange(0.5 - v, 0.5 + v), (0.05, 0.1, 0.3, 0.5)),
            ):
                found = [
                    tuned(problem, average=average, constraints=[make(v)], infeasible="never") for v in values
                ]
                free = tuned(problem, average=average).value
                reached = [
                    t.value for t in found if t.status == "optimal" and "never_by_constraint" not in t.details
                ]
                assert reached == sorted(reached)
                assert all(value <= free + 1e-15 for value in reached)

    @pytest.mark.parametrize("average", ["micro", "macro"])
    @pytest.mark.parametrize("metric", ["f1", "mcc", "g_mean"])
    def test_over_all_labels_against_every_sum(self, average, metric):
        """Larger than brute force can try: a table of all sums of tp by sums of pp, or by value."""
        for seed in range(4):
            problem = smooth_data(seed, n_items=24, n_labels=5)
            for limit in (limits.MinPrecision(0.85, per="all"), limits.MaxPredictions(23, per="all")):
                t = tuned(problem, metric=metric, average=average, constraints=[limit])
                assert t.constraints[0]["holds"]
                top = best_of_sums(problem, metric, average, limit)
                if t.status == "optimal":
                    assert t.value == pytest.approx(top, abs=1e-12)
                assert t.value <= top + 1e-12 <= t.upper_bound + 2e-12

    def test_prices_are_what_loosening_gains(self):
        problem = smooth_data(3, n_items=400, n_labels=6)
        for make, value, step in ((limits.MinPrecision, 0.9, -0.01), (limits.MinRecall, 0.8, -0.01)):
            for per in ("label", "all"):
                t = tuned(problem, constraints=[make(value, per=per)])
                looser = tuned(problem, constraints=[make(value + step, per=per)])
                (entry,) = t.constraints
                assert entry["price"] == pytest.approx(looser.value - t.value, abs=1e-12)
                assert entry["binds"] == (looser.value > t.value)

    def test_what_does_not_bind_changes_nothing(self):
        for seed in range(20):
            problem = smooth_data(seed)
            free = tuned(problem)
            t = tuned(problem, constraints=[limits.MaxPredictions(10**6), limits.MinPrecision(0.0, per="all")])
            assert t.value == free.value
            assert not any(entry["binds"] for entry in t.constraints)

    def test_many_labels_end_within_the_budget(self):
        rng = np.random.default_rng(0)
        y_true = rng.random((200, 150)) < rng.uniform(0.01, 0.2, 150)
        problem = data(y_true, rng.normal(y_true * 1.2))
        for average in ("micro", "macro"):
            t = tuned(problem, average=average, constraints=[limits.MaxPredictions(1000, per="all")])
            assert t.counts.pp.sum() <= 1000
            assert t.upper_bound - t.value < 1e-4

    def test_unlinked_costs_by_label(self):
        problem = smooth_data(1, n_labels=3)
        metric = {"name": "cost", "fp": [1, 2, 3], "fn": [3, 2, 1]}
        t = tuned(problem, metric=metric, constraints=[limits.MaxPredictions(20, per="all")])
        assert t.status == "optimal"
        assert t.counts.pp.sum() <= 20


def best_of_sums(problem, metric, average, limit):
    """The best value over all vectors, by a table of the sums that vectors of the labels so far reach."""
    table = {(0, 0): 0.0}
    for k in range(problem.y_true.shape[1]):
        column = problem.y_true[:, [k]], problem.y_score[:, [k]]
        choices = {}
        for cut in naive.all_cuts(column[0][:, 0], column[1][:, 0]):
            tp, pp, p, n = naive.counts(*column, [cut])[0]
            of_label = naive.as_float(metric, naive.METRICS[metric](tp, pp, p, n)) / problem.y_true.shape[1]
            choices[tp, pp] = max(choices.get((tp, pp), -math.inf), of_label)
        new = {}
        for (tp, pp), value in table.items():
            for (more_tp, more_pp), of_label in choices.items():
                key = tp + more_tp, pp + more_pp
                new[key] = max(new.get(key, -math.inf), value + of_label)
        table = new
    p, n = int(problem.y_true.sum()), problem.y_true.size
    kind = (
        ("precision", constrained.decimal(limit.value))
        if limit.name == "MinPrecision"
        else ("at_most", limit.value)
    )
    kept = {key: value for key, value in table.items() if constrained.keeps(kind, *key, p, n)}
    if average == "macro":
        return max(kept.values())
    return max(naive.as_float(metric, naive.METRICS[metric](tp, pp, p, n)) for tp, pp in kept)


def tree_of(rng, n_labels):
    """Pairs (parent, child) of a random tree or forest."""
    return [(int(rng.integers(k)), k) for k in range(1, n_labels) if rng.random() < 0.8]


class TestHierarchies:
    @pytest.mark.parametrize("seed", range(8))
    def test_decisions_of_random_trees_are_closed_on_any_data(self, seed):
        rng = np.random.default_rng(seed)
        n_labels = int(rng.integers(2, 9))
        edges = tree_of(rng, n_labels)
        if not edges:
            return
        names = [f"t{k}" for k in range(n_labels)]
        y_true = rng.random((50, n_labels)) < 0.3
        problem = data(y_true, rng.normal(y_true * 1.0).round(1))
        tree = limits.Hierarchy([(names[a], names[b]) for a, b in edges], closed=True)
        for method in ("exact", "auto"):
            t = tuned(problem, labels=names, constraints=[tree], method=method)
            for a, b in edges:
                assert t.values[a] <= t.values[b]
            decisions = t.decide(rng.normal(size=(500, n_labels)))
            for a, b in edges:
                assert (decisions[:, a] | ~decisions[:, b]).all()
            raised = problem._replace(y_score=np.array(constrained.raised(problem.y_score, edges)))
            assert exactly(t.counts) == recounted(raised, t.values)

    @pytest.mark.parametrize("average", ["micro", "macro"])
    def test_closed_is_the_best_of_all_closed_vectors(self, average):
        for seed in range(10):
            problem = random_data(seed + 70, n_labels=3, most_items=6)
            edges = [(0, 1), (1, 2)] if seed % 2 else [(0, 1), (0, 2)]
            raised = problem._replace(y_score=np.array(constrained.raised(problem.y_score, edges)))
            oracle = [("above", a, b) for a, b in edges]
            top, _, _ = constrained.best("f1", average, oracle, *raised)
            tree = limits.Hierarchy([("abc"[a], "abc"[b]) for a, b in edges], closed=True)
            t = tuned(problem, labels=list("abc"), average=average, constraints=[tree])
            assert naive.value("f1", average, exactly(t.counts)) == top
            assert t.status == "optimal"

    def test_it_lasts_in_a_file_and_is_evaluated(self, tmp_path):
        problem = smooth_data(0, n_labels=3)
        tree = limits.Hierarchy([("a", "b"), ("a", "c")], closed=True)
        t = tuned(problem, labels=list("abc"), constraints=[tree, limits.MinPrecision(0.5)])
        t.save(tmp_path / "t.json")
        again = limen.Thresholds.load(tmp_path / "t.json")
        assert again == t
        assert again.rule == "closed:1>0,2>0"
        e = limen.evaluate(problem.y_true, problem.y_score, again)
        assert e.value == t.value
        assert e.on_tuning_data
        assert [entry["holds"] for entry in e.constraints] == [True, True]
        assert e.said_constraints()[1].startswith("precision at least 50.0 % for each label: kept")

    @pytest.mark.parametrize("rule", ["closed:", "closed:0>0", "closed:1>0,0>1", "closed:7>0", "closed:a>b"])
    def test_a_rule_that_is_no_closure_is_refused(self, rule):
        with pytest.raises(InputError, match="is no closure"):
            limen.decisions.check_rule(rule, 3)

    def test_sparse_scores_are_refused(self):
        sparse = pytest.importorskip("scipy.sparse")
        with pytest.raises(UnsupportedError, match="sparse scores leave some out"):
            limen.tune(
                OWL.y_true,
                sparse.csr_array(OWL.y_score),
                labels=["a", "b"],
                method="exact",
                constraints=[limits.AtMost("a", "b", closed=True)],
            )


class TestOutOfSample:
    def test_precision_holds_more_often_than_where_it_was_fitted(self):
        held = {"exact": 0, "auto": 0}
        for seed in range(8):
            y_true, y_score, _ = smooth_data(seed, n_items=2200, n_labels=4)
            for method in held:
                t = limen.tune(
                    y_true[:200],
                    y_score[:200],
                    method=method,
                    constraints=[limits.MinPrecision(0.8, per="all")],
                )
                given = t.decide(y_score[200:])
                held[method] += y_true[200:][given].mean() >= 0.8
        assert held["auto"] > held["exact"]

    def test_what_is_told(self):
        problem = smooth_data(0, n_items=300, n_labels=4)
        t = tuned(problem, method="auto", constraints=[limits.MinPrecision(0.7), limits.MinRecall(0.2, per="all")])
        first, second = t.constraints
        both = {"held", "held_in_folds", "folds", "holds"}
        assert set(first["out_of_sample"]) == both | {"held_for_labels", "labels", "short_of_reserve"}
        assert set(second["out_of_sample"]) == both | {"measured"}
        assert re.search(r"; left out, it held for \d of 4 labels over all 5 folds", t.said_constraints()[0])
        assert re.search(
            r"; left out, it held in \d of 5 folds, .* in about \d+ % of tun", t.said_constraints()[1]
        )
        assert "; 2 of 2 constraints held in the folds" in t.summary()
        for entry in t.constraints:
            assert 0 <= entry["out_of_sample"]["held_in_folds"] <= 1
            assert entry["reserve"] == t.details["reserve"]
        assert second["out_of_sample"]["held"] >= t.details["hold"] == 0.9
        assert t.expected.low <= t.expected.value <= t.expected.high

    @pytest.mark.parametrize("method", ["auto", "smoothed", "bagged", "shrunk", "calibrated"])
    def test_every_regularised_method_keeps_limits_on_new_data(self, method):
        """In more than half of a few draws for each, of limits that the exact method breaks in most."""
        held = of = 0
        for seed in range(4):
            y_true, y_score, _ = smooth_data(seed, n_items=2300, n_labels=4)
            for limit in (limits.MinPrecision(0.8, per="all"), limits.MinRecall(0.7)):
                t = limen.tune(y_true[:300], y_score[:300], method=method, constraints=[limit])
                assert t.method == method
                (entry,) = limen.evaluate(y_true[300:], y_score[300:], t).constraints
                held += 4 - len(entry["broken_by"]) if "broken_by" in entry else 4 * entry["holds"]
                of += 4
        assert held >= 0.75 * of

    def test_few_positives_lean_on_the_pool(self):
        y_true, y_score, _ = smooth_data(1, n_items=200, n_labels=4)
        y_true = y_true.copy()
        y_true[3:, 0] = 0
        limit = [limits.MinRecall(0.7)]
        plain, leaning = (limen.tune(y_true, y_score, min_positive=m, constraints=limit) for m in (0, 20))
        assert plain.values[0] < 0.1 < leaning.values[0]

    def test_more_hold_is_more_reserve(self):
        problem = smooth_data(2, n_items=300, n_labels=4)
        limit = [limits.MinPrecision(0.8, per="all")]
        found = [tuned(problem, method="auto", hold=hold, constraints=limit) for hold in (0.6, 0.9, 0.95)]
        reserves = [t.details["reserve"] for t in found]
        assert reserves == sorted(reserves)
        assert reserves[0] < reserves[-1]
        for t, hold in zip(found, (0.6, 0.9, 0.95), strict=True):
            assert t.constraints[0]["out_of_sample"]["held"] >= hold

    def test_labels_short_of_the_reserve_do_not_count_for_the_rate(self):
        """A few items say little of how often a limit is kept: no rate is told of them, and how many they are."""
        y_true, y_score, _ = smooth_data(3, n_items=30, n_labels=4)
        t = limen.tune(y_true, y_score, constraints=[limits.MinPrecision(0.9)], infeasible="never")
        told = t.constraints[0]["out_of_sample"]
        assert told["short_of_reserve"] > 0
        assert told["held"] is None or told["held"] >= 0.9
        assert "too few items for the reserve" in t.said_constraints()[0]

    @pytest.mark.parametrize("method", ["auto", "bagged"])
    def test_limits_are_not_broken_silently_on_the_items_tuned_on(self, method):
        for seed in range(4):
            y_true, y_score, _ = smooth_data(seed, n_items=150, n_labels=4)
            some = [limits.MinPrecision(0.8), limits.MaxPredictions(100, per="all")]
            t = limen.tune(y_true, y_score, method=method, constraints=some, hold=0.5, infeasible="never")
            assert all(entry["holds"] for entry in t.constraints) or (t.status == "infeasible" and t.reason)

    @pytest.mark.parametrize("method", ["exact", "auto"])
    def test_a_precision_that_nothing_reaches_is_not_said_to_hold(self, method):
        y_true = np.random.default_rng(0).random((60, 3)) < 0.3
        one = {
            "y_score": np.full((60, 3), 0.5),
            "method": method,
            "constraints": [limits.MinPrecision(0.9, "all")],
        }
        t = limen.tune(y_true, infeasible="status", **one)
        assert t.status == "infeasible"
        assert not t.constraints[0]["holds"]
        t = limen.tune(y_true, infeasible="never", **one)
        assert t.status != "infeasible"
        assert not t.reason
        assert t.never == t.labels
        with pytest.raises(InfeasibleError, match="give any tag"):
            limen.tune(y_true, **one)

    def test_hold_in_compare(self):
        y_true, y_score, _ = smooth_data(2, n_items=120, n_labels=3)
        one = {"constraints": [limits.MinRecall(0.7)], "cv": 2, "metric": "precision"}
        loose, strict = (limen.compare(y_true, y_score, methods=["auto"], hold=h, **one) for h in (0.5, 0.95))
        assert loose["auto"].held_out > strict["auto"].held_out
        with pytest.raises(InputError, match="hold goes with constraints and a method with a reserve"):
            limen.compare(y_true, y_score, methods=["exact"], hold=0.9, **one)
        with pytest.raises(InputError, match="hold goes with constraints"):
            limen.compare(y_true, y_score, cv=2, hold=0.9)

    def test_weights_of_any_size_say_the_same(self):
        """Numbers of tags are sums of weights, and standard errors do not grow with the unit."""
        y_true, y_score, _ = smooth_data(4, n_items=200, n_labels=3)
        weight = np.random.default_rng(0).integers(1, 4, 200).astype(float)
        found = [
            limen.tune(y_true, y_score, sample_weight=scale * weight, constraints=[limit])
            for scale in (1, 10)
            for limit in (limits.MaxPredictions(150 * scale, per="all"),)
        ]
        np.testing.assert_allclose(found[0].values, found[1].values)
        assert all(t.constraints[0]["holds"] for t in found)

    def test_groups_that_resemble_each_other_need_more_reserve(self):
        copies, limit = np.repeat(np.arange(60), 8), [limits.MinRecall(0.7, per="all")]
        right = []
        for seed in (6, 9, 13):
            y_true, y_score, _ = (None if part is None else part[copies] for part in smooth_data(seed, 60, 3))
            both = (limen.tune(y_true, y_score, constraints=limit, groups=groups) for groups in (None, copies))
            right.append([t.counts.tp.sum() for t in both])
        assert all(known >= apart for apart, known in right)
        assert sum(known - apart for apart, known in right) > 50

    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
    def test_shapes_are_kept_exactly(self, dtype):
        problem = smooth_data(5, n_items=80, n_labels=5, dtype=dtype)
        t = tuned(
            problem,
            labels=list("abcde"),
            method="auto",
            constraints=[
                limits.ThresholdRange(0.3, 0.6),
                limits.SameThreshold(["a", "b"]),
                limits.AtMost("c", "a"),
                limits.AtMost("c", "d"),
            ],
        )
        assert (t.values >= 0.3).all()
        assert (t.values <= 0.6).all()
        assert t.values[0] == t.values[1]
        assert t.values[2] <= min(t.values[0], t.values[3])
        assert all(entry["holds"] for entry in t.constraints)

    def test_weights_masks_groups_and_targets(self):
        y_true, y_score, _ = smooth_data(2, n_items=120, n_labels=3)
        y_true = y_true.copy()
        y_true[::7, 1] = np.nan
        limit = [limits.MinPrecision(0.6, per="all")]
        weight = np.random.default_rng(0).integers(1, 5, 120) / 2
        for options in (
            {"sample_weight": weight},
            {"groups": np.arange(120) // 4},
            {"target_prevalence": [0.2, 0.3, 0.4]},
        ):
            t = limen.tune(y_true, y_score, constraints=limit, **options)
            assert t.constraints[0]["out_of_sample"]["holds"]


def test_the_digest_is_of_the_data_not_of_the_cuts_that_constraints_need():
    problem = smooth_data(0, n_items=30, n_labels=2)
    plain = limen.Curves.from_arrays(*problem[:2]).digest()
    for limit in (
        limits.AtMost("0", "1"),
        limits.AtMost("0", "1", closed=True),
        limits.MinPredictions(20),
        limits.MinRecall(0.5),
    ):
        for average, zero in (("micro", 0), ("macro", 1)):
            t = tuned(problem, metric="mcc", average=average, zero_division=zero, constraints=[limit])
            assert t.digest == plain


class TestRefused:
    @pytest.mark.parametrize("method", ["sgl", "shared", "fixed:0.5", "top-k", "numerical"])
    def test_methods_that_take_none(self, method):
        with pytest.raises(UnsupportedError, match=r"takes no constraints\. Use method='exact'"):
            tuned(OWL, method=method, constraints=[limits.MinPrecision(0.5)])

    def test_hold(self):
        limit = [limits.MinPrecision(0.5)]
        for hold in (0.4, 1, "often", True):
            with pytest.raises(InputError, match="is no rate at which limits hold on new data"):
                tuned(OWL, method="auto", hold=hold, constraints=limit)
        with pytest.raises(UnsupportedError, match="method='exact' keeps constraints on the data tuned on"):
            tuned(OWL, hold=0.9, constraints=limit)
        with pytest.raises(InputError, match="hold goes with constraints"):
            tuned(OWL, hold=0.9)

    @pytest.mark.parametrize(
        "constraint",
        [limits.ThresholdRange(0, 0.5), limits.SameThreshold(["0", "1"]), limits.AtMost("0", "1", closed=True)],
    )
    def test_counts_alone(self, constraint):
        curves = limen.Curves.from_arrays(*OWL[:2])
        alone = curves.__class__(**{**curves.__dict__, "sources": ()})
        with pytest.raises(UnsupportedError, match="Give the scores and labels"):
            tuned(alone, constraints=[constraint])
        assert tuned(alone, constraints=[limits.MinPrecision(0.5)]).status == "optimal"
        every = {"metric": "mcc", "zero_division": 1, "constraints": [limits.MinRecall(0.5)]}
        assert tuned(alone, **every).status == "local"  # To give everything may be better.
        assert tuned(OWL, **every).status == "optimal"


def test_in_compare():
    problem = smooth_data(0, n_items=200, n_labels=3)
    c = limen.compare(
        *problem[:2], methods=["fixed:0.5", "exact"], cv=2, constraints=[limits.MinPrecision(0.9, per="all")]
    )
    assert c["exact"].kept is not None
    assert "kept" in c.columns()
    with pytest.raises(UnsupportedError, match="none of the methods 'shared' takes constraints"):
        limen.compare(*problem[:2], methods=["shared"], constraints=[limits.MinPrecision(0.9)])


def test_in_threshold_tuner():
    datasets = pytest.importorskip("sklearn.datasets")
    linear_model = pytest.importorskip("sklearn.linear_model")
    multiclass = pytest.importorskip("sklearn.multiclass")
    from limen.sklearn import ThresholdTuner

    x, y = datasets.make_multilabel_classification(random_state=0)
    base = multiclass.OneVsRestClassifier(linear_model.LogisticRegression())
    tuner = ThresholdTuner(base, method="exact", constraints=[limits.MinPrecision(0.9, per="all")], cv=3).fit(x, y)
    assert tuner.thresholds_.constraints[0]["holds"]
    both = {"method": "smoothed", "constraints": [limits.MinPrecision(0.5, per="all")], "hold": 0.7, "cv": 3}
    tuner = ThresholdTuner(base, **both, store_cv_results=False).fit(x, y)
    assert tuner.thresholds_.details["hold"] == 0.7
    with pytest.raises(InputError, match="hold goes with constraints"):
        ThresholdTuner(base, hold=0.7).fit(x, y)


def test_the_frontier_of_what_labels_keep():
    problem = smooth_data(0, n_items=60, n_labels=3)
    limit = limits.MinPrecision(0.7)
    f = limen.frontier(*problem[:2], constraints=[limit])
    for point in range(len(f)):
        tp, pp, _, _ = f.thresholds(point).counts
        assert (tp >= 0.7 * pp - 1e-12).all()
        assert (tp.sum(), pp.sum()) == (f.tp[point], f.pp[point])
        (said,) = f.thresholds(point).said_constraints()
        assert said.startswith("precision at least 70.0 % for each label: kept")
    few = limen.frontier(*OWL[:2], labels=["Owl", "Dog"], constraints=[limits.MinPrecision(0.9)])
    assert few.thresholds(-1).details["never_by_constraint"] == ["Owl"]
    assert few.thresholds(-1).constraints[0]["holds"]
    best = tuned(problem, constraints=[limit], infeasible="never")
    assert best.value == pytest.approx(max(2 * f.tp / (f.pp + problem.y_true.sum())))
    least = limen.frontier(*problem[:2], constraints=[limits.MinRecall(0.5), limits.MinPredictions(40)])
    assert (least.thresholds(0).counts.pp >= 40).all()
    with pytest.raises(UnsupportedError, match="the frontier takes limits on the counts of each label"):
        limen.frontier(*problem[:2], constraints=[limits.MinPrecision(0.7, per="all")])
