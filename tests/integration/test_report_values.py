"""What the page shows is what Python computes, wherever the cuts are dragged."""

import numpy as np
import pytest

import limen
from integration.own_metrics import OWN
from integration.report_page import Report, opened
from limen import metrics
from limen.datasets import spoken_tags
from limen.errors import UnsupportedError
from limen.metrics import LinearRatio
from limen.objectives import Objective
from limen.reporting import report

AVERAGES = ("micro", "macro", "weighted")


def drawn(n_items, n_labels, seed=0, dtype=np.float32):
    """Return labels and probabilities of many labels, most of them rare, with ties."""
    draw = np.random.default_rng(seed)
    share = np.exp(draw.uniform(np.log(0.003), np.log(0.3), n_labels))
    y_true = (draw.random((n_items, n_labels)) < share).astype(np.int8)
    logit = draw.normal(0, 1, y_true.shape) + 2 * y_true + np.log(share)
    return y_true, np.round(1 / (1 + np.exp(-logit)), 3).astype(dtype)


def in_python(y_true, y_score, values, metric="f1", zero_division=0.0, weight=None):
    """Return the averages of plain decisions, counted by numpy alone."""
    given = y_score >= values
    weight = np.ones(len(y_true)) if weight is None else weight
    known = ~np.isnan(np.asarray(y_true, float))
    right = y_true == 1
    tp, pp, p, n = (weight @ part for part in (given & right, given & known, right, known))
    kind = metrics.get(metric)
    return {average: Objective(kind, average, zero_division)(tp, pp, p, n) for average in AVERAGES}


def agree(shown, computed):
    assert shown == pytest.approx(computed, rel=1e-12, abs=1e-12)


def move_and_compare(page, names, y_true, y_score, values, move=Report.type_in, **how):
    """Move labels to several places; after each, every average must be Python's."""
    values = np.array(values, np.float64)
    agree(page.averages(), in_python(y_true, y_score, values, **how))
    for place, share in zip(np.linspace(0, len(names) - 1, 4).astype(int), (0.2, 0.5, 0.8, 0.999), strict=True):
        page.show(names[place])
        move(page, share)
        values[place] = page.threshold()
        agree(page.averages(), in_python(y_true, y_score, values, **how))
    return values


def test_sixteen_labels_dragged(chrome, tmp_path):
    y_true, y_score, names = spoken_tags()
    thresholds = limen.tune(y_true, y_score, labels=names)
    path = report(y_true, y_score, thresholds, tmp_path / "r.html", methods=())
    with opened(chrome, path) as page:
        values = move_and_compare(page, names, y_true, y_score, thresholds.values, Report.drag_to)
        assert len(set(values) - set(thresholds.values.astype(float))) == 4
        given = y_score >= values
        for name in ("george", "digit 3"):
            k = names.index(name)
            page.show(name)
            tp, pp, p = (given[:, k] & (y_true[:, k] == 1)).sum(), given[:, k].sum(), y_true[:, k].sum()
            assert page.threshold() == values[k]
            assert page.value("#label-precision") == pytest.approx(tp / pp, rel=1e-12)
            assert page.value("#label-recall") == pytest.approx(tp / p, rel=1e-12)
            assert page.value("#label-f1") == pytest.approx(2 * tp / (pp + p), rel=1e-12)
            assert page.value("#label-tags") == pytest.approx(1000 * pp / len(y_true), rel=1e-12)
            counts = [page.value(f"#count-{cell}") for cell in ("tp", "fp", "fn", "tn")]
            assert counts == [tp, pp - tp, p - tp, len(y_true) - pp - p + tp]
        assert page.value("#now-tags") == pytest.approx(given.sum() / len(y_true), rel=1e-12)


def test_many_labels_dragged(chrome, tmp_path):
    y_true, y_score = drawn(1500, 527)
    names = [f"label {k:03d}" for k in range(527)]
    y_true[np.arange(527), np.arange(527)] = 1
    thresholds = limen.tune(y_true, y_score, labels=names, method="exact")
    path = report(y_true, y_score, thresholds, tmp_path / "r.html", methods=())
    with opened(chrome, path) as page:
        values = move_and_compare(page, names, y_true, y_score, thresholds.values, Report.drag_to)
        assert page.page.locator("#table-body .row").count() < 60
        page.page.locator("#target-recall").check()
        page.page.locator("#target").fill("0.8")
        precision, recall = page.value("#frontier-precision"), page.value("#frontier-recall")
        frontier = limen.frontier(y_true, y_score)
        point = int(np.searchsorted(frontier.recall, 0.8))
        assert 0.8 <= recall <= frontier.recall[point]
        assert precision == pytest.approx(frontier.precision[point], abs=0.005)
        chosen = limen.Thresholds.load(page.download("#save", tmp_path)).values
        assert (chosen != frontier.thresholds(point).values).sum() <= 1
        agree(page.averages(), in_python(y_true, y_score, chosen))
        page.page.keyboard.press("Control+z")
        agree(page.averages(), in_python(y_true, y_score, values))


@pytest.mark.parametrize(
    "metric",
    [
        "precision",
        "balanced_accuracy",
        "kappa",
        {"name": "cost", "fp": [1.0, 2.0, 0.5, 1.0, 3.0], "fn": 4.0},
        "mcc",
        "fowlkes_mallows",
        "g_mean",
        {"name": "fbeta", "beta": 0.37},
    ],
    ids=str,
)
def test_every_metric(chrome, tmp_path, metric):
    y_true, y_score = drawn(300, 5, seed=3)
    y_true[:, 4] = 0
    names = ["a", "b", "c", "d", "without positives"]
    path = report(
        y_true, y_score, 0.3, tmp_path / "r.html", labels=names, metric=metric, zero_division=0.25, methods=()
    )
    with opened(chrome, path) as page:
        move_and_compare(
            page, names, y_true, y_score, np.full(5, 0.3, np.float32), metric=metric, zero_division=0.25
        )


@pytest.mark.parametrize("metric", OWN, ids=str)
@pytest.mark.parametrize("average", ["micro", "macro"])
def test_a_metric_of_ones_own(chrome, tmp_path, metric, average, registered):
    """Terms are computed in the page; of other formulas it knows the values of labels, but no micro average."""
    y_true, y_score = drawn(200, 3, seed=8)
    names, values = ["a", "b", "c"], np.full(3, 0.3, np.float32)
    path = report(
        y_true, y_score, 0.3, tmp_path / "r.html", labels=names, metric=metric, average=average, methods=()
    )
    with opened(chrome, path) as page:
        shown = page.averages()
        expected = in_python(y_true, y_score, values, metric)
        if isinstance(metric, LinearRatio):
            move_and_compare(page, names, y_true, y_score, values, metric=metric)
            return
        assert np.isnan(shown.pop("micro"))
        assert page.page.inner_text("#now-micro") == "not known here"
        agree(shown, {name: expected[name] for name in shown})
        page.show("b")
        page.drag_to(0.8)
        values[1] = page.threshold()
        expected = in_python(y_true, y_score, values, metric)
        agree({name: page.averages()[name] for name in shown}, {name: expected[name] for name in shown})
        if average == "micro":
            page.page.click("#save")
            assert "Not saved: the page has no formula for the micro" in page.page.inner_text("#saved")
        else:
            again = limen.Thresholds.load(page.download("#save", tmp_path))
            assert again.metric.name == metric.name
            assert again.value == pytest.approx(expected["macro"], rel=1e-12)


def test_a_metric_that_is_not_registered(tmp_path):
    with pytest.raises(UnsupportedError, match="the metric gain is not registered"):
        report([[1], [0]], [[0.9], [0.1]], 0.5, tmp_path / "r.html", metric=OWN[0])
    assert not list(tmp_path.iterdir())


def test_weights_and_unknown_labels(chrome, tmp_path):
    y_true, y_score = drawn(400, 6, seed=4)
    y_true = y_true.astype(float)
    y_true[np.random.default_rng(0).random(y_true.shape) < 0.2] = np.nan
    weight = np.random.default_rng(1).uniform(0, 3, 400)
    names = [f"l{k}" for k in range(6)]
    path = report(y_true, y_score, 0.5, tmp_path / "r.html", labels=names, sample_weight=weight, methods=())
    with opened(chrome, path) as page:
        values = move_and_compare(page, names, y_true, y_score, np.full(6, 0.5, np.float32), weight=weight)
        known = ~np.isnan(y_true)
        rates = (weight @ (known & (y_score >= values))) / (weight @ known)
        assert page.value("#now-tags") == pytest.approx(rates.sum(), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_dtypes_and_scores_that_are_no_probabilities(chrome, tmp_path, dtype):
    y_true, y_score = drawn(300, 4, seed=5, dtype=np.float64)
    y_score = np.log(np.clip(y_score, 1e-4, 1 - 1e-4) / (1 - np.clip(y_score, 1e-4, 1 - 1e-4))).astype(dtype)
    names = ["a", "b", "c", "d"]
    path = report(y_true, y_score, 0.0, tmp_path / "r.html", labels=names, methods=())
    with opened(chrome, path) as page:
        move_and_compare(page, names, y_true, y_score, np.zeros(4))
        assert "not probabilities" in page.page.inner_text("#facts")


def test_one_item_one_label(chrome, tmp_path):
    for truth, value in ((1, 1.0), (0, 0.0)):
        path = report([[truth]], [[0.7]], 0.5, tmp_path / "r.html", labels=["only"])
        with opened(chrome, path) as page:
            assert page.averages() == dict.fromkeys(AVERAGES, value)
            assert "Too few items" in page.page.inner_text("#methods-none")
            page.page.click("#to-never")
            assert page.threshold() == np.inf
            assert page.averages() == dict.fromkeys(AVERAGES, 0.0)


def test_thinned_cuts_keep_exact_counts(chrome, tmp_path, monkeypatch):
    """Thinning leaves cuts out; those that stay are exact, and the page says what is left out."""
    from limen.reporting import positions

    monkeypatch.setattr(positions, "MOST_BY_LABEL", 12)
    y_true, y_score = drawn(2000, 5, seed=6)
    y_score = y_score + np.random.default_rng(2).uniform(0, 1e-4, y_score.shape).astype(np.float32)
    names = [f"l{k}" for k in range(5)]
    path = report(y_true, np.clip(y_score, 0, 1), 0.4, tmp_path / "r.html", labels=names, methods=())
    with opened(chrome, path) as page:
        move_and_compare(page, names, y_true, np.clip(y_score, 0, 1), np.full(5, 0.4, np.float32))
        page.show(names[int(y_true.sum(axis=0).argmax())])
        assert "Thinned" in page.page.inner_text("#label-notes")
