"""Adam against a step worked by hand, and where the iterative solvers begin."""

import math

import numpy as np
import pytest

from limen.errors import InputError
from limen.objectives import objective
from limen.scales import Logit, Probability
from limen.solvers.ascent import Adam, starting_point
from limen.solvers.base import Problem
from limen.sources.door import as_source
from strategies import smooth_data, tuned


def problem_of(problem, metric="f1"):
    return Problem(objective(metric), (as_source(problem.y_true, problem.y_score),))


def test_the_first_step_is_the_learning_rate_whatever_the_gradient():
    change = Adam(0.01, 3).step(np.array([4.0, -1e-3, 0.0]))
    assert change == pytest.approx([0.01, -0.01, 0], rel=1e-4)
    assert change[0] == pytest.approx(0.01 * 4 / (4 + 1e-8), rel=1e-12)


def test_two_steps_by_hand():
    """g = 2, then -1. m = .1*2 = .2, then .9*.2 - .1 = .08; v = .004, then .999*.004 + .001 = .004996."""
    adam = Adam(0.1, 1)
    assert adam.step(np.array([2.0]))[0] == pytest.approx(0.1)
    mean, square = 0.08 / (1 - 0.9**2), 0.004996 / (1 - 0.999**2)
    assert adam.step(np.array([-1.0]))[0] == pytest.approx(0.1 * mean / (math.sqrt(square) + 1e-8), rel=1e-12)
    assert mean == pytest.approx(0.42105, abs=1e-5)
    assert adam.steps == 2


@pytest.mark.parametrize(
    ("start", "expected"), [(0.3, [0.3] * 3), ([0.1, 0.2, 0.9], [0.1, 0.2, 0.9]), (np.float32(0.5), [0.5] * 3)]
)
def test_numbers_to_start_from(start, expected):
    problem = problem_of(smooth_data(0))
    assert starting_point(start, problem, Probability(False)).tolist() == expected
    x = starting_point(start, problem, Logit(False))
    assert x == pytest.approx([math.log(t / (1 - t)) for t in expected])


def test_the_best_shared_threshold_to_start_from():
    problem = smooth_data(0)
    shared = tuned(problem, method="shared").values
    assert starting_point("shared", problem_of(problem), Probability(False)).tolist() == shared.tolist()


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("best", "start='best' is unknown. Use a number, one for each label, 'shared' or 'paper'."),
        ([0.1, 0.2], "start has shape (2,) for 3 labels. Give one finite number, or one for each label."),
        ([[0.1, 0.2, 0.3]], "start has shape (1, 3) for 3 labels"),
        (math.nan, "start has shape () for 3 labels"),
        ([0.1, math.inf, 0.3], "start has shape (3,) for 3 labels"),
    ],
)
def test_no_place_to_start_from(start, words):
    with pytest.raises(InputError) as caught:
        starting_point(start, problem_of(smooth_data(0)), Probability(False))
    assert words in str(caught.value)


def test_a_start_outside_the_scale():
    """A logit cannot start from 0 if the scale maps it to minus infinity."""

    class Steep(Logit):
        def forward(self, scores, label):
            return np.where(scores > 0.2, 1.0, -np.inf)

    with pytest.raises(InputError, match=r"start=0\.1 has no place among these scores\. Choose one within their"):
        starting_point(0.1, problem_of(smooth_data(0)), Steep(False))


def test_a_shared_start_where_giving_nothing_is_best():
    """The best shared threshold for the accuracy is "never" here: learners can still begin somewhere."""
    problem = smooth_data(0)._replace(
        y_true=np.array([[0], [0], [0], [1]]), y_score=np.array([[0.9], [0.8], [0.7], [0.6]])
    )
    assert tuned(problem, metric="accuracy", method="shared").values.tolist() == [np.inf]
    assert np.isfinite(starting_point("shared", problem_of(problem, "accuracy"), Probability(False))).all()
