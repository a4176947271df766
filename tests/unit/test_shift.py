"""Other shares of positives: known shifts are undone, and what is no such shift is named."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import limen
from limen.curves import Curves, prevalence_factors
from limen.errors import InputError, LimenWarning
from limen.shift import estimate_prevalence
from strategies import AVERAGES, Data, data, random_data, tuned

HERE, THERE = np.array([0.3, 0.1, 0.2]), np.array([0.1, 0.25, 0.2])


def world(seed, n_items, prevalence, distance=2.0, shift=0.0):
    """Logits, positives ``distance`` above the negatives, everything moved by ``shift``."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n_items, len(prevalence))) < np.asarray(prevalence)).astype(float)
    return data(y_true, rng.normal(distance * y_true - 1.0, 1) + shift)


def logit(p):
    return np.log(p / (1 - p))


def share(problem):
    return problem.y_true.mean(axis=0)


class TestReweighted:
    @pytest.mark.parametrize("seed", range(20))
    def test_the_share_there_is_changes_nothing(self, seed):
        problem = random_data(seed, most_items=20, weighted=False)
        curves = Curves.from_arrays(*problem[:2])
        own = curves.n_positive / np.maximum(curves.n_known, 1)
        turned = curves.reweighted(own)
        for name in ("tp", "fp", "n_positive", "n_known", "beneath"):
            np.testing.assert_allclose(getattr(turned, name), getattr(curves, name), rtol=1e-12)
        assert turned.candidates == curves.candidates

    def test_counts_are_those_of_the_wanted_share(self):
        curves = Curves.from_arrays(*world(0, 200, HERE)[:2])
        turned = curves.reweighted(THERE)
        np.testing.assert_allclose(turned.n_positive / turned.n_known, THERE)
        np.testing.assert_array_equal(turned.n_known, curves.n_known)
        last = turned.offsets[1:] - 1
        np.testing.assert_allclose(turned.tp[last], turned.n_positive)

    def test_rates_do_not_change(self):
        """Label shift: true and false positive rates at each cut are those of the data."""
        curves = Curves.from_arrays(*world(0, 200, HERE)[:2])
        turned = curves.reweighted(THERE)
        for k in range(3):
            own = slice(*curves.offsets[k : k + 2])
            np.testing.assert_allclose(
                turned.tp[own] / turned.n_positive[k], curves.tp[own] / curves.n_positive[k]
            )
            fp_rate = curves.fp[own] / (curves.n_known - curves.n_positive)[k]
            np.testing.assert_allclose(turned.fp[own] / (turned.n_known - turned.n_positive)[k], fp_rate)

    def test_labels_of_one_class_stay_as_they_are(self):
        up, down = prevalence_factors(np.array([0, 5, 3]), np.array([5, 5, 6]), np.array([0.5, 0.5, 0.25]))
        np.testing.assert_allclose(up, [1, 1, 0.5])
        np.testing.assert_allclose(down, [1, 1, 1.5])

    def test_scores_are_gone_from_no_curve(self):
        curves = Curves.from_arrays(*world(0, 50, HERE)[:2])
        assert curves.reweighted(THERE).sources == curves.sources


class TestTargetPrevalence:
    @pytest.mark.parametrize("average", AVERAGES)
    @pytest.mark.parametrize("metric", ["f1", "mcc", "cost", "kappa"])
    def test_it_is_the_optimum_of_repeated_positives(self, metric, average):
        """Every positive three times, in data of one label, and for three labels by weights."""
        problem = world(1, 120, [0.2])
        positive = np.flatnonzero(problem.y_true[:, 0] == 1)
        repeated = problem.taken(np.concatenate([np.arange(120), positive, positive]))
        target = share(repeated)
        options = {"metric": metric, "average": average}
        wanted = tuned(repeated, **options)
        found = limen.tune(*problem[:2], method="exact", target_prevalence=target, **options)
        assert found.values == wanted.values
        assert found.value == pytest.approx(wanted.value, abs=1e-12)
        assert found.status == wanted.status

    @pytest.mark.parametrize("average", AVERAGES)
    def test_several_labels_each_with_its_own(self, average):
        """The oracle is a stack of one-label problems, masked so that each label has its own items."""
        problem = world(2, 90, HERE)
        blocks, scores = [], []
        for k, times in enumerate((1, 3, 2)):
            positive = np.flatnonzero(problem.y_true[:, k] == 1)
            rows = np.concatenate([np.arange(90), *[positive] * (times - 1)])
            block = np.full((len(rows), 3), np.nan)
            block[:, k] = problem.y_true[rows, k]
            blocks.append(block)
            scores.append(problem.y_score[rows])
        repeated = data(np.concatenate(blocks), np.concatenate(scores))
        target = np.nanmean(repeated.y_true, axis=0)
        found = limen.tune(*problem[:2], method="exact", average=average, target_prevalence=target)
        if average == "macro":
            np.testing.assert_array_equal(found.values, tuned(repeated, average=average).values)
            assert found.value == pytest.approx(tuned(repeated, average=average).value)
        at = limen.tune(*problem[:2], method="exact", average=average)
        assert (found.values <= at.values + 1e-12)[1:].all()

    def test_known_optimum_of_normal_scores(self):
        """One label, distance 2, one tenth positive here and one third there: the cut moves by the theory."""
        from scipy.optimize import minimize_scalar
        from scipy.stats import norm

        def loss(cut, p):
            tp = p * norm.sf(cut - 1)
            return -2 * tp / (tp + (1 - p) * norm.sf(cut + 1) + p)

        problem = world(3, 20000, [0.1])
        for there in (0.1, 1 / 3):
            best = minimize_scalar(loss, bounds=(-3, 3), args=(there,), method="bounded").x
            for method in ("exact", "smoothed", "bagged"):
                cut = limen.tune(*problem[:2], method=method, target_prevalence=[there]).values[0]
                assert cut == pytest.approx(best, abs=0.2)
                assert -loss(cut, there) == pytest.approx(-loss(best, there), abs=0.004)

    def test_auto_follows_too(self):
        problem = world(4, 1500, HERE)
        few, many = (limen.tune(*problem[:2], target_prevalence=[p] * 3).values for p in (0.03, 0.6))
        assert (many < few - 0.8).all()

    def test_mappings_name_labels_and_leave_out_others(self):
        problem = world(5, 100, HERE)
        options = {"labels": ["a", "b", "c"], "method": "exact"}
        named = limen.tune(*problem[:2], target_prevalence={"b": 0.4}, **options)
        listed = limen.tune(*problem[:2], target_prevalence=[np.nan, 0.4, np.nan], **options)
        np.testing.assert_array_equal(named.values, listed.values)
        np.testing.assert_allclose(named.counts.p, [share(problem)[0] * 100, 40, share(problem)[2] * 100])

    def test_curves_alone_will_do(self):
        import pickle

        problem = world(5, 100, HERE)
        curves = pickle.loads(pickle.dumps(Curves.from_arrays(*problem[:2])))
        first, second = (
            limen.tune(*what, method="exact", target_prevalence=THERE) for what in (problem[:2], (curves,))
        )
        np.testing.assert_array_equal(first.values, second.values)

    @pytest.mark.parametrize("method", ["exact", "auto", "shared", "fixed:0.5", "pcut", "smoothed"])
    def test_the_value_is_that_of_the_wanted_share(self, method):
        problem = world(6, 300, [0.2])
        positive = np.flatnonzero(problem.y_true[:, 0] == 1)
        repeated = problem.taken(np.concatenate([np.arange(300), positive, positive, positive]))
        t = limen.tune(*problem[:2], method=method, target_prevalence=share(repeated))
        assert t.value == pytest.approx(limen.evaluate(*repeated[:2], t.values).value, abs=1e-12)

    @pytest.mark.parametrize(
        ("target", "words"),
        [
            (0.1, "target_prevalence has shape () for 3 labels. Give one share for each label, or a mapping"),
            ([0.1, 0.2], "target_prevalence has shape (2,) for 3 labels"),
            ([0.1, 1.5, 0.2], "target_prevalence is 1.5 for 'cat'. Shares lie from 0 to 1."),
            ([0.1, 0.2, -0.1], "target_prevalence is -0.1 for 'cow'"),
            ([0.1, np.inf, 0.1], "target_prevalence is inf for 'cat'"),
            ({"hen": 0.1}, "target_prevalence names 'hen', which are no labels of these data."),
        ],
    )
    def test_refused(self, target, words):
        problem = world(7, 40, HERE)
        for method in ("exact", "auto"):
            with pytest.raises(InputError) as caught:
                limen.tune(*problem[:2], labels=["dog", "cat", "cow"], method=method, target_prevalence=target)
            assert words in str(caught.value)

    def test_shares_of_0_and_1(self):
        problem = world(8, 60, HERE)
        with pytest.warns(LimenWarning, match="without a positive item: '0'"):
            t = limen.tune(*problem[:2], method="exact", average="macro", target_prevalence=[0, 1, np.nan])
        assert t.values[0] == np.inf
        assert t.counts.pp[1] == pytest.approx(60)


class TestEstimate:
    @pytest.mark.parametrize("seed", range(4))
    def test_a_known_shift_is_found(self, seed):
        labelled, fresh = world(seed, 4000, HERE), world(seed + 500, 4000, THERE)
        found = estimate_prevalence(*labelled[:2], fresh.y_score, damping=1)
        np.testing.assert_allclose(found, share(fresh), atol=0.02)

    def test_half_way_in_log_odds_and_not_at_all(self):
        labelled, fresh = world(0, 3000, HERE), world(50, 3000, THERE)
        whole, half, default, none = (
            estimate_prevalence(*labelled[:2], fresh.y_score, **options)
            for options in ({"damping": 1}, {"damping": 0.5}, {}, {"damping": 0})
        )
        np.testing.assert_allclose(none, share(labelled), rtol=1e-9)
        np.testing.assert_allclose(logit(half), (logit(whole) + logit(none)) / 2, rtol=1e-9)
        np.testing.assert_array_equal(default, half)
        quarter = estimate_prevalence(*labelled[:2], fresh.y_score, damping=0.25)
        np.testing.assert_allclose(logit(quarter), 0.25 * logit(whole) + 0.75 * logit(none), rtol=1e-9)

    def test_no_shift_is_found_in_the_labelled_scores_themselves(self):
        for seed in range(3):
            labelled = world(seed, 2000, HERE)
            found = estimate_prevalence(*labelled[:2], labelled.y_score, damping=1)
            np.testing.assert_allclose(found, share(labelled), atol=0.005)

    @pytest.mark.parametrize("seed", range(6))
    def test_labels_stay_where_chance_explains_the_new_scores(self, seed):
        """The second moves, the third has the same share in both, the first too few positives to tell."""
        labelled = world(seed, 1500, [0.004, 0.1, 0.2])
        fresh = world(seed + 50, 1500, [0.02, 0.25, 0.2])
        found = estimate_prevalence(*labelled[:2], fresh.y_score, level=0.001)
        here = share(labelled)
        assert found[0] == here[0]
        assert here[1] < found[1] < 0.3
        assert found[2] == here[2]
        moved = estimate_prevalence(*labelled[:2], fresh.y_score, level=1)
        assert moved[0] == here[0]
        assert moved[2] != here[2]
        np.testing.assert_allclose(moved[1], found[1])

    def test_the_level_is_that_of_false_moves(self):
        """Of 120 pairs without a shift, of three labels each, about 5 % move any label, or fewer."""
        moves = 0
        for seed in range(120):
            labelled, fresh = world(seed, 300, HERE), world(seed + 500, 300, HERE)
            found = estimate_prevalence(*labelled[:2], fresh.y_score)
            moves += bool((found != share(labelled)).any())
        assert moves <= 13

    def test_rare_labels_do_not_take_the_share_of_frequent_ones(self):
        """Their calibration leans on the others, but in their own scores there is no shift to be found."""
        for seed in range(4):
            labelled = world(seed, 2000, [0.3, 0.2, 0.1, 0.01, 0.003])
            found = estimate_prevalence(*labelled[:2], labelled.y_score, damping=1)
            assert np.abs(logit(found) - logit(share(labelled)))[:4].max() < 0.3
            assert found[4] < 3 * share(labelled)[4] + 0.002

    def test_a_label_of_positives_only_is_not_estimated_as_absent(self):
        labelled = world(0, 500, HERE)
        y_true = labelled.y_true.copy()
        y_true[:, 1] = 1
        found = estimate_prevalence(y_true, labelled.y_score, labelled.y_score, damping=1)
        assert found[1] > 0.5

    def test_scores_of_any_dtype_or_kind(self):
        import pandas as pd

        labelled, fresh = world(0, 1000, HERE), world(50, 1000, THERE)
        names = ["a", "b", "c"]
        plain = estimate_prevalence(*labelled[:2], fresh.y_score)
        single = estimate_prevalence(labelled.y_true, labelled.y_score.astype(np.float32), fresh.y_score)
        np.testing.assert_allclose(single, plain, rtol=1e-3)
        listed = estimate_prevalence(labelled.y_true.tolist(), labelled.y_score.tolist(), fresh.y_score.tolist())
        np.testing.assert_array_equal(listed, plain)
        old, new = (pd.DataFrame(part.y_score, columns=names) for part in (labelled, fresh))
        framed = estimate_prevalence(labelled.y_true, old, new)
        np.testing.assert_array_equal(framed, plain)

    def test_columns_of_a_frame_are_taken_by_name(self):
        """Or refused: only silence would be wrong, as `Thresholds.decide` takes them by name."""
        import pandas as pd

        labelled, fresh = world(0, 1000, HERE), world(50, 1000, THERE)
        names = ["a", "b", "c"]
        old = pd.DataFrame(labelled.y_score, columns=names)
        turned = pd.DataFrame(fresh.y_score, columns=names)[["c", "a", "b"]]
        plain = estimate_prevalence(*labelled[:2], fresh.y_score)
        try:
            found = estimate_prevalence(labelled.y_true, old, turned)
        except InputError:
            return
        np.testing.assert_array_equal(found, plain)

    @pytest.mark.parametrize("dtypes", [(np.float64, np.float64), (np.float64, np.float32)])
    def test_sparse_scores(self, dtypes):
        """A score that is not stored is a low one, and no missing one: shares are of all items."""
        from scipy.sparse import csr_array

        labelled, fresh = world(0, 3000, HERE), world(50, 3000, THERE)
        old, new = (
            csr_array(np.where(part.y_score > -1.5, 1 / (1 + np.exp(-part.y_score)), 0).astype(dtype))
            for part, dtype in zip((labelled, fresh), dtypes, strict=True)
        )
        found = estimate_prevalence(labelled.y_true, old, new, damping=1)
        np.testing.assert_allclose(found, share(fresh), atol=0.04)

    def test_unknown_labels(self):
        labelled, fresh = world(0, 6000, HERE), world(50, 3000, THERE)
        y_true = np.where(np.random.default_rng(9).random(labelled.y_true.shape) < 0.5, np.nan, labelled.y_true)
        found = estimate_prevalence(y_true, labelled.y_score, fresh.y_score, damping=1)
        np.testing.assert_allclose(found, share(fresh), atol=0.025)

    def test_one_dimension_is_one_label(self):
        labelled, fresh = world(0, 500, [0.3]), world(50, 500, [0.1])
        flat = estimate_prevalence(labelled.y_true[:, 0], labelled.y_score[:, 0], fresh.y_score[:, 0])
        assert flat.shape == (1,)
        assert flat == estimate_prevalence(*labelled[:2], fresh.y_score)

    def test_it_serves_as_target_prevalence(self):
        """Thresholds for the estimate do better there than thresholds for the shares here."""
        labelled, fresh = world(0, 3000, [0.4, 0.4]), world(50, 20000, [0.03, 0.03])
        there = estimate_prevalence(*labelled[:2], fresh.y_score, damping=1)
        plain, turned = (
            limen.tune(*labelled[:2], method="smoothed", target_prevalence=target) for target in (None, there)
        )
        values = [limen.evaluate(*fresh[:2], t.values).value for t in (plain, turned)]
        assert values[1] > values[0] + 0.05


class TestWarning:
    def test_positives_that_score_differently_are_named(self):
        """Those of the second label lie between the old positives and negatives, sharply."""
        labelled, fresh = world(0, 2000, HERE), world(50, 2000, HERE)
        y_score = fresh.y_score.copy()
        positive = fresh.y_true[:, 1] == 1
        y_score[positive, 1] += 4
        with pytest.warns(LimenWarning) as caught:
            estimate_prevalence(*labelled[:2], y_score, labels=["dog", "cat", "cow"])
        (warning,) = caught
        assert str(warning.message) == (
            "no share of positives explains the new scores of 1 label ('cat'): their positives or negatives score "
            "differently than in the labelled data. Do not trust these estimates; annotate some of the new items."
        )
        assert warning.filename == __file__

    def test_negatives_that_score_differently_are_named(self):
        labelled, fresh = world(0, 2000, HERE), world(50, 2000, HERE, shift=-1.0)
        with pytest.warns(LimenWarning, match=r"of 3 labels \('0', '1', '2'\)"):
            estimate_prevalence(*labelled[:2], fresh.y_score)

    def test_no_warning_at_a_shift_of_shares(self):
        """At most one in a hundred calls may warn; none of these does."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for seed in range(25):
                labelled, fresh = world(seed, 400, HERE), world(seed + 500, 300, THERE)
                estimate_prevalence(*labelled[:2], fresh.y_score)

    def test_no_warning_for_labels_of_one_class(self):
        """There is nothing to compare their scores with."""
        labelled, fresh = world(0, 500, HERE), world(50, 500, HERE)
        y_true = labelled.y_true.copy()
        y_true[:, 0], y_true[:, 2] = 0, np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = estimate_prevalence(y_true, labelled.y_score, fresh.y_score)
        assert np.isfinite(found).all()


@pytest.mark.parametrize("damping", [-0.1, 1.1, np.nan, np.inf])
def test_no_damping(damping):
    labelled = world(0, 50, HERE)
    with pytest.raises(InputError) as caught:
        estimate_prevalence(*labelled[:2], labelled.y_score, damping=damping)
    assert str(caught.value) == f"damping={damping} is not usable. It must be from 0 to 1."


@pytest.mark.parametrize("level", [-0.1, 1.1, np.nan])
def test_no_level(level):
    labelled = world(0, 50, HERE)
    with pytest.raises(InputError) as caught:
        estimate_prevalence(*labelled[:2], labelled.y_score, level=level)
    assert str(caught.value) == f"level={level} is not usable. It must be from 0 to 1."


@pytest.mark.parametrize("shape", [(50, 2), (0, 3), (50, 4)])
def test_scores_of_another_shape(shape):
    labelled = world(0, 50, HERE)
    with pytest.raises(InputError) as caught:
        estimate_prevalence(*labelled[:2], np.zeros(shape))
    assert str(caught.value) == (
        f"new_scores has shape {shape}. It must be (n_new, 3), with the same labels in the same order."
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_new_scores_that_are_not_finite_are_called_by_their_name(value):
    labelled = world(0, 50, HERE)
    y_score = labelled.y_score.copy()
    y_score[7, 1] = value
    with pytest.raises(InputError, match=r"new_scores has .* 'cat', row 7"):
        estimate_prevalence(*labelled[:2], y_score, labels=["dog", "cat", "cow"])


def test_labelled_data_are_checked():
    labelled = world(0, 50, HERE)
    with pytest.raises(InputError, match=r"y_true has shape \(49, 3\)"):
        estimate_prevalence(labelled.y_true[:49], labelled.y_score, labelled.y_score)
    with pytest.raises(InputError, match="new_scores has dtype"):
        estimate_prevalence(*labelled[:2], np.array([["a", "b", "c"]]))


def test_inputs_are_left_alone():
    labelled, fresh = world(0, 50, HERE), world(50, 50, THERE)
    before = [part.copy() for part in (*labelled[:2], fresh.y_score)]
    estimate_prevalence(*labelled[:2], fresh.y_score)
    for part, copy in zip((*labelled[:2], fresh.y_score), before, strict=True):
        np.testing.assert_array_equal(part, copy)
    assert isinstance(labelled, Data)
