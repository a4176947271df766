"""Tables for terminals and notebooks; names of labels are data and show as they are."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

MOST_ROWS = 60


class Shown(NamedTuple):
    """A table to look at: a title, headings, rows of text, and the headings of columns that are no numbers."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: Sequence[str] = ()


class Displayed:
    """Shows itself as a table, in terminals through `rich` and in notebooks as HTML."""

    def shown(self) -> Shown:
        """Return the table that is shown."""
        raise NotImplementedError

    def __rich__(self) -> Any:
        title, headings, rows, text = self.shown()
        return rich_table(title, headings, rows, text=text)

    def _repr_html_(self) -> str:
        return html_table(*self.shown()[:3])


def rich_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], *, text: Sequence[str]) -> Any:
    """Return a table for `rich`; columns in ``text`` align left, numbers right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        if heading in text:
            widest = max((len(row[headings.index(heading)]) for row in rows), default=0)
            table.add_column(heading, overflow="fold", min_width=min(widest, 20))
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def html_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for notebooks, of at most `MOST_ROWS` rows and a line that says how many are left out."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[:MOST_ROWS]
    )
    rest = f"<p>and {len(rows) - MOST_ROWS} more rows</p>" if len(rows) > MOST_ROWS else ""
    return f"<p>{escape(title)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def svg_curve(x: Any, y: Any, x_name: str, y_name: str, *, points: int = 400) -> str:
    """Return a small line chart of values from 0 to 1, as SVG for notebooks, at most ``points`` points drawn."""
    step = max(1, len(x) // points)
    drawn = [*range(0, len(x) - 1, step), len(x) - 1]
    line = " ".join(f"{30 + 200 * x[k]:.1f},{210 - 200 * y[k]:.1f}" for k in drawn)
    grid = "".join(
        f'<path d="M{30 + 50 * k},10V210M30,{10 + 50 * k}H230" stroke="currentColor" stroke-opacity=".15"/>'
        for k in range(5)
    )
    ends = (("30", "222", "0"), ("226", "222", "1"), ("16", "210", "0"), ("16", "16", "1"))
    ticks = "".join(f'<text x="{left}" y="{top}">{text}</text>' for left, top, text in ends)
    return (
        '<svg viewBox="0 0 240 236" width="300" font-size="10" fill="currentColor" '
        f'role="img" aria-label="{escape(y_name)} against {escape(x_name)}">{grid}{ticks}'
        f'<text x="130" y="232" text-anchor="middle">{escape(x_name)}</text>'
        f'<text transform="translate(10,110) rotate(-90)" text-anchor="middle">{escape(y_name)}</text>'
        f'<polyline points="{line}" fill="none" stroke="#0072b2" stroke-width="2"/></svg>'
    )
