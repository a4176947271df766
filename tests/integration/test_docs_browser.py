"""The built site (`make docs`) in a real browser: offline, narrow and wide, light and dark."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sphinx", reason="the documentation needs sphinx: pip install 'limen[docs]'")

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "docs"
REPORT = SITE / "spoken-tags-report.html"
FIRST_HITS = {
    "install": "start",
    "pip": "start",
    "threshold": "start",
    "wav": "start",
    "csv": "tasks/csv",
    "parquet": "tasks/csv",
    "missing labels": "tasks/incomplete-labels",
    "nan": "tasks/incomplete-labels",
    "precision": "tasks/precision",
    "memory": "tasks/audioset-size",
    "report": "tasks/look",
    "prevalence": "tasks/shift",
    "sklearn": "tasks/scikit-learn",
    "torch": "tasks/pytorch",
    "onnx": "tasks/onnx",
    "sql": "tasks/long-tables",
    "birdnet": "coming-from",
    "confidence interval": "theory/new-data",
    "surrogate gradient": "paper",
    "benchmark": "benchmarks",
    "error": "errors",
    "command line": "reference/command-line",
}
WIDER = """() => {
    const boxes = [document.documentElement, document.body, document.querySelector(".content")];
    return boxes.filter((box) => box && box.scrollWidth > box.clientWidth + 1).map((box) =>
        `${box.tagName}.${box.className} ${box.scrollWidth} > ${box.clientWidth}`);
}"""


@pytest.fixture(scope="module")
def pages() -> list[Path]:
    if not (SITE / "index.html").is_file():
        pytest.skip("THE SITE IS NOT TESTED: it is not built. Run make docs, or make test, which does.")
    return sorted(path for path in SITE.rglob("*.html") if path != REPORT and "_static" not in path.parts)


@pytest.fixture
def show(chrome, pages):
    """Open a page of the site in a window that can reach no other host; at the end, none was asked for."""
    contexts, asked = [], []

    def refuse(route):
        asked.append(route.request.url)
        route.abort()

    def open_page(name, width=1280, **context):
        contexts.append(chrome.new_context(viewport={"width": width, "height": 900}, **context))
        contexts[-1].route("http*://**", refuse)
        page = contexts[-1].new_page()
        if name is not None:
            page.goto(f"{SITE.as_uri()}/{name}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked == []


def test_every_page_offline_and_without_sideways_scroll(show, pages):
    page, wrong = show(None), []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for path in pages:
        page.goto(path.as_uri())
        for width in (390, 768):
            page.set_viewport_size({"width": width, "height": 900})
            wrong += [f"{path.relative_to(SITE)} at {width}: {box}" for box in page.evaluate(WIDER)]
    assert len(pages) > 40
    assert wrong == []


def test_every_formula_is_drawn(show, pages):
    page, count = show(None), 0
    for path in pages:
        if 'class="math' not in path.read_text(encoding="utf-8"):
            continue
        page.goto(path.as_uri())
        formulas = page.locator(".math").evaluate_all(
            "all => all.map((one) => [one.querySelector('math')?.clientHeight ?? 0, one.innerText])"
        )
        count += len(formulas)
        assert [text for height, text in formulas if height < 5 or "\\" in text or "$" in text] == []
    assert count > 150


def test_what_is_printed_scrolls_and_is_not_wrapped(show):
    page = show("start.html", width=390)
    printed = page.locator(".cell_output pre")
    widths = printed.evaluate_all("all => all.map((pre) => [pre.scrollWidth, pre.clientWidth])")
    styles = printed.evaluate_all("all => all.map((pre) => getComputedStyle(pre))".replace(
        "getComputedStyle(pre)", "[getComputedStyle(pre).whiteSpace, getComputedStyle(pre).overflowX]"
    ))  # fmt: skip
    assert set(map(tuple, styles)) == {("pre", "auto"), ("pre-wrap", "auto")}
    tables = page.locator(".cell_output pre").filter(has_text="held-out").or_(printed.filter(has_text="support"))
    assert tables.evaluate_all("all => all.map((pre) => getComputedStyle(pre).whiteSpace)") == ["pre", "pre"]
    assert any(whole > shown for whole, shown in widths)


def test_home_page_has_install_line_report_and_a_card_for_each_task(show):
    for scheme, hidden in (("light", "report-dark.png"), ("dark", "report.png")):
        page = show("index.html", color_scheme=scheme)
        assert "pip install" in page.locator("article pre").first.inner_text()
        for image in page.locator("article img").all():
            image.scroll_into_view_if_needed() if image.is_visible() else None
        page.wait_for_function("[...document.querySelectorAll('article img')].every((image) => image.complete)")
        images = page.locator("article img").evaluate_all(
            "all => all.map((one) => [one.src, one.alt, one.naturalWidth, one.checkVisibility()])"
        )
        assert all(words and (not shown or width > 100) for _, words, width, shown in images)
        assert {Path(source).name for source, *_, shown in images if not shown} == {hidden}
        cards = page.locator("ul.gallery > li a.reference").evaluate_all("all => all.map((one) => one.pathname)")
        tasks = {path.name for path in (SITE / "tasks").glob("*.html")}
        assert {Path(card).name for card in cards} == tasks


@pytest.mark.parametrize(("query", "first"), FIRST_HITS.items(), ids=FIRST_HITS)
def test_search_finds_first(show, query, first):
    page = show(f"search.html?q={query}")
    page.wait_for_selector("#search-results ul.search li a", timeout=10_000)
    hit = page.locator("#search-results ul.search li a").first.get_attribute("href")
    assert hit.partition("#")[0] == f"{first}.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(show, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = show("tasks/elsewhere.html", color_scheme=scheme)  # code, text, and tables of four libraries
    found = Axe().run(page, "article", {"runOnly": ["color-contrast", "image-alt"]}).response["violations"]
    assert json.dumps(found, indent=1)[:4000] == "[]"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_stand_on_the_page_in_its_colours(show, scheme):
    image = pytest.importorskip("PIL.Image")
    page = show("start.html", color_scheme=scheme)
    figure = page.locator(".cell_output img").first
    figure.scroll_into_view_if_needed()
    pixels = np.asarray(image.open(BytesIO(figure.screenshot())).convert("RGB")) / 255
    paper = pixels[2, 2]
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor").strip("rgb()").split(",")
    assert np.abs(paper * 255 - np.array(ground, float)).max() <= 2
    light = np.where(pixels <= 0.03928, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4) @ (
        0.2126,
        0.7152,
        0.0722,
    )
    ink = (light.min() if scheme == "light" else light.max()) + 0.05
    base = light[2, 2] + 0.05
    assert max(ink, base) / min(ink, base) > 10


def test_embedded_report_has_room_or_is_a_picture(show):
    wide = show("tasks/look.html", width=1280)
    frame = wide.locator(".embedded iframe")
    assert frame.bounding_box()["width"] > 950
    inner = wide.frame(url=REPORT.as_uri()) or frame.element_handle().content_frame()
    inner.wait_for_selector("html[data-ready]", state="attached")
    narrow = show("tasks/look.html", width=390)
    assert not narrow.locator(".embedded iframe").is_visible()
    assert narrow.locator(".embedded a.picture").is_visible()
