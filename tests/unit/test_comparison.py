"""Methods side by side: nothing is tuned on what it is measured on."""

from dataclasses import replace
from re import escape

import numpy as np
import pytest

import limen
from limen.errors import InputError
from limen.metrics import get
from limen.solvers import Fixed
from strategies import Spy, data, numbered, random_data, smooth_data, tuned


@pytest.mark.parametrize("cv", [2, 3, 5, 11])
def test_folds_are_disjoint_and_measure_every_item_once(cv):
    spy = Spy()
    limen.compare(*numbered(11), methods=[spy], cv=cv)
    everything = set(range(11))
    measured = [everything - set(seen) for seen in spy.seen]
    assert len(measured) == cv
    assert sorted(item for fold in measured for item in fold) == sorted(everything)
    assert max(map(len, measured)) - min(map(len, measured)) <= 1


def test_a_share_is_held_out_once():
    problem = smooth_data(0)
    compared = limen.compare(*problem[:2], methods=["exact"], cv=0.25)
    assert compared.design == "tuned on 45 items, measured on 15 others"
    twice = limen.compare(*problem[:2], methods=["exact"], cv=0.25, repeats=2)
    assert twice.design == "tuned on 45 items, measured on 15 others, drawn 2 times"
    with pytest.raises(InputError, match="repeats draws folds anew, and cv gives the splits"):
        limen.compare(*problem[:2], cv=[([0, 1], [2])], repeats=2)


@pytest.mark.parametrize("n_jobs", [None, 1, 3])
def test_threads_change_nothing(n_jobs, monkeypatch):
    monkeypatch.setattr("limen.comparison.WORTH_THREADS", 1)
    problem = smooth_data(0)
    one, other = (
        limen.compare(*problem[:2], methods=["auto", "sgl", "exact"], cv=2, n_jobs=jobs) for jobs in (1, n_jobs)
    )
    for a, b in zip(one.rows, other.rows, strict=True):
        assert replace(a, seconds=0) == replace(b, seconds=0)


def test_folds_are_drawn_by_the_seed():
    folds = []
    for seed in (0, 0, 1):
        spy = Spy()
        limen.compare(*numbered(11), methods=[spy], cv=3, random_state=seed)
        folds.append([part.tolist() for part in spy.seen])
    assert folds[0] == folds[1] != folds[2]


def by_hand(problem, pairs, method, metric, average):
    """Held-out counts of all parts summed; the mean of the values on the parts tuned on."""
    counts, fitted = [], []
    for tune, measure in pairs:
        t = tuned(problem.taken(tune), method=method, metric=metric, average=average)
        part = problem.taken(measure)
        measured = limen.evaluate(
            part.y_true, part.y_score, t.values, metric=metric, average=average, sample_weight=part.sample_weight
        )
        counts.append(np.array(measured.counts))
        fitted.append(t.value)
    summed = np.sum(counts, axis=0)
    of_labels = get(metric)(*summed)
    value = get(metric).pooled(*summed) if average == "micro" else of_labels.mean()
    return value, np.mean(fitted)


@pytest.mark.parametrize(("metric", "average"), [("f1", "micro"), ("f2", "macro"), ("accuracy", "micro")])
@pytest.mark.parametrize("weighted", [False, True])
def test_numbers_worked_out_again(metric, average, weighted):
    problem = smooth_data(0, n_items=50)
    if weighted:
        problem = problem._replace(sample_weight=np.random.default_rng(0).integers(1, 5, 50) / 2)
    order = np.random.default_rng(1).permutation(50)
    pairs = [(np.setdiff1d(order, fold), np.sort(fold)) for fold in np.array_split(order, 3)]
    methods = ["fixed:0.4", "shared", "exact", "pcut"]
    compared = limen.compare(
        *problem[:2],
        sample_weight=problem.sample_weight,
        methods=methods,
        metric=metric,
        average=average,
        cv=pairs,
    )
    for method in methods:
        held_out, fitted = by_hand(problem, pairs, method, metric, average)
        assert compared[method].held_out == pytest.approx(held_out, abs=1e-12)
        assert compared[method].fitted == pytest.approx(fitted, abs=1e-12)


def test_rows_are_sorted_and_say_what_was_proven():
    problem = smooth_data(0)
    compared = limen.compare(*problem[:2], methods=["fixed:0.99", "exact", "sgl", "shared"], cv=3)
    values = [row.held_out for row in compared.rows]
    assert values == sorted(values, reverse=True)
    assert compared.rows[-1].method == "fixed:0.99"
    assert {row.method: row.status for row in compared.rows} == {
        "exact": "optimal", "sgl": "local", "shared": "local", "fixed:0.99": "local"
    }  # fmt: skip
    assert compared["exact"].fitted == max(row.fitted for row in compared.rows)
    assert all(row.seconds > 0 for row in compared.rows)
    with pytest.raises(KeyError):
        compared["numerical"]


def test_statuses_that_differ_are_mixed():
    for seed in range(60):
        problem = random_data(seed, n_items=10, n_labels=2, unknown=False, weighted=False)
        row = limen.compare(*problem[:2], methods=["exact"], metric="g_mean", cv=2).rows[0]
        if row.status == "mixed":
            return
    raise AssertionError("no problem has one fold proven and one bounded")


def test_rules_by_item_are_measured_as_rules():
    problem = smooth_data(0)
    rows = np.arange(60)
    compared = limen.compare(*problem[:2], methods=["top-k:1", "mcut"], cv=[(rows[:30], rows[30:])])
    for method in ("top-k:1", "mcut"):
        t = tuned(problem.taken(rows[:30]), method=method)
        measured = limen.evaluate(*problem.taken(rows[30:])[:2], t)
        assert compared[method].held_out == measured.value


def test_no_method_is_dropped_for_its_name():
    """Two solvers of one kind differ by their options: both are measured, or the caller is told."""
    problem = smooth_data(0)
    try:
        compared = limen.compare(*problem[:2], methods=[Fixed(0.3), Fixed(0.5)], cv=2)
    except InputError:
        return
    assert len(compared.rows) == 2


def test_progress_counts_every_tuning():
    steps = []
    problem = smooth_data(0)
    limen.compare(*problem[:2], methods=["exact", "pcut"], cv=3, progress=lambda *step: steps.append(step))
    assert len(steps) == 6
    assert {step[1] for step in steps} == {6}
    assert [step[0] for step in steps] == list(range(steps[0][0], steps[0][0] + 6))
    assert {step[2] for step in steps} == {"exact", "pcut"}


def test_labels_without_positives_do_not_warn_at_every_fold():
    problem = data([[1, 0], [0, 0], [1, 0], [0, 0]], [[0.5, 0.1], [0.2, 0.3], [0.6, 0.2], [0.1, 0.1]])
    limen.compare(*problem[:2], methods=["exact"], cv=2)


@pytest.mark.parametrize(
    ("cv", "words"),
    [
        (1, "cv=1 folds of 6 items. Use 2 to 6 folds."),
        (True, "cv=True is no way to split. Give a number of folds, a share to hold out, or pairs of row"),
        ("folds", "cv='folds' is no way to split"),
        ([], "cv is empty. Give a number of folds, or pairs of row numbers."),
        ([([0, 1, 2], [2, 3])], "cv has the same 1 row (first: 2) in both parts of a pair. They must not overlap"),
        ([([0], [1]), ([0, 1, 2], [1, 2, 3])], "the same 2 rows (first: 1)"),
        ([([0], [6])], "cv has a part that is empty or has row numbers outside 0 to 5."),
        ([([-1], [1])], "row numbers outside 0 to 5"),
        (2.5, "cv=2.5 is no share of the items to hold out. It must be between 0 and 1."),
        (0.01, "cv=0.01 of 6 items leaves none on one side. Give more items."),
        ([([0, 0], [1])], "cv has a part that names a row twice"),
        ([(np.zeros(5, bool), [1])], "cv has a mask of shape (5,). A mask must be (6,)."),
    ],
)
def test_no_way_to_split(cv, words):
    with pytest.raises(InputError, match=escape(words)):
        limen.compare(*smooth_data(0, n_items=6)[:2], methods=["exact"], cv=cv)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"methods": []}, "methods is empty. Name at least one."),
        ({"methods": {}}, "methods is empty"),
        ({"methods": ["exact", "magic"]}, "method='magic' is unknown"),
        ({"metric": {"name": "cost", "fp": [1]}}, "the cost fp has 1 values for 3 labels"),
    ],
)
def test_refused(options, words):
    with pytest.raises(InputError, match=escape(words)):
        limen.compare(*smooth_data(0)[:2], cv=2, **{"methods": ["exact"], **options})


class TestShown:
    hostile = "<script>alert(1)</script>[bold]x[/bold]"

    def compared(self):
        return limen.compare(*smooth_data(0)[:2], methods={self.hostile: "exact", "plain": "fixed:0.5"}, cv=2)

    def test_as_text(self):
        text = repr(self.compared())
        assert text.splitlines()[0].startswith("micro F1")
        assert "2 folds of 60 items: each tuned on the others" in text
        assert self.hostile in text
        assert len(text.splitlines()) == 4

    def test_designs(self):
        problem, rows = smooth_data(0), np.arange(60)
        one = limen.compare(*problem[:2], methods=["exact"], cv=[(rows[:20], rows[20:])])
        assert "tuned on 20 items, measured on 40 others" in one.design
        two = limen.compare(*problem[:2], methods=["exact"], cv=[(rows[:20], rows[20:]), (rows[20:], rows[:20])])
        assert "2 splits, tuned on 30 items, measured on 30 others" in two.design


def test_what_is_gained_over_half_is_paired():
    problem = smooth_data(0, n_items=200)
    compared = limen.compare(*problem[:2], methods=["fixed:0.5", "exact", "shared"], cv=4)
    half, best = compared["fixed:0.5"], compared.rows[0]
    assert half.gain == (0, 0, 0)
    for row in compared.rows:
        assert row.gain.value == row.held_out - half.held_out
        assert row.gain.low <= row.gain.value <= row.gain.high
    assert (half.difference.value, half.difference.low, half.difference.high) == pytest.approx(
        (-best.gain.value, -best.gain.high, -best.gain.low), abs=1e-12
    )
    table = compared.columns()
    assert list(table)[3] == "over 0.5"
    said = dict(zip(table["method"], table["over 0.5"], strict=True))
    exact = compared["exact"].gain
    assert said["fixed:0.5"] == ""
    assert said["exact"] == f"{100 * exact.low:+.1f} to {100 * exact.high:+.1f}"
    assert "over 0.5" in repr(compared)
    alone = limen.compare(*problem[:2], methods=["exact", "shared"], cv=4)
    assert alone.rows[0].gain is None
    assert "over 0.5" not in alone.columns()


def test_one_label_is_paired_too():
    """Its items are of four kinds, other kinds for other decisions."""
    y_true, y_score, _ = smooth_data(1, n_items=2000, n_labels=1)
    compared = limen.compare(
        y_true, y_score, methods=["fixed:0.5", "fixed:0.51"], cv=[(range(10), range(10, 2000))]
    )
    row = compared["fixed:0.51"]
    assert row.gain.high - row.gain.low < 0.3 * (row.high - row.low)
    evaluated = limen.evaluate(y_true, y_score, 0.51, baseline=0.5).difference
    assert evaluated.high - evaluated.low < 0.3 * (row.high - row.low)
