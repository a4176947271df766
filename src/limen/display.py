"""Tables for terminals and notebooks; names of labels are data and show as they are."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

MOST_ROWS = 60


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
