"""Tables for terminals and notebooks; names of labels are data and show as they are."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import count
from limen.names import shortened

MOST_ROWS = 60
MANY_LABELS = 2000
"""Of more labels, tables show the `MOST_ROWS` with most positives."""
FOLDED = 13
"""Columns of text are folded to no less than this width, if no word is longer."""
NAMED = 16
"""Names are shortened to no less than this width."""


def most_frequent(positives: NDArray[Any]) -> NDArray[np.int64] | None:
    """Return the numbers of the labels to show, those with most positives first; None if all are shown."""
    if len(positives) <= MANY_LABELS:
        return None
    return np.argsort(-np.asarray(positives, np.float64), kind="stable")[:MOST_ROWS]


def said_of_shown(n_labels: int) -> str:
    """Return which labels of very many a table shows; nothing if all are shown."""
    if n_labels <= MANY_LABELS:
        return ""
    return f"; shown are the {MOST_ROWS} labels with most positives of {count(n_labels, 'label')}"


class Shown(NamedTuple):
    """A table to look at: a title, headings, rows; which columns are text or names, and which can be left out."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: Sequence[str] = ()
    optional: Sequence[str | tuple[str, ...]] = ()
    names: Sequence[str] = ()


class Displayed:
    """Shows itself as a table, in terminals through `rich` and in notebooks as HTML."""

    def shown(self) -> Shown:
        """Return the table that is shown."""
        raise NotImplementedError

    def __rich__(self) -> Any:
        title, headings, rows, text, optional, names = self.shown()
        return TextTable(title, headings, rows, text=text, optional=optional, names=names)

    def _repr_html_(self) -> str:
        return html_table(*self.shown()[:3])


class TextTable:
    """A table for `rich`, its title above; names and text stand left, numbers right, and numbers stay whole.

    Where the terminal is too narrow, columns in ``optional`` are left out, the first first (those of a tuple
    together), and a line says so; then columns in ``text`` break at spaces, and ``names`` lose their middle.
    """

    def __init__(
        self,
        title: str,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        text: Sequence[str] = (),
        optional: Sequence[str | tuple[str, ...]] = (),
        names: Sequence[str] = (),
    ) -> None:
        self.title, self.headings, self.text, self.optional = visible(title), list(headings), text, optional
        self.rows, self.names = [[visible(cell) for cell in row] for row in rows], names

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        if self.title:
            yield Text(self.title)
        shown, left_out = self._fitting(options.max_width)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        columns = []
        for k in shown:
            column, heading = [row[k] for row in self.rows], self.headings[k]
            if heading in self.names:
                column = shortened(column, self._room(k, shown, options.max_width))
                table.add_column(heading, no_wrap=True)
            elif heading in self.text:
                table.add_column(heading, min_width=self._least(k))
            else:
                table.add_column(heading, justify="right", no_wrap=True)
            columns.append(column)
        for cells in zip(*columns, strict=True):
            table.add_row(*map(Text, cells))
        yield table
        if left_out:
            yield Text(f"left out, as the terminal is narrow: {', '.join(left_out)}")

    def _fitting(self, width: int) -> tuple[list[int], list[str]]:
        """Return the columns that fit, and the headings of those that do not."""
        shown, left_out = list(range(len(self.headings))), []
        for some in self.optional:
            if sum(3 + self._least(k) for k in shown) <= width:
                break
            for heading in (some,) if isinstance(some, str) else some:
                if heading in self.headings:
                    shown.remove(self.headings.index(heading))
                    left_out.append(heading)
        return shown, left_out

    def _room(self, k: int, shown: Sequence[int], width: int) -> int:
        """Return how wide a column of names can be: text breaks only where names would be too short."""
        for of_other in (self._width, self._least):
            room = width - 3 - sum(3 + of_other(other) for other in shown if other != k)
            if room >= min(NAMED, self._width(k)):
                return room
        return NAMED

    def _width(self, k: int) -> int:
        return max(len(self.headings[k]), *(len(row[k]) for row in self.rows), 0)

    def _least(self, k: int) -> int:
        """Return how narrow a column can be."""
        width = self._width(k)
        if self.headings[k] in self.names:
            return min(width, NAMED)
        if self.headings[k] in self.text:
            longest = max((len(word) for row in self.rows for word in row[k].split()), default=0)
            return min(width, max(longest, FOLDED))
        return width


def visible(text: str) -> str:
    """Return text with its control characters spelled out: a name must not drive the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


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
