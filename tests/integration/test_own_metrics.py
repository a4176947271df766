"""A metric of one's own at every door: it works, or is refused in words at once."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import limen
from integration.own_metrics import OWN, Gain, Means
from limen import metrics, objectives, solvers
from limen.cli import cli
from limen.errors import InputError, UnsupportedError
from limen.metrics import Metric, Precision, ratio
from oracle import naive
from strategies import best_value, exactly, random_data, tuned

torch = pytest.importorskip("torch", reason="torch is not installed")

from limen.torch import MetricLoss, fit_thresholds  # noqa: E402

every_own = pytest.mark.parametrize("metric", OWN, ids=str)


def exact_gain(tp, pp, p, n, zero_division=0):
    below = pp - tp + p
    return min((3 * tp - pp) / (2 * below), 1) if below else zero_division


def exact_means(tp, pp, p, n, zero_division=0):
    return (naive.precision(tp, pp, p, n, zero_division) + naive.recall(tp, pp, p, n, zero_division)) / 2


def exact_tversky(tp, pp, p, n, zero_division=0):
    return 10 * tp / (7 * pp + 3 * p) if pp + p else zero_division


EXACT = dict(zip(OWN, (exact_gain, exact_means, exact_tversky), strict=True))


@pytest.fixture(scope="module")
def spread():
    draw = np.random.default_rng(0)
    y_true = (draw.random((60, 3)) < 0.4).astype(np.int8)
    return y_true, np.round(np.clip(draw.normal(0.4 + 0.2 * y_true, 0.15), 0, 1), 2)


@every_own
@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@pytest.mark.parametrize("zero_division", [0, 1])
def test_the_exact_method(metric, average, zero_division):
    """Optimal as the oracle says, where that is claimed; of an unknown structure, no more than a local optimum."""
    reached = 0
    for seed in range(25):
        problem = random_data(seed, most_items=6, unknown=False)
        t = tuned(problem, metric=metric, average=average, zero_division=zero_division)
        best = float(best_value(EXACT[metric], average, problem, zero_division))
        counts = exactly(t.counts)
        assert t.value == pytest.approx(
            float(naive.value(EXACT[metric], average, counts, zero_division)), abs=1e-12
        )
        known = metric.structure != "other" or average != "micro"
        assert t.status == ("optimal" if known else "local")
        assert t.value <= best + 1e-12
        assert not known or t.value == pytest.approx(best, abs=1e-12)
        reached += t.value > best - 1e-12
    assert reached > 20


@every_own
@pytest.mark.parametrize("method", ["auto", "bagged", "smoothed", "sgl", "numerical", "random-search", "shared"])
@pytest.mark.parametrize("average", ["micro", "macro"])
def test_every_other_method(metric, method, average, spread):
    exact = limen.tune(*spread, metric=metric, average=average, method="exact")
    t = limen.tune(*spread, metric=metric, average=average, method=method)
    half = limen.tune(*spread, metric=metric, average=average, method="fixed:0.9")
    assert half.value < t.value <= exact.value + 1e-12


@every_own
def test_counting_doors(metric, spread):
    y_true, y_score = spread
    t = limen.tune(y_true, y_score, metric=metric, average="macro", method="exact")
    found = limen.evaluate(y_true, y_score, t)
    assert found.value == t.value
    by_label = limen.evaluate(y_true, y_score, t, average="none").value
    assert by_label.mean() == pytest.approx(t.value, abs=1e-15)
    result = limen.compare(y_true, y_score, metric=metric, methods=["exact", "shared"], cv=3)
    assert {row.method for row in result.rows} == {"exact", "shared"}
    assert all(row.held_out <= 1 for row in result.rows)


@every_own
def test_the_scikit_learn_tuner(metric):
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    from limen.sklearn import ThresholdTuner

    draw = np.random.default_rng(0)
    x = draw.normal(size=(80, 4))
    y = (x[:, :2] + draw.normal(size=(80, 2)) > 0).astype(int)
    tuner = ThresholdTuner(OneVsRestClassifier(LogisticRegression()), metric=metric, average="macro", cv=2).fit(
        x, y
    )
    assert tuner.predict(x).shape == (80, 2)
    assert tuner.thresholds_.metric == metric


@every_own
@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
def test_tensors(metric, average, spread):
    """The value is that of numpy, and the gradient that of the differences of the value."""
    y_true, y_score = map(torch.tensor, spread)
    soft = y_score.clone().requires_grad_()
    loss = MetricLoss(metric, average)
    value = loss(soft, y_true)
    value.backward()
    p = spread[0].sum(axis=0)
    counts = (spread[0] * spread[1]).sum(axis=0), spread[1].sum(axis=0), p, np.full(3, 60)
    assert value.item() == pytest.approx(1 - objectives.objective(metric, average)(*counts), abs=1e-12)
    for at in ((0, 0), (1, 2), (5, 1)):
        step = torch.zeros_like(y_score)
        step[at] = 1e-4
        with torch.no_grad():
            rise = loss(y_score + step, y_true) - loss(y_score - step, y_true)
        assert soft.grad[at].item() == pytest.approx(rise.item() / 2e-4, rel=1e-3, abs=1e-7)
    fit = fit_thresholds(y_true, y_score, metric=metric, average=average, epochs=20, keep="best")
    own = limen.tune(
        *spread,
        metric=metric,
        average=average,
        method=solvers.SurrogateGradient(bins=None, epochs=20, keep="best"),
    )
    np.testing.assert_allclose(fit.thresholds.numpy(), own.values, atol=1e-6)


class TestFiles:
    @every_own
    def test_saved_and_loaded_where_it_is_registered(self, metric, spread, tmp_path, registered):
        t = limen.tune(*spread, metric=metric, method="exact")
        t.save(tmp_path / "t.json")
        again = limen.Thresholds.load(tmp_path / "t.json")
        assert again == t
        assert type(again.metric) is type(metric)

    def test_parameters(self, spread, tmp_path, registered):
        t = limen.tune(*spread, metric={"name": "gain", "price": 2}, method="exact")
        t.save(tmp_path / "t.json")
        assert limen.Thresholds.load(tmp_path / "t.json").metric == Gain(2)

    def test_not_saved_if_it_could_not_be_read_back(self, spread, tmp_path, monkeypatch):
        t = limen.tune(*spread, metric=Means(), method="exact")
        with pytest.raises(UnsupportedError) as caught:
            t.save(tmp_path / "t.json")
        assert "the metric means is not registered, so a file that names it could not be read" in str(caught.value)
        assert "limen.metrics.register(Means) first" in str(caught.value)
        assert not (tmp_path / "t.json").exists()
        monkeypatch.setattr(metrics, "METRICS", dict(metrics.METRICS))
        metrics.register(Means)
        t.save(tmp_path / "t.json")
        metrics.METRICS.pop("means")
        with pytest.raises(InputError, match=r"metric='means' is unknown.*limen\.metrics\.register\(ItsClass\)"):
            limen.Thresholds.load(tmp_path / "t.json")

    def test_parameters_that_are_not_plain(self, spread, tmp_path, registered):
        class Hidden(Means):
            name = "hidden"

            def __init__(self, weight):
                pass

        metrics.register(Hidden)
        t = limen.tune(*spread, metric=Hidden(3), method="exact")
        with pytest.raises(UnsupportedError, match="is not the same again after it was written as"):
            t.save(tmp_path / "t.json")

    def test_the_command_line(self, spread, tmp_path, registered):
        y_true, y_score = spread
        np.save(tmp_path / "y.npy", y_true)
        np.save(tmp_path / "s.npy", y_score)
        files = [str(tmp_path / name) for name in ("s.npy", "y.npy")]
        done = CliRunner().invoke(
            cli, ["tune", *files, "--metric", "means", "--method", "exact", "-o", str(tmp_path / "t.json")]
        )
        assert done.exit_code == 0, done.output
        assert json.loads((tmp_path / "t.json").read_text())["metric"] == "means"
        assert "means" in CliRunner().invoke(cli, ["methods"]).output


def made(**body):
    body.setdefault("name", "made")
    return type("Made", (Metric,), body)()


def formula(text):
    """Return a metric's method of an expression in tp, pp, p and n."""
    scope = {"np": np, "ratio": ratio}
    exec(f"def call(self, tp, pp, p, n, zero_division=0.0):\n    return {text}", scope)
    return scope["call"]


class Altered(Gain):
    name = "altered"
    __call__ = formula("ratio(tp, pp, 0)")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (made(__call__=formula("tp / n"), structure="linear"), "structure='linear'. It must be 'linear' for a"),
        (made(__call__=formula("tp / n"), structure="convex"), "has structure='convex'"),
        (type("Odd", (Gain,), {"name": "odd", "structure": "other"})(), "has structure='other'"),
        (made(__call__=formula("0.5")), "does not give one number for each element of arrays"),
        (made(__call__=formula("tp / pp")), "Use limen.metrics.ratio where 0/0 can be."),
        (made(__call__=formula("1.0 * tp")), "A metric is at most 1: divide it by its largest."),
        (made(__call__=formula("pp / n")), "It is less with a false positive dropped; limen needs a metric that"),
        (made(__call__=formula("np.sqrt(ratio(tp, p, 0) * ratio(n - p - pp + tp, n - p, 0))"),
              structure="quasiconvex"), "so it is not quasi-convex. Declare structure='other'."),
        (made(__call__=formula("tp / n"), gradient=formula("(1.0 * tp, 0.0 * tp)")), "Its gradient there is not"),
        (Altered(), "It is not the ratio of its terms, or their denominator is negative."),
        (type("Nameless", (Precision,), {})(), "has the name 'precision', as one of limen has."),
        (type("Nameless", (Metric,), {"__call__": formula("tp / n")})(), "the metric Nameless has the name None"),
    ],
)  # fmt: skip
def test_what_is_declared_must_be_so(metric, words):
    with pytest.raises((InputError, UnsupportedError)) as caught:
        limen.tune([[1], [0]], [[0.9], [0.1]], metric=metric)
    assert words in str(caught.value)


def test_what_0_0_counts_as_must_not_reward_false_positives():
    metric = made(__call__=formula("ratio(tp, p * (pp < 3), zero_division)"))
    assert limen.tune([[1], [0]], [[0.9], [0.1]], metric=metric, method="exact").value == 1
    with pytest.raises(UnsupportedError, match="It is less with a false positive dropped"):
        limen.tune([[1], [0]], [[0.9], [0.1]], metric=metric, zero_division=1)


class Npv(metrics.LinearRatio):
    """Rejections that are right, of all: 0/0 where everything is given."""

    name = "npv"

    def terms(self, p, n, zero_division=0.0):
        return metrics.Linear(1, -1, n - p), metrics.Linear(0, -1, n)


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_giving_everything_may_be_best(average):
    def exact(tp, pp, p, n, zero_division=0):
        return naive._ratio(n - p - pp + tp, n - pp, zero_division)

    for seed in range(10):
        problem = random_data(seed, most_items=6, unknown=False)
        t = tuned(problem, metric=Npv(), average=average, zero_division=1)
        assert t.status == "optimal"
        assert t.value == pytest.approx(float(best_value(exact, average, problem, 1)), abs=1e-12)
    curves = limen.Curves.from_arrays([[1], [0]], [[0.9], [0.1]])
    assert tuned(curves, metric=Npv(), zero_division=1).status == "optimal"
    assert tuned(replace(curves, sources=()), metric=Npv(), zero_division=1).status == "optimal"


@pytest.mark.parametrize("kind", [3, int, Gain(), type("Nameless", (Precision,), {})])
def test_not_registered(kind):
    with pytest.raises(InputError):
        metrics.register(kind)


def test_parameters_by_label():
    """They go with their labels; a micro average of them is known for costs alone."""
    y_true, y_score = np.array([[1, 1], [0, 0], [1, 0]]), np.array([[0.9, 0.2], [0.6, 0.7], [0.4, 0.1]])
    own = Gain(np.array([0.0, 4.0]))
    of = objectives.objective(own, "macro")
    counts = np.array([(2, 3, 2, 3), (1, 2, 1, 3)]).T
    assert of.of_labels(*counts).tolist() == [float(Gain(0.0)(2, 3, 2, 3)), float(Gain(4.0)(1, 2, 1, 3))]
    t = limen.tune(y_true, y_score, metric=own, average="macro", method="exact")
    assert t.value == of(*t.counts)
    with pytest.raises(UnsupportedError, match="a micro average of gain is not known: it has parameters by label"):
        limen.tune(y_true, y_score, metric=own)
    with pytest.raises(InputError, match="the gain price has 2 values for 1 labels"):
        limen.tune(y_true[:, :1], y_score[:, :1], metric=own, average="macro")
