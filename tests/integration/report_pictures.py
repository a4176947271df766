"""Pictures of the report, as a test takes and compares them; ``python -m integration.report_pictures`` renews them.

From the folder of the project, with the tests' own packages installed (``make test`` does)::

    PYTHONPATH=tests .venv/bin/python -m integration.report_pictures

A picture is of one part of the page. It is kept small, and compared coarsely: letters differ from machine to machine,
and so do line breaks; colours, columns, and what lies where do not.
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
KEPT_WIDTH = 400
COLUMNS = 64
NEAR = 1
"""Cells to each side in which a cell of one picture may find its like in the other."""
UNLIKE = 14.0
"""Levels of colour, of 255, by which a cell has to differ from all these to count."""
MOST_UNLIKE = 0.02
"""Share of such cells that letters may cause."""

PICTURES = {
    "overview light": (1280, "light", ".overview", ()),
    "overview dark": (1280, "dark", ".overview", ()),
    "overview 360": (360, "light", ".overview", ()),
    "table light": (1280, "light", "#table", ()),
    "table dark": (1280, "dark", "#table", ()),
    "table 360": (360, "light", "#table", ()),
    "no hit": (1280, "light", "#labels", ("#kinds [data-kind=changed]",)),
    "label light": (1280, "light", "#label", ()),
    "label edited dark": (1280, "dark", "#label", ("#to-never",)),
    "label more": (1280, "light", "#label-more", ("#raise", "#raise")),
    "trade-off": (1920, "light", "#tradeoff", ()),
    "lists 360": (360, "dark", "#methods", ()),
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
            "for (const cell of document.querySelectorAll('#methods-rows td:last-child')) cell.textContent = '9 ms';"
        )
        if spoil:
            page.page.evaluate(spoil)
        page.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return Image.open(io.BytesIO(page.page.locator(part).first.screenshot(animations="disabled"))).convert("RGB")


def kept(picture: Image.Image) -> Image.Image:
    """Return the picture as it is stored."""
    height = round(picture.height * KEPT_WIDTH / picture.width)
    return picture.resize((KEPT_WIDTH, height), Image.Resampling.LANCZOS).quantize(64)


def stored(name: str) -> Path:
    return FOLDER / f"{name.replace(' ', '-')}.png"


def _cells(picture: Image.Image, rows: int) -> NDArray[np.float64]:
    small = picture.convert("RGB").resize((COLUMNS, rows), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def unlike(a: Image.Image, b: Image.Image) -> float:
    """Return the share of cells of either picture that have no like near their place in the other; 1 for other shapes."""
    if not 0.85 < (a.height / a.width) / (b.height / b.width) < 1 / 0.85:
        return 1.0
    rows = round(COLUMNS * b.height / b.width)
    one, two = _cells(a, rows), _cells(b, rows)
    return max(float((_away(*pair) > UNLIKE).mean()) for pair in ((one, two), (two, one)))


def _away(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns, _ = one.shape
    padded = np.pad(two, ((NEAR, NEAR), (NEAR, NEAR), (0, 0)), mode="edge")
    steps = range(2 * NEAR + 1)
    shifted = [padded[down : down + rows, right : right + columns] for down in steps for right in steps]
    return np.min([np.abs(one - part).max(axis=2) for part in shifted], axis=0)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with browser() as chrome, tempfile.TemporaryDirectory() as folder:
        path = page_of_pictures(Path(folder))
        for name in PICTURES:
            kept(taken(chrome, path, name)).save(stored(name), optimize=True)
            print(f"{stored(name).name}: {stored(name).stat().st_size / 1000:.1f} KB")


if __name__ == "__main__":
    main()
