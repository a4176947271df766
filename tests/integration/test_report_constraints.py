"""Constraints in the report: what the page says of each after any edit is what `limen.evaluate` says."""

import json

import numpy as np
import pytest

import limen
from integration.report_page import content, opened
from limen.constraints import (
    AtMost,
    MaxFalsePositiveRate,
    MaxFalsePositives,
    MaxPredictions,
    MinPrecision,
    MinPredictions,
    MinRecall,
    SameThreshold,
    ThresholdRange,
)
from limen.errors import UnsupportedError
from shell import run, write_csv

pytestmark = pytest.mark.filterwarnings(
    "ignore:1 label without a positive", "ignore:nothing can be promised of 1 label"
)

NAMES = ["a", "b", "c", "d", "e", "f"]
COUNTS = [
    MinPrecision(0.8, per={"a": 0.95}),
    MinRecall(None, per={"b": 0.6, "e": 0.5}),
    MaxFalsePositiveRate(0.05),
    MaxFalsePositives(20, per={"d": 5}),
    MaxPredictions(rate=0.2),
    MinPredictions(10, per={"c": 30}),
    MaxPredictions(per_hour=40, hours=10, per="all"),
    MinPrecision(0.85, per="all"),
    MinRecall(0.5, per="all"),
    MaxFalsePositiveRate(0.02, per="all"),
]
SHAPES = [ThresholdRange(0.2, 0.9, ("a", "b")), SameThreshold(("c", "d")), AtMost("e", "f")]


def drawn(n_items=400, n_labels=6, seed=3):
    """Return labels, the last without a positive, and scores with ties."""
    draw = np.random.default_rng(seed)
    y_true = (draw.random((n_items, n_labels)) < np.linspace(0.4, 0.05, n_labels)).astype(int)
    if n_labels > 1:
        y_true[:, -1] = 0
    return y_true, np.round(np.clip(draw.normal(0.25, 0.17, y_true.shape) + 0.4 * y_true, 0, 1), 2)


def saved(page, folder):
    """Return the file that the page saves: what it says of each constraint, and the thresholds."""
    path = page.download("#save", folder)
    return json.loads(path.read_text()), limen.Thresholds.load(path)


def agree(page, folder, y_true, y_score, weight=None):
    """Check each constraint in the saved file, and what the page shows, against an evaluation."""
    raw, t = saved(page, folder)
    found = limen.evaluate(y_true, y_score, t, sample_weight=weight).constraints
    assert len(raw["constraints"]) == len(found)
    broken = 0
    for page_says, limen_says in zip(raw["constraints"], found, strict=True):
        assert page_says["holds"] is limen_says["holds"], limen_says["constraint"]
        assert page_says.get("broken_by") == limen_says.get("broken_by")
        if limen_says.get("measured") is not None:
            assert page_says["measured"] == pytest.approx(limen_says["measured"], rel=1e-9)
        if limen_says.get("nearest"):
            assert page_says["nearest"][1] == pytest.approx(limen_says["nearest"][1], rel=1e-9)
        broken += not limen_says["holds"]
    said = page.page.inner_text("#limits-now")
    assert said.startswith(f"{broken} of {len(found)}") if broken else "hold" in said
    return t, found


@pytest.mark.parametrize("weighted", [False, True])
def test_every_constraint_after_edits(chrome, tmp_path, weighted):
    y_true, y_score = drawn()
    weight = np.random.default_rng(1).uniform(0.2, 3, len(y_true)) if weighted else None
    t = limen.tune(y_true, y_score, labels=NAMES, sample_weight=weight, method="exact")
    path = limen.report(
        y_true, y_score, t, tmp_path / "r.html", constraints=COUNTS + SHAPES, sample_weight=weight, methods=()
    )
    with opened(chrome, path) as page:
        assert "not tuned under them" in page.page.inner_text("#promises")
        seen = set()
        for label, share in (("a", 0.15), ("b", 0.95), ("c", 0.5), ("e", 0.6), ("f", 0.3), ("a", 0.7)):
            page.show(label)
            page.drag_to(share)
            t, found = agree(page, tmp_path, y_true, y_score, weight)
            seen |= {(k, one["holds"]) for k, one in enumerate(found)}
        assert len(seen) > len(found) + 3  # several were kept in one place and broken in another
        assert t.values[2] == t.values[3]  # one threshold: they move together
        assert t.status == "local"
        assert "edited by hand" in t.reason
        page.page.click("#undo")
        page.page.click("#undo")
        agree(page, tmp_path, y_true, y_score, weight)


def test_a_label_past_its_limit_is_told_and_helped(chrome, tmp_path):
    y_true, y_score = drawn()
    t = limen.tune(y_true, y_score, labels=NAMES, constraints=[MinPrecision(0.8)], method="exact")
    path = limen.report(y_true, y_score, t, tmp_path / "r.html", methods=())
    with opened(chrome, path) as page:
        page.show("a")
        assert "holds" in page.page.inner_text("#limits-now")
        page.type_in(0.05)
        note = page.page.locator("#label-limits .limit-broken")
        assert "precision ≥ 80.0" in note.inner_text()
        assert "too low" in note.inner_text()
        assert "precision too low" in page.page.inner_text('#table-body [data-label="0"] .badges')
        page.page.click('[data-kind="breaks"]')
        assert page.page.inner_text("#table-count") == "1 of 6 labels"
        note.locator("button").click()
        assert page.page.locator("#label-limits .limit-broken").count() == 0
        assert page.value("#label-precision") >= 0.8
        page.page.click("#undo")
        assert page.page.locator("#label-limits .limit-broken").count() == 1
        page.page.click("#back-within")
        assert "holds" in page.page.inner_text("#limits-now")
        for plot in ("histogram", "curves", "precision-recall"):
            key = page.page.locator(f"figure:has(#{plot}) [data-mark=limit]")
            assert key.get_attribute("title") == "precision at least 80.0 % for each label"


def test_data_of_another_size_and_closed_decisions(chrome, tmp_path):
    y_true, y_score = drawn()
    some = [MaxPredictions(40), AtMost("b", "c", closed=True), MinPrecision(0.7, per="all")]
    t = limen.tune(y_true, y_score, labels=NAMES, constraints=some, method="exact")
    half = slice(0, 200)
    path = limen.report(y_true[half], y_score[half], t, tmp_path / "r.html", methods=())
    with opened(chrome, path) as page:
        page.show("b")
        page.type_in(0.3)
        edited, _ = agree(page, tmp_path, y_true[half], y_score[half])
        assert edited.rule == t.rule
        assert edited.constraints[0]["spec"]["value"] == 20  # of half of the items
    assert content(path)["data"]["on_tuning_data"] is False
    with pytest.raises(UnsupportedError, match="closed=True changes what items get"):
        limen.report(y_true, y_score, limen.tune(y_true, y_score, labels=NAMES), "x.html", constraints=some)


@pytest.mark.parametrize("closed", [False, True])
def test_what_a_constraint_costs_and_who_is_excused(chrome, tmp_path, closed):
    """The data are known as those tuned on, so the price is told; a label given up is excused while never."""
    y_true, y_score = drawn()
    some = [MaxPredictions(40), AtMost("b", "c", closed=closed), ThresholdRange(0.1, 0.99)]
    some += [MinRecall(None, per={"a": 0.9}), MinPrecision(0.95, per="all")]
    t = limen.tune(y_true, y_score, labels=NAMES, constraints=some, method="exact", infeasible="never")
    assert "a" in t.details["never_by_constraint"]
    path = limen.report(y_true, y_score, t, tmp_path / "r.html", methods=())
    assert content(path)["data"]["on_tuning_data"] is True
    with opened(chrome, path) as page:
        panel = page.page.inner_text("#promises")
        assert "looser gains" in panel
        assert "1 label excused, never given" in panel
        page.page.locator("#table-body .name", has=page.page.get_by_text("a", exact=True)).first.click()
        told = page.page.inner_text("#label-limits").replace("\u202f", " ")
        assert "recall ≥ 90.0 %: excused: never given" in told
        page.type_in(0.6)
        assert page.page.locator("#label-limits .limit-broken").count() > 0
        edited, _ = agree(page, tmp_path, y_true, y_score)
        assert edited.digest == t.digest  # the same data: a report of the edited file knows them
        page.page.click("#undo")
        assert page.page.inner_text("#limits-now") == "5 constraints hold"


def test_one_label_and_one_that_cannot(chrome, tmp_path):
    y_true, y_score = drawn(n_labels=1)
    path = limen.report(y_true, y_score, 0.5, tmp_path / "r.html", methods=(), constraints=[
        MinPrecision(0.99), MinRecall(0.99)])  # fmt: skip
    with opened(chrome, path) as page:
        page.type_in(0.4)
        agree(page, tmp_path, y_true, y_score)
        assert "keeps it, and breaks another" in page.page.inner_text("#label-limits")


def test_three_hundred_labels(chrome, tmp_path):
    y_true, y_score = drawn(600, 300)
    some = [MinPrecision(0.7), SameThreshold(tuple(f"label {k}" for k in range(40))), MinRecall(0.5, per="all")]
    names = [f"label {k}" for k in range(300)]
    t = limen.tune(y_true, y_score, labels=names)
    path = limen.report(y_true, y_score, t, tmp_path / "r.html", methods=(), constraints=some)
    with opened(chrome, path) as page:
        page.show("label 39")
        page.drag_to(0.6)
        edited, _ = agree(page, tmp_path, y_true, y_score)
        assert len(set(edited.values[:40].tolist())) == 1
        page.page.locator("#target").fill("0.8")
        edited, _ = agree(page, tmp_path, y_true, y_score)
        assert len(set(edited.values[:40].tolist())) == 1


def test_the_promise_of_labels_not_edited_stays(chrome, tmp_path):
    y_true, y_score = drawn()
    t = limen.guarantee(y_true, y_score, labels=NAMES, precision=0.6)
    assert len(t.promise.labels) > 1
    edited_label = t.promise.labels[0]
    path = limen.report(y_true, y_score, t, tmp_path / "r.html", methods=())
    with opened(chrome, path) as page:
        page.show(edited_label)
        page.type_in(0.05)
        assert f"The promise of {edited_label} is dropped" in page.page.inner_text("#promises")
        _, kept = saved(page, tmp_path)
    assert kept.promise.labels == t.promise.labels[1:]
    assert kept.promise.confidence == t.promise.confidence
    shown = run("show", "thresholds.json", cwd=tmp_path, check=0).stdout
    assert f"the promise of '{edited_label}' was dropped" in " ".join(shown.split())


def test_from_the_command_line(tmp_path):
    y_true, y_score = drawn()
    for name, table in (("scores", y_score), ("labels", y_true)):
        write_csv(tmp_path / f"{name}.csv", ["id", *NAMES], [[k, *row] for k, row in enumerate(table.tolist())])
    limen.tune(y_true, y_score, labels=NAMES, constraints=[MinRecall(0.1)], method="exact").save(
        tmp_path / "t.json"
    )
    options = ("--min-precision", "0.9", "--same", "a,b", "--no-compare")
    done = run("report", "scores.csv", "labels.csv", "t.json", *options, cwd=tmp_path, check=0)
    assert "not those that the thresholds were tuned under" in " ".join(done.stdout.split())
    limits = content(tmp_path / "report.html")["limits"]
    assert [one["said"] for one in limits["all"]] == [
        "precision at least 90.0 % for each label",
        "one threshold for 'a', 'b'",
    ]
    assert limits["own"] is False
