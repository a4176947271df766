"""thresholds.json: written whole, read strictly."""

import json
import os
from datetime import datetime

import numpy as np
import pytest

import limen
from limen.errors import FileError, InputError, LimenError
from limen.metrics import METRICS, get
from strategies import AVERAGES, SCORE_DTYPES, data, random_data, tuned

NAMES = ["Speech", "<b>Hängebrücke ☃", 'quote " and \\ and \n line']


@pytest.fixture
def thresholds():
    y_true, y_score = [[0, 1, 0], [1, 0, 1], [1, 1, 0]], [[0.2, 0.9, 0.5], [0.6, 0.3, 0.7], [0.8, 0.7, 0.1]]
    return limen.tune(y_true, y_score, labels=NAMES, method="exact")


@pytest.fixture
def content(thresholds):
    return json.loads(json.dumps(thresholds.to_dict()))


def refused(content):
    with pytest.raises(InputError) as caught:
        limen.Thresholds.from_dict(content)
    return str(caught.value)


def loaded(tmp_path, t):
    t.save(tmp_path / "t.json")
    return limen.Thresholds.load(tmp_path / "t.json")


OF_COUNTS = [name for name in METRICS if not get(name).of_whole_items]


class TestRoundTrip:
    @pytest.mark.parametrize("dtype", SCORE_DTYPES)
    @pytest.mark.parametrize("placement", ["midpoint", "score"])
    def test_every_dtype(self, tmp_path, dtype, placement):
        for seed in range(10):
            problem = random_data(seed, dtype=dtype)
            t = tuned(problem, placement=placement)
            again = loaded(tmp_path, t)
            assert again == t
            assert again.values.dtype == dtype
            assert again.values.tobytes() == t.values.tobytes()
            np.testing.assert_array_equal(again.decide(problem.y_score), t.decide(problem.y_score))
            assert again.counts.tp.dtype.kind == t.counts.tp.dtype.kind
            assert all(map(np.array_equal, again.counts, t.counts))

    @pytest.mark.parametrize("dtype", SCORE_DTYPES)
    def test_values_at_the_ends_of_the_range(self, tmp_path, dtype):
        limits = np.finfo(dtype)
        ends = np.array([[limits.max, limits.min, limits.smallest_subnormal, -0.0, np.pi]], dtype)
        t = tuned(data(np.ones((1, 5)), ends), placement="score")
        assert loaded(tmp_path, t).values.tobytes() == (ends[0] + 0).tobytes()

    @pytest.mark.parametrize("metric", ["f1", "subset_accuracy", "segment_error_rate"])
    def test_averages_over_items(self, tmp_path, metric):
        t = tuned(random_data(3, n_labels=2), metric=metric, average="samples", zero_division=0.5, method="ascent")
        again = loaded(tmp_path, t)
        assert again == t
        assert (again.average, again.metric, again.value) == ("samples", t.metric, t.value)

    @pytest.mark.parametrize("average", AVERAGES)
    @pytest.mark.parametrize(
        "metric", [*OF_COUNTS, {"name": "fbeta", "beta": 1.5}, {"name": "cost", "fp": [1, 2], "fn": 3}]
    )
    def test_every_objective(self, tmp_path, metric, average):
        t = tuned(random_data(3, n_labels=2), metric=metric, average=average, zero_division=0.5)
        again = loaded(tmp_path, t)
        assert again == t
        assert again.metric.spec == t.metric.spec
        assert again.objective(*again.counts) == t.value

    @pytest.mark.parametrize(
        "method", ["exact", "fixed:0.25", "shared", "top-k:2", "mcut", "pcut", "sgl", "expected-f"]
    )
    def test_every_rule(self, tmp_path, method):
        problem = random_data(1, n_items=7, n_labels=3)
        t = tuned(problem, method=method)
        again = loaded(tmp_path, t)
        assert again == t
        assert (again.rule, again.status, again.method) == (t.rule, t.status, method)
        np.testing.assert_array_equal(again.decide(problem.y_score), t.decide(problem.y_score))


def test_what_is_written(thresholds, content):
    assert content["rule"] == ">="
    assert content["score_dtype"] == "float64"
    assert (content["metric"], content["average"], content["status"]) == ("f1", "micro", "optimal")
    assert content["value"] == content["upper_bound"] == thresholds.value
    assert content["n_items"] == 3
    assert datetime.fromisoformat(content["created"]).utcoffset().total_seconds() == 0
    assert content["versions"]["numpy"] == np.__version__
    assert content["data_digest"] == thresholds.digest
    assert [label["name"] for label in content["labels"]] == NAMES
    assert {"threshold": 0.4, "tp": 2, "pp": 2, "p": 2, "n": 3}.items() <= content["labels"][0].items()


def test_never_is_null():
    never = tuned(data([[0]], [[0.5]])).to_dict()
    assert never["labels"][0]["threshold"] is None
    assert limen.Thresholds.from_dict(never).values.tolist() == [np.inf]


class TestStrict:
    def test_every_field_is_needed(self, content):
        for key in content:
            if key in ("schema", "schema_version"):
                continue
            assert f"the file lacks '{key}'" in refused({k: v for k, v in content.items() if k != key})
        for key in content["labels"][1]:
            label = {k: v for k, v in content["labels"][1].items() if k != key}
            altered = {**content, "labels": [content["labels"][0], label]}
            assert f"label 1 lacks '{key}'" in refused(altered)

    def test_no_other_field_is_known(self, content):
        assert "and has unknown 'comment'" in refused({**content, "comment": ""})
        content["labels"][2]["comment"] = ""
        assert "label 2 lacks nothing and has unknown 'comment'" in refused(content)

    @pytest.mark.parametrize(
        ("other", "words"),
        [
            (None, "it is JSON, but None"),
            ([], "it is JSON, but a list"),
            ("text", "it is JSON, but 'text'"),
            (1, "it is JSON, but 1"),
            ({}, "it is JSON with nothing, and no 'schema'"),
            ({"a": 1, "b": 2}, "it is JSON with 'a', 'b', and no 'schema'"),
            (
                {"schema": "https://limen.dev/schema/events"},
                "its 'schema' is 'https://limen.dev/schema/events', not",
            ),
        ],
    )
    def test_another_file(self, other, words):
        message = refused(other)
        assert f"this is not a thresholds file: {words}" in message
        assert "Give the JSON file that limen tune wrote, or that a report saved." in message

    @pytest.mark.parametrize("version", ["1", None, 0, -1, 1.5])
    def test_no_version(self, content, version):
        assert f"the schema version {version!r} is not a number from 1" in refused(
            {**content, "schema_version": version}
        )

    def test_a_newer_schema(self, content):
        message = refused({**content, "schema_version": 4, "new": 1})
        assert "the file has schema version 4; this limen reads up to 3. Upgrade limen" in message

    def test_older_schemas(self, content):
        """What a version lacks may be lacking in it alone, and is taken for nothing."""
        lacking = {
            1: {"reason": "", "expected_reason": "", "score_scale": None},
            2: {"half": None, "expected_gain": None},
        }
        labels = [{key: value for key, value in label.items() if key != "gain"} for label in content["labels"]]
        older = {key: value for key, value in content.items() if key not in lacking[2]} | {"labels": labels}
        oldest = {key: value for key, value in older.items() if key not in lacking[1]}
        read = limen.Thresholds.from_dict({**older, "schema_version": 2})
        assert (read.half, read.expected_gain, read.gains) == (None, None, None)
        bare = {**content, **lacking[2], "labels": [{**label, "gain": None} for label in labels]}
        assert read.to_dict() == bare
        read = limen.Thresholds.from_dict({**oldest, "schema_version": 1})
        assert read.scale is None
        assert read.to_dict() == {**bare, **lacking[1]}
        assert "the file lacks 'reason', 'expected_reason', 'score_scale'" in refused(
            {**oldest, "schema_version": 2}
        )
        assert "the file lacks 'expected_gain', 'half'" in refused(older)
        assert "label 0 lacks 'gain'" in refused({**content, "labels": labels})

    def test_kinds_of_values(self, content):
        other = {str: 3, int: "x", float: "x", list: {}, dict: [], type(None): "x"}
        for key, value in content.items():
            for wrong in (other[type(value)], True):
                refused({**content, key: wrong})

    @pytest.mark.parametrize("key", ["name", "threshold", "tp", "pp", "p", "n"])
    def test_kinds_of_values_of_labels(self, content, key):
        for value in ("x" if key != "name" else 3, True, [], {}):
            content["labels"][0][key] = value
            assert f"{key!r} of label 0 is {value!r}. It must be" in refused(content)

    def test_labels_are_objects(self, content):
        assert "label 1 is not an object" in refused({**content, "labels": [content["labels"][0], "Speech"]})

    def test_no_labels(self, content):
        assert "the file has no labels. At least one is needed." in refused({**content, "labels": []})

    def test_labels_are_repeated(self, content):
        content["labels"][2]["name"] = content["labels"][0]["name"]
        assert "the file repeats 'Speech'. Every label needs a name of its own." in refused(content)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"status": "proven"}, "'status' is 'proven'. It must be one of optimal, bounded, local"),
            ({"average": "binary"}, "'average' is 'binary'. It must be one of micro, macro, weighted, samples"),
            ({"score_dtype": "int8"}, "'score_dtype' is 'int8'. It must be one of float16, float32, float64"),
            ({"rule": ">"}, "rule '>' is unknown"),
            (
                {"rule": "top-k:4"},
                "rule 'top-k:4' is unknown. It must be '>=', 'mcut', 'argmax', or 'top-k:K' with K from 1 to 3",
            ),
            ({"rule": "top-k:²"}, "rule 'top-k:²' is unknown"),
            ({"metric": "f3"}, "metric='f3' is unknown"),
            ({"metric": {"name": "fbeta", "beta": -1}}, "beta=-1 is not a weight"),
            ({"metric": {"name": "cost", "fp": [1, 2], "fn": 1}}, "the cost fp has 2 values for 3 labels"),
            ({"zero_division": 7}, "zero_division=7 is not usable"),
            ({"value": 7.5}, "'value' is 7.5, and the counts of the labels give micro F1 1."),
            ({"upper_bound": 0.5}, "'upper_bound' is 0.5. It cannot be below the value 1.0"),
            ({"upper_bound": 1.5}, "'upper_bound' is 1.5. It cannot be below"),
            ({"expected": {"value": 0.5, "low": 0.75, "high": 0.25}}, "'expected' is 0.5 from 0.75 to 0.25"),
            ({"expected": {"value": 0.5, "low": 0.25, "high": 1.25}}, "'expected' is 0.5 from 0.25 to 1.25"),
            ({"half": 1.5}, "'half' is 1.5. No metric is above 1"),
            (
                {"expected_gain": {"value": 0.5, "low": 0.25, "high": 0.75}},
                "'expected_gain' is 0.5 from 0.25 to 0.75. These must rise from low over value to high, and go",
            ),
            ({"n_items": 2}, "the counts of 'Speech' cannot be, of 2 items: tp 2, pp 2, p 2, n 3"),
            ({"value": float("inf")}, "value"),
            ({"upper_bound": float("-inf")}, "upper_bound"),
        ],
    )
    def test_values_that_cannot_be(self, content, changes, words):
        assert words in refused({**content, **changes})

    @pytest.mark.parametrize("text", ["-1e999", "1e999", "1" + "0" * 400], ids=["below", "above", "whole"])
    def test_thresholds_are_finite_or_null(self, content, text):
        """JSON can write numbers that no float holds."""
        content["labels"][0]["threshold"] = json.loads(text)
        refused(content)

    def test_counts_that_cannot_be(self, content):
        """No more hits than tags and positives, no more of those than items; none below 0."""
        refused({**content, "n_items": -3})
        for counts in ({"tp": -1}, {"tp": 3}, {"p": 4}, {"tp": 10**30, "pp": 10**30}):
            first = {**content["labels"][0], **counts}
            refused({**content, "labels": [first, *content["labels"][1:]]})

    def test_a_reversed_range(self, content):
        labels = [{**label, "range": [0.25, None]} for label in content["labels"]]
        assert limen.Thresholds.from_dict({**content, "labels": labels}).ranges.tolist() == [
            [0.25] * 3,
            [np.inf] * 3,
        ]
        labels[1]["range"] = [None, 0.25]
        assert "is [None, 0.25]. Its lower end must come first" in refused({**content, "labels": labels})

    @pytest.mark.parametrize(
        ("gain", "words"),
        [
            ([0.5, 0.25], "'gain' of 'Speech' must be three finite numbers, or null"),
            ([0.5, 0.25, "x"], "must be three finite numbers"),
            ([0.5, 0.25, True], "must be three finite numbers"),
            ([0.5, 0.25, 10**400], "must be three finite numbers"),
            ([0.5, 0.6, 0.7], "'gain' of 'Speech' is [0.5, 0.6, 0.7]. It must be a value, and the lower and the"),
        ],
    )
    def test_gains_that_cannot_be(self, content, gain, words):
        content["labels"][0]["gain"] = gain
        assert words in refused(content)

    def test_gains_of_some_labels(self, content):
        content["labels"][1]["gain"] = None
        read = limen.Thresholds.from_dict(content)
        assert np.isnan(read.gains).tolist() == [[False, True, False]] * 3
        assert read.to_dict() == content

    def test_mcut_needs_two_labels(self, content):
        refused({**content, "rule": "mcut", "labels": content["labels"][:1]})

    @pytest.mark.parametrize("dtype", ["float16", "float32"])
    def test_a_threshold_that_the_dtype_does_not_hold(self, content, dtype):
        message = refused({**content, "score_dtype": dtype})
        assert (
            f"the threshold 0.4 of 'Speech' is no {dtype} number. The file was altered, or score_dtype is"
            in message
        )


class TestFile:
    def test_cut_short_anywhere(self, tmp_path, thresholds):
        path = tmp_path / "t.json"
        thresholds.save(path)
        whole = path.read_bytes()
        for size in [*range(0, len(whole.rstrip()), 10), len(whole.rstrip()) - 1]:
            path.write_bytes(whole[:size])
            with pytest.raises(InputError) as caught:
                limen.Thresholds.load(path)
            assert str(path) in str(caught.value)
            assert "cut short" in str(caught.value) or "it is empty" in str(caught.value)
        assert "is not a whole thresholds file: it is cut short, in line" in str(caught.value)

    @pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
    def test_constants_that_are_no_json(self, tmp_path, thresholds, constant):
        path = tmp_path / "t.json"
        path.write_text(json.dumps({**thresholds.to_dict(), "value": float(constant)}))
        with pytest.raises(InputError, match=rf"{constant} is no JSON number \(null means: never given\)"):
            limen.Thresholds.load(path)

    @pytest.mark.parametrize(
        "content", [b"\xff\xfe{", b"\x93NUMPY", b"", b"[" * 100_000], ids=["bytes", "npy", "empty", "deep"]
    )
    def test_what_is_no_json(self, tmp_path, content):
        path = tmp_path / "t.json"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"t\.json is not a (whole )?thresholds file"):
            limen.Thresholds.load(path)

    @pytest.mark.parametrize("key", ["metric", "threshold"])
    def test_a_key_that_stands_twice(self, tmp_path, content, key):
        path = tmp_path / "t.json"
        path.write_text(json.dumps(content).replace(f'"{key}":', f'"{key}": 0, "{key}":', 1))
        with pytest.raises(
            InputError, match=rf"t\.json is not a whole thresholds file: the key '{key}' stands twice"
        ):
            limen.Thresholds.load(path)

    def test_a_message_names_the_file(self, tmp_path, content):
        path = tmp_path / "altered.json"
        path.write_text(json.dumps({**content, "status": "proven"}))
        with pytest.raises(InputError, match=r"altered\.json: 'status' is 'proven'"):
            limen.Thresholds.load(path)

    def test_no_file(self, tmp_path):
        with pytest.raises(
            FileError, match=r"cannot read .*no\.json: No such file or directory\. Check the path\."
        ):
            limen.Thresholds.load(tmp_path / "no.json")
        with pytest.raises(FileError, match="cannot read"):
            limen.Thresholds.load(tmp_path)

    def test_text_is_a_path_too(self, tmp_path, thresholds):
        thresholds.save(str(tmp_path / "t.json"))
        assert limen.Thresholds.load(os.fspath(tmp_path / "t.json")) == thresholds

    @pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
    def test_an_interrupted_save_keeps_the_old_file(self, tmp_path, monkeypatch, thresholds, error):
        path = tmp_path / "t.json"
        path.write_text("old")

        def fail(*_):
            raise error

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises((KeyboardInterrupt, LimenError)):
            thresholds.save(path)
        assert path.read_text() == "old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["t.json"]
