"""How the page looks: contrast of whatever can be pressed, nothing clipped or overlapping, legends, paper."""

import re

import numpy as np
import pytest

from integration.report_page import opened
from limen.datasets import spoken_tags
from limen.reporting import report

LONG = "Phylloscopus trochilus trochilus (Linnaeus, 1758), spring song of a male by night in the far north, "
NAMES = (
    LONG + "recording A",
    LONG + "recording B",
    LONG.replace("trochilus (", "acredula (") + "recording B",
    "Phylloscopus collybita",
    "Phylloscopus sibilatrix",
    "owl",
    "jyp",
    "W" * 40,
    "environmental_sound/outdoor/urban/street/car/passing",
    "environmental_sound/outdoor/rural/street/car/passing",
    "السنونو الشائع في شمال أفريقيا وأوروبا الغربية",
    "שחרור",
    "🐦🎵🦉 birds of the night 👨‍👩‍👧‍👦 and a family",
    "日本語の長い名前のラベルがここにありますからどうなるか見てみましょう",
    "a\nname of two lines that is long",
    "gypq",
)

SHOWN = """element => {
  const box = element.getBoundingClientRect(), style = getComputedStyle(element);
  return box.width > 1 && box.height > 1 && style.visibility === 'visible';
}"""

LOOK = """element => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const behind = (from) => {
    const layers = [];
    for (let at = from; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, [r, g, b, a]) =>
      under.map((value, j) => value + ([r, g, b][j] - value) * a / 255), [255, 255, 255]);
  };
  const style = getComputedStyle(element), texts = [...element.querySelectorAll('*'), element].filter((one) =>
    [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && one.getClientRects().length);
  return {
    texts: texts.map((one) => [rgba(getComputedStyle(one).color).slice(0, 3), behind(one)]),
    edge: style.borderTopWidth === '0px' ? null : rgba(style.borderTopColor).slice(0, 3),
    inside: behind(element), outside: behind(element.parentElement),
    outline: style.outlineStyle === 'none' ? null : rgba(style.outlineColor).slice(0, 3),
  };
}"""


def contrast(a, b):
    """Return WCAG's ratio of the luminances of two colours, of 0 to 255."""
    share = np.array([a, b]) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    low, high = np.sort(linear @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


def poor(look, state, name, disabled=False):
    """Return what cannot be read, or told from its surroundings."""
    found = [f"{name}, {state}: text {contrast(*pair):.2f}" for pair in look["texts"] if contrast(*pair) < 4.5]
    # A control is told by its edge, or by being filled unlike its surroundings.
    edges = [contrast(part, look["outside"]) for part in (look["edge"], look["inside"]) if part is not None]
    if look["edge"] is not None and not disabled and max(edges) < 3:
        found.append(f"{name}, {state}: edge {max(edges):.2f}")
    if state == "focus" and (look["outline"] is None or contrast(look["outline"], look["outside"]) < 3):
        found.append(f"{name}, {state}: no outline to be seen")
    return found


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    y_true, y_score, names = spoken_tags()
    path = tmp_path_factory.mktemp("spoken") / "report.html"
    ids = [f"clip {k}.wav" for k in range(500)]
    return report(
        y_true[:500], y_score[:500], output=path, labels=names, ids=ids, methods=("shared", "exact"), cv=3
    )


def drawn(path, n_labels, labels=None, scale=1.0, **more):
    draw = np.random.default_rng(0)
    y_true = draw.random((300, n_labels)) < draw.uniform(0.05, 0.4, n_labels)
    y_score = np.clip(0.3 + 0.3 * y_true + draw.normal(0, 0.2, y_true.shape), 0.01, 0.99)
    return report(y_true, y_score * scale, 0.45 * scale, path, labels=labels, methods=(), **more)


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("named") / "report.html", len(NAMES), NAMES)


KINDS = (
    "button:not(.link, .name, .tile)",
    "button.link",
    "button.name",
    "a",
    "#table-body .row",
    ".tile",
    "#kinds button",
    "input:not([type=range], [type=radio])",
    "select",
    "summary",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_whatever_can_be_pressed_can_be_read_in_every_state(chrome, spoken, scheme):
    """At rest, under the pointer, pressed, pressed and under the pointer, held down, with the focus, disabled."""
    wrong = []
    with opened(chrome, spoken, color_scheme=scheme, viewport={"width": 1280, "height": 2000}) as page:
        mouse = page.page.mouse
        page.page.click("#to-half")
        seen: dict[str, int] = {}
        for kind in KINDS:
            for element in page.page.locator(kind).element_handles():
                name = element.evaluate(
                    "e => [e.localName, e.className, e.getAttribute('aria-pressed') ?? '', e.disabled].join(' ')"
                )
                if not element.evaluate(SHOWN) or seen.get(name, 0) >= 2:
                    continue
                seen[name] = seen.get(name, 0) + 1
                disabled = element.is_disabled()
                mouse.move(0, 0)
                element.scroll_into_view_if_needed()
                wrong += poor(element.evaluate(LOOK), "at rest", name, disabled)
                if "skip" not in name:  # That is out of view but for the focus.
                    element.hover(force=True)
                    wrong += poor(element.evaluate(LOOK), "under the pointer", name, disabled)
                if disabled or kind == "#table-body .row":
                    continue
                element.focus()
                page.page.keyboard.press("Shift")
                wrong += poor(element.evaluate(LOOK), "focus", name)
        assert sum("button" in name for name in seen) >= 8
        assert any(" true " in name for name in seen), "nothing pressed was looked at"
        for pressed in ("#kinds button:nth-child(2)", "#to-given", "#save", "#undo", ".tile"):
            page.page.hover(pressed)
            mouse.down()
            wrong += poor(page.page.locator(pressed).first.evaluate(LOOK), "held down", pressed)
            mouse.up()
            wrong += poor(page.page.locator(pressed).first.evaluate(LOOK), "after the click", pressed)
    assert wrong == [], "\n".join(wrong)


CLIPPED = """() => [...document.querySelectorAll('body *')].filter((e) => e.getClientRects().length
    && !e.closest('.unseen, .skip, .parted, .scroll, svg, canvas, .uplot, script, noscript')
    && !e.matches('.table, .table-top, .table-top *, .badges, option, select')
    && getComputedStyle(e).display !== 'inline'
    && (e.scrollWidth > e.clientWidth + 1
      || (getComputedStyle(e).overflowY === 'hidden' && e.scrollHeight > e.clientHeight + 1)))
  .map((e) => [e.localName, e.id, e.className, e.textContent.slice(0, 40), e.scrollWidth, e.clientWidth])"""

OVERLAPPING = """() => {
  const boxes = [...document.querySelectorAll(
    'button, a, input, select, .cell, dt, dd, h1, h2, h3, figcaption, .chart, td, th, .note')]
    .filter((e) => e.getClientRects().length && !e.closest('.unseen, .skip, .bar, .scroll, details:not([open])')
      && !e.matches('#cut') && (!narrow() || !e.closest('.table-top'))).map((e) => [e, e.getBoundingClientRect()])
    .filter(([e, box]) => box.width > 1 && box.height > 1 && seen(e, box));
  function narrow() { return matchMedia('(max-width: 640px)').matches; }
  // Rows of the table go on under its edges.
  function seen(e, box) {
    const table = e.closest('.table');
    if (!table || e.closest('.table-top')) return true;
    const frame = table.getBoundingClientRect(), top = table.querySelector('.table-top').getBoundingClientRect();
    return box.bottom <= frame.bottom && (narrow() || box.top >= top.bottom - 1);
  }
  const found = [];
  boxes.forEach(([a, one], j) => boxes.slice(j + 1).forEach(([b, two]) => {
    if (a.contains(b) || b.contains(a)) return;
    const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
    const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
    if (across > 1.5 && down > 1.5) {
      found.push([a, b].map((e) => `${e.localName}#${e.id}.${e.className} ${e.textContent.slice(0, 30)}`));
    }
  }));
  return found;
}"""


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
@pytest.mark.parametrize("which", ["spoken", "named"])
def test_nothing_is_clipped_and_nothing_overlaps(chrome, request, width, which):
    path = request.getfixturevalue(which)
    with opened(chrome, path, viewport={"width": width, "height": 900}) as page:
        page.page.click("#to-half")
        page.page.click("#to-never")
        assert page.page.evaluate("document.documentElement.scrollWidth") == width
        assert page.page.evaluate(CLIPPED) == []
        assert page.page.evaluate(OVERLAPPING) == []
        # What scrolls sideways can be reached by the keyboard.
        reach = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).every(e => e.tabIndex === 0)"
        assert page.page.locator(".scroll").evaluate_all(reach)


@pytest.mark.parametrize(("metric", "columns"), [("f1", 8), ("mcc", 9)])
def test_names_have_room_and_less_important_columns_give_way(chrome, tmp_path, metric, columns):
    path = drawn(tmp_path / "r.html", len(NAMES), NAMES, metric=metric, average="macro")
    order = ["tags", "precision", "recall", "support"]
    left = columns
    with opened(chrome, path) as page:
        for width in (1920, 1500, 1280, 1150, 1100, 800, 700, 641):
            page.page.set_viewport_size({"width": width, "height": 900})
            header = page.page.locator("#table-head .cell")
            keys = header.evaluate_all("all => all.filter(e => e.offsetWidth).map(e => e.dataset.key)")
            missing = [key for key in order if key not in keys]
            assert missing == order[: len(missing)]
            assert {"label", "threshold", "f1", "change"} <= set(keys)
            assert len(keys) + len(missing) == columns
            if width >= 1100:
                assert len(keys) <= left
                left = len(keys)
            cell = "#table-body .cell-label"
            assert min(page.page.locator(cell).evaluate_all("all => all.map(e => e.offsetWidth)")) >= 220
            assert page.page.evaluate("document.querySelector('#table').scrollWidth") <= (
                page.page.evaluate("document.querySelector('#table').clientWidth")
            )
            assert page.page.is_visible("#sort-by") == bool(missing)
        # Where it has to scroll sideways all the same, the name stays in view.
        page.page.set_viewport_size({"width": 1280, "height": 900})
        page.page.evaluate("document.querySelector('#table-body').style.minWidth = '1500px'")
        before = page.page.locator(cell).first.bounding_box()["x"]
        page.page.evaluate("document.querySelector('#table').scrollLeft = 300")
        assert page.page.locator("#table-body .cell-change").first.bounding_box()["x"] > before
        assert page.page.locator(cell).first.bounding_box()["x"] == pytest.approx(before, abs=1)


def test_names_keep_what_tells_them_apart(chrome, named):
    with opened(chrome, named, viewport={"width": 1280, "height": 2000}) as page:
        buttons = page.page.locator("#table-body .name")
        assert sorted(buttons.evaluate_all("all => all.map(e => e.textContent)")) == sorted(NAMES)
        assert sorted(buttons.evaluate_all("all => all.map(e => e.ariaLabel)")) == sorted(NAMES)
        assert sorted(buttons.evaluate_all("all => all.map(e => e.firstChild.title)")) == sorted(NAMES)
        parts = buttons.evaluate_all(
            "all => all.map(e => [...e.querySelectorAll('span')]"
            ".map(s => [s.textContent, s.scrollWidth <= s.clientWidth]))"
        )
        ends = {"".join(text for text, _ in name): name[-1] for name in parts}
        assert ends[NAMES[0]] == ["recording A", True]
        assert ends[NAMES[1]] == ["recording B", True]
        assert ends[NAMES[2]][0].startswith("acredula (Linnaeus")
        assert ends["Phylloscopus collybita"] == ["collybita", True]
        assert ends[NAMES[8]][0].startswith("urban/street")
        assert ends[NAMES[9]][0].startswith("rural/street")
        assert ends["owl"] == ["owl", True]
        assert ends["W" * 40] == ["W" * 8, True]
        assert ends[NAMES[10]] == ["الغربية", True] or ends[NAMES[10]][0].endswith("الغربية")
        assert ends[NAMES[12]][0].isascii(), "pictures are not torn"
        # Letters are not cut off below: a line is higher than they are.
        heights = buttons.locator("span").evaluate_all(
            "all => all.map(e => { const r = document.createRange(); r.selectNodeContents(e);"
            "return [e.getBoundingClientRect().bottom, r.getClientRects()[0].bottom] })"
        )
        assert all(box >= text - 0.5 for box, text in heights)
        page.page.fill("#search", "far north, recording b")
        assert page.page.locator("#table-body .name").count() == 2


def test_no_hit_says_so_in_the_list_and_can_be_cleared(chrome, spoken):
    with opened(chrome, spoken) as page:
        page.page.fill("#search", "nothing has this name")
        page.page.fill("#support-from", "5")
        page.page.click("#kinds [data-kind=changed]")
        box, button = (page.page.locator(one).bounding_box() for one in ("#table", "#clear"))
        assert box["y"] < button["y"] < button["y"] + button["height"] < box["y"] + box["height"]
        assert page.page.inner_text("#table-count") == "0 of 16 labels"
        page.page.click("#clear")
        assert page.page.inner_text("#table-count") == "16 of 16 labels"
        assert page.page.input_value("#search") == page.page.input_value("#support-from") == ""
        assert not page.page.is_visible("#clear")
        assert page.page.evaluate("document.activeElement.id") == "search"


@pytest.mark.parametrize("n_labels", [1, 2, 6, 10, 11, 16, 40])
def test_the_cards_side_by_side_are_full(chrome, tmp_path, n_labels):
    """Both columns end together, and neither a card nor the table's frame has room that nothing takes."""
    path = drawn(tmp_path / "r.html", n_labels)
    with opened(chrome, path, viewport={"width": 1280, "height": 900}) as page:
        bottom = {name: page.page.locator(f"#{name}").bounding_box() for name in ("labels", "label", "label-more")}
        ends = {name: box["y"] + box["height"] for name, box in bottom.items()}
        left = ends["label-more"] if n_labels <= 10 else ends["labels"]
        right = ends["label"] if n_labels <= 10 else ends["label-more"]
        assert left == pytest.approx(right, abs=1)
        room = page.page.evaluate(
            """() => {
              const table = document.querySelector('#table').getBoundingClientRect();
              return table.bottom - Math.max(...[...document.querySelectorAll('#table-body .row')]
                .map((row) => row.getBoundingClientRect().bottom));
            }"""
        )
        assert room < 60
        for card in ("labels", "label", "label-more"):
            last = page.page.locator(f"#{card} > :not([hidden])").evaluate_all(
                "all => Math.max(...all.filter(e => e.offsetHeight).map(e => e.getBoundingClientRect().bottom))"
            )
            assert ends[card] - last < 60, card
        assert page.page.is_visible("#search") == (n_labels > 1)
        for chart in ("histogram", "curves", "precision-recall", "calibration"):
            box = page.page.locator(f"#{chart}").bounding_box()
            canvas = page.page.locator(f"#{chart} canvas").bounding_box()
            assert (canvas["width"], canvas["height"]) == pytest.approx((box["width"], box["height"]), abs=1)


def legend(page, chart):
    marks = page.page.locator(f"figure:has(#{chart}) [data-mark]")
    return set(
        marks.evaluate_all(
            "all => all.filter(e => getComputedStyle(e).visibility === 'visible').map(e => e.dataset.mark)"
        )
    )


def test_the_legend_names_just_what_is_drawn(chrome, spoken, tmp_path):
    with opened(chrome, spoken, viewport={"width": 1280, "height": 3000}) as page:
        assert legend(page, "histogram") == {"range"}
        assert legend(page, "precision-recall") == {"now", "half"}
        assert legend(page, "frontier") == {"line", "now", "half", "shared"}
        assert legend(page, "calibration") == {"diagonal"}
        page.page.click("#raise")
        assert legend(page, "precision-recall") == {"now", "half", "given"}
        place = page.page.locator("#histogram").bounding_box()
        page.page.click("#to-never")
        assert legend(page, "precision-recall") == {"half", "given"}
        assert legend(page, "frontier") == {"line", "now", "half", "shared", "given"}
        assert page.page.locator("#histogram").bounding_box() == place, "the chart moved under the hand"
    with opened(chrome, drawn(tmp_path / "r.html", 3, scale=20.0)) as page:
        assert legend(page, "histogram") == set()  # Nothing was tuned, so there is no range.
        assert legend(page, "calibration") == set()  # These scores say nothing of shares.


def test_one_handle_for_the_cut(chrome, spoken):
    """The slider is the handle on the histogram's line: for the mouse, the keyboard and screen readers alike."""
    with opened(chrome, spoken, viewport={"width": 1280, "height": 1600}) as page:
        page.show("lucas")
        assert page.page.locator("#label input[type=range]").count() == 1
        cut = page.page.locator("#cut")
        for key in ("Home", "PageUp", "PageUp", "End"):
            cut.press(key)
            plot = page.page.locator("#histogram .u-over").bounding_box()
            low, high, value = (float(cut.evaluate(f"e => e.{name}")) for name in ("min", "max", "value"))
            line = plot["x"] + plot["width"] * (value - low) / (high - low)
            box, thumb = cut.bounding_box(), 22
            middle = box["x"] + thumb / 2 + (box["width"] - thumb) * (value - low) / (high - low)
            assert middle == pytest.approx(line, abs=1.5)
            assert box["y"] + box["height"] / 2 == pytest.approx(plot["y"], abs=1.5)
        cut.press("Home")
        before = page.threshold()
        # Above the plot there is the handle alone.
        box, plot = cut.bounding_box(), page.page.locator("#histogram .u-over").bounding_box()
        value = float(cut.evaluate("e => (e.value - e.min) / (e.max - e.min)"))
        page.page.mouse.move(box["x"] + thumb / 2 + (box["width"] - thumb) * value, plot["y"] - 6)
        page.page.mouse.down()
        page.page.mouse.move(plot["x"] + plot["width"] * 0.6, plot["y"] - 6)
        page.page.mouse.up()
        assert page.threshold() > before
        page.page.click("#undo")
        assert page.threshold() == before


def test_axes_say_what_they_are(chrome, spoken, tmp_path):
    spy = """() => {
      window.written = [];
      const fill = CanvasRenderingContext2D.prototype.fillText;
      CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
        window.written.push(text);
        return fill.call(this, text, ...more);
      };
      document.querySelector('#themes button').click();
    }"""
    for path, score in ((spoken, "score, log-odds scale"), (drawn(tmp_path / "r.html", 3, scale=20.0), "score")):
        with opened(chrome, path) as page:
            page.page.evaluate(spy)
            page.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            written = page.page.evaluate("window.written")
            assert written.count(score) == 2
            for title in ("share of each", "recall", "precision", "mean score", "have the label", "micro recall"):
                assert title in written


def pages_of(pdf):
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_on_paper(chrome, tmp_path):
    """One page of summary, thirty labels, twenty items, in colour, and nothing that wants a hand."""
    path = drawn(tmp_path / "r.html", 60)
    with opened(chrome, path, color_scheme="dark", viewport={"width": 1280, "height": 900}) as page:
        pdf = page.page.pdf(format="A4", prefer_css_page_size=True)
        assert 2 <= pages_of(pdf) <= 6
        # The width and height that an A4 page leaves between its margins.
        page.page.set_viewport_size({"width": 702, "height": 1016})
        page.page.emulate_media(media="print")
        page.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        summary = page.page.locator("#tradeoff").bounding_box()
        assert summary["y"] + summary["height"] < 1016
        assert page.page.locator("#overview").bounding_box()["y"] < summary["y"]
        assert page.page.locator("#labels").bounding_box()["y"] > summary["y"] + summary["height"] - 1
        shown = "all => all.filter(e => e.getClientRects().length).map(e => e.id || e.className)"
        assert page.page.locator("input, select, textarea, audio, nav, #label").evaluate_all(shown) == []
        buttons = page.page.locator("button:not(.name, .link, .tile, #table-head *)")
        assert buttons.evaluate_all(shown) == []
        assert page.page.locator("#table-body .row").count() == 30
        assert "first 30 of 60 labels" in page.page.inner_text("#table-printed")
        assert len(page.page.locator("#nearest-rows tr").evaluate_all(shown)) == 20
        assert page.page.evaluate("getComputedStyle(document.body).printColorAdjust") == "exact"
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 702
        for head in ("h2", "h3", ".card-head"):
            breaks = page.page.locator(head).evaluate_all("all => all.map(e => getComputedStyle(e).breakAfter)")
            assert set(breaks) == {"avoid"}
        page.page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_offline_with_every_request_refused(chrome, spoken, tmp_path):
    """Opened and used without a network: a label found, moved, undone and saved."""
    asked: list[str] = []

    def refuse(route):
        asked.append(route.request.url)
        route.abort()

    with opened(chrome, spoken, offline=True) as page:
        page.context.route(re.compile("^(?!file:|blob:)"), refuse)
        page.show("lucas")
        before = page.threshold()
        page.drag_to(0.7)
        assert page.threshold() != before
        page.page.click("#undo")
        page.page.click("#to-never")
        assert page.download("#save", tmp_path).stat().st_size > 500
        assert page.download("#save-table", tmp_path).stat().st_size > 500
    assert asked == []
