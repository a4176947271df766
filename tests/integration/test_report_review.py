"""The review in a real browser: players, pictures, marks, the policy, and what limen makes of saved marks."""

import csv
import functools
import json
import struct
import threading
import warnings
import wave
import zlib
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import limen
from integration.report_page import content, opened
from limen.errors import LimenWarning
from limen.reporting import report
from shell import run, write_csv

LABELS = ("dog", "=owl", "red fox")
NAMES = ("birds/a b", "grün #1", "100%", "it's", 'say "hi"', "a?b&c", "<b>x", "=1+1", "'=q", "p", "q", "none")
PICTURE = "document.querySelector('.entry canvas')"


def write_wav(path, seconds=2.0, rate=8000):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        time = np.arange(int(seconds * rate)) / rate
        file.writeframes((8000 * np.sin(2 * np.pi * 900 * time)).astype("<i2").tobytes())


def write_png(path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size, pixels = (
        struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0),
        zlib.compress(b"".join(b"\0" + b"\xd0\x30\x30" * 4 for _ in range(4))),
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


@pytest.fixture(scope="module")
def problem():
    """A few items: some mistakes, some labels unknown."""
    draw = np.random.default_rng(3)
    y_true = (draw.random((len(NAMES), 3)) < 0.5).astype(float)
    y_score = np.clip(0.3 + 0.4 * y_true + draw.normal(0, 0.3, y_true.shape), 0.01, 0.99)
    y_true[4, 1] = np.nan
    return y_true, y_score


@pytest.fixture(scope="module")
def site(problem, tmp_path_factory):
    """A folder with a report and the clips that it refers to."""
    folder = tmp_path_factory.mktemp("my site")
    clips = folder / "clips"
    (clips / "birds").mkdir(parents=True)
    for name in NAMES[:7]:
        write_wav(clips / f"{name}.wav")
    write_png(clips / "p.png")
    (clips / "q.txt").write_text("<img src=x onerror=alert(1)> seen at dusk")
    (clips / "'=q.wav").write_bytes(b"RIFF damaged")
    (clips / "=1+1.pdf").touch()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", LimenWarning)
        report(*problem, 0.5, folder / "r.html", labels=LABELS, ids=NAMES, methods=(), media=clips)
    assert [str(one.message).split(" (")[0].rpartition("clips ")[-1] for one in said] == [
        "has nothing for 1 of 12 items",
        "no spectrogram of 1 recording that soundfile cannot read",
    ]
    return folder


@pytest.fixture(scope="module")
def served(site):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def shown(chrome, address, **context):
    """A page with whatever went wrong in it, in its own context."""
    page = chrome.new_context(accept_downloads=True, **context).new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.goto(address)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page, wrong


def entry(page, name, label):
    """The entry of an item and a label."""
    places = page.locator(".entry").evaluate_all(
        "all => all.map(one => [one.querySelector('.entry-text p:nth-child(2)').textContent, "
        "one.querySelector('.entry-label').textContent])"
    )
    return page.locator(".entry").nth(places.index([name, label]))


def all_entries(page):
    while page.is_visible("#review-more"):
        page.click("#review-more")


@pytest.mark.parametrize("way", ["file", "server"])
def test_players_pictures_and_texts(chrome, site, served, way):
    address = (site / "r.html").as_uri() if way == "file" else f"{served}/r.html"
    page, wrong = shown(chrome, address)
    all_entries(page)
    lasting = (
        "audio => new Promise(done => { audio.onloadedmetadata = () => done(audio.duration); "
        "audio.addEventListener('error', () => done('error')); audio.load(); audio.preload = 'metadata'; })"
    )
    found = {item["at"]: item["kind"] for item in content(site / "r.html")["media"]["items"] if item}
    sounds = [at for at, kind in found.items() if kind == "audio"]
    assert len(sounds) == 8
    for at in sounds:
        audio = page.locator(f"audio[src={json.dumps(at)}]").first
        assert audio.evaluate(lasting) == ("error" if "q.wav" in at else pytest.approx(2.0, abs=0.05))
    picture = page.locator(".media img").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.media img').naturalWidth === 4")
    assert "<img src=x onerror=alert(1)> seen at dusk" in page.locator(".media blockquote").first.inner_text()
    assert (
        page.locator(".entry", has=page.get_by_text("none", exact=True)).first.locator(".media").inner_text()
        == "no file"
    )
    link = page.locator(".entry a[href$='.pdf']").first
    assert (link.inner_text(), link.get_attribute("rel")) == ("=1+1", "noopener noreferrer")
    assert wrong == []
    page.context.close()


def test_nothing_is_loaded_before_it_is_wanted(chrome, site):
    page = chrome.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "r.html").as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_timeout(300)
    assert {url.rpartition(".")[2] for url in asked} <= {"html", "png"}
    page.context.close()


def test_a_spectrogram_is_drawn_and_leads_into_its_recording(chrome, site):
    page, wrong = shown(chrome, (site / "r.html").as_uri())
    all_entries(page)
    seen = (
        entry(page, "it's", "dog")
        if page.locator(".entry", has_text="it's").count()
        else page.locator(".entry").first
    )
    canvas, audio = seen.locator("canvas"), seen.locator("audio")
    assert "Spectrogram of it's, 50 Hz to 4 kHz, 2 s" in canvas.get_attribute("aria-label")
    # The tone of 900 Hz is one dark line; the rest is as light as the card.
    rows = canvas.evaluate(
        "c => { const { data } = c.getContext('2d').getImageData(20, 0, 1, c.height); "
        "return [...Array(c.height).keys()].map(row => data[4 * row]); }"
    )
    mel = np.log1p(np.array([900, 50, 4000]) / 700)
    assert abs(int(np.argmin(rows)) - (47 - int(48 * (mel[0] - mel[1]) / (mel[2] - mel[1])))) <= 1
    assert np.median(rows) > 200
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 10)
    handle = audio.element_handle()
    page.wait_for_function("audio => audio.currentTime >= 0.9 && audio.currentTime < 2.01", arg=handle)
    other = page.locator(".entry audio").last
    other.evaluate("audio => audio.play()")
    page.wait_for_function("audio => audio.paused", arg=handle)  # one at a time
    before = canvas.evaluate("c => c.toDataURL()")
    page.get_by_role("button", name="dark", exact=True).click()
    assert canvas.evaluate("c => c.toDataURL()") != before
    assert wrong == []
    page.context.close()


def test_the_policy_lets_the_media_in_and_nothing_else(chrome, site, served, problem, tmp_path):
    """Against a second server, as another origin: real addresses, that would answer."""
    clips = f"{served}/clips/{{id}}"
    ids = [name if name in ("p", "none") else f"{name}.wav" for name in NAMES]
    ids[9] = "p.png"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)
        of_address = report(*problem, 0.5, tmp_path / "a.html", labels=LABELS, ids=ids, methods=(), media=clips)
        of_folder = site / "r.html"
        plain = report(*problem, 0.5, tmp_path / "p.html", labels=LABELS, ids=ids, methods=())
    load = (
        "([kind, at]) => new Promise(done => { const one = document.createElement(kind); "
        "one.onerror = () => done(false); one.onload = one.onloadedmetadata = () => done(true); one.src = at; })"
    )
    inside = ["img", f"{served}/clips/p.png"], ["audio", f"{served}/clips/it's.wav"]
    beside = ["img", f"{served}/p2.png"], ["audio", f"{served}/other.wav"]
    write_png(site / "p2.png")
    write_wav(site / "other.wav")
    for path, reached in ((of_address, inside), (of_folder, ()), (plain, ())):
        page = chrome.new_context().new_page()
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        for one in (*inside, *beside):
            assert page.evaluate(load, one) == (one in reached), (path.name, one)
        host = served.removeprefix("http://")
        assert (f"asks {host} for" in page.inner_text("#offline")) == (path == of_address)
        local = ["img", (site / "clips" / "p.png").as_uri()]
        assert page.evaluate(load, local) == (path == of_folder)
        assert page.evaluate("fetch('" + inside[0][1] + "').then(() => 'ran', () => 'refused')") == "refused"
        page.context.close()


def test_marks_by_mouse_and_by_keys_last_and_can_be_taken_back(chrome, site):
    page, wrong = shown(chrome, (site / "r.html").as_uri())
    first = page.locator(".entry").first
    yes, no = (first.get_by_role("button", name=name, exact=True) for name in ("has it", "has it not"))
    assert page.is_disabled("#save-marks")
    yes.click()
    assert yes.get_attribute("aria-pressed") == "true"
    no.click()
    assert (yes.get_attribute("aria-pressed"), no.get_attribute("aria-pressed")) == ("false", "true")
    assert page.inner_text("#marks-count") == "1 mark"
    keyboard = page.keyboard
    keyboard.press("j")
    for key in "ynu":
        keyboard.press(key)
    assert page.inner_text("#marks-count") == "3 marks, and 1 unsure"
    assert page.evaluate("document.activeElement.getAttribute('data-place')") == "4"
    keyboard.press("k")
    keyboard.press("u")  # the same mark again takes it away, and stays
    assert page.inner_text("#marks-count") == "3 marks"
    assert page.evaluate("document.activeElement.getAttribute('data-place')") == "3"
    keyboard.press("Control+z")
    assert page.inner_text("#marks-count") == "3 marks, and 1 unsure"
    assert page.inner_text("#changed-count") == "no change"  # the thresholds' own undo is not meant
    pressed = page.locator(".entry [aria-pressed=true]").count()
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.inner_text("#marks-count") == "3 marks, and 1 unsure"
    assert page.locator(".entry [aria-pressed=true]").count() == pressed == 4
    assert page.is_disabled("#undo-mark")
    page.click("#review-kinds [data-kind=marked]")
    assert page.inner_text("#review-count").startswith("4 of ")
    assert wrong == []
    page.context.close()


def test_filters_by_label_and_by_kind(chrome, site):
    page, wrong = shown(chrome, (site / "r.html").as_uri())
    kinds = np.array(
        [
            page.locator(f"#review-kinds [data-kind={kind}]").inner_text().split()[-1]
            for kind in ("all", "mistakes", "near", "unknown", "open", "marked")
        ],
        int,
    )
    assert kinds[0] == kinds[1] + kinds[2] == kinds[4]
    assert (kinds[3], kinds[5]) == (1, 0)
    page.click("#review-kinds [data-kind=mistakes]")
    assert all("surest mistake" in text for text in page.locator(".entry").all_inner_texts())
    page.click("#review-kinds [data-kind=all]")
    page.check("#review-own")
    for label in LABELS:
        page.locator("#table-body .name", has_text=label).click()
        all_entries(page)
        names = page.locator(".entry .entry-label").all_inner_texts()
        assert names
        assert set(names) == {label}
    page.locator("#label-nearest summary").click()
    rows = page.locator("#label-nearest-rows tr")
    assert rows.count() == len(names)
    rows.last.get_by_role("button").click()
    assert page.evaluate("document.activeElement.className").startswith("entry")
    assert rows.last.get_by_role("button").inner_text() in page.evaluate("document.activeElement.textContent")
    assert wrong == []
    page.context.close()


def marked(page, folder):
    """Mark the first entries of each item by keys, and save them; return the file and what was pressed."""
    page.locator(".entry").first.focus()
    pressed = {}
    for place, key in zip(range(9), "ynuynyyny", strict=True):
        one = page.locator(".entry").nth(place)
        name, label = (
            one.locator(part).evaluate("e => e.textContent") for part in ("p:nth-child(2)", ".entry-label")
        )
        page.keyboard.press(key)
        pressed[name, label] = {"y": 1.0, "n": 0.0, "u": None}[key]
    with page.expect_download() as waiting:
        page.click("#save-marks")
    waiting.value.save_as(folder / "marks.csv")
    return pressed


def test_saved_marks_correct_what_limen_tunes_and_measures(chrome, site, problem, tmp_path):
    y_true, y_score = problem
    page, wrong = shown(chrome, (site / "r.html").as_uri())
    pressed = marked(page, tmp_path)
    page.context.close()
    assert wrong == []
    write_csv(
        tmp_path / "scores.csv",
        ["id", *LABELS],
        ([n, *map(repr, s.tolist())] for n, s in zip(spelt(NAMES), y_score, strict=True)),
    )
    cells = [["" if np.isnan(cell) else int(cell) for cell in row] for row in y_true]
    write_csv(
        tmp_path / "labels.csv", ["id", *LABELS], ([n, *row] for n, row in zip(spelt(NAMES), cells, strict=True))
    )
    by_hand = y_true.copy()
    changed = confirmed = filled = 0
    for (name, label), value in pressed.items():
        cell = NAMES.index(name), LABELS.index(label)
        if value is not None:
            before = y_true[cell]
            filled, confirmed = filled + np.isnan(before), confirmed + (before == value)
            changed += before == 1 - value
            by_hand[cell] = value
    done = run(
        "tune",
        "scores.csv",
        "labels.csv",
        "--corrections",
        "marks.csv",
        "--method",
        "exact",
        cwd=tmp_path,
        check=0,
    )
    assert f"{changed} changed, {confirmed} confirmed, {filled} filled in where unknown" in done.stdout
    tuned = limen.Thresholds.load(tmp_path / "thresholds.json")
    assert np.array_equal(tuned.values, limen.tune(by_hand, y_score, labels=LABELS, method="exact").values)
    done = run(
        "evaluate",
        "scores.csv",
        "labels.csv",
        "thresholds.json",
        "--corrections",
        "marks.csv",
        cwd=tmp_path,
        check=0,
    )
    assert f"{100 * limen.evaluate(by_hand, y_score, tuned).value:.1f} %" in done.stdout


def spelt(names):
    from limen.files.text import spelled

    return map(spelled, names)


def test_marks_are_a_labels_file_of_the_items_marked(chrome, site, problem, tmp_path):
    """Alone, with the scores of just these items and labels, `limen tune` reads them: no mark is unknown."""
    _, y_score = problem
    page, _ = shown(chrome, (site / "r.html").as_uri())
    pressed = {pair: value for pair, value in marked(page, tmp_path).items() if value is not None}
    page.context.close()
    with (tmp_path / "marks.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    labels = [label for label in LABELS if any(label == other for _, other in pressed)]
    items = [name for name in NAMES if any(name == other for other, _ in pressed)]
    assert head == ["id", *spelt(labels)]
    assert {row[0] for row in rows} == set(spelt(items))
    scores = y_score[np.ix_([NAMES.index(name) for name in items], [LABELS.index(label) for label in labels])]
    write_csv(
        tmp_path / "scores.csv",
        head,
        ([n, *map(repr, s.tolist())] for n, s in zip(spelt(items), scores, strict=True)),
    )
    run("tune", "scores.csv", "marks.csv", "--method", "exact", cwd=tmp_path, check=0)
    truth = np.array([[pressed.get((name, label), np.nan) for label in labels] for name in items])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)
        expected = limen.tune(truth, scores, labels=labels, method="exact")
    found = limen.Thresholds.load(tmp_path / "thresholds.json")
    assert found == replace(expected, created=found.created)


def test_where_the_browser_keeps_nothing_marks_work_and_it_says_so(chrome, served, site):
    """In a frame of no origin, storage raises."""
    (site / "frame.html").write_text(
        '<iframe sandbox="allow-scripts" src="r.html" width="1200" height="900"></iframe>'
    )
    page = chrome.new_context().new_page()
    page.goto(f"{served}/frame.html")
    frame = page.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for(state="attached")
    frame.locator(".entry").first.get_by_role("button", name="has it", exact=True).click()
    assert frame.locator("#marks-count").inner_text() == "1 mark"
    assert frame.locator("#marks-lost").is_visible()
    page.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing_in_the_review(chrome, site, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page, wrong = shown(
        chrome, (site / "r.html").as_uri(), color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    page.locator(".entry").first.get_by_role("button", name="unsure").click()
    page.locator(".entry").nth(1).get_by_role("button", name="has it", exact=True).click()
    found = axe.Axe().run(page, context="#items")
    assert [
        (one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found.response["violations"]
    ] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert wrong == []
    page.context.close()


def test_without_media_there_is_a_list_to_mark(chrome, problem, tmp_path):
    path = report(*problem, 0.5, tmp_path / "r.html", labels=LABELS, ids=NAMES, methods=())
    with opened(chrome, path) as page:
        assert page.page.locator(".entry .media, .entry a").count() == 0
        page.page.locator(".entry").first.get_by_role("button", name="has it", exact=True).click()
        assert page.page.inner_text("#marks-count") == "1 mark"


def test_on_the_command_line(problem, tmp_path):
    y_true, y_score = problem
    cells = np.nan_to_num(y_true).astype(int)
    for name, matrix in (("scores", y_score), ("labels", cells)):
        write_csv(
            tmp_path / f"{name}.csv",
            ["id", *spelt(LABELS)],
            ([n, *row] for n, row in zip(spelt(NAMES), matrix.tolist(), strict=True)),
        )
    (tmp_path / "clips").mkdir()
    write_png(tmp_path / "clips" / "p.png")
    done = run(
        "report", "scores.csv", "labels.csv", "0.5", "--no-compare", "--media", "clips", cwd=tmp_path, check=0
    )
    assert "clips has nothing for 11 of 12 items" in done.stderr.replace("\n", " ")
    assert [item for item in content(tmp_path / "report.html")["media"]["items"] if item] == [
        {"kind": "image", "at": "./clips/p.png"}
    ]
    arguments = ("tune", "scores.csv", "labels.csv", "--method", "exact")
    done = run(*arguments, "--report", "sub.html", "--media", "clips", cwd=tmp_path, check=0)
    assert content(tmp_path / "sub.html")["media"]["where"] == ""
    done = run(*arguments, "--media", "clips", cwd=tmp_path, check=2)
    assert "--media goes with --report" in done.stderr
    done = run(*arguments, "-o", "new.json", "--report", "r.html", "--media", "clip", cwd=tmp_path, check=2)
    assert "--media clip does not exist" in done.stderr
    assert not (tmp_path / "new.json").exists()
