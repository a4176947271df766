"""Tables for terminals and notebooks: what users write is shown, never run."""

from __future__ import annotations

import io

from rich.console import Console

from limen.display import MOST_ROWS, html_table, rich_table

HEADINGS = ("label", "threshold")


def shown(renderable, width=200):
    text = io.StringIO()
    Console(file=text, width=width, color_system=None).print(renderable)
    return text.getvalue()


def test_html_is_escaped_everywhere():
    hostile = "<script>alert('x')</script> & \"more\""
    html = html_table(hostile, [hostile, "b"], [(hostile, "1")])
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;more&quot;") == 3


def test_html_says_how_many_rows_are_left_out():
    rows = [(f"label {k}", "0.5") for k in range(MOST_ROWS + 7)]
    html = html_table("t", HEADINGS, rows)
    assert html.count("<tr>") == MOST_ROWS + 1
    assert "and 7 more rows" in html
    assert f"label {MOST_ROWS - 1}<" in html
    assert f"label {MOST_ROWS}<" not in html
    assert "more" not in html_table("t", HEADINGS, rows[:MOST_ROWS])


def test_markup_of_rich_is_shown_as_it_is():
    table = rich_table(
        "[red]title[/red]", HEADINGS, [("[bold]dog[/bold]", "[/]"), (":dog:", "1")], text=("label",)
    )
    text = shown(table)
    for written in ("[red]title[/red]", "[bold]dog[/bold]", "[/]", ":dog:"):
        assert written in text


def test_numbers_stand_right_and_text_left():
    text = shown(rich_table("t", HEADINGS, [("a", "1"), ("long name", "12345")], text=("label",)))
    lines = text.splitlines()
    first, second = next(line for line in lines if "a  " in line), next(line for line in lines if "long" in line)
    assert first.index("a") == second.index("long")
    assert len(first.rstrip()) == len(second.rstrip())
