"""What goes into the page, and what `report` refuses; no browser."""

import base64
import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import limen
from integration.report_page import content
from limen.datasets import spoken_tags
from limen.decisions import count_decisions
from limen.errors import FileError, InputError, UnsupportedError
from limen.objectives import objective
from limen.reporting import report
from limen.reporting.encoding import embedded, packed, rising
from limen.reporting.items import Axis, looked_at
from limen.reporting.positions import Positions


def unpacked(value):
    ((kind, text),) = value.items()
    raw = base64.b64decode(text)
    if kind != "whole":
        return np.frombuffer(raw, "<f4" if kind == "f32" else "<f8")
    numbers, number, shift = [], 0, 0
    for byte in raw:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    return np.array(numbers, np.int64)


@given(st.lists(st.integers(0, 2**63 - 1)))
def test_whole_numbers_come_back(numbers):
    assert unpacked(packed(np.array(numbers, np.int64))).tolist() == numbers


@given(st.lists(st.floats(width=32), min_size=1))
def test_floats_come_back_to_the_last_bit(numbers):
    for dtype in (np.float32, np.float64):
        values = np.array(numbers, dtype)
        assert unpacked(packed(values)).tobytes() == values.tobytes()


def test_counts_are_packed_as_steps_within_a_label():
    counts, offsets = np.array([0, 2, 5, 0, 7]), np.array([0, 3, 5])
    assert unpacked(rising(counts, offsets)).tolist() == [0, 2, 3, 0, 7]
    assert unpacked(rising(counts / 2, offsets)).tolist() == (counts / 2).tolist()


@given(st.text())
def test_embedded_text_cannot_leave_its_element(text):
    written = embedded({text: text})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {text: text}


def problem(draw, n_items, n_labels, dtype, weighted):
    y_true = draw.random((n_items, n_labels)) < draw.uniform(0, 0.6, n_labels)
    y_score = draw.integers(0, 12, (n_items, n_labels)).astype(dtype) / 8 - 0.5
    weight = draw.uniform(0, 2, n_items) if weighted else None
    return limen.Curves.from_arrays(y_true, y_score.astype(dtype), sample_weight=weight)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from([np.float16, np.float32, np.float64]), st.booleans(), st.integers(1, 40)
)
def test_counts_at_every_position_are_those_of_the_decisions(seed, dtype, weighted, most):
    draw = np.random.default_rng(seed)
    curves = problem(draw, draw.integers(1, 60), draw.integers(1, 5), dtype, weighted)
    vectors = {
        "half": np.full(curves.n_labels, 0.5, dtype),
        "wild": draw.choice([-np.finfo(dtype).max, -0.25, -0.0, 0.3, np.inf], curves.n_labels).astype(dtype),
    }
    known = {name: (values, count_decisions(curves.sources, values)) for name, values in vectors.items()}
    positions = Positions.of(curves, objective(), known, most)
    size = np.diff(positions.offsets)
    starts = positions.offsets[:-1]
    assert (positions.values[starts] == np.inf).all()
    for label in range(curves.n_labels):
        own = positions.values[positions.offsets[label] : positions.offsets[label + 1]]
        assert (own[1:] < own[:-1]).all()
    for step in range(int(size.max())):
        at = starts + np.minimum(step, size - 1)
        counts = count_decisions(curves.sources, positions.values[at].astype(dtype))
        np.testing.assert_allclose(positions.tp[at], counts.tp, rtol=1e-12)
        np.testing.assert_allclose(positions.tp[at] + positions.fp[at], counts.pp, rtol=1e-12, atol=1e-12)
    for name, values in vectors.items():
        assert np.array_equal(positions.values[starts + positions.known[name]], values)


def test_thinning_keeps_the_frontier_and_the_best_cuts():
    draw = np.random.default_rng(0)
    y_true = draw.random((4000, 3)) < 0.4
    curves = limen.Curves.from_arrays(y_true, draw.normal(0, 1, y_true.shape) + y_true)
    whole = Positions.of(curves, objective(), {})
    thin = Positions.of(curves, objective(), {}, 60)
    assert whole.content()["all_cuts"] is None
    assert thin.content()["all_cuts"] is not None
    assert len(thin.values) < 0.1 * len(whole.values)
    f1 = limen.metrics.get("f1")
    for positions in (whole, thin):
        label = np.repeat(np.arange(3), np.diff(positions.offsets))
        values = f1(positions.tp, positions.tp + positions.fp, curves.n_positive[label], curves.n_known[label])
        best = np.maximum.reduceat(values, positions.offsets[:-1])
        assert best == pytest.approx(
            limen.tune(curves, method="exact", average="macro").objective.of_labels(
                *limen.tune(curves, method="exact", average="macro").counts
            )
        )
    frontier = limen.frontier(y_true, curves.sources[0].scores)
    at = thin.offsets[:-1].copy()
    for label, place in zip(thin.step_label, thin.step_position, strict=True):
        at[label] = thin.offsets[label] + place
    assert thin.tp[at].sum() == frontier.tp[-1]
    assert (thin.tp[at] + thin.fp[at]).sum() == frontier.pp[-1]


def naive_pairs(y_true, given_):
    missed, false = y_true & ~given_, ~y_true & given_
    return missed.astype(int).T @ false, missed.astype(int).T @ missed


def test_histograms_calibration_and_pairs():
    draw = np.random.default_rng(0)
    y_true = draw.random((3000, 6)) < 0.2
    y_true[:, 1] = y_true[:, 0] | (draw.random(3000) < 0.02)
    y_score = 1 / (1 + np.exp(-(draw.normal(0, 1, y_true.shape) + 2 * y_true - 1.5)))
    y_score[:, 1] = y_score[:, 0]
    # Where label 2 is missed, label 3 is given wrongly.
    swapped = y_true[:, 2] & (draw.random(3000) < 0.5)
    y_score[swapped, 2], y_score[swapped, 3] = 0.05, 0.9
    curves = limen.Curves.from_arrays(y_true, y_score)
    source, values = curves.sources[0], np.array([0.5, 0.5, 0.5, 0.5, 0.5, np.inf])
    items = looked_at(source, Axis.of(source, curves, True), values, np.ones(6))
    histogram = items["histogram"]
    positive, negative = (
        unpacked(histogram[name]).reshape(6, histogram["bins"]) for name in ("positive", "negative")
    )
    assert positive.sum(axis=1).tolist() == y_true.sum(axis=0).tolist()
    assert negative.sum(axis=1).tolist() == (~y_true).sum(axis=0).tolist()
    positive, total, mean = (unpacked(part).reshape(6, -1) for part in items["calibration"].values())
    assert positive.sum(axis=1).tolist() == y_true.sum(axis=0).tolist()
    assert total.sum(axis=1).tolist() == [3000] * 6
    assert (total * mean).sum(axis=1) == pytest.approx(y_score.sum(axis=0), rel=1e-5)
    confused, together = naive_pairs(y_true, y_score >= values)
    pairs = {name: list(map(unpacked, items["errors"][name].values())) for name in ("confused", "missed")}
    for (a, b, count, chance), exact in ((pairs["confused"], confused), (pairs["missed"], together)):
        assert count.tolist() == exact[a, b].tolist()
        assert (count > chance).all()
    assert (pairs["confused"][0][0], pairs["confused"][1][0]) == (2, 3)
    assert (0, 1) in set(zip(*pairs["missed"][:2], strict=True))


def test_pairs_by_chance_alone_are_not_shown():
    draw = np.random.default_rng(1)
    y_true = draw.random((2000, 30)) < 0.1
    y_score = draw.random(y_true.shape)
    curves = limen.Curves.from_arrays(y_true, y_score)
    axis = Axis.of(curves.sources[0], curves, True)
    found = looked_at(curves.sources[0], axis, np.full(30, 0.5), np.ones(30))["errors"]
    assert len(unpacked(found["confused"]["a"])) + len(unpacked(found["missed"]["a"])) <= 1


def test_unknown_labels_and_scores_that_are_not_stored(tmp_path):
    from scipy.sparse import csr_array

    draw = np.random.default_rng(0)
    y_true = (draw.random((200, 3)) < 0.3).astype(float)
    scores = np.where(draw.random((200, 3)) < 0.5, draw.random((200, 3)), 0)
    y_true[draw.random((200, 3)) < 0.1] = np.nan
    path = report(y_true, csr_array(scores), 0.4, tmp_path / "r.html", methods=())
    found = content(path)
    known = ~np.isnan(y_true)
    assert unpacked(found["known"]).tolist() == known.sum(axis=0).tolist()
    stored = unpacked(found["histogram"]["positive"]).sum() + unpacked(found["histogram"]["negative"]).sum()
    assert stored == (known & (scores > 0)).sum()
    truth = unpacked(found["review"]["truth"])
    assert set(truth.tolist()) <= {0, 1, 2}


def test_the_first_screen_states_what_was_measured(tmp_path):
    y_true, y_score, names = spoken_tags()
    y_true, y_score = y_true[:600], y_score[:600]
    tuned = limen.tune(y_true, y_score, labels=names)
    found = content(report(y_true, y_score, tuned, tmp_path / "r.html", methods=("shared", "exact")))
    half, shared, given_ = found["first"]
    evaluated = limen.evaluate(y_true, y_score, tuned)
    assert given_["here"] == pytest.approx([evaluated.value, *evaluated.interval])
    assert given_["expected"] == list(tuned.expected)
    assert half["here"] == half["expected"]
    assert half["here"][0] == pytest.approx(limen.evaluate(y_true, y_score, 0.5).value)
    compared = limen.compare(y_true, y_score, methods=("shared", "exact", "auto"))
    assert shared["expected"] == [compared["shared"].held_out, compared["shared"].low, compared["shared"].high]
    assert shared["cut"] == limen.tune(y_true, y_score, method="shared").values[0]
    assert [row["method"] for row in found["comparison"]["rows"]] == [row.method for row in compared.rows]
    assert found["data"]["on_tuning_data"]
    elsewhere = content(report(y_true[:300], y_score[:300], tuned, tmp_path / "r.html", methods=()))
    assert not elsewhere["data"]["on_tuning_data"]
    assert elsewhere["first"][2]["expected"] == elsewhere["first"][2]["here"]
    assert elsewhere["comparison"]["why_not"] == "No comparison was asked for."


def test_another_objective_than_the_one_tuned_for(tmp_path):
    y_true, y_score, names = spoken_tags()
    y_true, y_score = y_true[:300], y_score[:300]
    exact = limen.tune(y_true, y_score, labels=names, method="exact")
    found = content(report(y_true, y_score, exact, tmp_path / "r.html", average="macro", methods=()))
    assert found["file"]["original"]["average"] == "micro"
    assert found["file"]["edited"]["average"] == "macro"
    assert found["file"]["edited"]["upper_bound"] is None
    assert found["first"][2]["expected"] is None
    assert (found["verdict"]["origin"], found["verdict"]["why"]) == (
        "none",
        "the thresholds were tuned on these items for micro F1",
    )


def test_thresholds_for_other_label_frequencies_are_known_to_be_of_these_items(tmp_path):
    y_true, y_score, names = spoken_tags()
    y_true, y_score = y_true[:400], y_score[:400]
    rarer = 0.5 * y_true.mean(axis=0)
    shifted = limen.tune(y_true, y_score, labels=names, method="exact", target_prevalence=rarer)
    found = content(report(y_true, y_score, shifted, tmp_path / "r.html", methods=()))
    assert (found["data"]["on_tuning_data"], found["data"]["on_same_items"]) == (False, True)
    assert found["first"][2]["expected"] is None
    other = limen.tune(y_true[::-1], y_score, labels=names, method="exact")
    found = content(report(y_true, y_score, other, tmp_path / "r.html", methods=()))
    assert (found["data"]["on_tuning_data"], found["data"]["on_same_items"]) == (False, False)


def test_scores_of_any_size_can_be_drawn(tmp_path):
    draw = np.random.default_rng(0)
    y_true = draw.random((40, 2)) < 0.4
    for dtype in (np.float32, np.float64):
        y_score = (draw.uniform(-1, 1, (40, 2)) * np.finfo(dtype).max).astype(dtype)
        found = content(report(y_true, y_score, 0.0, tmp_path / "r.html", methods=()))
        assert np.isfinite(unpacked(found["axis"]["low"])).all()
        assert unpacked(found["histogram"]["positive"]).sum() == y_true.sum()


def test_groups_and_a_mapping_of_methods(tmp_path):
    y_true, y_score, _ = spoken_tags()
    path = report(
        y_true[:300],
        y_score[:300],
        0.4,
        tmp_path / "r.html",
        groups=np.arange(300) // 3,
        methods={"half": "fixed:0.5", "one cut": "shared"},
        cv=3,
    )
    found = content(path)
    assert {row["method"] for row in found["comparison"]["rows"]} == {"half", "one cut"}
    assert found["file"]["original"]["method"] == "fixed:0.4"


def test_sizes(tmp_path):
    y_true, y_score, names = spoken_tags()
    assert report(y_true, y_score, 0.5, tmp_path / "r.html", labels=names, methods=()).stat().st_size < 1.5e6
    draw = np.random.default_rng(0)
    y_true = draw.random((3000, 527)) < 0.03
    y_score = draw.random(y_true.shape)
    assert report(y_true, y_score, 0.5, tmp_path / "r.html", methods=()).stat().st_size < 6e6


def test_arguments_are_left_as_they_were_and_progress_is_told(tmp_path):
    y_true, y_score, names = spoken_tags()
    y_true, y_score = y_true[:200].copy(), y_score[:200].copy()
    before = y_true.tobytes(), y_score.tobytes()
    told = []
    thresholds = limen.tune(y_true, y_score, labels=names, method="shared")
    saved = thresholds.to_dict()
    report(
        y_true, y_score, thresholds, tmp_path / "r.html", methods=("shared",), progress=lambda *a: told.append(a)
    )
    assert (y_true.tobytes(), y_score.tobytes()) == before
    assert thresholds.to_dict() == saved
    assert [step for step, _, _ in told] == sorted(step for step, _, _ in told)
    assert told[-1] == (100, 100, "writing")
    assert any("comparing shared" in note for _, _, note in told)


def test_refusals(tmp_path):
    y_true, y_score, names = spoken_tags()
    y_true, y_score = y_true[:50], y_score[:50]
    output = tmp_path / "r.html"
    with pytest.raises(UnsupportedError, match="decide by the rule 'top-k:3', which has no cut by label to show"):
        report(y_true, y_score, limen.tune(y_true, y_score, method="top-k:3"), output)
    tuned = limen.tune(y_true, y_score, labels=names, method="shared")
    with pytest.raises(InputError, match=r"different labels: .* only in the thresholds, 'a', .* only in the data"):
        report(y_true, y_score, tuned, output, labels=list("abcdefghijklmnop"))
    with pytest.raises(InputError, match=r"ids has 2 names for 50 items\. Give one for each item"):
        report(y_true, y_score, 0.5, output, ids=["a", "b"])
    with pytest.raises(InputError, match="methods are"):
        report(y_true, y_score, 0.5, output, methods=("magic",))
    with pytest.raises(FileError, match="is no folder"):
        report(y_true, y_score, 0.5, tmp_path / "none" / "r.html", methods=())
    assert not output.exists()


def test_a_page_is_the_same_for_the_same_data(tmp_path):
    y_true, y_score, names = spoken_tags()
    tuned = limen.tune(y_true[:200], y_score[:200], labels=names)
    pages = []
    for name in ("a.html", "b.html"):
        pages.append(report(y_true[:200], y_score[:200], tuned, tmp_path / name, methods=()).read_text())
        time.sleep(0.01)
    assert pages[0] == pages[1]
