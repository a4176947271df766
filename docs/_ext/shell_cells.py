"""Show cells that begin with %%bash as what one would type in a terminal, and what was printed whole."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from myst_nb.core import render
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class ShellCells(SphinxPostTransform):
    """Leave out the first line of shell cells, and colour the rest as shell; mark printed sentences."""

    default_priority = 5

    def run(self, **kwargs: Any) -> None:
        """Change the cells of the document."""
        for block in self.document.findall(nodes.literal_block):
            first, _, rest = block.rawsource.partition("\n")
            if first.startswith("%%bash"):
                block.replace_self(nodes.literal_block(rest, rest, language="bash", classes=["shell"]))
            elif "output" in block["classes"] and is_sentences(block.astext()):
                block["classes"].append("sentences")


def is_sentences(text: str) -> bool:
    """Return whether printed text has no columns and no indentation: lines of words, which may be wrapped."""
    lines = text.splitlines()
    return not any(re.search(r"(^|\S) {2,}\S", line) or (len(line) > 40 and line.count(" ") < 5) for line in lines)


def joined(outputs: list[Any]) -> list[Any]:
    """Return outputs with what was printed in pieces joined again.

    A cell's shell is read in pieces of 100 bytes. MyST-NB's own function for this ends each with a new line.
    Whether a page was the first to compile limen's loops is left out.
    """
    together: list[Any] = []
    for output in outputs:
        last = together[-1] if together else {}
        if output["output_type"] == last.get("output_type") == "stream" and output["name"] == last["name"]:
            last["text"] += output["text"]
        else:
            together.append(output)
    for output in together:
        if output["output_type"] == "stream":
            output["text"] = re.sub(r"^limen: compiling .*\n", "", output["text"], flags=re.MULTILINE)
    return [output for output in together if output.get("text") != ""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform, and the function that joins."""
    if not hasattr(render, "coalesce_streams"):
        raise RuntimeError("MyST-NB joins outputs elsewhere now: adapt docs/_ext/shell_cells.py")
    render.coalesce_streams = joined
    app.add_post_transform(ShellCells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
