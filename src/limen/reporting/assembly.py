"""The page as one file: template, style, scripts and data, with a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import html
import posixpath
import re
from dataclasses import dataclass
from graphlib import TopologicalSorter
from importlib.resources import files
from typing import Any

from limen.reporting.encoding import embedded
from limen.reporting.media import NO_MEDIA, Policy

IMPORT = re.compile(r'^import \{[^}]*\} from "(?:\./)?((?:\.\./)*[\w/]+\.js)";\n', re.MULTILINE)
PART = re.compile(r"\{\{>(.*?)\}\}\n")
"""Where a template holds another one, which pages share."""


@dataclass(frozen=True)
class Parts:
    """What a page is made of: a folder of scripts, a template, style sheets, and the chart library if needed.

    Paths are below ``limen/reporting``.
    """

    scripts: str
    template: str
    styles: tuple[str, ...]
    chart: bool


REPORT = Parts(
    "page",
    "page/page.html",
    ("vendor/uPlot.min.css", "page/page.css", "page/review.css", "page/limits.css"),
    chart=True,
)


def modules(scripts: str = REPORT.scripts) -> dict[str, str]:
    """Return the page's scripts by where they lie from its folder, each after those that it imports."""
    here = files(__package__)
    wanted = sorted(path.name for path in here.joinpath(scripts).iterdir() if path.name.endswith(".js"))
    found: dict[str, str] = {}
    imports: dict[str, list[str]] = {}
    while wanted:
        name = wanted.pop(0)
        if name not in found:
            found[name] = here.joinpath(posixpath.normpath(f"{scripts}/{name}")).read_text("utf-8")
            beside = posixpath.dirname(name)
            imports[name] = sorted(
                posixpath.normpath(f"{beside}/{at}" if beside else at) for at in IMPORT.findall(found[name])
            )
            wanted += imports[name]
    return {name: found[name] for name in TopologicalSorter(imports).static_order()}


def assembled(content: dict[str, Any], media: Policy = NO_MEDIA, of: Parts = REPORT) -> str:
    """Return the page of these parts that shows ``content`` (such as of `Summary.as_dict`) as HTML.

    Notes
    -----
    The Content-Security-Policy names the digests of the two scripts and the style sheet; nothing else can
    run, and nothing can be fetched but the ``media`` of the items, where there are any. The script cannot
    write HTML either: trusted types are required, and no policy for them is made, so every name is text.
    """
    here = files(__package__)
    # In one scope, in order: a file opened from a disk may import no other, and the policy names one digest.
    own = "\n".join(
        re.sub("^export ", "", IMPORT.sub("", text), flags=re.MULTILINE) for text in modules(of.scripts).values()
    )
    script = f'(() => {{\n"use strict";\n{own}\n}})();\n'
    chart = here.joinpath("vendor/uPlot.iife.min.js").read_text("utf-8") if of.chart else ""
    style = "\n".join(here.joinpath(path).read_text("utf-8") for path in of.styles)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_digest, filter(None, (chart, script))))}",
            f"style-src {_digest(style)}",
            f"img-src data: {media.images}".rstrip(),
            *([f"media-src {media.media}"] if media.media else []),
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
    parts = {
        "policy": html.escape(policy),
        "title": html.escape(content["title"]),
        "style": style,
        "licence": html.escape(here.joinpath("vendor", "uPlot.LICENSE").read_text("utf-8").strip()),
        "data": embedded(content),
        "chart": chart,
        "script": script,
    }
    template = PART.sub(
        lambda match: here.joinpath(match[1]).read_text("utf-8"), here.joinpath(of.template).read_text("utf-8")
    )
    # One pass over the template: what stands in the data is never taken for a place to fill.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
