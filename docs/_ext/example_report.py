"""The report that the site shows: made by the build, of the data that limen ships."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

import limen
from limen.datasets import spoken_tags

NAME = "spoken-tags-report.html"


def write(app: Sphinx, config: Config) -> None:
    """Write the report beside the pages, among the files that are copied as they are."""
    folder = Path(app.outdir).parent / "docs-extra"
    folder.mkdir(parents=True, exist_ok=True)
    y_true, y_score, labels = spoken_tags()
    tuned = limen.tune(y_true[:2000], y_score[:2000], labels=labels)
    limen.report(
        y_true[2000:],
        y_score[2000:],
        tuned,
        folder / NAME,
        ids=[f"clip {row}" for row in range(2000, len(y_true))],
        methods=("fixed:0.5", "shared", "exact", "auto"),
        title="Spoken tags",
    )
    config.html_extra_path = [*config.html_extra_path, str(folder)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the report before anything is read."""
    app.connect("config-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
