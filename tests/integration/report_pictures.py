"""Pictures of the report, as a test takes and compares them.

They are renewed, once `make test` has installed what the tests need, by::

    PYTHONPATH=tests .venv/bin/python -m integration.report_pictures

A picture is of one part of the page. It is stored small, and compared by the mean colours of long strips, across
and down: letters of another face change them by a few levels; a column that is gone, another colour or parts that
overlap by many.
"""

import io
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from integration.report_page import browser, opened
from limen.datasets import spoken_tags
from limen.reporting import report

FOLDER = Path(__file__).parent / "pictures"
STORED_WIDTH = 256
STRIPS = {"down": (32, 6, 0, 1, 9.0), "across": (8, 32, 1, 0, 13.0)}
"""Strips to a picture's width, and to as much of its height; how many strips down and to the side one may have
its like; by how many levels of colour, of 255, a strip may differ from all these.

Another face of letters gives up to 6 and 11 levels, the least of what the tests spoil 14 and 20.
"""

PICTURES = {
    "overview light": (1280, "light", "#overview", ()),
    "overview dark": (1280, "dark", "#overview", ()),
    "overview 360": (360, "light", "#overview", ()),
    "table light": (1280, "light", "#table", ()),
    "table 360": (360, "light", "#table", ()),
    "no hit": (1280, "light", "#labels", ("#kinds [data-kind=changed]",)),
    "label light": (1280, "light", "#label", ()),
    "label edited dark": (1280, "dark", "#label", ("#to-never",)),
    "label more": (1280, "light", "#label-more", ("#raise", "#raise")),
    "trade-off": (1920, "light", "#tradeoff", ()),
    "methods 360": (360, "dark", "#methods", ()),
}
"""Width of the window, colours, part of the page, and what is pressed before."""


def page_of_pictures(folder: Path) -> Path:
    """Return the report that the pictures show: of shipped data, always the same."""
    y_true, y_score, names = spoken_tags()
    ids = [f"clip {k}.wav" for k in range(500)]
    return report(
        y_true[:500],
        y_score[:500],
        output=folder / "report.html",
        labels=names,
        ids=ids,
        methods=("shared", "exact"),
        cv=3,
    )


def taken(chrome, path: Path, name: str, spoil: str = "") -> Image.Image:
    """Return a picture, with a script run before that spoils the page."""
    width, scheme, part, pressed = PICTURES[name]
    with opened(chrome, path, color_scheme=scheme, viewport={"width": width, "height": 1600}) as page:
        for button in pressed:
            page.page.click(button)
        page.page.mouse.move(0, 0)
        page.page.evaluate("document.activeElement.blur()")
        # What the bar covers is no part of the picture, and times differ from run to run.
        page.page.evaluate(
            "document.querySelector('.bar').style.position = 'static';"
            "for (const time of document.querySelectorAll('#methods-rows td:last-child')) time.textContent = '9';"
        )
        if spoil:
            page.page.evaluate(spoil)
        page.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return Image.open(io.BytesIO(page.page.locator(part).first.screenshot(animations="disabled"))).convert(
            "RGB"
        )


def small(picture: Image.Image) -> Image.Image:
    """Return the picture as it is stored."""
    height = round(picture.height * STORED_WIDTH / picture.width)
    return picture.resize((STORED_WIDTH, height), Image.Resampling.BOX).quantize(256, dither=Image.Dither.NONE)


def stored(name: str) -> Path:
    return FOLDER / f"{name.replace(' ', '-')}.png"


def _strips(picture: Image.Image, columns: int, rows: int) -> NDArray[np.float64]:
    return np.asarray(picture.convert("RGB").resize((columns, rows), Image.Resampling.BOX), np.float64)


def _away(one: NDArray[np.float64], two: NDArray[np.float64], down: int, aside: int) -> float:
    """Return by how much the strip of one picture that has least of a like near its place in the other differs."""
    rows, columns, _ = one.shape
    padded = np.pad(two, ((down, down), (aside, aside), (0, 0)), mode="edge")
    moved = [padded[j : j + rows, i : i + columns] for j in range(2 * down + 1) for i in range(2 * aside + 1)]
    return float(np.min([np.abs(one - part).max(axis=2) for part in moved], axis=0).max())


def unlike(picture: Image.Image, reference: Image.Image) -> dict[str, float]:
    """Return by how much a picture differs from its reference, as shares of what may be; empty if it is alike."""
    shape = (picture.height / picture.width) / (reference.height / reference.width)
    found = {} if 0.85 < shape < 1 / 0.85 else {"height to width": shape}
    # Both are made small alike, or strips would hold other parts of a picture's lines.
    picture = picture.resize(reference.size, Image.Resampling.BOX)
    for name, (columns, of_width, down, aside, most) in STRIPS.items():
        rows = max(round(of_width * reference.height / reference.width), 2)
        one, two = (_strips(image, columns, rows) for image in (picture, reference))
        away = max(_away(one, two, down, aside), _away(two, one, down, aside))
        if away > most:
            found[f"strips {name}"] = away / most
    return found


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with browser() as chrome, tempfile.TemporaryDirectory() as folder:
        path = page_of_pictures(Path(folder))
        for name in PICTURES:
            small(taken(chrome, path, name)).save(stored(name), optimize=True)
            print(f"{stored(name).name}: {stored(name).stat().st_size / 1000:.1f} KB")


if __name__ == "__main__":
    main()
