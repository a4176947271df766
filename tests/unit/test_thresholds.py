"""Thresholds in use: decisions, and how they show."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from scipy import sparse

import limen
from limen.errors import InputError, percent
from limen.solvers import TopK
from strategies import random_data, tuned

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


@pytest.mark.parametrize(
    ("y_score", "words"),
    [
        ([[0.5]], "y_score has 1 column, the thresholds are for 3 labels ('<script>alert(1)</script>'"),
        (sparse.csr_array((1, 4)), "y_score has 4 columns, the thresholds are for 3 labels ('<script>"),
        ([[0.5] * 4], ", 'a \"quoted\" & name'). Columns must be the same labels in the same order."),
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
            "state": ["too few positives", "too few positives", "no tags given"],
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
        assert shown == ["0", "too few positives", "0.375", "0.25", "0.25", "0.25"]


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
