"""Long tables counted by DuckDB, against the same tables read into memory."""

import pickle

import duckdb
import numpy as np
import pytest

import limen
from limen.curves import Curves
from limen.data import as_data
from limen.engines.duckdb import curves, cuts, opened
from limen.errors import InputError, UnreadableError
from limen.files.reading import join, read_table
from limen.shards import count_shard
from long_table_files import SCORES, TAGS, assert_same, in_memory, scores_file, table, tags_file, write


@pytest.mark.parametrize("form", ["FLOAT", "DOUBLE", "DECIMAL(9, 4)"])
@pytest.mark.parametrize("digits", [1, None])
def test_curves_are_those_of_the_table_in_memory(tmp_path, form, digits):
    scores, tags = table(digits=digits)
    found = assert_same(tags_file(tmp_path / "t.parquet", tags), scores_file(tmp_path / "s.parquet", scores, form))
    assert found.dtype == (np.float32 if form == "FLOAT" else np.float64)


def test_small_blocks_and_many_labels(tmp_path, monkeypatch):
    monkeypatch.setattr("limen.sources.blocks.BLOCK_ELEMENTS", 64)
    scores, tags = table(90, 12, seed=1, share=0.3)
    assert_same(tags_file(tmp_path / "t.parquet", tags), scores_file(tmp_path / "s.parquet", scores))


def test_five_thousand_labels(tmp_path):
    rng = np.random.default_rng(3)
    scores = [(f"i{i}", f"l{k}", rng.random()) for k in range(5000) for i in rng.choice(20, 2, replace=False)]
    scores = list(dict.fromkeys(scores))
    ids = sorted({row[0] for row in scores})
    tags = [row[:2] for row in scores[::3]]
    tags += [(one, None) for one in ids if one not in {row[0] for row in tags}]
    con = duckdb.connect()
    arrays = {
        "id": np.array([row[0] for row in scores], object),
        "label": np.array([row[1] for row in scores], object),
        "score": np.array([row[2] for row in scores]),
    }
    con.register("arrays", arrays)
    path = str(tmp_path / "s.parquet")
    con.execute(f"COPY (FROM arrays) TO '{path}' (FORMAT parquet)")
    assert_same(tags_file(tmp_path / "t.parquet", tags), path)


@pytest.mark.parametrize(
    ("scores", "tags"),
    [
        ([("a", "x", 0.5), ("b", "x", 0.5), ("c", "x", 0.5)], [("a", "x"), ("b", "x"), ("c", None)]),
        ([("a", "x", 0.5), ("b", "y", 0.25)], [("a", "x"), ("b", None)]),
        ([("a", "x", 1.0), ("b", "x", 0.0), ("c", "x", -0.0)], [("a", "x"), ("b", None), ("c", "x")]),
        ([("a", "x", 3.5), ("b", "x", -2.0)], [("a", None), ("b", "x")]),
        ([("é 'q\"", "ü;", 3.5), ("b", "ü;", -2.0)], [("é 'q\"", "ü;"), ("b", None)]),
    ],
    ids=["constant", "two rows, a label without positives", "zeros", "logits", "names"],
)
def test_odd_tables(tmp_path, scores, tags):
    assert_same(tags_file(tmp_path / "t.parquet", tags), scores_file(tmp_path / "s.parquet", scores))


@pytest.mark.parametrize("complete", [True, False])
def test_long_labels_are_unknown_where_they_are_not_listed_or_null(tmp_path, complete):
    scores, tags = table(40, 3, share=1.0 if complete else 0.5)
    positive = set(tags)
    rng = np.random.default_rng(5)
    rows = []
    for i in range(40):
        for k in range(3):
            pair = f"i{i}", f"l{k}"
            draw = rng.random()
            if draw < 0.6 or i == 0:
                rows.append((*pair, float(pair in positive)))
            elif draw < 0.8:
                rows.append((*pair, None))
        rows.append((f"i{i}", None, None))
    labels = write(tmp_path / "t.parquet", ("id", "label", "value"), rows, ("VARCHAR", "VARCHAR", "DOUBLE"))
    found = assert_same(labels, scores_file(tmp_path / "s.parquet", scores))
    assert (found.n_known < found.n_items).any()


@pytest.mark.parametrize("form", ["VARCHAR", "VARCHAR[]"])
def test_tag_lists(tmp_path, form):
    scores, tags = table(seed=2)
    by_item = {}
    for one, tag in tags:
        by_item.setdefault(one, []).extend([] if tag is None else [tag])
    rows = [(one, found if form == "VARCHAR[]" else " ; ".join(found) or None) for one, found in by_item.items()]
    labels = write(tmp_path / "t.parquet", ("id", "tags"), rows, ("VARCHAR", form))
    assert_same(labels, scores_file(tmp_path / "s.parquet", scores))


def test_labels_in_memory_of_every_layout(tmp_path):
    scores, tags = table(seed=4)
    path, positive = scores_file(tmp_path / "s.parquet", scores), set(tags)
    wide = tmp_path / "wide.csv"
    lines = [
        f"i{i}," + ",".join("" if i == 3 else str(int((f"i{i}", f"l{k}") in positive)) for k in range(4))
        for i in range(60)
    ]
    wide.write_text("id,l0,l1,l2,l3\n" + "\n".join(lines))
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("id,label\n" + "\n".join(f"{one},{tag or ''}" for one, tag in tags))
    for labels in (wide, pairs):
        expected = count_shard(in_memory(labels, path))
        assert curves(read_table(labels, kind="labels"), path) == expected


def test_everything_takes_the_data_while_they_are_open(tmp_path):
    scores, tags = table(200, 5, seed=6)
    labels, path = tags_file(tmp_path / "t.parquet", tags), scores_file(tmp_path / "s.parquet", scores)
    here = in_memory(labels, path)
    with opened(labels, path) as data:
        found, expected = limen.tune(data), limen.tune(here)
        assert np.array_equal(found.values, expected.values)
        assert found.expected == expected.expected
        assert limen.evaluate(data, None, found).value == limen.evaluate(here, None, expected).value
    counted, there = limen.tune(curves(labels, path)), limen.tune(pickle.loads(pickle.dumps(count_shard(here))))
    assert np.array_equal(counted.values, there.values)
    assert counted.expected == there.expected


def test_files_are_one_table_with_the_wider_type(tmp_path):
    scores, tags = table(seed=7)
    scores_file(tmp_path / "part1.parquet", scores[:50])
    scores_file(tmp_path / "part2.parquet", scores[50:], "DOUBLE")
    whole = scores_file(
        tmp_path / "whole.parquet",
        [(a, b, c and float(np.float32(c))) for a, b, c in scores[:50]] + scores[50:],
        "DOUBLE",
    )
    labels = tags_file(tmp_path / "t.parquet", tags)
    found = curves(labels, str(tmp_path / "part*.parquet"))
    assert found == count_shard(in_memory(labels, whole))
    assert found == curves(labels, [str(tmp_path / "part1.parquet"), tmp_path / "part2.parquet"])


def test_parts_merge_to_the_whole(tmp_path):
    scores, tags = table(seed=8)
    first = {f"i{i}" for i in range(30)}
    parts, names = [], [f"l{k}" for k in range(4)]
    for number, mine in enumerate((lambda one: one in first, lambda one: one not in first)):
        parts.append(
            (
                tags_file(tmp_path / f"t{number}.parquet", [row for row in tags if mine(row[0])]),
                scores_file(tmp_path / f"s{number}.parquet", [row for row in scores if mine(row[0])]),
            )
        )
    labels, path = tags_file(tmp_path / "t.parquet", tags), scores_file(tmp_path / "s.parquet", scores)
    both = cuts(*parts[0], labels=names) | cuts(*parts[1], labels=names)
    assert curves(*parts[0], cuts=both) + curves(*parts[1], cuts=both) == curves(labels, path, labels=names)
    with pytest.raises(InputError, match="the candidates lack positive scores"):
        curves(*parts[1], cuts=cuts(*parts[0], labels=names))


def test_a_floor_leaves_out_what_is_below_and_recall_counts_it(tmp_path):
    scores, tags = table(seed=9)
    names = [f"l{k}" for k in range(4)]
    items = write(tmp_path / "items.parquet", ("id",), [(f"i{i}",) for i in range(60)], ("VARCHAR",))
    labels = tags_file(tmp_path / "t.parquet", [row for row in tags if row[1]])
    above = [row for row in scores if row[2] is not None and np.float32(row[2]) >= np.float32(0.25)]
    here = curves(labels, scores_file(tmp_path / "s.parquet", scores), items=items, floor=0.25, labels=names)
    assert here == curves(labels, scores_file(tmp_path / "above.parquet", above), items=items, labels=names)
    assert here.n_items == 60
    truth = np.zeros((60, 4))
    for one, tag in tags:
        if tag:
            truth[int(one[1:]), names.index(tag)] = 1
    dense = np.full((60, 4), -1.0, np.float32)
    for one, tag, score in above:
        dense[int(one[1:]), names.index(tag)] = score
    expected = Curves.from_arrays(truth, dense, labels=names, candidates=here.candidates)
    assert np.array_equal(here.tp, expected.tp)
    assert np.array_equal(here.fp, expected.fp)
    assert np.array_equal(here.n_positive, expected.n_positive)
    with pytest.raises(InputError, match=r"no score of 7 or more"):
        curves(labels, scores_file(tmp_path / "s.parquet", scores), items=items, floor=7, labels=names)


def test_weights_of_items(tmp_path):
    scores, tags = table(seed=10)
    weight = np.random.default_rng(1).integers(1, 9, 60) / 4
    items = write(
        tmp_path / "items.parquet",
        ("id", "weight"),
        [(f"i{i}", float(weight[i])) for i in range(60)],
        ("VARCHAR", "DOUBLE"),
    )
    labels, path = tags_file(tmp_path / "t.parquet", tags), scores_file(tmp_path / "s.parquet", scores)
    joined = join(read_table(path, kind="scores"), read_table(labels, kind="labels"))
    own = [weight[int(one[1:])] for one in joined.ids]
    data = as_data(joined.y_true, joined.y_score, labels=joined.labels, sample_weight=own)
    assert curves(labels, path, items=items) == count_shard(data)


@pytest.mark.parametrize(
    ("scores", "tags", "message"),
    [
        ([*SCORES, ("a", "x", 0.5)], TAGS, r"lists 1 pair of id and label more than once \(first: 'a, x'\)"),
        (SCORES, [*TAGS, ("a", "x")], r"t\.parquet lists 1 pair of id and label more than once \(first: 'a, x'\)"),
        (
            [*SCORES, ("c", "x", float("nan"))],
            TAGS,
            r"NaN or an infinite score in 1 row \(first: id 'c', label 'x'\)",
        ),
        ([*SCORES, ("c", "x", float("-inf"))], TAGS, "NaN or an infinite score"),
        ([*SCORES, ("c", "x", None)], TAGS, "has no score in 1 row"),
        ([*SCORES, ("c", None, 0.5)], TAGS, "a value and no label"),
        ([*SCORES, (None, "x", 0.5)], TAGS, "has no id in 1 row"),
        ([*SCORES, ("c", "x", 0.5)], TAGS, r"1 item in .*s\.parquet have scores but no labels \('c'\)"),
        (SCORES, [*TAGS, ("c", None)], r"1 item in .*t\.parquet have labels but no scores \('c'\).*items="),
        (SCORES, [*TAGS, ("b", "y")], r"has 1 label without a score in .*s\.parquet: 'y'"),
        ([("a", None, None)], [("a", None)], "lists no score"),
        ([], TAGS, "has no rows"),
    ],
)
def test_errors_name_what_is_wrong(tmp_path, scores, tags, message):
    with pytest.raises(InputError, match=message):
        curves(tags_file(tmp_path / "t.parquet", tags), scores_file(tmp_path / "s.parquet", scores))


def test_errors_of_long_labels(tmp_path):
    path = scores_file(tmp_path / "s.parquet", [*SCORES, ("a", "y", 0.5)])

    def labels(rows):
        return write(tmp_path / "t.parquet", ("id", "label", "value"), rows, ("VARCHAR", "VARCHAR", "DOUBLE"))

    with pytest.raises(InputError, match=r"has 0\.5 for label 'x', id 'a'"):
        curves(labels([("a", "x", 0.5), ("b", "x", 1.0)]), path)
    with pytest.raises(InputError, match="all with value 1"):
        curves(labels([("a", "x", 1.0), ("b", "y", 1.0)]), path)
    with pytest.raises(InputError, match=r"name different labels: 'y' only in"):
        curves(labels([("a", "x", 1.0), ("b", "x", 0.0)]), path)
    with pytest.raises(InputError, match="a value and no label"):
        curves(labels([("a", "x", 1.0), ("b", None, 0.0)]), path)


def test_errors_of_items_and_places(tmp_path):
    path, labels = scores_file(tmp_path / "s.parquet", SCORES), tags_file(tmp_path / "t.parquet", TAGS)

    def items(*ids):
        return write(tmp_path / "items.parquet", ("id",), [(one,) for one in ids], ("VARCHAR",))

    with pytest.raises(InputError, match=r"has 1 item that .*items\.parquet does not list: 'b'"):
        curves(labels, path, items=items("a"))
    with pytest.raises(InputError, match="repeats or lacks an id: 'a'"):
        curves(labels, path, items=items("a", "a", "b"))
    with pytest.raises(InputError, match="has scores of 'x', not among the 1 label given"):
        curves(labels, path, labels=["y"])
    with pytest.raises(InputError, match="is no long table"):
        curves(labels, "scores.csv")
    with pytest.raises(UnreadableError, match="does not exist"):
        curves(labels, "none*.parquet")
    with pytest.raises(InputError, match="is named twice"):
        curves(labels, [path, path])
    with pytest.raises(InputError, match=r"no long table\. A wide file"):
        curves(labels, write(tmp_path / "w.parquet", ("id", "x"), [("a", 0.5)], ("VARCHAR", "FLOAT")))
    with pytest.raises(InputError, match="VARCHAR in the column 'score', where numbers belong"):
        curves(labels, scores_file(tmp_path / "v.parquet", [("a", "x", "0.5")], "VARCHAR"))
    with pytest.raises(InputError, match="memory_mb=10 is too little"):
        curves(labels, path, memory_mb=10)
    with pytest.raises(InputError, match="is no folder"):
        curves(labels, path, temp_directory=tmp_path / "none")
    whole = (tmp_path / "s.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableError, match=r"cut\.parquet cannot be read"):
        curves(labels, str(tmp_path / "cut.parquet"))


def test_nothing_stays_in_the_temporary_folder(tmp_path):
    path, labels = scores_file(tmp_path / "s.parquet", SCORES), tags_file(tmp_path / "t.parquet", TAGS)
    place = tmp_path / "room"
    place.mkdir()
    with opened(labels, path, temp_directory=place):
        assert list(place.iterdir())
    assert not list(place.iterdir())
    with pytest.raises(InputError):
        curves(labels, scores_file(tmp_path / "twice.parquet", [*SCORES, *SCORES]), temp_directory=place)
    assert not list(place.iterdir())
