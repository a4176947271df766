"""The page of events of odd data and metrics, with what is missing, on paper, and from the command line."""

from dataclasses import replace

import numpy as np
import pytest

from integration.event_pages import LABELS, scored, type_in
from integration.own_metrics import Means
from integration.report_page import opened
from limen import metrics
from limen.errors import UnsupportedError
from limen.events import Events, EventThresholds, FrameScores, Setting, evaluate, tune
from limen.events.formats import write_events, write_scores
from limen.reporting.events import report
from shell import run


def never(thresholds):
    """Return thresholds that give nothing."""
    plain = thresholds.to_dict()
    labels = [label | {"threshold": None, "low": None, "tp": 0, "pp": 0} for label in plain["labels"]]
    return EventThresholds.from_dict(
        plain | {"labels": labels, "value": 0.0, "status": "local", "upper_bound": None, "expected": None}
    )


def odd(name):
    """Return scores, events, and thresholds of data that pages are seldom tried on."""
    labels = {"one label": ("dog",), "many labels": tuple(f"a label of the name {k}" for k in range(52))}.get(
        name, LABELS
    )
    scores, events = scored(4 if name == "many labels" else 6, labels)
    thresholds = tune(scores, events, settings=Setting(), method="exact")
    if name == "one recording":
        scores, events = scores.take(["r0"]), events.take(["r0"])
    if name == "no events":
        events = Events.from_rows([], recordings=scores.names, labels=labels)
    if name == "an hour":
        frames = np.tile(np.concatenate(list(scores.recordings.values())), (120, 1))[:90_000]
        scores = FrameScores(labels, {"long": frames}, 0.04)
        starts = [6.0 * k for k in range(590)]
        events = Events.from_rows(
            [("long", at, at + 1.0, "dog") for at in starts], recordings=("long",), labels=labels
        )
    return scores, events, never(thresholds) if name == "nothing found" else thresholds


@pytest.mark.parametrize(
    "name", ["one label", "many labels", "one recording", "no events", "nothing found", "an hour"]
)
def test_odd_data_fit_every_width(chrome, tmp_path, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    scores, events, thresholds = odd(name)
    path = report(scores, events, thresholds, tmp_path / "events.html")
    value = evaluate(events, thresholds.decide(scores), durations=scores).value
    with opened(chrome, path) as shown:
        assert shown.value("#now-objective") == pytest.approx(value, abs=1e-12)
        if name == "nothing found":
            assert shown.page.inner_text("#now-precision") == "\u2013"
        if name == "many labels":
            shown.page.fill("#search", "name 51")
            assert shown.page.locator("#label-rows tr").count() == 1
            shown.page.fill("#search", "")
        if name == "an hour":
            shown.page.get_by_role("button", name="later in long").first.click()
        shown.page.get_by_role("button", name="threshold", exact=True).click()
        for width in (360, 768, 1280, 1920):
            shown.page.set_viewport_size({"width": width, "height": 900})
            assert shown.page.evaluate("document.documentElement.scrollWidth") == width
        shown.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        if name == "many labels":  # What it would find there it finds in few labels, sooner.
            return
        found = axe.Axe().run(shown.page)
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found.response["violations"]] == []


def test_any_number_may_be_typed_and_what_is_none_is_refused(chrome, tmp_path):
    scores, events = scored()
    recordings = scores.recordings | {"silent": np.zeros((0, 3), np.float32)}
    scores, events = FrameScores(LABELS, recordings, 0.04), replace(events, recordings=tuple(recordings))
    thresholds = tune(scores, events, settings=Setting(0.2, 1.0), method="exact")
    with opened(chrome, report(scores, events, thresholds, tmp_path / "events.html")) as shown:
        for typed, meant in (("-0.5", -0.5), ("1.5", 1.5), ("\u22120.25", -0.25), ("1e999", np.inf), ("0", 0.0)):
            type_in(shown, "dog", typed)
            edited = EventThresholds.load(shown.download("#save", tmp_path))
            assert edited.thresholds[0] == meant
            found = evaluate(events, edited.decide(scores), durations=scores)
            assert shown.value("#now-objective") == pytest.approx(found.value, abs=1e-12)
        for typed in ("much", "", "-Infinity"):
            type_in(shown, "dog", typed)
            assert "is no number" in shown.page.inner_text("#threshold-note")
            assert shown.page.input_value("#threshold-number") == "0"


def test_a_metric_that_the_page_cannot_know_is_shown_as_given_and_not_saved_edited(chrome, tmp_path, monkeypatch):
    scores, events = scored()
    thresholds = tune(scores, events, settings=Setting(), metric=Means(), average="macro", method="exact")
    with pytest.raises(UnsupportedError, match="not registered"):
        report(scores, events, thresholds, tmp_path / "events.html")
    monkeypatch.setitem(metrics.METRICS, "means", Means)
    with opened(chrome, report(scores, events, thresholds, tmp_path / "events.html")) as shown:
        assert shown.value("#now-objective") == pytest.approx(thresholds.value, abs=1e-12)
        assert EventThresholds.load(shown.download("#save", tmp_path)).to_dict() == thresholds.to_dict()
        type_in(shown, "dog", 0.2)
        assert shown.page.inner_text("#now-objective") == "not known here"
        shown.page.click("#save")
        assert "no formula" in shown.page.inner_text("#saved")


def test_what_is_missing_is_said_and_paper_is_light(chrome, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    scores, events = scored()
    thresholds = tune(scores, events, settings=Setting(), method="exact")
    (tmp_path / "sounds").mkdir()
    for name in scores.names[:3]:
        tone = np.zeros(int(8000 * scores.seconds(name)))
        soundfile.write(tmp_path / "sounds" / f"{name}.wav", tone, 8000)
    (tmp_path / "sounds" / "r1.wav").write_bytes(b"no sound at all")
    with pytest.warns(UserWarning, match="r1|r3"):
        path = report(scores, events, thresholds, tmp_path / "events.html", media=tmp_path / "sounds")
    with opened(chrome, path, color_scheme="dark") as shown:
        note = shown.page.inner_text("#clips-note")
        assert "has nothing for 5 of 8" in note
        assert "no spectrogram of 1 recording" in note.lower()
        shown.page.locator("#clip-kinds [data-kind=near]").click()
        while shown.page.is_visible("#more-clips"):
            shown.page.click("#more-clips")
        assert shown.page.get_by_text("no recording to play").count() > 0
        shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert shown.page.evaluate("document.documentElement.dataset.theme") == "light"
        shown.page.emulate_media(media="print")
        assert not shown.page.is_visible("#save")
        assert not shown.page.is_visible(".handles")
        assert shown.page.is_visible("#label-rows")
        shown.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert shown.page.evaluate("document.documentElement.dataset.theme") is None


def test_the_command_says_what_it_wrote_and_how_it_is_used(tmp_path):
    scores, events = scored(3)
    write_scores(scores, tmp_path / "scores")
    write_events(events, tmp_path / "events.csv")
    tune(scores, events, settings=Setting(), method="exact").save(tmp_path / "events.json")
    done = run(
        "report-events", tmp_path / "scores", tmp_path / "events.csv", tmp_path / "events.json", cwd=tmp_path
    )
    size = (tmp_path / "events.html").stat().st_size
    assert f"{size / 1e6:.1f} MB" in done.stderr + done.stdout
    shown = run("report-events", "--help", cwd=tmp_path).stdout
    assert shown.count("limen report-events scores/") >= 3
