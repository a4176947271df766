"""The learning curve: who is tuned on what, and that it agrees with `compare`."""

import io

import numpy as np
import pytest

import limen
from limen.errors import InputError
from limen.intervals import Interval
from limen.learning_curve import SHARES, LearningCurve, learning_curve
from limen.objectives import objective
from strategies import AVERAGES, Spy, numbered, random_data, smooth_data


def test_every_item_is_measured_once_at_every_size():
    spy = Spy()
    curve = learning_curve(*numbered(23), method=spy, shares=[0.25, 0.5, 1.0], cv=4)
    assert len(spy.seen) == 12
    for step in range(3):
        parts = spy.seen[4 * step : 4 * step + 4]
        whole = spy.seen[8:]
        for part, everything_outside in zip(parts, whole, strict=True):
            assert set(part) <= set(everything_outside)
        if step == 2:
            measured = [set(range(23)) - set(part) for part in parts]
            assert sorted(item for fold in measured for item in fold) == list(range(23))
    assert curve.n_items == 23
    assert curve.folds == 4


def test_smaller_parts_lie_within_larger_ones_and_ascend():
    spy = Spy()
    learning_curve(*numbered(40), method=spy, shares=[1.0, 0.1, 0.5], cv=2)
    for fold in range(2):
        small, middle, large = (set(spy.seen[fold + 2 * step]) for step in range(3))
        assert small < middle < large
        assert [len(part) for part in (small, middle, large)] == [2, 10, 20]
    assert all((np.diff(part) > 0).all() for part in spy.seen)


def test_sizes_rise_and_are_the_items_tuned_on():
    spy = Spy()
    curve = learning_curve(*numbered(50), method=spy, cv=5)
    assert curve.sizes == tuple(round(share * 40) for share in SHARES)
    assert [len(part) for part in spy.seen[::5]] == list(curve.sizes)
    assert list(curve.sizes) == sorted(set(curve.sizes))


def test_a_share_of_less_than_one_item_is_one_item_and_says_so():
    spy = Spy()
    curve = learning_curve(*numbered(20), method=spy, shares=[0.01, 1.0], cv=2)
    assert [len(part) for part in spy.seen[:2]] == [1, 1]
    assert curve.sizes == (1, 10)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("method", ["exact", "shared", "pcut", "mcut", "smoothed"])
def test_all_items_outside_a_fold_give_what_compare_gives(method, average):
    problem = smooth_data(0)
    curve = learning_curve(*problem[:2], method=method, average=average, shares=[0.3, 1.0], cv=4, random_state=2)
    row = limen.compare(*problem[:2], methods=[method], average=average, cv=4, random_state=2).rows[0]
    assert curve.held_out[-1].value == pytest.approx(row.held_out, abs=1e-12)
    assert curve.held_out[-1][1:] == pytest.approx((row.low, row.high), abs=1e-9)


def test_also_in_groups_and_with_weights_and_unknown_labels():
    problem = smooth_data(0)
    y_true = np.where(np.random.default_rng(9).random(problem.y_true.shape) < 0.2, np.nan, problem.y_true)
    options = {"groups": np.arange(60) // 4, "sample_weight": np.arange(60) % 3 + 0.5, "cv": 3}
    curve = learning_curve(y_true, problem.y_score, method="exact", shares=[1.0], **options)
    row = limen.compare(y_true, problem.y_score, methods=["exact"], **options).rows[0]
    assert curve.held_out[0].value == pytest.approx(row.held_out, abs=1e-12)


def test_groups_are_kept_whole():
    spy = Spy()
    groups = np.random.default_rng(0).integers(0, 9, 45)
    learning_curve(*numbered(45), method=spy, shares=[0.5, 1.0], cv=3, groups=groups)
    for part, inner in zip(spy.seen[3:], spy.groups[3:], strict=True):
        outside = np.setdiff1d(np.arange(45), part)
        assert not set(groups[part]) & set(groups[outside])
        assert len(inner) == len(part)
    for part, whole in zip(spy.seen[:3], spy.seen[3:], strict=True):
        assert set(part) < set(whole)


def test_more_items_help():
    """Averaged over draws, so that it holds for these seeds with room to spare."""
    values = []
    for seed in range(6):
        curve = learning_curve(*smooth_data(seed, n_items=300)[:2], method="exact", shares=[0.03, 0.2, 1.0])
        values.append([interval.value for interval in curve.held_out])
    few, some, many = np.mean(values, axis=0)
    assert few + 0.02 < some < many


def test_the_seed_decides():
    problem = smooth_data(0)
    options = {"method": "shared", "shares": [0.2, 1.0]}
    a, b, c = (learning_curve(*problem[:2], random_state=seed, **options) for seed in (0, 0, 1))
    assert a == b
    assert a.held_out != c.held_out


def test_the_default_method():
    """Auto runs on parts of one item too, and in groups of which a part has only one."""
    problem = smooth_data(0, n_items=12)
    curve = learning_curve(*problem[:2], shares=[0.1, 1.0], cv=2, groups=np.arange(12) // 3)
    assert all(np.isfinite(interval).all() for interval in curve.held_out)


def test_sparse_and_single_precision():
    from scipy.sparse import csr_array

    problem = smooth_data(0)
    plain, sparse, single = (
        learning_curve(problem.y_true, scores, method="exact", shares=[0.5, 1.0], metric="f2")
        for scores in (problem.y_score, csr_array(problem.y_score), problem.y_score.astype(np.float32))
    )
    assert [i.value for i in sparse.held_out] == [i.value for i in plain.held_out]
    np.testing.assert_allclose(single.held_out, plain.held_out, atol=0.05)


def test_labels_without_positives_do_not_warn():
    y_true = np.zeros((10, 2))
    y_true[:5, 0] = 1
    learning_curve(y_true, np.random.default_rng(0).random((10, 2)), method="exact", cv=2)


def test_progress_counts_every_tuning():
    steps = []
    learning_curve(
        *smooth_data(0)[:2], method="exact", shares=[0.5, 1.0], cv=3, progress=lambda *step: steps.append(step)
    )
    assert [step[:2] for step in steps] == [(k, 6) for k in range(6)]
    assert [step[2] for step in steps[::3]] == ["50% of the items", "100% of the items"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shares": []}, "shares=[] are not usable. Each must be above 0 and at most 1."),
        ({"shares": [0.0, 1.0]}, "shares=[0.0, 1.0] are not usable"),
        ({"shares": [0.5, 1.01]}, "shares=[0.5, 1.01] are not usable"),
        ({"shares": [np.nan, 0.5]}, "are not usable"),
        ({"cv": 7}, "cv=7 folds of 6 items. Use 2 to 6 folds."),
        ({"cv": 2.5}, "cv=2.5"),
        ({"cv": 4, "groups": [0, 0, 1, 1, 2, 2]}, "cv=4 folds of 3 groups. Use 2 to 3 folds."),
        ({"groups": [0] * 6}, "groups has one group. At least two are needed"),
        ({"metric": {"name": "cost", "fp": [1]}}, "the cost fp has 1 values for 3 labels"),
    ],
)
def test_refused(options, words):
    with pytest.raises(InputError) as caught:
        learning_curve(*smooth_data(0, n_items=6)[:2], **{"method": "exact", "cv": 2, **options})
    assert words in str(caught.value)


@pytest.mark.parametrize("seed", range(8))
def test_ties_unknown_labels_and_weights(seed):
    problem = random_data(seed, n_items=8)
    curve = learning_curve(*problem[:2], method="exact", sample_weight=problem.sample_weight, cv=3)
    for value, low, high in curve.held_out:
        assert 0 <= low <= value <= high <= 1


class TestShown:
    def curve(self):
        held_out = (Interval(0.25, 0.2, 0.3), Interval(0.5, 0.45, 0.55), Interval(0.75, 0.7, 0.8))
        return LearningCurve((100, 1500, 12000), held_out, objective("f1", "macro"), 15000, 5)

    def test_cells(self):
        assert self.curve().cells() == [
            ("100", "25.0 %", "20.0 to 30.0", "#"),
            ("1 500", "50.0 %", "45.0 to 55.0", "#" * 11),
            ("12 000", "75.0 %", "70.0 to 80.0", "#" * 20),
        ]

    def test_a_flat_curve_and_a_single_point(self):
        flat = LearningCurve((5,), (Interval(0.5, 0.4, 0.6),), objective("f1"), 10, 2)
        assert flat.cells() == [("5", "50.0 %", "40.0 to 60.0", "#")]

    def test_for_terminals(self):
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=120, color_system=None).print(self.curve())
        shown = text.getvalue()
        for words in ("items tuned on", "held-out", "1 500", "45.0 to 55.0", "#" * 20, "macro F1, by"):
            assert words in shown

    def test_for_notebooks(self):
        summary = "macro F1, by the number of items tuned on; measured on 15 000 items, in 5 folds"
        html = self.curve()._repr_html_()
        assert html.count("<tr>") == 4
        for words in ("items tuned on", "<td>1 500</td>", "<td>50.0 %</td>", summary):
            assert words in html
