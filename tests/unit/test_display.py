"""Tables for terminals and notebooks: what users write is shown, never run."""

import io
from dataclasses import replace
from html import escape

import numpy as np
import pytest
from rich.console import Console

import limen
from limen.display import MOST_ROWS, TextTable, html_table, svg_curve

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
    table = TextTable("[red]title[/red]", HEADINGS, [("[bold]dog[/bold]", "[/]"), (":dog:", "1")], text=("label",))
    text = shown(table)
    for written in ("[red]title[/red]", "[bold]dog[/bold]", "[/]", ":dog:"):
        assert written in text


def test_numbers_stand_right_and_text_left():
    text = shown(TextTable("t", HEADINGS, [("a", "1"), ("long name", "12345")], text=("label",)))
    lines = text.splitlines()
    first, second = next(line for line in lines if "a  " in line), next(line for line in lines if "long" in line)
    assert first.index("a") == second.index("long")
    assert len(first.rstrip()) == len(second.rstrip())


def test_a_curve_is_drawn_from_its_first_point_to_its_last():
    svg = svg_curve([0.0, 0.5, 1.0], [1.0, 0.75, 0.0], "<recall>", "precision")
    assert 'points="30.0,10.0 130.0,60.0 230.0,210.0"' in svg
    assert 'aria-label="precision against &lt;recall&gt;"' in svg
    many = [k / 5000 for k in range(5001)]
    drawn = svg_curve(many, many, "x", "y").partition('points="')[2].partition('"')[0].split()
    assert len(drawn) <= 420
    assert (drawn[0], drawn[-1]) == ("30.0,210.0", "230.0,10.0")
    assert 'points="30.0,10.0"' in svg_curve([0.0], [1.0], "x", "y")


def test_a_frontier_shows_its_curve_and_points():
    frontier = limen.frontier([[0, 1], [1, 0], [1, 1], [0, 0]], [[0.2, 0.9], [0.6, 0.3], [0.8, 0.7], [0.4, 0.8]])
    assert frontier.columns() == {
        "point": ["0", "1", "2", "3"],
        "recall": ["0.0 %", "50.0 %", "75.0 %", "100.0 %"],
        "precision": ["100.0 %", "100.0 %", "100.0 %", "80.0 %"],
        "tags an item": ["0.00", "0.50", "0.75", "1.25"],
    }
    html = frontier._repr_html_()
    assert "<svg" in html
    assert "<td>80.0 %</td>" in html
    assert "80.0 %" in shown(frontier)


def test_a_narrow_terminal_leaves_columns_out_and_says_so():
    rows = [("a label of some length", "0.5", "12", "0.333"), ("cat", "never", "3", "1.000")]
    table = TextTable("t", ("label", "threshold", "given", "f1"), rows, text=("label",), optional=("given", "f1"))
    wide, narrow = shown(table, 80), shown(table, 38)
    assert "left out" not in wide
    assert "12" in wide
    assert "left out, as the terminal is narrow: given" in narrow.replace("\n", " ").replace("  ", " ")
    assert "0.333" in narrow
    assert "never" in narrow


def test_columns_that_belong_together_are_left_out_together():
    table = TextTable("", ("a", "b", "c", "d"), [("1" * 12,) * 4], optional=(("a", "b"), "c"))
    assert shown(table, 45).split()[:2] == ["c", "d"]
    assert shown(table, 60).split()[:4] == ["a", "b", "c", "d"]


def test_names_are_shortened_before_text_is_broken():
    names = [f"a name of some length, number {k}" for k in range(3)]
    rows = [(name, "clearly worse than 0.5", "12") for name in names]
    table = TextTable("", ("label", "state", "n"), rows, text=("state",), names=("label",))
    for width, lines in ((90, 3), (50, 3), (40, 6)):
        text = shown(table, width)
        assert max(map(len, text.splitlines())) <= width
        assert len([line for line in text.splitlines()[2:] if line.strip(" ─")]) == lines
        for k in range(3):
            assert f"umber {k}" in text
    assert "…" not in shown(table, 90)


def test_names_do_not_drive_the_terminal():
    table = TextTable("\x1b[2Jtitle", ("label",), [("\x1b[31mevil\r\x07",)], text=("label",))
    assert "\x1b" not in shown(table)
    assert "\\x1b[31mevil\\r\\x07" in shown(table)


HOSTILE = ("<script>alert(1)</script>", "[bold red]dog[/bold red]", 'a "quoted" & name')
TRUTH, SCORES = [[0, 1, 1], [1, 0, 0]] * 2, [[0.2, 0.9, 0.5], [0.6, 0.3, 0.1]] * 2
SHOWN = {
    "thresholds": lambda: replace(limen.tune(TRUTH, SCORES, labels=HOSTILE, method="exact"), method=HOSTILE[0]),
    "evaluation": lambda: limen.evaluate(TRUTH, SCORES, [0.5, 0.5, np.inf], labels=HOSTILE),
    "comparison": lambda: limen.compare(TRUTH, SCORES, methods=dict.fromkeys(HOSTILE, "exact"), cv=2),
}


@pytest.mark.parametrize("result", SHOWN)
def test_no_result_runs_what_a_name_says(result):
    found = SHOWN[result]()
    html, text = found._repr_html_(), shown(found, 250)
    assert "<script" not in html
    for name in HOSTILE:
        assert escape(name) in html
        assert name in text
