"""Tuning on one part and counting on another: by hand, part for part."""

import math

import numpy as np
import pytest

import limen
from limen.data import as_data
from limen.holdout import hold_out, pooled_value
from limen.objectives import objective
from limen.solvers import choose
from strategies import smooth_data

ROWS = np.arange(60)
SPLIT = (ROWS[ROWS % 3 > 0], ROWS[ROWS % 3 == 0])


def held_out_of(problem, average="micro", method="shared", split=SPLIT, groups=None):
    data = as_data(*problem[:2], groups=groups)
    return hold_out(objective("f1", average), data, split, choose("f1", average, method))


@pytest.mark.parametrize("method", ["exact", "shared", "auto", "sgl", "top-k:1"])
@pytest.mark.parametrize("average", ["micro", "macro"])
def test_it_is_tune_and_evaluate(method, average):
    problem = smooth_data(0)
    held_out = held_out_of(problem, average, method)
    tuned, measured = (problem.taken(rows) for rows in SPLIT)
    t = limen.tune(*tuned[:2], method=method, average=average)
    np.testing.assert_array_equal(held_out.part.values, t.values)
    assert held_out.fitted == t.value
    assert held_out.status == t.status
    assert objective("f1", average)(*held_out.sums) == limen.evaluate(*measured[:2], t).value


def test_what_the_scores_are_is_decided_by_all_of_them():
    """One item beyond 0 to 1 makes logits of all, and so of a part that lies within."""
    problem = smooth_data(0)
    beyond = np.array(problem.y_score)
    beyond[0] = 3.0
    kinds = [held_out_of(problem._replace(y_score=scores)).tuned_on.kind for scores in (problem.y_score, beyond)]
    assert kinds == ["probability", "logit"]


def test_groups_of_a_part():
    """Those of its items; items of a single one are tuned on as if there were none."""
    problem, groups = smooth_data(0), ROWS // 20
    for rows, wanted in ((ROWS[:40], 2), (ROWS[:20], None)):
        found = held_out_of(problem, split=(rows, ROWS[40:]), groups=groups).tuned_on.groups
        assert found is None if wanted is None else len(np.unique(found)) == wanted


def test_counts_are_summed_before_the_metric():
    parts = [
        (np.array([tp]), np.array([pp]), np.array([p]), np.array([9])) for tp, pp, p in ((1, 2, 3), (2, 2, 4))
    ]
    f1 = objective("f1", "micro")
    assert pooled_value([parts[0], None, parts[1]], f1) == pytest.approx(2 * 3 / (4 + 7))
    assert math.isnan(pooled_value([None], f1))
