"""The directive ``gallery``: a card for each task, with its picture, its page's title and a few words.

Each line is ``page: words``. A page without a picture in `pictures` has a card of words alone; that
of the report shows the stored pictures of the report, in the form of the reader's theme.
"""

from __future__ import annotations

from pathlib import Path

import pictures
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

FOLDER = "gallery"
STORED = {"look": ("report", "The report: what is expected, the labels, and one label's scores with its cut.")}


def write(app: Sphinx, config: Config) -> None:
    """Draw the pictures beside the pages, among the files that are copied as they are."""
    extra = Path(app.outdir).parent / "docs-gallery"
    pictures.draw(extra / FOLDER, Path(app.srcdir) / "matplotlibrc")
    config.html_extra_path = [*config.html_extra_path, str(extra)]


class Gallery(SphinxDirective):
    """The cards."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the cards as a list."""
        cards = nodes.bullet_list(classes=["gallery"])
        for line in filter(str.strip, self.content):
            page, _, words = line.partition(":")
            cards += nodes.list_item("", *self.card(page.strip(), words.strip()))
        return [cards]

    def card(self, page: str, words: str) -> list[nodes.Node]:
        """Return the picture, the title that links to the page, and the words."""
        link = addnodes.pending_xref(
            "", nodes.inline(), refdomain="std", reftype="doc", refdoc=self.env.docname, reftarget=page,
            refexplicit=False, refwarn=True,
        )  # fmt: skip
        text = nodes.paragraph("", "", nodes.strong("", "", link), nodes.Text(f" {words}"))
        return [*self.picture(page.rpartition("/")[2]), text]

    def picture(self, name: str) -> list[nodes.Node]:
        """Return the picture of a task, or the two of the report."""
        up = "../" * self.env.docname.count("/")
        if name in STORED:
            file, words = STORED[name]
            images = ((f"{up}_static/{file}.png", "only-light"), (f"{up}_static/{file}-dark.png", "only-dark"))
            return [nodes.raw("", _image(source, words, theme), format="html") for source, theme in images]
        if name not in pictures.PICTURES:
            return []
        image = _image(f"{up}{FOLDER}/{name}.png", pictures.PICTURES[name].words, "figure")
        return [nodes.raw("", image, format="html")]


def _image(source: str, words: str, kind: str) -> str:
    return f'<img src="{source}" alt="{words}" class="{kind}" loading="lazy">'


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive; draw before anything is read."""
    app.connect("config-inited", write)
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
