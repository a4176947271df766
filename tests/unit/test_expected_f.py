"""The rule "expected-f" against all sets of labels, and its calibration wherever thresholds go."""

import pickle
from itertools import product
from re import escape

import numpy as np
import pytest

import limen
from limen.decisions import check_rule, decide_rows
from limen.errors import InputError
from limen.expected_f import Calibration, ExpectedF, best_sets
from limen.solvers import ExpectedFSets
from oracle import items
from strategies import data


def identity(n_labels, kind="probability"):
    return Calibration(kind, np.repeat([[0.0], [1.0], [-700.0], [700.0]], n_labels, axis=1))


def calibrated(seed, n_items=400, n_labels=5):
    """Probabilities, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.4, 0.9, (n_items, n_labels))
    return data((rng.random(p.shape) < p).astype(int), p)


@pytest.mark.parametrize("zero_division", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("beta", [0.5, 1.0, 1.3, 2.0, 10.0])
def test_no_other_set_is_expected_to_be_better(beta, zero_division):
    rng = np.random.default_rng(0)
    for _ in range(12):
        p = rng.choice([0.0, 0.01, 0.05, 0.3, 0.5, 0.9, 1.0, rng.random()], rng.integers(1, 7))
        (chosen,) = best_sets(p[np.newaxis], beta, zero_division)
        best = max(items.expected_f(p, subset, beta, zero_division) for subset in product((0, 1), repeat=len(p)))
        assert items.expected_f(p, chosen, beta, zero_division) == pytest.approx(best, abs=1e-10)


def test_eight_labels():
    p = np.array([0.7, 0.45, 0.4, 0.3, 0.25, 0.2, 0.1, 0.02])
    (chosen,) = best_sets(p[np.newaxis])
    best = max(items.expected_f(p, subset, 1.0) for subset in product((0, 1), repeat=8))
    assert items.expected_f(p, chosen, 1.0) == pytest.approx(best, abs=1e-11)


def test_many_labels_are_as_good_as_simulated():
    """With 600 labels no set of the most probable ones is better, by 20 000 draws."""
    rng = np.random.default_rng(0)
    p = np.sort(rng.beta(0.1, 4, 600))[::-1]
    size = int(best_sets(p[np.newaxis]).sum())
    truth = rng.random((20000, 600)) < p
    tp, all_ = truth.cumsum(axis=1), truth.sum(axis=1, keepdims=True)
    f1 = (2 * tp / (np.arange(1, 601) + all_)).mean(axis=0)
    assert f1[size - 1] >= f1.max() - 0.002


def test_ties_and_ends():
    """Of equals the first; the fewest where more are as good; none where nothing is true."""
    assert best_sets(np.array([[0.5, 0.5, 0.0]])).tolist() == [[True, True, False]]
    assert best_sets(np.array([[1.0, 0.0, 0.0]])).tolist() == [[True, False, False]]
    assert best_sets(np.zeros((1, 3))).tolist() == [[False] * 3]
    assert best_sets(np.ones((1, 3))).all()
    assert best_sets(np.array([[0.3]])).all(), "an empty set is worth 0"
    assert not best_sets(np.array([[0.3]]), zero_division=1.0).any()


@pytest.mark.parametrize("p", [[[0.5, 1.1]], [[-0.1, 0.5]], [[np.nan, 0.5]], [0.5, 0.5]])
def test_no_probabilities(p):
    with pytest.raises(InputError, match="They must be \\(n_items, n_labels\\), and lie from 0 to 1"):
        best_sets(np.array(p))


class TestRule:
    def test_it_is_a_text_that_decides(self):
        rule = ExpectedF(2.0, 0.0, identity(3))
        p = np.array([[0.9, 0.4, 0.1], [0.2, 0.2, 0.1]], np.float32)
        assert rule == "expected-f:2"
        check_rule(rule, 3)
        np.testing.assert_array_equal(decide_rows(p, np.zeros(3), rule), best_sets(p, 2.0))

    def test_logits(self):
        p = np.array([[0.9, 0.4, 0.1]])
        rule = ExpectedF(1.0, 0.0, identity(3, "logit"))
        np.testing.assert_array_equal(rule.decide(np.log(p / (1 - p))), best_sets(p))

    def test_the_same_after_pickling(self):
        rule = ExpectedF(1.0, 0.5, identity(2))
        again = pickle.loads(pickle.dumps(rule))
        assert (again, again.beta, again.zero_division) == (rule, 1.0, 0.5)
        np.testing.assert_array_equal(again.calibration.numbers, rule.calibration.numbers)

    @pytest.mark.parametrize("rule", ["expected-f", "expected-f:1", ExpectedF(1.0, 0.0, identity(3))])
    def test_without_a_calibration_of_the_labels(self, rule):
        with pytest.raises(InputError, match="is unknown"):
            check_rule(rule, 2)

    def test_sparse_scores(self):
        from scipy.sparse import csr_array

        t = limen.tune(*calibrated(0)[:2], average="samples", method="expected-f")
        with pytest.raises(InputError, match=escape("the rule 'expected-f' looks at all scores of an item")):
            t.decide(csr_array(np.array([[0.5, 0, 0, 0, 0]])))


class TestMethod:
    def test_known_probabilities_need_no_calibration(self):
        problem = calibrated(1)
        t = limen.tune(*problem[:2], average="samples", method=ExpectedFSets(calibrate=False))
        np.testing.assert_array_equal(t.decide(problem.y_score), best_sets(problem.y_score))
        assert t.value == pytest.approx(float(items.value("f1", problem.y_true, t.decide(problem.y_score))))

    def test_it_beats_thresholds_on_calibrated_items(self):
        new = calibrated(2, 4000)
        values = {
            method: limen.evaluate(
                *new[:2], limen.tune(*calibrated(3)[:2], average="samples", method=method)
            ).value
            for method in ("expected-f", "ascent", "shared")
        }
        assert values["expected-f"] > max(values["ascent"], values["shared"]) + 0.005

    def test_bent_scores_are_calibrated(self):
        """Log odds that are stretched and moved, differently by label, give nearly the same decisions."""
        problem, new = calibrated(4, 800), calibrated(5, 500)
        stretch, offset = np.array([0.5, 1, 2, 1, 3]), np.array([-3, 0, 1, 2, -1])

        def bent(p):
            return (np.log(p / (1 - p)) * stretch + offset).clip(-30, 30)

        t = limen.tune(problem.y_true, bent(problem.y_score), average="samples", method="expected-f")
        agree = (t.decide(bent(new.y_score)) == best_sets(new.y_score)).mean()
        assert agree > 0.9

    def test_what_to_expect_is_cross_fitted(self):
        t = limen.tune(*calibrated(6)[:2], average="samples", method="expected-f")
        assert t.expected.low < t.expected.value < t.expected.high
        assert abs(t.expected.value - t.value) < 0.03
        assert t.expected_gain.value == pytest.approx(t.expected.value - t.half, abs=0.02)

    def test_the_file_holds_the_calibration(self, tmp_path):
        problem = calibrated(7)
        t = limen.tune(*problem[:2], metric={"name": "fbeta", "beta": 1.5}, average="samples", method="expected-f")
        t.save(tmp_path / "t.json")
        again = limen.Thresholds.load(tmp_path / "t.json")
        assert again == t
        assert again.rule == "expected-f:1.5"
        np.testing.assert_array_equal(again.decide(problem.y_score), t.decide(problem.y_score))

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"calibration": None}, "'calibration' goes with the rule 'expected-f' alone"),
            ({"rule": ">="}, "'calibration' goes with the rule 'expected-f' alone; the rule is '>='"),
            ({"rule": "expected-f:x"}, "It must be 'expected-f:BETA', with a beta above 0"),
            ({"rule": "expected-f:-1"}, "It must be 'expected-f:BETA', with a beta above 0"),
        ],
    )
    def test_an_altered_file(self, changes, words):
        t = limen.tune(*calibrated(7)[:2], average="samples", method="expected-f")
        with pytest.raises(InputError, match=escape(words)):
            limen.Thresholds.from_dict({**t.to_dict(), **changes})

    @pytest.mark.parametrize("slope", [[1.0], [1.0] * 4 + ["1"], [1.0] * 4 + [None]])
    def test_an_altered_calibration(self, slope):
        content = limen.tune(*calibrated(7)[:2], average="samples", method="expected-f").to_dict()
        content["calibration"] = {**content["calibration"], "slope": slope}
        with pytest.raises(
            InputError, match="'slope' of 'calibration' must be a finite number for each of 5 labels"
        ):
            limen.Thresholds.from_dict(content)
