"""The page of `limen monitor`: one HTML file without scripts, its charts plain SVG."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.display import visible
from limen.errors import count, percent
from limen.monitoring.checks import FAMILIES
from limen.monitoring.state import log10

if TYPE_CHECKING:
    from limen.monitoring.result import Monitoring

STYLE = """
:root { --page: #f4f6f8; --card: #fff; --line: #e1e6ec; --text: #16202c; --muted: #566372; --accent: #0b5fa5;
  --tags: #0072b2; --answers: #007a5a; --label: #0072b2; --alarm: #b3261e; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --page: #10151b; --card: #19212a; --line: #2c3743; --text: #e8edf3; --muted: #a3b0be; --accent: #74bdf5;
    --tags: #56b4e9; --answers: #3ccf9f; --label: #56b4e9; --alarm: #ff9d94; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1100px; padding: 18px 20px 40px; background: var(--page); color: var(--text);
  font: 0.94rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
h1 { font-size: 1.45rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.12rem; margin: 0 0 8px; }
h3 { font-size: 0.95rem; margin: 0 0 2px; }
p { margin: 0 0 6px; }
.brand { font-size: 0.8rem; font-weight: 650; color: var(--accent); }
.muted { color: var(--muted); font-size: 0.86rem; }
.alarm { color: var(--alarm); font-weight: 650; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px;
  margin-top: 16px; }
.small { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); }
.scroll { overflow-x: auto; }
.wide { min-width: 560px; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--muted); font-size: 11px; }
.grid { stroke: var(--line); } .limit { stroke: var(--alarm); stroke-dasharray: 5 4; }
polyline { fill: none; stroke-width: 2; }
.tags { stroke: var(--tags); } .answers { stroke: var(--answers); } .label { stroke: var(--label); }
circle { fill: var(--alarm); }
.key { display: inline-block; width: 18px; height: 3px; vertical-align: middle; margin: 0 5px 0 14px; }
.key.tags { background: var(--tags); } .key.answers { background: var(--answers); }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; }
th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; white-space: normal; }
th { color: var(--muted); font-weight: 600; }
"""
NOTHING = "<p>Nothing has left what was tuned for.</p>"
HIGHEST = 10.0
"""Charts end at ten to this; what is above is drawn at their edge."""
LINES = 12
"""So many labels have charts of their own."""
ROWS = 200


def page(found: Monitoring) -> str:
    """Return what was found as one HTML file; every name is text in it."""
    policy = f"default-src 'none'; style-src {_digest(STYLE)}; img-src data:; base-uri 'none'; form-action 'none'"
    verdict = "".join(
        f'<p class="{kind}">{_text(line)}.</p>'
        for line in found.said()
        for kind in ("alarm" if line.startswith("ALARM") else "muted",)
    )
    state = found.state
    facts = f"{count(len(found.thresholds.labels), 'label')}; begun {state.created[:10]}; {found.basis()}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="limen">
<link rel="icon" href="data:,">
<title>{_text(found.summary())}</title>
<style>{STYLE}</style>
</head>
<body>
<header><p class="brand">limen monitor</p><h1>{_text(found.summary())}</h1>
<p class="muted">{_text(facts)}.</p></header>
<main>
<section class="card">{verdict or NOTHING}</section>
<section class="card"><h2>Evidence over time</h2>
<p class="muted">E-values of all checks together, logarithmic. A stream as at tuning passes a dashed line, ever,
with a chance of at most its error.<span class="key tags"></span>tags given
<span class="key answers"></span>what labels say</p>
<div class="scroll" tabindex="0" role="region" aria-label="evidence over time">
<div class="wide">{_whole(found)}</div></div></section>
{_blamed(found)}
<section class="card"><h2>What is watched</h2>
<div class="scroll" tabindex="0" role="region" aria-label="what is watched">
{_table(found)}</div></section>
</main>
</body>
</html>
"""


def _text(text: str) -> str:
    return escape(visible(text))


def _whole(found: Monitoring) -> str:
    history = found.state.history
    lines = [
        (name, [point[name] for point in history])
        for name in FAMILIES
        if any(p[name] is not None for p in history)
    ]
    alarms = [(k, name) for k, point in enumerate(history) for name in point["alarm"]]
    limits = sorted({log10(-float(np.log(found.families[name].level))) for name, _ in lines})
    return _chart(lines, [p["when"] for p in history], limits, alarms, (1000, 260), "evidence of all checks")


def _blamed(found: Monitoring) -> str:
    """Return a chart for each check to blame, or the ones with most evidence."""
    history = found.state.history
    shown = [row for row in found.table if row["blamed_since"]][:LINES]
    if not shown:
        return ""
    names = {
        (check.label, check.kind, check.basis): check.name for f in found.families.values() for check in f.checks
    }
    charts = []
    for row in shown:
        name = names[row["label"], row["kind"], row["basis"]]
        values = [point["labels"].get(name) for point in history]
        since = [(k, "label") for k, point in enumerate(history) if name in point["blamed"]]
        level = found.families["tags" if row["kind"] in ("more", "fewer") else "answers"].level
        chart = _chart(
            [("label", values)],
            [p["when"] for p in history],
            [log10(-float(np.log(level)))],
            since,
            (340, 150),
            f"evidence for {row['label']}",
        )
        tuned, limit, lately = (_share(row[key]) for key in ("tuned", "limit", "lately"))
        said = f"{row['says']}: tuned {tuned}, limit {limit}, lately {lately}"
        charts.append(
            f'<div><h3>{_text(row["label"])}</h3><p class="muted">{_text(said)}; '
            f"since {_text(row['blamed_since'])}</p>{chart}</div>"
        )
    return (
        '<section class="card"><h2>To blame</h2><p class="muted">Evidence of each by itself (kept from 10 on). It '
        "is to blame where it also passes together with all others that may be fine.</p>"
        f'<div class="small">{"".join(charts)}</div></section>'
    )


def _chart(
    lines: Sequence[tuple[str, list[float | None]]],
    when: list[str],
    limits: Sequence[float],
    marks: Sequence[tuple[int, str]],
    size: tuple[int, int],
    title: str,
) -> str:
    """Return a line chart of logarithms of base 10 over checks, gaps left out, as SVG."""
    width, height = size
    left, right, top, bottom = 46, 10, 8, 24
    known = [value for _, values in lines for value in values if value is not None]
    low = min([-1.0, *known])
    high = min(HIGHEST, max([*(limit + 0.5 for limit in limits), *known]))
    n = max(1, len(when) - 1)

    def at(k: float, value: float) -> tuple[float, float]:
        x = left + (width - left - right) * k / n
        return x, height - bottom - (height - top - bottom) * (min(value, high) - low) / (high - low)

    step = max(1, round((high - low) / 5))
    parts = []
    for tick in range(int(np.ceil(low)), int(high) + 1, step):
        y = at(0, tick)[1]
        parts.append(f'<path class="grid" d="M{left},{y:.1f}H{width - right}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{_power(tick)}</text>')
    for limit in limits:
        parts.append(f'<path class="limit" d="M{left},{at(0, limit)[1]:.1f}H{width - right}" fill="none"/>')
    for k, anchor in sorted({(0, "start"), (len(when) - 1, "end")}):
        x = at(k, low)[0]
        parts.append(f'<text x="{x:.1f}" y="{height - 6}" text-anchor="{anchor}">{_text(when[k])}</text>')
    for name, values in lines:
        points = [(k, value) for k, value in enumerate(values) if value is not None]
        drawn = " ".join("{:.1f},{:.1f}".format(*at(k, value)) for k, value in points)
        parts.append(f'<polyline class="{name}" points="{drawn}"/>')
        for k, value in points:
            if (k, name) in marks or len(points) == 1:
                x, y = at(k, value)
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{_text(when[k])}</title></circle>')
    about = f'viewBox="0 0 {width} {height}" role="img" aria-label="{_text(title)}"'
    return f"<svg {about}>{''.join(parts)}</svg>"


def _power(tick: int) -> str:
    return {0: "1", 1: "10", 2: "100", 3: "1000", -1: "0.1"}.get(tick, f"1e{tick}")


def _table(found: Monitoring) -> str:
    rows = found.table[:ROWS]
    head = ("label", "watched", "tuned", "limit", "stream", "lately", "e-value", "to blame since")
    body = "".join(map(_row, rows))
    left = len(found.table) - len(rows)
    more = f'<p class="muted">and {count(left, "more check")}</p>' if left else ""
    headings = "".join(f"<th>{name}</th>" for name in head)
    return f"<table><thead><tr>{headings}</tr></thead><tbody>{body}</tbody></table>{more}"


def _row(row: dict[str, Any]) -> str:
    kind = ' class="alarm"' if row["blamed_since"] else ""
    texts = "".join(f"<td>{_text(row[key])}</td>" for key in ("label", "says"))
    shares = "".join(f"<td>{_share(row[key])}</td>" for key in ("tuned", "limit", "whole", "lately"))
    value = f"{10 ** min(row['log10_e'], 9):.3g}"
    return f"<tr{kind}>{texts}{shares}<td>{value}</td><td>{_text(row['blamed_since'])}</td></tr>"


def _share(value: Any) -> str:
    return "" if value is None else percent(value)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
