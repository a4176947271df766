"""The report of events in a real browser: what it counts, shows, plays and saves is what limen counts."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from integration.report_page import content, opened
from integration.test_report_types import checked
from limen.cli import cli
from limen.errors import InputError
from limen.events import (
    Clips,
    Collar,
    Events,
    EventThresholds,
    FrameScores,
    Intersection,
    Segments,
    Setting,
    evaluate,
    tune,
)
from limen.events.curves import low_thresholds
from limen.events.detecting import detect
from limen.events.formats import write_events, write_scores
from limen.events.matching import count_right
from limen.reporting.assembly import IMPORT, modules
from limen.reporting.events import PAGE, report

NAMES = tuple(f"garden/{n:02d}" for n in range(10))
LABELS = ("dog", "cat </script>", "bird", "never there")


def scored(kind: str) -> tuple[FrameScores, Events]:
    """Return scores of recordings of different lengths that follow the events, with ties."""
    rng = np.random.default_rng(3)
    recordings, durations, rows = {}, {}, []
    for name in NAMES:
        n = int(rng.integers(90, 160))
        active = np.zeros((n, 4))
        for k in range(3):
            for _ in range(int(rng.integers(0, 4))):
                start = int(rng.integers(0, n - 20))
                end = start + int(rng.integers(4, 20))
                active[start:end, k] = 1
                rows.append((name, start * 0.04 + 0.011, end * 0.04 + 0.007, LABELS[k]))
        raw = 5 * active - 3 + rng.normal(0, 1.5, active.shape)
        smooth = np.round((raw[:-1] + raw[1:]) / 2, 1)
        recordings[name] = (1 / (1 + np.exp(-smooth)) if kind == "probability" else smooth).astype(np.float32)
        durations[name] = (n - 1) * 0.04 + 0.013
    events = Events.from_rows(rows, recordings=NAMES, labels=LABELS).merged()[0]
    return FrameScores(LABELS, recordings, 0.04, durations), events


@pytest.fixture(scope="module")
def tuned():
    scores, events = scored("probability")
    settings = [Setting(), Setting(0.2, 1.0, 0.08, 0.12), Setting(0.36, 2.0)]
    return scores, events, tune(scores, events, criterion="collar", settings=settings, method="exact")


@pytest.fixture(scope="module")
def page(tuned, tmp_path_factory):
    """Give a report with recordings beside it."""
    soundfile = pytest.importorskip("soundfile")
    folder = tmp_path_factory.mktemp("report")
    scores, events, thresholds = tuned
    (folder / "sounds" / "garden").mkdir(parents=True)
    for name in NAMES:
        tone = 0.1 * np.sin(np.arange(int(8000 * scores.seconds(name))) / 3)
        soundfile.write(folder / "sounds" / f"{name}.wav", tone, 8000)
    return report(
        scores, events, thresholds, folder / "events.html", media=folder / "sounds", title="A <b> garden"
    )


def counted_by(page, tries: list[list[dict]]) -> list:
    """Return tp, pp, p and the events of each label with these settings, counted by the page's own modules."""
    names = (
        "../../page/packed.js",
        "../../page/history.js",
        "model.js",
        "deciding.js",
        "matching.js",
        "counting.js",
    )
    found = modules(PAGE.scripts)
    own = "\n".join(re.sub("^export ", "", IMPORT.sub("", found[name]), flags=re.MULTILINE) for name in names)
    spans = "o.events.map((all) => all.map((one) => [one.onset, one.offset]))"
    counts = f"const o = outcomeOf(k, one); return [[o.tp, o.pp, o.p], {spans}]"
    return page.evaluate(
        f"(tries) => {{ {own}; return tries.map((t) => t.map((one, k) => {{ {counts}; }})); }}", tries
    )


@pytest.fixture(scope="module")
def plain():
    """Give thresholds of scores of each kind, tuned once."""
    of = {kind: scored(kind) for kind in ("probability", "logit")}
    return {kind: tune(*both, settings=Setting(), method="exact") for kind, both in of.items()}


@pytest.mark.parametrize("kind", ["probability", "logit"])
@pytest.mark.parametrize(
    "criterion", [Collar(), Collar(0.1, 0.05, 0.5), Intersection(0.7, 0.3), Segments(0.7), Clips()], ids=str
)
def test_the_page_counts_as_limen_does(chrome, plain, tmp_path, kind, criterion):
    scores, events = scored(kind)
    path = report(scores, events, plain[kind], tmp_path / "events.html", criterion=criterion)
    rng = np.random.default_rng(1)
    present = np.unique(np.concatenate([own.ravel() for own in scores.recordings.values()])).astype(np.float64)
    tries = []
    for _ in range(8):
        choices = ((0, 0.12, 0.2, 0.33), (0, 0.5, 2), (0, 0.04, 0.1, 0.4), (0, 0.08, 0.2))
        settings = [Setting(*(float(rng.choice(values)) for values in choices)) for _ in LABELS]
        tries.append((settings, rng.choice(np.append(present, 5.0), len(LABELS))))
    opened_page = chrome.new_page()
    opened_page.goto(path.resolve().as_uri())
    listed = [
        [
            {**setting.to_dict(), "threshold": value}
            for setting, value in zip(settings, values.tolist(), strict=True)
        ]
        for settings, values in tries
    ]
    found = counted_by(opened_page, listed)
    opened_page.close()
    ends = np.array([scores.bounds(name)[-1] for name in NAMES])
    n_found = 0
    for (settings, values), by_page in zip(tries, found, strict=True):
        detections = detect(scores, settings, values, low_thresholds(values, settings, kind))
        counts = count_right(detections, events, criterion, ends).sum(axis=1)
        for k in range(len(LABELS)):
            own = detections.label == k
            listed_events = [
                np.stack([detections.onset, detections.offset], 1)[own & (detections.recording == r)].tolist()
                for r in range(len(NAMES))
            ]
            assert by_page[k][1] == listed_events
            assert by_page[k][0] == counts[:3, k].tolist()
        n_found += int(counts[0].sum())
    assert n_found > 30


def test_handles_count_anew_and_the_saved_file_decides_so(chrome, tuned, page, tmp_path):
    scores, events, thresholds = tuned
    with opened(chrome, page) as shown:
        assert shown.value("#now-objective") == pytest.approx(
            evaluate(events, thresholds.decide(scores), durations=scores).value, abs=1e-15
        )
        shown.page.get_by_role("button", name="cat </script>").click()
        shown.page.fill("#threshold-number", "0.35")
        shown.page.keyboard.press("Enter")
        for handle, steps in (("#median", 2), ("#hysteresis", 3), ("#gap", 1), ("#shortest", 2)):
            shown.page.focus(handle)
            for _ in range(steps):
                shown.page.keyboard.press("ArrowRight")
        saved = shown.download("#save", tmp_path)
        edited = EventThresholds.load(saved)
        counted = evaluate(events, edited.decide(scores), durations=scores)
        tp, pp, p = (int(column[1]) for column in counted.counts[:3])
        assert [shown.value(f"#count-{name}") for name in ("tp", "fp", "fn")] == [tp, pp - tp, p - tp]
        assert shown.value("#now-objective") == pytest.approx(counted.value, abs=1e-15)
        assert "1 label changed" in shown.page.inner_text("#changed-count")
        shown.page.click("#reset")
        assert shown.page.inner_text("#changed-count") == "no change"
        again = EventThresholds.load(shown.download("#save", tmp_path))
    assert edited.thresholds[1] == 0.35
    assert edited.settings[1] != thresholds.settings[1]
    assert edited.settings[0] == thresholds.settings[0]
    assert edited.method.endswith("edited by hand")
    assert again.to_dict() == thresholds.to_dict()


def test_clips_that_matter_come_first_with_what_is_heard(chrome, tuned, page):
    scores, events, thresholds = tuned
    counts = evaluate(events, thresholds.decide(scores), durations=scores).counts
    with opened(chrome, page) as shown:
        for kind, number in (("missed", counts.p - counts.tp), ("false", counts.pp - counts.tp)):
            button = shown.page.locator(f"#clip-kinds [data-kind={kind}]")
            button.click()
            assert button.inner_text().endswith(f" {number.sum()}")
            states = shown.page.locator("#clips .clip strong").all_inner_texts()
            assert states == [kind] * min(12, int(number.sum()))
        shown.page.locator("#clip-kinds [data-kind=all]").click()
        clip = shown.page.locator("#clips .clip").first
        assert clip.locator("canvas").count() == 1
        assert clip.locator(".score-track polyline").count() == 2
        source = clip.locator("audio").get_attribute("src")
        assert source.startswith("./sounds/garden/")
        assert (page.parent / source).is_file()
        shown.page.check("#all-labels")
        assert clip.locator(".lane").count() >= 2
        policy = shown.page.locator("meta[http-equiv]").get_attribute("content")
        assert "default-src 'none'" in policy
        assert "media-src 'self' file:" in policy
    with_events = {f"{r} 0" for r in np.unique(events.recording)}
    assert with_events <= set(content(page)["media"]["pictures"]) <= {f"{r} 0" for r in range(10)}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing_and_nothing_sticks_out(chrome, page, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with opened(chrome, page, color_scheme=scheme, viewport={"width": width, "height": 900}) as shown:
        shown.page.check("#all-labels")
        assert shown.page.evaluate("document.documentElement.scrollWidth") == width
        found = axe.Axe().run(shown.page)
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found.response["violations"]] == []


def test_scores_of_too_many_frames_are_refused(tuned, tmp_path, monkeypatch):
    scores, events, thresholds = tuned
    monkeypatch.setattr("limen.reporting.events.contents.MOST_SCORES", 1000)
    with pytest.raises(InputError, match="choose some of the recordings"):
        report(scores, events, thresholds, tmp_path / "events.html")
    assert list(tmp_path.iterdir()) == []


def test_types_and_one_scope(tmp_path):
    names = modules(PAGE.scripts)
    folder = Path(__file__).parents[2] / "src" / "limen" / "reporting" / PAGE.scripts
    seen: set[str] = set()
    for name, text in names.items():
        declared = re.findall(r"^(?:export )?(?:const|let|function|class) (\w+)", text, re.MULTILINE)
        assert not seen & set(declared), name
        seen |= set(declared)
    assert list(names)[-1] == "main.js"
    assert checked(tmp_path, [folder / name for name in names]).stdout == ""


def test_the_command_writes_the_same_page(tuned, page, tmp_path):
    scores, events, thresholds = tuned
    write_scores(scores, tmp_path / "scores")
    write_events(events, tmp_path / "events.csv")
    thresholds.save(tmp_path / "events.json")
    given = [str(tmp_path / name) for name in ("scores", "events.csv", "events.json")]
    output = tmp_path / "page.html"
    options = ["-o", str(output), "--media", str(page.parent / "sounds"), "--title", "A <b> garden"]
    done = CliRunner().invoke(cli, ["report-events", *given, *options])
    assert done.exit_code == 0
    assert "page.html" in done.output
    by_command, by_python = content(output), content(page)
    assert by_command.pop("media")["pictures"] == by_python.pop("media")["pictures"]
    assert by_command == by_python
