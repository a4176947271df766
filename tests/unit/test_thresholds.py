"""Thresholds in use: decisions, and how they show."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from scipy import sparse

import limen
from limen.errors import InputError, percent
from limen.solvers import TopK
from strategies import SCORE_DTYPES, random_data, tuned

HOSTILE = ("<script>alert(1)</script>", "[bold red]dog[/bold red]", 'a "quoted" & name')
Y_TRUE = [[0, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]]
Y_SCORE = [[0.2, 0.9, 0.1], [0.6, 0.3, 0.1], [0.8, 0.7, 0.2], [0.4, 0.8, 0.3]]


def hostile(**options):
    with pytest.warns(limen.LimenWarning):
        return limen.tune(Y_TRUE, Y_SCORE, labels=HOSTILE, method="exact", **options)


def shown(renderable):
    text = io.StringIO()
    Console(file=text, width=200, color_system=None).print(renderable)
    return text.getvalue()


@pytest.mark.parametrize("dtype", SCORE_DTYPES)
@pytest.mark.parametrize("seed", range(8))
def test_decisions_follow_the_rule(seed, dtype):
    problem = random_data(seed, n_items=6, n_labels=2, dtype=dtype)
    t = tuned(problem)
    decisions = t.decide(problem.y_score)
    assert (decisions.dtype, decisions.shape) == (bool, (6, 2))
    for k, threshold in enumerate(t.values.tolist()):
        assert decisions[:, k].tolist() == [score >= threshold for score in problem.y_score[:, k].tolist()]


def test_a_list_of_scores():
    t = tuned(random_data(0, n_labels=2), method="fixed:0.5")
    assert t.decide([[0.5, 0.4], [0.6, 0.5]]).tolist() == [[True, False], [True, True]]


def test_one_label_takes_one_dimension():
    t = tuned(random_data(0, n_labels=1), method="fixed:0.5")
    assert t.decide([0.5, 0.4]).tolist() == [True, False]
    assert t.decide([[0.5], [0.4]]).tolist() == [[True], [False]]


@pytest.mark.parametrize(
    ("y_score", "words"),
    [
        ([[0.5]], "y_score has 1 column, the thresholds are for 3 labels ('<script>alert(1)</script>'"),
        ([[0.5] * 4], "y_score has 4 columns, the thresholds are for 3 labels"),
        (
            sparse.csr_array((1, 4)),
            "Columns must be the same labels in the same order.",
        ),
        ([[0.5, np.nan, 0.5]], "y_score has NaN in 1 of 3 labels (first: '[bold red]dog[/bold red]', row 0)"),
        (np.full((1, 3), np.inf), "y_score has an infinite value in 3 of 3 labels"),
        (sparse.csr_array(np.array([[0, np.inf, 0]])), "y_score has an infinite value"),
        (np.zeros((1, 1, 1)), "y_score has 3 dimensions"),
    ],
)
def test_scores_that_do_not_fit(y_score, words):
    with pytest.raises(InputError) as caught:
        hostile().decide(y_score)
    assert words in str(caught.value)


def test_a_stored_score_that_is_not_finite_is_named():
    scores = sparse.csr_array(np.array([[0.5, 0.0, 0.0], [0.0, np.nan, 0.0]]))
    with pytest.raises(InputError, match=r"first: '\[bold red\]dog\[/bold red\]', row 1"):
        hostile().decide(scores)


def test_labels_that_are_never_given():
    t = hostile()
    assert t.never == (HOSTILE[2],)
    assert t.values[2] == np.inf
    assert not t.decide(np.full((1, 3), 1e308))[0, 2]


def test_a_rule_by_item_decides_by_item():
    t = tuned(random_data(0, n_labels=3), method="top-k:2")
    assert t.decide([[0.1, 0.9, 0.5], [3, 2, 1]]).tolist() == [[False, True, True], [True, True, False]]
    with pytest.raises(InputError, match="'mcut'"):
        tuned(random_data(0, n_labels=3), method="mcut").decide(sparse.csr_array((1, 3)))


class TestShown:
    def test_in_one_line(self):
        assert repr(hostile()) == (
            "Thresholds(3 labels; micro F1 88.9 % on the 4 items tuned on (proven optimal; method exact))"
        )

    def test_what_is_proven(self):
        assert "(not proven optimal; method fixed:0.5)" in hostile_by("fixed:0.5").summary()
        for seed in range(100):
            t = tuned(random_data(seed, most_items=10), metric="g_mean")
            if t.status == "bounded":
                break
        assert f"(at most {percent(t.upper_bound)} is possible; method exact)" in t.summary()

    def test_columns(self):
        assert hostile().columns() == {
            "label": list(HOSTILE),
            "threshold": ["0.5", "0.5", "never"],
            "positives": ["2", "2", "0"],
            "given": ["2", "3", "0"],
            "correct": ["2", "2", "0"],
        }
        assert tuned(random_data(0, n_labels=2), method=TopK(1)).columns()["threshold"] == ["any", "any"]

    def test_ranges_are_shown_where_they_are_known(self):
        t = hostile()
        ranged = replace(t, ranges=np.array([[0.25, 0.25, 0.5], [0.75, 0.75, np.inf]]))
        assert ranged.columns()["95 % range"] == ["0.25 to 0.75", "0.25 to 0.75", "0.5 to never"]

    def test_weights_are_shown_short(self):
        t = tuned(random_data(0, n_labels=1, n_items=2)._replace(
            y_true=np.array([[1], [0]]), y_score=np.array([[0.5], [0.25]]), sample_weight=np.array([0.25, 2])
        ))  # fmt: skip
        shown = [column[0] for column in t.columns().values()]
        assert shown == ["0", "0.375", "0.25", "0.25", "0.25"]

    def test_html_is_escaped(self):
        html = hostile()._repr_html_()
        assert "<script" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "[bold red]dog[/bold red]" in html
        assert "a &quot;quoted&quot; &amp; name" in html

    def test_rich_markup_is_not_followed(self):
        text = shown(hostile())
        for name in HOSTILE:
            assert name in text

    def test_a_hostile_method_name_is_escaped(self):
        from dataclasses import replace

        t = replace(hostile(), method="<b>[red]x[/red]</b>")
        assert "<b>" not in t._repr_html_()
        assert "<b>[red]x[/red]</b>" in shown(t)

    def test_many_labels(self):
        n_labels = 80
        t = limen.tune(np.ones((1, n_labels)), np.ones((1, n_labels)), method="exact")
        assert "and 20 more rows" in t._repr_html_()
        assert t._repr_html_().count("<tr>") == 61


def hostile_by(method):
    return limen.tune(Y_TRUE, Y_SCORE, labels=HOSTILE, method=method)


def test_thresholds_are_equal_if_their_files_would_be():
    from dataclasses import replace

    t = hostile()
    assert t == replace(t, history=(1.0,))
    assert t != replace(t, value=0.5)
    assert t != replace(t, values=t.values + 1)
    assert t != 1
    with pytest.raises(TypeError):
        hash(t)


def test_the_objective_is_known():
    t = tuned(random_data(0), metric="f2", average="macro", zero_division=1)
    assert str(t.objective) == "macro F2"
    assert t.objective.zero_division == 1
    assert t.objective(*t.counts) == t.value
