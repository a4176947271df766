"""Thresholds closed under a hierarchy decide alike wherever they go, or are refused with what to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import limen
from limen.constraints import AtMost
from limen.decisions import counted_for
from limen.errors import InputError, UnsupportedError

LABELS = ("animal", "pet", "dog", "cat", "car")


@pytest.fixture(scope="module")
def closed():
    """Thresholds of a tree animal > pet > dog, cat, and scores of float32 with many ties."""
    rng = np.random.default_rng(0)
    scores = (rng.integers(9, size=(400, 5)) / 8).astype(np.float32)
    truth = rng.random((400, 5)) < scores**2
    pairs = [("animal", "pet"), ("pet", "dog"), ("pet", "cat")]
    t = limen.tune(
        truth, scores, labels=LABELS, method="exact", constraints=[AtMost(*pair, closed=True) for pair in pairs]
    )
    assert t.rule.startswith("closed:")
    decided = t.decide(scores)
    assert (decided != (scores >= t.values)).any()  # or nothing is tested below
    return t, scores, decided


@pytest.fixture
def other_order(closed):
    """The numbers of the labels in another order."""
    return np.array([3, 1, 4, 0, 2])


def test_what_counts_for_a_label(closed) -> None:
    assert [[LABELS[k] for k in own] for own in counted_for(closed[0].rule, 5)] == [
        ["animal", "pet", "dog", "cat"],
        ["pet", "dog", "cat"],
        ["dog"],
        ["cat"],
        ["car"],
    ]


@pytest.mark.filterwarnings("ignore:'y' gave scores from")  # the model makes up its inputs
@pytest.mark.parametrize("gives", ["scores", "logits"])
@pytest.mark.parametrize("opset", [12, 17, 21])
def test_onnx(closed, other_order, gives: str, opset: int) -> None:
    pytest.importorskip("onnxruntime")
    from integration.onnx_models import run, tagger
    from limen.onnx import append_thresholds, verify

    t, scores, decided = closed
    names = [LABELS[k] for k in other_order]
    model = append_thresholds(tagger(dims=("n", 5), opset=opset), t, labels=names, model_gives=gives)
    assert verify(model).own_scores
    if gives == "scores":
        np.testing.assert_array_equal(run(model, scores[:, other_order])[1], decided[:, other_order])
        broken = model.graph.node[-1]
        broken.input[0] = "y"  # without the closure
        with pytest.raises(limen.errors.LimenError, match="does not decide as the thresholds do"):
            verify(model)


def test_torch(closed) -> None:
    torch = pytest.importorskip("torch")
    from limen.torch import ThresholdLayer

    t, scores, decided = closed
    layer = ThresholdLayer(t)
    np.testing.assert_array_equal(layer(torch.from_numpy(scores)).numpy(), decided)
    np.testing.assert_array_equal(layer.half()(torch.from_numpy(scores)[None]).numpy()[0], decided)
    again = ThresholdLayer(t)
    again.load_state_dict(layer.state_dict())
    with pytest.raises(InputError, match="the state is of a layer with the rule 'closed:"):
        ThresholdLayer([0.5] * 5, labels=LABELS).load_state_dict(layer.state_dict())
    trained = ThresholdLayer(t, trainable=True)
    soft = torch.from_numpy(scores).requires_grad_()
    trained(soft).sum().backward()
    assert (soft.grad[:, 2] != 0).any()
    kept = trained.to_thresholds(decided, scores)
    assert kept.rule == t.rule
    assert kept.value == 1.0


def test_sql_and_polars(closed) -> None:
    import sqlite3

    from limen.exports.sql import case_sql

    t, scores, decided = closed
    con = sqlite3.connect(":memory:")
    con.execute(f"CREATE TABLE scores (id INTEGER, {', '.join(f'{name} REAL' for name in LABELS)})")
    rows = [(k, *map(float, row)) for k, row in enumerate(scores)]
    con.executemany("INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?)", [*rows, (400, 0.9, 0.9, None, 0.9, 0.9)])
    found = con.execute(case_sql(t).replace(";", " ORDER BY id;")).fetchall()
    np.testing.assert_array_equal(np.array([row[1:] for row in found[:400]], bool), decided)
    assert found[400][1:4] == (None, None, None)  # a label is undecided where a score that counts is missing
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    from limen.exports.polars import expressions

    frame = polars.DataFrame(scores, schema=list(LABELS))
    np.testing.assert_array_equal(frame.select(expressions(t)).to_numpy(), decided)
    pytest.importorskip("pyarrow")
    with duckdb.connect() as duck:
        duck.register("scores", frame.to_arrow())
        np.testing.assert_array_equal(duck.sql(case_sql(t, id=None)).pl().to_numpy(), decided)


def test_hugging_face_and_scikit_learn(closed, other_order, tmp_path) -> None:
    from limen.exports.huggingface import PostProcessor

    t, scores, decided = closed
    outputs = [[{"label": n, "score": float(s)} for n, s in zip(LABELS, row, strict=True)] for row in scores[:50]]
    kept = PostProcessor(t)(outputs)
    assert [{one["label"] for one in item} for item in kept] == [
        {name for name, given in zip(LABELS, row, strict=True) if given} for row in decided[:50]
    ]
    base = pytest.importorskip("sklearn.base")
    from limen.sklearn import FixedThresholds

    class Given(base.ClassifierMixin, base.BaseEstimator):
        """Its scores are its features."""

        def fit(self, X, y):  # noqa: N803
            self.classes_ = np.arange(5)
            self.multilabel_ = True
            return self

        def predict_proba(self, X):  # noqa: N803
            return X

    names = [LABELS[k] for k in other_order]
    t.save(tmp_path / "t.json")
    fixed = FixedThresholds(Given(), tmp_path / "t.json", labels=names).fit(scores, decided.astype(int))
    np.testing.assert_array_equal(fixed.predict(scores[:, other_order]), decided[:, other_order])


def test_where_one_score_is_seen_at_a_time_they_are_refused(closed) -> None:
    from limen.exports import birdnet, sql

    ways = [sql.long_sql, sql.duckdb_macros, birdnet.confidences]
    polars = pytest.importorskip("limen.exports.polars")
    for way in (*ways, polars.long_expression):
        with pytest.raises(UnsupportedError, match=r"closed under a hierarchy.*Use a query for wide tables"):
            way(closed[0])


def test_evaluate_and_files(closed, tmp_path) -> None:
    t, scores, decided = closed
    t.save(tmp_path / "t.json")
    again = limen.Thresholds.load(tmp_path / "t.json")
    np.testing.assert_array_equal(again.decide(scores), decided)
    assert limen.evaluate(decided, scores, again).value == 1.0
    assert replace(again, created=t.created) == t
