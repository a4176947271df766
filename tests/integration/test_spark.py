"""Frames of Spark are counted and decided as arrays are, bit for bit, however they are laid out and divided."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import limen
from limen.data import as_data
from limen.errors import InputError, UnsupportedError
from limen.shards import count_shard
from limen.sources.arrays import CSR

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'limen[spark]'")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java: install Java 17", allow_module_level=True)

import pyarrow as pa

import limen.engines.spark as spark_engine
from integration.spark_data import arrays, columns, long, problem, session, tags

pytestmark = [
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    with session("local[2]", tmp_path_factory.mktemp("spark")) as found:
        yield found


@pytest.fixture(autouse=True)
def in_many_parts(monkeypatch):
    """Small parts, and a tree of two levels, as data larger than a machine have."""
    monkeypatch.setattr(spark_engine, "PART", 150)
    monkeypatch.setattr(spark_engine, "FAN_IN", 3)


def tuned(*data, **given):
    """Thresholds that are proven, of data with a label that no item has."""
    with pytest.warns(limen.LimenWarning, match="1 label without a positive item"):
        return limen.tune(*data, method="exact", **given)


def same(curves, expected, *, repeated=False):
    assert curves.digest() == expected.digest()
    assert curves == expected
    assert curves.candidates.dtype == expected.candidates.dtype
    if repeated:  # rows that are alike are dealt to folds in turn within a part
        return
    assert expected.folds is not None
    for name in ("tp", "fp", "beneath", "n_positive", "n_known", "n_items", "squares", "half", "few"):
        assert np.array_equal(getattr(curves.folds, name), getattr(expected.folds, name)), name
    assert curves.folds.goes_with(expected.folds)


@pytest.mark.parametrize("layout", [arrays, columns, long, tags])
def test_every_layout_is_counted_as_arrays_are(spark, layout):
    p = problem()
    if layout is tags:
        p = p._replace(y_true=np.nan_to_num(p.y_true))
    labels = p.labels if layout is arrays else None
    curves = spark_engine.curves_of(*layout(spark, p), labels=labels)
    same(curves, p.curves())


def test_another_attempt_at_a_part_gives_the_same_bits_in_whatever_order_rows_come():
    p = problem(9, n_items=40)
    n_items, n_labels = p.y_score.shape
    item, label = (index.ravel() for index in np.indices(p.y_score.shape))
    known = ~np.isnan(p.y_true.ravel())
    table = pa.table(
        {
            "id": np.array(p.ids)[np.concatenate([item, item[known]])],
            "of_scores": np.repeat([True, False], [n_items * n_labels, known.sum()]),
            "label": pa.array(np.concatenate([label, label[known]]).astype(np.int32)),
            "score": pa.concat_arrays([pa.array(p.y_score.ravel()), pa.nulls(int(known.sum()), pa.float32())]),
            "value": pa.concat_arrays(
                [pa.nulls(n_items * n_labels, pa.float32()), pa.array(p.y_true.ravel()[known])]
            ),
            "weight": p.weight[np.concatenate([item, item[known]])],
        }
    )
    plan = spark_engine.Plan(tuple(p.labels), "long", "long", True, False)
    attempts = []
    for seed in range(3):
        rows = np.random.default_rng(seed).permutation(len(table))
        cuts, counts = (
            list(spark_engine.summaries(plan, given, table.take(rows).to_batches(max_chunksize=17)))
            for given in (None, p.curves().candidates)
        )
        attempts.append([batch.to_pydict() for batch in (*cuts, *counts)])
    assert attempts[0] == attempts[1] == attempts[2]
    assert len(attempts[0]) == 3


def test_groups_stay_whole(spark):
    p = problem(8)
    groups = np.array([f"site {k % 7}" for k in range(len(p.ids))])
    truth, scores = arrays(spark, p)
    of_id = spark.createDataFrame(list(zip(p.ids, groups.tolist(), strict=True)), "id string, site string")
    curves = spark_engine.curves_of(truth, scores.join(of_id, "id"), labels=p.labels, groups="site")
    same(curves, p.curves(groups=groups))
    assert curves.folds.grouped
    with pytest.raises(InputError, match="groups has one group"):
        limen.tune(truth.selectExpr("*", "1 as site"), scores, labels=p.labels, groups="site")


@pytest.mark.parametrize(
    ("layout", "given"),
    [
        (arrays, {"n_items": 5, "n_labels": 1}),
        (long, {"n_items": 40, "n_labels": 3, "dtype": np.float64}),
        (arrays, {"n_items": 6, "n_labels": 150}),
    ],
    ids=["one label, five items", "float64", "several blocks of labels"],
)
def test_odd_shapes(spark, layout, given):
    p = problem(3, **given)
    same(spark_engine.curves_of(*layout(spark, p), labels=p.labels), p.curves())


def test_tune_takes_frames_as_it_takes_arrays(spark):
    p = problem()
    truth, scores = arrays(spark, p)
    t, expected = tuned(truth, scores, labels=p.labels), tuned(p.y_true, p.y_score, labels=p.labels)
    assert np.array_equal(t.values, expected.values)
    assert (t.value, t.status, t.digest) == (expected.value, expected.status, expected.digest)
    with pytest.warns(limen.LimenWarning, match="1 label without a positive item"):
        auto = limen.tune(truth, scores, labels=p.labels)
    with pytest.warns(limen.LimenWarning, match="1 label without a positive item"):
        expected = limen.tune(p.y_true, p.y_score, labels=p.labels)
    assert np.array_equal(auto.values, expected.values)
    assert auto.value == expected.value
    assert abs(auto.expected.value - expected.expected.value) < 0.01  # by counts of ten parts, and by scores


def test_scores_that_are_not_listed_are_below_every_cut(spark):
    p = problem(1)
    keep = np.random.default_rng(0).random(p.y_score.shape) < 0.3
    keep[7] = False
    curves = spark_engine.curves_of(*long(spark, p, keep))
    order = np.argsort(p.ids)
    kept = keep[order]
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    scores = CSR(p.y_score[order][kept], np.nonzero(kept)[1], indptr, keep.shape)
    same(curves, count_shard(as_data(p.y_true[order], scores, labels=p.labels)), repeated=True)


def test_the_way_frames_are_divided_changes_nothing_not_even_sums_of_weights(spark):
    p = problem(2)
    truth, scores = long(spark, p, weighted=True)
    found = []
    for shuffled, partitions in ((4, 1), (1, 9)):  # some of them empty
        spark.conf.set("spark.sql.shuffle.partitions", str(shuffled))
        divided = (
            scores.repartition(partitions).sortWithinPartitions("score"),
            truth.repartition(partitions, "value"),
        )
        found.append(spark_engine.curves_of(divided[1], divided[0], sample_weight="weight"))
    spark.conf.set("spark.sql.shuffle.partitions", "4")
    same(found[1], found[0])
    one = p.curves(sample_weight=p.weight)
    np.testing.assert_allclose(found[0].tp, one.tp, rtol=1e-12)
    assert np.array_equal(tuned(found[0]).values, tuned(one).values)


def test_weights_that_add_exactly_give_the_sums_of_one_machine(spark):
    p = problem(4)
    p = p._replace(weight=np.round(p.weight * 8) / 8)
    truth, scores = arrays(spark, p, weighted=True)
    curves = spark_engine.curves_of(truth, scores, labels=p.labels, sample_weight="weight")
    same(curves, p.curves(sample_weight=p.weight))


def test_a_label_in_half_of_the_rows_and_an_order_of_labels(spark):
    p = problem(5, n_items=60, n_labels=4)
    keep = np.zeros(p.y_score.shape, bool)
    keep[:, 0] = True
    keep[np.arange(60), 1 + np.arange(60) % 3] = True
    truth, scores = long(spark, p, keep)
    assert scores.where("label = 'label 00'").count() * 2 == scores.count()
    by_name = spark_engine.curves_of(truth, scores)
    turned = spark_engine.curves_of(truth, scores, labels=p.labels[::-1])
    assert turned.labels == by_name.labels[::-1]
    assert np.array_equal(turned.n_positive, by_name.n_positive[::-1])
    kept = np.where(keep, p.y_score, -1)
    order = p.curves()
    for k in range(4):
        known, one = ~np.isnan(p.y_true[:, k]), p.y_true[:, k] == 1
        cuts = by_name.candidates.cuts[by_name.offsets[k] : by_name.offsets[k + 1]]
        own = slice(by_name.offsets[k], by_name.offsets[k + 1])
        above = kept[:, k, np.newaxis] >= np.where(np.isinf(cuts), 2, cuts)
        assert np.array_equal(by_name.tp[own], (above & one[:, np.newaxis]).sum(axis=0))
        assert np.array_equal(by_name.fp[own], (above & (known & ~one)[:, np.newaxis]).sum(axis=0))
    assert np.array_equal(by_name.n_known, order.n_known)


def changed(spark, p, layout=arrays, **sql):
    """The frames with columns replaced by an expression of SQL."""
    truth, scores = layout(spark, p, weighted=True)
    for side, expressions in sql.items():
        for name, expression in expressions.items():
            if side == "scores":
                scores = scores.withColumn(name, spark_engine.functions.expr(expression))
            else:
                truth = truth.withColumn(name, spark_engine.functions.expr(expression))
    return truth, scores


FIRST, LAST = "'clip 07'", "'clip 42'"
BROKEN = {
    "id twice": (
        arrays,
        {"scores": {"id": f"if(id = {FIRST}, {LAST}, id)"}},
        r"y_score has more than one row for 1 item \(first: 'clip 42'\). Every item needs one row",
    ),
    "unlabelled": (
        arrays,
        {"scores": {"id": f"if(id = {FIRST}, 'x', id)"}},
        r"y_score has 1 item without labels in y_true \(first: 'x'\). Both frames need the same items",
    ),
    "unscored": (
        long,
        {"truth": {"id": f"if(id = {FIRST} and label = 'label 00', 'x', id)"}},
        r"y_true has 1 item without scores in y_score \(first: 'x'\)",
    ),
    "no id": (arrays, {"scores": {"id": "if(id < 'clip 10', null, id)"}}, r"y_score has no id in 10 rows\. Every"),
    "a length that differs late": (
        arrays,
        {"scores": {"scores": f"if(id >= {LAST}, slice(scores, 1, 2), scores)"}},
        r"y_score has arrays of another length than 3 for 18 items \(first: 'clip 42', 'clip 43', ",
    ),
    "no array": (
        arrays,
        {"truth": {"truth": f"if(id = {FIRST}, null, truth)"}},
        r"y_true has arrays of another length than 3 for 1 item \(first: 'clip 07'\)",
    ),
    "NaN": (
        arrays,
        {"scores": {"scores": f"if(id = {FIRST}, transform(scores, s -> cast('NaN' as float)), scores)"}},
        r"y_score has NaN or an infinite value for 3 pairs of id and label \(first: 'clip 07, label 00', ",
    ),
    "null score": (
        long,
        {"scores": {"score": f"if(id = {FIRST}, null, score)"}},
        r"y_score has no score for 3 pairs of id and label \(first: 'clip 07, label 00'",
    ),
    "null label": (
        long,
        {"scores": {"label": f"if(id = {FIRST}, null, label)"}},
        r"y_score has a score and no label in rows of 3 items \(first: 'clip 07'",
    ),
    "pair twice": (
        long,
        {"scores": {"id": f"if(id = {FIRST} and label = 'label 02', {LAST}, id)"}},
        r"y_score has more than one row for 1 pair of id and label \(first: 'clip 42, label 02'\). Keep one row",
    ),
    "no label": (
        arrays,
        {"truth": {"truth": f"if(id = {FIRST}, array(cast(0.5 as float), 0, 0), truth)"}},
        r"y_true has values other than 0 and 1 for 1 pair of id and label \(first: 'clip 07, label 00'\)",
    ),
    "all labels 1": (
        long,
        {"truth": {"value": "1.0"}},
        r"y_true lists \d+ of 180 pairs, all with value 1, so the others could be 0 or unknown",
    ),
    "a label without scores": (
        long,
        {"truth": {"label": f"if(id = {FIRST}, 'wind', label)"}},
        r"y_true and y_score name different labels: 'wind' only in y_true",
    ),
    "weights differ": (
        long,
        {"truth": {"weight": "if(label = 'label 00', 9, weight)"}},
        r"the column of weights has several values for \d+ items \(first: .*\). Every item needs one weight",
    ),
    "a negative weight": (
        arrays,
        {"truth": {"weight": f"if(id = {FIRST}, -1, weight)"}},
        r"the column of weights has no finite number from 0 for 1 item \(first: 'clip 07'\)",
    ),
    "no weight at all": (arrays, {"truth": {"weight": "0"}}, "sample_weight is zero for every item"),
}


@pytest.mark.parametrize(("layout", "sql", "message"), BROKEN.values(), ids=BROKEN)
def test_rows_that_break_a_rule_are_counted_and_named(spark, layout, sql, message):
    p = problem(6, n_items=60, n_labels=3)
    truth, scores = changed(spark, p, layout, **sql)
    with pytest.raises(InputError, match=message):
        limen.tune(truth, scores, labels=p.labels if layout is arrays else None, sample_weight="weight")


def test_frames_that_cannot_be_understood(spark):
    p = problem(6, n_items=6, n_labels=3)
    truth, scores = arrays(spark, p)
    with pytest.raises(
        InputError, match=r"y_true is a ndarray. Scores and labels must both be DataFrames of Spark"
    ):
        limen.tune(p.y_true, scores)
    with pytest.raises(InputError, match="y_score has 0 columns that could be the id"):
        limen.tune(truth, scores.drop("id"))
    with pytest.raises(InputError, match="y_score has columns that are not numbers: 'site'"):
        limen.tune(truth, scores.selectExpr("id", "id as site", "scores"))
    with pytest.raises(InputError, match=r"y_true has tags as text .* split\(tags, ';'\)"):
        limen.tune(truth.selectExpr("id", "'a;b' as tags"), scores)
    with pytest.raises(InputError, match="neither frame has the column 'w', the weight"):
        limen.tune(truth, scores, sample_weight="w")
    with pytest.raises(InputError, match="mask cannot be given with DataFrames of Spark"):
        limen.tune(truth, scores, mask=np.ones((6, 3), bool))
    with pytest.raises(InputError, match="y_score has no label names, and the labels in y_true have no order"):
        limen.tune(truth.selectExpr("id", "array('a') as tags"), scores)
    with pytest.raises(InputError, match="y_score is empty"):
        limen.tune(truth.limit(0), scores.limit(0))


EDGES = [0.5, np.nan, np.inf, -np.inf, None, -0.0, 0.0, np.nextafter(np.float32(0.1), np.float32(0)), 0.1]


@pytest.fixture(scope="module")
def edges():
    """Thresholds at which the scores of `EDGES` lie, one never; as float32."""
    y_true, y_score = [[0, 1, 1], [1, 0, 0]], np.float32([[0.2, 0.9, 0.5], [0.6, 0.3, 0]])
    t = limen.tune(y_true, y_score, labels=["a", "b", "c"])
    return replace(t, values=np.array([0.1, 0, np.inf], np.float32))


def expected_of(score, threshold):
    return None if score is None or not np.isfinite(score) else bool(np.float32(score) >= threshold)


@pytest.mark.parametrize("dtype", ["float", "double"])
def test_decisions_are_made_by_spark_when_rows_are_asked_for(spark, edges, dtype):
    rows = [
        (k, *[None if s is None else float(np.float32(s)) for s in [score] * 3]) for k, score in enumerate(EDGES)
    ]
    wide = spark.createDataFrame(rows, f"id int, c {dtype}, a {dtype}, b {dtype}")
    expected = {k: [expected_of(s, t) for t in edges.values] for k, s in enumerate(EDGES)}
    decided = edges.decide(wide)
    assert decided.columns == wide.columns
    assert {row.id: [row.a, row.b, row.c] for row in decided.collect()} == expected
    listed = wide.selectExpr("id", "stack(3, 'c', c, 'a', a, 'b', b) as (label, score)")
    listed = listed.union(
        spark.createDataFrame([(0, "unheard", 1.0), (0, None, 1.0)], "id int, l string, s double")
    )
    by_pair = {(row.id, row.label): row.decision for row in edges.decide(listed).collect()}
    assert by_pair.pop((0, "unheard")) is None
    assert by_pair.pop((0, None)) is None
    assert by_pair == {(k, name): own[n] for k, own in expected.items() for n, name in enumerate(edges.labels)}
    as_arrays = edges.decide(wide.selectExpr("id", "array(a, b, c) as scores", "1 as other"))
    assert as_arrays.columns == ["id", "scores", "other", "decision"]
    assert {row.id: row.decision for row in as_arrays.collect()} == expected


def test_what_cannot_be_decided(spark, edges):
    frame = spark.createDataFrame([(0, [0.5, 0.5, 0.5]), (1, None), (2, [0.5])], "id int, scores array<float>")
    assert [row.decision for row in edges.decide(frame.where("id < 2")).collect()] == [[True, True, False], None]
    from pyspark.errors import PySparkException

    with pytest.raises(PySparkException, match="the scores of an item are an array of 1 for 3 labels"):
        edges.decide(frame).collect()
    with pytest.raises(
        InputError, match="thresholds and y_score name different labels: 'a', 'b', 'c' only in the"
    ):
        edges.decide(frame.select("id"))
    with pytest.raises(InputError, match="y_score has a column 'decision' already"):
        edges.decide(frame.selectExpr("scores", "1 as decision"))
    with pytest.raises(UnsupportedError, match="the rule 'top-k' looks at several scores"):
        replace(edges, rule="top-k:1").decide(frame)
    with pytest.raises(InputError, match="y_score is a PipelinedRDD of pyspark"):
        edges.decide(frame.rdd.map(lambda row: row))
