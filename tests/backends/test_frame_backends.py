"""Data frames of three libraries: columns are labels and are joined by name."""

import numpy as np
import pytest

import limen
from limen.curves import Curves
from limen.errors import InputError
from strategies import SCORE_DTYPES, random_data, tuned

LABELS = ("dog", "cat", "bird")


def pandas_frame(columns):
    return pytest.importorskip("pandas").DataFrame(columns)


def polars_frame(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def arrow_table(columns):
    arrow = pytest.importorskip("pyarrow")
    return arrow.table({name: arrow.array(values) for name, values in columns.items()})


def has_dtype(make, dtype):
    if make is polars_frame and dtype is np.float16 and not hasattr(pytest.importorskip("polars"), "Float16"):
        pytest.skip("this Polars has no float16")


MAKERS = {"pandas": pandas_frame, "polars": polars_frame, "pyarrow": arrow_table}
every_library = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def framed(make, matrix, names=LABELS):
    return make({name: matrix[:, k].copy() for k, name in enumerate(names)})


def curves_of(problem, y_true, y_score, **options):
    return Curves.from_arrays(y_true, y_score, sample_weight=problem.sample_weight, **options)


def case(seed, **options):
    problem = random_data(seed, n_items=8, n_labels=3, **options)
    return problem, curves_of(problem, problem.y_true, problem.y_score, labels=LABELS)


@every_library
@pytest.mark.parametrize("dtype", SCORE_DTYPES)
@pytest.mark.parametrize("seed", range(5))
def test_frames_count_as_arrays_do(make, dtype, seed):
    has_dtype(make, dtype)
    problem, expected = case(seed, dtype=dtype)
    y_score = framed(make, problem.y_score)
    assert curves_of(problem, framed(make, problem.y_true), y_score) == expected
    assert curves_of(problem, problem.y_true, y_score) == expected
    assert curves_of(problem, framed(make, problem.y_true), problem.y_score) == expected
    assert curves_of(problem, problem.y_true, y_score, labels=LABELS) == expected


@every_library
@pytest.mark.parametrize("seed", range(5))
def test_labels_are_joined_by_name(make, seed):
    problem, expected = case(seed)
    turned = framed(make, problem.y_true[:, [2, 0, 1]], [LABELS[k] for k in (2, 0, 1)])
    assert curves_of(problem, turned, framed(make, problem.y_score)) == expected


@every_library
@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "int64", "float32"])
def test_columns_of_labels_of_every_kind(make, kind):
    problem, expected = case(1, unknown=False)
    y_true = framed(make, problem.y_true.astype(kind))
    assert curves_of(problem, y_true, framed(make, problem.y_score)) == expected


@every_library
def test_columns_of_different_kinds(make):
    problem, expected = case(2, unknown=False, dtype="f8")
    kinds = ("bool", "int16", "float32")
    mixed = make({name: problem.y_true[:, k].astype(kinds[k]) for k, name in enumerate(LABELS)})
    assert curves_of(problem, mixed, problem.y_score) == expected


@every_library
@pytest.mark.parametrize("kind", [bool, int, float])
def test_a_null_label_is_unknown(make, kind):
    problem, expected = case(3, unknown=True)
    columns = {
        name: [None if np.isnan(value) else kind(value) for value in problem.y_true[:, k]]
        for k, name in enumerate(LABELS)
    }
    if make is pandas_frame:  # as pandas reads a file with gaps
        frame = make(columns).astype({bool: "boolean", int: "Int64", float: "Float64"}[kind])
    else:
        frame = make(columns)
    assert curves_of(problem, frame, framed(make, problem.y_score)) == expected


@every_library
def test_a_frame_of_scores_is_decided_by_name(make):
    problem, _ = case(4, weighted=False, unknown=False)
    t = limen.tune(problem.y_true, problem.y_score, labels=LABELS, method="fixed:0.3")
    turned = framed(make, problem.y_score[:, [1, 2, 0]], [LABELS[k] for k in (1, 2, 0)])
    np.testing.assert_array_equal(t.decide(turned), t.decide(problem.y_score))
    wider = make({"wind": np.zeros(8), **{name: problem.y_score[:, k].copy() for k, name in enumerate(LABELS)}})
    np.testing.assert_array_equal(t.decide(wider), t.decide(problem.y_score))
    with pytest.raises(
        InputError, match=r"the thresholds and y_score name different labels: 'cat' only in the thresholds\."
    ):
        t.decide(make({"dog": [0.5], "bird": [0.5]}))


@every_library
def test_frames_are_evaluated(make):
    problem, _ = case(5, weighted=False)
    t = tuned(Curves.from_arrays(framed(make, problem.y_true), framed(make, problem.y_score)))
    measured = limen.evaluate(framed(make, problem.y_true), framed(make, problem.y_score), t)
    assert measured.value == t.value
    assert measured.labels == LABELS


@every_library
def test_names_that_do_not_match(make):
    problem, _ = case(0)
    y_score = framed(make, problem.y_score)
    with pytest.raises(InputError) as caught:
        curves_of(problem, framed(make, problem.y_true, ["dog", "fish", "bird"]), y_score)
    assert "y_true and y_score name different labels: 'fish' only in y_true, 'cat' only in y_score" in str(
        caught.value
    )
    with pytest.raises(InputError, match="labels differs from the column names of y_score"):
        curves_of(problem, problem.y_true, y_score, labels=["cat", "dog", "bird"])


@every_library
def test_columns_that_are_no_numbers_are_named(make):
    y_score = make({"clip": ["a", "b"], "dog": [0.1, 0.2]})
    words = r"y_score has columns that are not numbers: 'clip'\. Every column must be a label; set item ids aside"
    with pytest.raises(InputError, match=words):
        Curves.from_arrays([[1], [0]], y_score)


@every_library
def test_a_missing_score_is_refused(make):
    y_score = make({"dog": [0.1, None], "cat": [0.2, 0.3]})
    with pytest.raises(InputError, match=r"y_score has NaN in 1 of 2 labels \(first: 'dog', row 1\)"):
        Curves.from_arrays([[1, 0], [0, 1]], y_score)


def test_columns_may_be_numbered():
    """pandas numbers the columns of a frame made from an array."""
    pandas = pytest.importorskip("pandas")
    problem, _ = case(0)
    expected = curves_of(problem, problem.y_true, problem.y_score)
    frame = pandas.DataFrame(problem.y_score)
    assert curves_of(problem, problem.y_true, frame) == expected
    assert curves_of(problem, pandas.DataFrame(problem.y_true), frame) == expected


def test_repeated_columns_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[0.1, 0.2], [0.3, 0.4]], columns=["dog", "dog"])
    with pytest.raises(InputError, match="dog"):
        Curves.from_arrays([[1, 0], [0, 1]], frame)


def test_rows_of_pandas_frames_are_joined_by_position_where_one_has_no_index_of_its_own():
    pandas = pytest.importorskip("pandas")
    problem, expected = case(1)
    y_true = pandas.DataFrame(problem.y_true, columns=LABELS)
    y_score = pandas.DataFrame(problem.y_score, columns=LABELS, index=list("abcdefgh"))
    assert curves_of(problem, y_true, y_score) == expected
    numbers = [3, 1, 0, 2, 7, 5, 6, 4]
    with pytest.warns(
        limen.LimenWarning, match="other the same numbers in another order. Rows are taken by position"
    ):
        assert curves_of(problem, y_true, y_score.set_axis(numbers)) == expected


@pytest.mark.parametrize("index", [range(8, 0, -1), range(5, 13), list("ABCDEFGH")])
def test_indexes_that_share_nothing_are_refused(index):
    pandas = pytest.importorskip("pandas")
    problem, _ = case(1)
    y_true = pandas.DataFrame(problem.y_true, columns=LABELS, index=index)
    y_score = pandas.DataFrame(problem.y_score, columns=LABELS, index=list("abcdefgh"))
    with pytest.raises(InputError, match="share 0 of 8 and 8 rows"):
        curves_of(problem, y_true, y_score)


@pytest.mark.parametrize("kind", ["float", "range", "named range"])
def test_indexes_are_joined_by_value_and_not_by_how_they_are_written(kind):
    pandas = pytest.importorskip("pandas")
    problem, expected = case(1)
    y_score = pandas.DataFrame(problem.y_score, columns=LABELS, index=range(5, 13))
    y_true = pandas.DataFrame(problem.y_true, columns=LABELS, index=range(5, 13))
    if kind == "float":
        y_true.index = y_true.index.astype(float)
    if kind == "named range":
        for frame in (y_score, y_true):
            frame.index = pandas.RangeIndex(0, 8, name="clip")
    assert curves_of(problem, y_true.iloc[::-1], y_score) == expected
    assert curves_of(problem, y_true.sample(frac=1, random_state=1), y_score) == expected


def test_series_are_joined_by_their_indexes():
    pandas = pytest.importorskip("pandas")
    y_true = pandas.Series([1, 0, 1, 0], index=list("abcd"), name="truth")
    y_score = pandas.Series([0.9, 0.2, 0.8, 0.1], index=list("abcd"), name="score")
    expected = Curves.from_arrays(y_true.to_numpy(), y_score.to_numpy())
    assert Curves.from_arrays(y_true.sample(frac=1, random_state=3), y_score) == expected
    assert Curves.from_arrays(y_true[::-1], y_score, labels=["dog"]).labels == ("dog",)


@every_library
def test_a_mask_in_a_frame_is_joined_by_name(make):
    problem, _ = case(2, unknown=False)
    known = np.random.default_rng(0).random(problem.y_true.shape) < 0.7
    expected = curves_of(problem, problem.y_true, problem.y_score, labels=LABELS, mask=known)
    y_score, y_true = framed(make, problem.y_score), framed(make, problem.y_true)
    turned = framed(make, known[:, [2, 0, 1]], [LABELS[k] for k in (2, 0, 1)])
    assert curves_of(problem, y_true, y_score, mask=turned) == expected


@every_library
def test_a_label_that_is_empty_throughout_is_unknown(make):
    y_score = make({"id": ["a", "b"], "dog": [0.5, 0.25], "cat": [0.5, 0.75]})
    curves = Curves.from_arrays(make({"id": ["a", "b"], "dog": [1, 0], "cat": [None, None]}), y_score)
    assert curves.n_known.tolist() == [2, 0]
    assert Curves.from_arrays(
        make({"dog": [1, 0], "cat": [None, None]}), make({"dog": [0.5, 0.25], "cat": [0.5, 0.75]})
    ).n_known.tolist() == [2, 0]


@every_library
def test_values_of_other_kinds_in_frames(make):
    from decimal import Decimal

    scores = make({"dog": [Decimal("0.50"), Decimal("0.25")], "cat": [Decimal("0.125"), Decimal("0.750")]})
    expected = Curves.from_arrays([[1, 0], [0, 1]], [[0.5, 0.125], [0.25, 0.75]], labels=("dog", "cat"))
    if make is not pandas_frame:
        assert Curves.from_arrays([[1, 0], [0, 1]], scores) == expected
    with pytest.raises(
        InputError,
        match=r"y_true has text where numbers belong, in 1 column \('value'; first: 'yes' in row 0, id 'a'",
    ):
        Curves.from_arrays(
            make({"id": ["a", "b"], "label": ["dog", "dog"], "value": ["yes", "no"]}),
            make({"id": ["a", "b"], "dog": [0.5, 0.25]}),
        )
    tags = make({"id": ["a", "b"], "tags": [7, 8]})
    assert Curves.from_arrays(tags, make({"id": ["a", "b"], "7": [0.5, 0.25], "8": [0.5, 0.75]})).labels == (
        "7",
        "8",
    )


def test_what_is_no_frame_after_all():
    arrow = pytest.importorskip("pyarrow")
    batch = arrow.RecordBatch.from_pydict({"dog": [0.5, 0.25]})
    with pytest.raises(InputError, match="y_score is a RecordBatch, which cannot be read as a frame"):
        Curves.from_arrays([[1], [0]], batch)


def test_rows_are_joined_by_the_index_where_both_frames_name_the_same_items():
    pandas = pytest.importorskip("pandas")
    problem, expected = case(1)
    y_true = pandas.DataFrame(problem.y_true, columns=LABELS, index=list("abcdefgh"))
    y_score = pandas.DataFrame(problem.y_score, columns=LABELS, index=list("abcdefgh"))
    shuffled = y_true.sample(frac=1, random_state=0)
    assert curves_of(problem, shuffled, y_score) == expected
    with pytest.raises(InputError, match=r"indexes of y_score and y_true share 7 of 8 and 8 rows, or repeat some"):
        curves_of(problem, y_true.rename(index={"a": "z"}), y_score)


@every_library
@pytest.mark.parametrize("dtype", SCORE_DTYPES)
def test_ids_join_the_rows_of_wide_frames(make, dtype):
    has_dtype(make, dtype)
    problem, expected = case(3, dtype=dtype)
    ids = np.array([f"clip {k}" for k in range(8)])
    order = np.random.default_rng(0).permutation(8)
    y_score = make({"clip": ids, **{name: problem.y_score[:, k].copy() for k, name in enumerate(LABELS)}})
    y_true = make({"clip": ids[order], **{name: problem.y_true[order, k] for k, name in enumerate(LABELS)}})
    assert curves_of(problem, y_true, y_score) == expected
    numbered = make({"id": np.arange(8) * 3, **{n: problem.y_score[:, k].copy() for k, n in enumerate(LABELS)}})
    labelled = make({"id": order * 3, **{name: problem.y_true[order, k] for k, name in enumerate(LABELS)}})
    assert curves_of(problem, labelled, numbered) == expected
    twice = make({"clip": ids[[0, 0]], "dog": [1, 0], "cat": [1, 0], "bird": [0, 1]})
    with pytest.raises(InputError, match=r"y_true repeats 1 id: 'clip 0'\. Every item needs one row"):
        curves_of(problem, twice, y_score)


@every_library
@pytest.mark.parametrize("dtype", SCORE_DTYPES)
def test_long_frames(make, dtype):
    has_dtype(make, dtype)
    problem, expected = case(4, dtype=dtype, weighted=False)
    row, label = (part.ravel() for part in np.indices(problem.y_score.shape))
    clips, names = np.array([f"clip {k}" for k in range(8)]), np.array(LABELS)
    y_score = make({"clip_id": clips[row], "label": names[label], "score": problem.y_score.ravel()})
    known = ~np.isnan(problem.y_true.ravel())
    truth = {"clip_id": clips[row][known], "label": names[label][known]}
    y_true = make({**truth, "value": problem.y_true.ravel()[known]})
    assert curves_of(problem, y_true, y_score) == expected
    wide = make({"clip_id": clips, **{name: problem.y_score[:, k].copy() for k, name in enumerate(LABELS)}})
    assert curves_of(problem, y_true, wide) == expected
    some = problem.y_score.ravel() > np.median(problem.y_score)
    part = make({"clip_id": clips[row][some], "label": names[label][some], "score": problem.y_score.ravel()[some]})
    if len(set(clips[row][some])) < 8:
        with pytest.raises(InputError, match="have labels but no scores"):
            curves_of(problem, y_true, part)
    with pytest.raises(InputError, match=r"y_score lists 1 pair of id and label more than once"):
        curves_of(problem, y_true, make({"id": ["a", "a"], "label": ["x", "x"], "score": [0.5, 0.25]}))


@every_library
def test_tags_in_a_frame(make):
    problem, expected = case(5, unknown=False, weighted=False)
    clips = [f"clip {k}" for k in range(8)]
    wide = make({"id": clips, **{name: problem.y_score[:, k].copy() for k, name in enumerate(LABELS)}})
    tags = [";".join(np.array(LABELS)[row == 1]) for row in problem.y_true]
    assert curves_of(problem, make({"id": clips, "tags": tags}), wide) == expected
    pairs = [(clip, tag or None) for clip, given in zip(clips, tags, strict=True) for tag in given.split(";")]
    listed = make({"id": [clip for clip, _ in pairs], "label": [tag for _, tag in pairs]})
    assert curves_of(problem, listed, wide) == expected
    if make is not pandas_frame:
        lists = make({"id": clips, "tags": [given.split(";") if given else [] for given in tags]})
        assert curves_of(problem, lists, wide) == expected


@every_library
def test_rows_of_frames_without_an_id_or_a_label_are_refused(make):
    scores = make({"id": ["a", "b"], "dog": [0.5, 0.25]})
    with pytest.raises(InputError, match=r"y_true has no id in 1 row \(first: row 1\)\. Every row needs an id\."):
        Curves.from_arrays(make({"id": ["a", None], "dog": [1, 0]}), scores)
    with pytest.raises(InputError, match=r"y_true has no id in 1 row \(first: row 0\)\. Every row needs an id\."):
        Curves.from_arrays(make({"id": [None, "b"], "label": ["dog", "dog"], "value": [1, 0]}), scores)
    with pytest.raises(
        InputError, match=r"y_true has a value and no label in 1 row \(first: row 1, id 'b'\)\. Name the label"
    ):
        Curves.from_arrays(make({"id": ["a", "b"], "label": ["dog", None], "value": [1, 0]}), scores)


def test_series_are_one_label():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    y_true, y_score = [1, 0, 1], [0.5, 0.25, 0.75]
    expected = Curves.from_arrays(y_true, y_score)
    assert Curves.from_arrays(pandas.Series(y_true), pandas.Series(y_score)) == expected
    assert Curves.from_arrays(polars.Series(y_true), polars.Series(y_score)) == expected
    weight = pandas.Series([1.0, 2, 3], index=[7, 8, 9])
    assert Curves.from_arrays(y_true, y_score, sample_weight=weight) == Curves.from_arrays(
        y_true, y_score, sample_weight=[1.0, 2, 3]
    )


def test_lazy_frames_are_refused():
    polars = pytest.importorskip("polars")
    lazy = polars.DataFrame({"dog": [0.5, 0.25]}).lazy()
    with pytest.raises(InputError):
        Curves.from_arrays([[1], [0]], lazy)
