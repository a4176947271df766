"""Results of what carries thresholds elsewhere: scikit-learn, PyTorch, ONNX, exports, the report."""

# ruff: noqa: N806 - X is what scikit-learn calls the items

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import polars as pl
import scipy.sparse as sp
import torch
from onnx import TensorProto, helper
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB

import limen
import limen.onnx
from limen.exports import birdnet, huggingface, sql
from limen.exports import polars as in_polars
from limen.sklearn import ThresholdTuner
from limen.torch import SHAPES, CurveAccumulator, MetricLoss, ThresholdLayer, fit_thresholds, threshold
from results_arrays import AVERAGES, DATA, PLAIN, counted, made
from results_digests import Results, content

try:
    from limen.sklearn import tuned_scorer
except ImportError:  # before the reorganisation
    from limen.sklearn import make_scorer as tuned_scorer

LOGITS = DATA["logits float32"]


def scikit(results: Results) -> None:
    X, y = make_multilabel_classification(160, n_features=8, n_classes=4, random_state=4)
    X_two, y_two = make_classification(160, weights=[0.8], flip_y=0.1, random_state=4)
    words = np.where(y_two == 1, "rain", "dry")
    groups, weight = np.arange(160) // 8, np.random.default_rng(70).random(160)
    model, outputs = OneVsRestClassifier(GaussianNB()), MultiOutputClassifier(GaussianNB())
    framed = pd.DataFrame(y, columns=["a", "b", "c", "d"])

    def fitted(estimator: Any, items: Any, target: Any, fit: Any = None, **options: Any) -> dict[str, Any]:
        tuner = ThresholdTuner(estimator, **{"method": "exact", **options}).fit(items, target, **(fit or {}))
        measured = {key: np.asarray(value) for key, value in tuner.cv_results_.items() if "time" not in key}
        return {
            "thresholds": tuner.thresholds_,
            "predicted": tuner.predict(items),
            "score": tuner.score(items, target),
            "cv_results": measured,
            "classes": [np.asarray(one).tolist() for one in tuner.classes_],
            "labels": tuner.labels_,
            "response": tuner.response_method_,
        }

    halves = [(np.arange(80), np.arange(80, 160)), (np.arange(80, 160), np.arange(80))]
    ways: dict[str, dict[str, Any]] = {
        "5": {},
        "none": {"cv": None},
        "3 auto": {"cv": 3, "method": "auto"},
        "float": {"cv": 0.3},
        "float without refit": {"cv": 0.4, "refit": False},
        "splitter": {"cv": KFold(4, shuffle=True, random_state=1)},
        "pairs": {"cv": halves},
        "groups": {"fit": {"groups": groups}},
        "group splitter": {"cv": GroupKFold(3), "fit": {"groups": groups}},
        "groups auto": {"cv": 3, "method": "auto", "fit": {"groups": groups}},
        "weights": {"fit": {"sample_weight": weight}},
        "macro": {"average": "macro", "metric": "mcc", "zero_division": 1.0},
        "no results": {"store_cv_results": False, "labels": ["w", "x", "y", "z"]},
        "seed": {"random_state": 9},
    }
    for name, options in ways.items():
        results.keep(f"sklearn/labels/{name}", fitted, model, X, y, **options)
        results.keep(
            f"sklearn/binary/{name}",
            fitted,
            GaussianNB(),
            X_two,
            words,
            **{k: v for k, v in options.items() if k != "labels"},
        )
    logistic = OneVsRestClassifier(LogisticRegression())
    results.keep("sklearn/outputs", fitted, outputs, X, y)
    results.keep("sklearn/words", fitted, outputs, X, np.where(y == 1, "yes", "no"))
    results.keep("sklearn/sparse", fitted, model, X, sp.csr_matrix(y))
    results.keep("sklearn/frame", fitted, model, pd.DataFrame(X).rename(columns=str), framed)
    results.keep("sklearn/margins", fitted, logistic, X, y, response_method="decision_function")
    results.keep("sklearn/prefit", fitted, OneVsRestClassifier(GaussianNB()).fit(X, y), X, y, cv="prefit")
    results.keep(
        "sklearn/prefit unknown",
        lambda: (
            ThresholdTuner(OneVsRestClassifier(GaussianNB()).fit(X, y), cv="prefit")
            .fit(X, np.where(np.arange(640).reshape(y.shape) % 11 == 0, np.nan, y))
            .thresholds_
        ),
    )
    scored = OneVsRestClassifier(GaussianNB()).fit(X[:60], y[:60])
    for name, options in ways.items():
        given = {
            key: value
            for key, value in options.items()
            if key in ("cv", "method", "average", "metric", "random_state", "zero_division")
        }
        call = options.get("fit", {})
        results.keep(
            f"sklearn/scorer/{name}",
            lambda g=given, c=call: tuned_scorer(**{"method": "exact", **g})(scored, X, y, **c),
        )
    results.keep(
        "sklearn/scorer/cross_validate",
        lambda: cross_validate(model, X, y, scoring=tuned_scorer(method="shared"))["test_score"],
    )


def tensors(results: Results) -> None:
    torch.set_num_threads(1)
    truth, scores = torch.tensor(PLAIN.y_true), torch.tensor(PLAIN.y_score)
    weight, known = torch.linspace(0, 2, len(truth)), (torch.arange(truth.numel()).reshape(truth.shape) % 6) > 0

    def lost(metric: Any, average: str, dtype: Any, memory: float, **given: Any) -> dict[str, Any]:
        loss, pred = (
            MetricLoss(metric, average, memory=memory, zero_division=0.5),
            scores.to(dtype).requires_grad_(),
        )
        values = [
            loss(pred[rows], truth[rows], **{k: v[rows] for k, v in given.items()})
            for rows in (slice(0, 90), slice(90, 200))
        ]
        sum(values).backward()
        return {"value": torch.stack(values), "gradient": pred.grad, "shown": str(loss)}

    costs = {"name": "cost", "fp": [1, 2, 3, 4, 5.0], "fn": 0.5}
    for metric in (*counted(), {"name": "fbeta", "beta": 0.7}, costs):
        for average in AVERAGES:
            key = f"torch/loss/{metric if isinstance(metric, str) else metric['name'] + ' given'}/{average}"
            for dtype in (torch.float32, torch.float64):
                results.keep(f"{key}/{dtype}", lost, metric, average, dtype, 0.0)
            results.keep(f"{key}/memory", lost, metric, average, torch.float32, 0.7)
            results.keep(
                f"{key}/weights", lost, metric, average, torch.float64, 0.0, sample_weight=weight, mask=known
            )
            results.keep(
                f"torch/fit/{key[11:]}", fit_thresholds, truth, scores, metric=metric, average=average, epochs=15
            )
    for name, data in DATA.items():
        results.keep(
            f"torch/fit data/{name}",
            fit_thresholds,
            torch.tensor(data.y_true),
            torch.tensor(data.y_score),
            epochs=15,
            keep="best",
        )
    results.keep("torch/fit weights", fit_thresholds, truth, scores, sample_weight=weight, mask=known, epochs=15)
    for shape in SHAPES:

        def stepped(shape: str = shape, **more: Any) -> dict[str, Any]:
            s, t = (
                scores.clone().requires_grad_(),
                torch.linspace(0.1, 0.9, 5, dtype=torch.float64, requires_grad=True),
            )
            out = threshold(s, t, surrogate=shape, slope=7.0, **more)
            (out * torch.linspace(-1, 1, 5)).sum().backward()
            return {"value": out, "to scores": s.grad, "to thresholds": t.grad}

        results.keep(f"torch/step/{shape}", stepped)
        results.keep(f"torch/step/{shape}/smooth", stepped, smooth=True)
        results.keep(
            f"torch/fit shape/{shape}", fit_thresholds, truth, scores, surrogate=shape, slope=12.0, epochs=15
        )

    def layered(name: str) -> dict[str, Any]:
        data = DATA[name]
        found = limen.tune(*data.pair, labels=data.labels, method="exact")
        layer, given = ThresholdLayer(found).eval(), torch.tensor(data.y_score)
        return {
            "value": layer(given),
            "half": layer(given.half()),
            "brain": layer(given.bfloat16()),
            "state": list(layer.state_dict().values()),
            "values": layer.values(),
            "again": layer.to_thresholds(*data.pair, metric="mcc"),
        }

    def trained() -> dict[str, Any]:
        layer, loss = ThresholdLayer(0.4, n_labels=5, trainable=True, learn_slope=True), MetricLoss("f1", "macro")
        rule = torch.optim.SGD(layer.parameters(), 0.05)
        for _ in range(5):
            rule.zero_grad()
            loss(layer(scores), truth).backward()
            rule.step()
        return {"value": layer.thresholds, "slope": layer.slope, "thresholds": layer.to_thresholds(truth, scores)}

    def gathered(name: str, **more: Any) -> dict[str, Any]:
        data, held = DATA[name], [CurveAccumulator(DATA[name].labels) for _ in range(2)]
        for first in range(0, len(data.y_true), 30):
            rows = slice(first, first + 30)
            parts = {key: value[rows] for key, value in more.items()}
            held[first % 60 > 0].update(torch.tensor(data.y_true[rows]), torch.tensor(data.y_score[rows]), **parts)
        if held[1].n_items:
            held[0].merge(held[1])
        curves = held[0].compute()
        return {"value": str(held[0]), "curves": curves, "tuned": limen.tune(curves)}

    results.keep("torch/trained layer", trained)
    for name in DATA:
        results.keep(f"torch/layer/{name}", layered, name)
        results.keep(f"torch/accumulator/{name}", gathered, name)
    results.keep("torch/accumulator/weights", gathered, "tied", sample_weight=weight, mask=known)
    results.keep("torch/accumulator/index", gathered, "tied", index=np.arange(200) % 150)


def tagger(dtype: str, n_labels: int, *operators: str) -> onnx.ModelProto:
    """Return a model of one node after another, from x to y."""
    kind = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}[dtype]
    names = ["x", *(f"h{k}" for k in range(1, len(operators))), "y"]
    ends = [helper.make_tensor_value_info(name, kind, ("items", n_labels)) for name in ("x", "y")]
    nodes = [helper.make_node(op, [names[k]], [names[k + 1]]) for k, op in enumerate(operators)]
    graph = helper.make_graph(nodes, "tagger", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def in_models(results: Results) -> None:
    def exported(name: str, operators: tuple[str, ...], inputs: Any, **options: Any) -> dict[str, Any]:
        data = DATA[name]
        found = limen.tune(*data.pair, labels=data.labels, method="exact")
        with tempfile.TemporaryDirectory() as folder:
            old, new = Path(folder, "old.onnx"), Path(folder, "new.onnx")
            onnx.save(tagger(str(inputs.dtype), len(data.labels), *operators), old)
            done = limen.onnx.export(str(old), found, str(new), **options)
            session = onnxruntime.InferenceSession(str(new), providers=["CPUExecutionProvider"])
            outputs = session.run(None, {"x": inputs})
            graph = onnx.load(new).graph
            held = limen.onnx.read_thresholds(str(new))
        return {
            "value": done.how,
            "scores": done.scores,
            "opset": done.opset,
            "verified": None if done.verified is None else str(done.verified),
            "outputs": outputs,
            "names": [output.name for output in session.get_outputs()],
            "nodes": [node.op_type for node in graph.node],
            "constants": [onnx.numpy_helper.to_array(one) for one in graph.initializer],
            "thresholds": held,
        }

    for name in DATA:
        scores = DATA[name].y_score
        results.keep(f"onnx/{name}", exported, name, ("Identity",), scores)
    for dtype in ("float32", "float64"):
        logits = made(80, dtype=dtype, logits=True).y_score
        name = f"probabilities {dtype}"
        results.keep(f"onnx/logits/{dtype}", exported, name, ("Identity",), logits, model_gives="logits")
        results.keep(
            f"onnx/sigmoid/{dtype}", exported, name, ("Identity",), logits, model_gives="logits", sigmoid="p"
        )
        results.keep(f"onnx/given sigmoid/{dtype}", exported, name, ("Identity", "Sigmoid"), logits)
        given = 1 / (1 + np.exp(-logits))
        results.keep(
            f"onnx/probabilities/{dtype}",
            exported,
            f"logits {dtype}",
            ("Identity",),
            given,
            model_gives="probabilities",
        )


def texts(results: Results) -> None:
    for name, data in DATA.items():
        found = limen.tune(*data.pair, labels=data.labels, method="exact")
        scores = np.asarray(data.y_score, np.float64)
        wide = pl.DataFrame({tag: scores[:, k] for k, tag in enumerate(data.labels)})
        long = pl.DataFrame(
            {
                "id": np.repeat(np.arange(len(scores)), len(data.labels)),
                "label": list(data.labels) * len(scores),
                "score": scores.ravel(),
            }
        )

        def asked(text: str, wide: pl.DataFrame = wide, long: pl.DataFrame = long) -> list[Any]:
            with sqlite3.connect(":memory:") as base:
                for table, frame in (("wide", wide.with_row_index("id")), ("long", long)):
                    columns = ", ".join(f'"{column}"' for column in frame.columns)
                    base.execute(f'CREATE TABLE "{table}" ({columns})')
                    base.executemany(
                        f'INSERT INTO "{table}" VALUES ({", ".join("?" * frame.width)})', frame.rows()
                    )
                return base.execute(text).fetchall()

        for kind, make in {
            "case": lambda t=found: sql.case_sql(t, table="wide"),
            "long": lambda t=found: sql.long_sql(t, table="long"),
            "every": lambda t=found: sql.long_sql(t, table="long", only_given=False),
        }.items():
            results.keep(f"export/sql/{kind}/{name}", make)
            results.keep(f"export/sql rows/{kind}/{name}", lambda make=make, asked=asked: asked(make()))
        results.keep(f"export/duckdb/{name}", sql.duckdb_macros, found)
        results.keep(f"export/polars/{name}", lambda t=found, f=wide: f.select(in_polars.expressions(t)).rows())
        results.keep(
            f"export/polars long/{name}", lambda t=found, f=long: f.select(in_polars.long_expression(t)).rows()
        )
        results.keep(f"export/birdnet/{name}", birdnet.confidences, found)
        items = [
            [{"label": tag, "score": row[k].item()} for k, tag in enumerate(data.labels)] for row in scores[:20]
        ]
        results.keep(
            f"export/post-processor/{name}", lambda t=found, items=items: huggingface.PostProcessor(t)(items)
        )

        def configured(t: limen.Thresholds = found) -> Any:
            with tempfile.TemporaryDirectory() as folder:
                names = {str(k): tag for k, tag in enumerate(reversed(t.labels))}
                Path(folder, "config.json").write_text(json.dumps({"id2label": names, "other": 1}))
                written = json.loads(huggingface.write_thresholds(folder, t).read_text())
                return {"config": written, "read": huggingface.read_thresholds(folder)}

        results.keep(f"export/huggingface/{name}", configured)


def page_of(path: Path) -> dict[str, Any]:
    """Return the data in a report's page, the thresholds' own fields by column."""
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL
    )
    assert found is not None
    page: dict[str, Any] = content(json.loads(found[1]))
    return page


def reports(results: Results) -> None:
    def reported(data: Any, thresholds: Any = None, **options: Any) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            return page_of(limen.report(*data.pair, thresholds, str(Path(folder, "report.html")), **options))

    fast: dict[str, Any] = {"methods": ("fixed:0.5", "shared", "exact"), "cv": 3}
    for name, data in DATA.items():
        found = limen.tune(*data.pair, labels=data.labels, method="exact")
        results.keep(f"report/data/{name}", reported, data, found, methods=())
    tuned = limen.tune(*PLAIN.pair, labels=PLAIN.labels)
    other = made(90)
    n_items = len(other.y_true)
    for name, options in {
        "tuned here": {"thresholds": None},
        "given": {"thresholds": tuned, "ids": [f"clip {k}" for k in range(n_items)], "title": "A title"},
        "number": {"thresholds": 0.4, "labels": other.labels},
        "vector": {"thresholds": [0.1, 0.2, np.inf, 0.3, 0.4], "average": "macro", "metric": "kappa"},
        "weights": {"thresholds": tuned, "sample_weight": np.random.default_rng(91).random(n_items)},
        "groups": {"thresholds": tuned, "groups": np.arange(n_items) // 5, "random_state": 3},
        "mask": {"thresholds": tuned, "mask": np.arange(other.y_true.size).reshape(other.y_true.shape) % 7 > 0},
    }.items():
        results.keep(f"report/{name}", reported, other, **{**fast, **options})
    for metric in counted():
        for average in AVERAGES:
            results.keep(
                f"report/metric/{metric}/{average}",
                reported,
                other,
                0.4,
                metric=metric,
                average=average,
                methods=(),
            )
    costs = {"name": "cost", "fp": [1, 2, 3, 4, 5], "fn": 2}
    results.keep("report/metric/costs", reported, other, 0.4, metric=costs, methods=())
    results.keep("report/same data", reported, PLAIN, tuned, **fast)
    framed = [
        pd.DataFrame(part, columns=other.labels, index=[f"c{k}" for k in range(n_items)]) for part in other.pair
    ]
    results.keep("report/frames", lambda: reported(type(other)(*framed, other.labels), tuned, **fast))


PARTS = (scikit, tensors, in_models, texts, reports)
