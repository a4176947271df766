"""What constraints are: their values, names, trees, files, and what is said where they cannot be."""

import json
from re import escape

import numpy as np
import pytest

from limen import constraints as limits
from limen.constraints import bind
from limen.errors import InputError, UnreadableError

LABELS = ("Animal", "Dog", "Owl")
TREE = [
    {"id": "/m/a", "name": "Animal", "child_ids": ["/m/p", "/m/o"]},
    {"id": "/m/p", "name": "Pets", "child_ids": ["/m/d"]},
    {"id": "/m/d", "name": "Dog", "child_ids": []},
    {"id": "/m/o", "name": "Owl", "child_ids": []},
]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: limits.MinPrecision(1.2), "MinPrecision has the value 1.2. It must be a number from 0 to 1."),
        (lambda: limits.MinPrecision("0.9"), "MinPrecision has the value '0.9'."),
        (lambda: limits.MinRecall(float("nan")), "MinRecall has the value nan."),
        (lambda: limits.MinRecall(0.5, per={"Owl": -1}), "MinRecall has the value -1 for 'Owl'."),
        (lambda: limits.MinPrecision(0.9, per="labels"), "MinPrecision has per='labels'. Use 'label', 'all'"),
        (lambda: limits.MinPrecision(per={}), "MinPrecision has an empty mapping per label."),
        (lambda: limits.MinPrecision(), "MinPrecision has no value. Give one, like MinPrecision(0.9)."),
        (lambda: limits.MaxPredictions(), "MaxPredictions has no value. Give one, like MaxPredictions(200)."),
        (lambda: limits.MaxPredictions(-1), "MaxPredictions has the value -1. It must be a number from 0."),
        (lambda: limits.MaxPredictions(3, rate=0.1), "MaxPredictions has value and rate. Give one of them."),
        (lambda: limits.MaxPredictions(per_hour=3), "MaxPredictions needs per_hour and hours together"),
        (lambda: limits.MaxPredictions(per_hour=3, hours=0), "hours=0. It must be a number above 0."),
        (
            lambda: limits.MinPredictions(rate=2),
            "MinPredictions has the value 2. It must be a number from 0 to 1.",
        ),
        (lambda: limits.ThresholdRange(0.6, 0.4), "ThresholdRange goes from 0.6 to 0.4."),
        (lambda: limits.ThresholdRange(float("nan")), "ThresholdRange goes from nan to inf."),
        (lambda: limits.SameThreshold(["Owl"]), "SameThreshold names 1 label. Name two or more."),
        (lambda: limits.SameThreshold("Owl"), "SameThreshold has the labels 'Owl'. Give a sequence of names."),
        (lambda: limits.SameThreshold(["Owl", "Owl"]), "SameThreshold repeats 'Owl'."),
        (lambda: limits.AtMost("Owl", "Owl"), "AtMost has 'Owl' as parent and as child."),
        (lambda: limits.Hierarchy(()), "edges='()' are no pairs of a parent and its child. Give at least one"),
        (lambda: limits.Hierarchy({"a": ["b"]}), "are no pairs of a parent and its child."),
        (
            lambda: limits.Hierarchy((("a", "b"), ("b", "c"), ("c", "a"))),
            "the hierarchy runs in a circle: 'a' > 'b' > 'c' > 'a'.",
        ),
        (lambda: limits.Hierarchy.of_tree({}), "the tree is no list of tags."),
        (lambda: limits.Hierarchy.of_tree([{"id": "a"}]), "tag 0 of the tree lacks 'name', 'child_ids'."),
        (lambda: limits.Hierarchy.of_tree([TREE[2], TREE[2]]), "the tree repeats '/m/d'."),
        (lambda: limits.Hierarchy.of_tree(TREE[:1]), "has child_ids that are no tags of it: '/m/p', '/m/o'."),
    ],
)
def test_what_is_no_constraint_is_refused(make, words):
    with pytest.raises(InputError, match=escape(words)):
        make()


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        (["precision >= 0.9"], "constraints has a str ('precision >= 0.9'). Use the classes of limen.constraints"),
        ([limits.MinPrecision(per={"Cow": 0.9})], "MinPrecision names 'Cow', and the data have no such label."),
        ([limits.ThresholdRange(0, 1, ["Cow"])], "ThresholdRange names 'Cow'"),
        ([limits.SameThreshold(["Cow", "Owl"])], "SameThreshold names 'Cow'"),
        ([limits.AtMost("Cow", "Owl")], "names 'Cow', and the data have no such label."),
        (
            [limits.ThresholdRange(0.5), limits.ThresholdRange(high=0.4, labels=["Owl"])],
            "the threshold ranges leave nothing for 1 label: 'Owl' must be from 0.5 and up to 0.4.",
        ),
        (
            [limits.MinPredictions(5), limits.MaxPredictions(4)],
            "'Animal' must get at least 5 tags and at most 4. Change one of them.",
        ),
        (
            [limits.MinPredictions(rate=0.5, per="all"), limits.MaxPredictions(rate=0.4, per="all")],
            "'all labels' must get at least 50.0 % tags and at most 40.0 %.",
        ),
        (
            [limits.AtMost("Animal", "Dog"), limits.AtMost("Dog", "Animal")],
            "the hierarchy of labels runs in a circle: 'Animal' > 'Dog' > 'Animal'.",
        ),
        ([limits.Hierarchy((("x", "y"),))], "no two labels of the data are above each other in the hierarchy."),
    ],
)
def test_what_does_not_fit_the_labels_is_refused(constraints, words):
    with pytest.raises(InputError, match=escape(words)):
        bind(constraints, LABELS)


def test_how_the_infeasible_is_met_must_be_known():
    with pytest.raises(InputError, match=r"infeasible='ignore' is unknown\. Use 'error', 'never' or 'status'"):
        bind([limits.MinPrecision(0.9)], LABELS, "ignore")


def test_values_are_compared_as_the_decimal_numbers_that_they_are():
    """0.07 * 100 is above 7 in floats, and 0.9 above 9 / 10."""
    for value, tp, pp in ((0.9, 9, 10), (0.07, 7, 100), (0.29, 29, 100), (1 / 3, 1, 3), (0.57, 57, 100)):
        (row,) = bind([limits.MinPrecision(value)], ["a"]).rows
        assert row.slack(np.array([tp]), np.array([pp]), np.array([tp]), np.array([pp]))[0] == 0
        assert row.slack(np.array([tp]), np.array([pp + 1]), np.array([tp]), np.array([pp + 1]))[0] < 0


def test_budgets_are_those_of_the_size_of_the_data():
    counts = np.array([3]), np.array([8]), np.array([5]), np.array([100])
    for limit in (
        limits.MaxPredictions(8),
        limits.MaxPredictions(rate=0.08),
        limits.MaxPredictions(per_hour=4, hours=2),
    ):
        (row,) = bind([limit], ["a"]).rows
        assert row.slack(*counts)[0] == 0
    half = bind([limits.MaxPredictions(8)], ["a"]).scaled(0.5).rows[0]
    assert half.slack(*counts)[0] < 0
    assert half.slack(counts[0], np.array([4]), *counts[2:])[0] == 0


def test_groups_that_overlap_are_one():
    bound = bind([limits.SameThreshold(["Owl", "Dog"]), limits.SameThreshold(["Dog", "Animal"])], LABELS)
    assert bound.groups == ((0, 1, 2),)


def test_a_tree_is_read_from_json_as_audiosets_is(tmp_path):
    file = tmp_path / "ontology.json"
    file.write_text(json.dumps(TREE))
    tree = limits.Hierarchy.from_json(file, closed=True)
    assert bind([tree], LABELS).closed == ((0, 2), (0, 1))
    assert bind([tree], ("Owl", "Animal")).edges == ((1, 0),)
    assert bind([tree], LABELS).rule == "closed:2>0,1>0"
    with pytest.raises(UnreadableError, match="cannot read"):
        limits.Hierarchy.from_json(tmp_path / "none.json")
    file.write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        limits.Hierarchy.from_json(file)


SOME = [
    limits.MinPrecision(0.9),
    limits.MinRecall(per={"Owl": 0.5}),
    limits.MaxFalsePositiveRate(0.01, per="all"),
    limits.MaxPredictions(200),
    limits.MaxPredictions(rate=0.05),
    limits.MaxPredictions(per_hour=8, hours=24, per="all"),
    limits.MinPredictions(2, per={"Owl": 1}),
    limits.ThresholdRange(0.1),
    limits.ThresholdRange(0.1, 0.9, ["Owl"]),
    limits.SameThreshold(["Owl", "Dog"]),
    limits.AtMost("Animal", "Dog", closed=True),
    limits.Hierarchy((("Animal", "Dog"), ("Animal", "Owl"))),
]


@pytest.mark.parametrize("constraint", SOME, ids=str)
def test_a_spec_makes_the_constraint_again(constraint):
    assert limits.of_spec(json.loads(json.dumps(constraint.spec))) == constraint


@pytest.mark.parametrize("spec", [None, {}, {"name": "MinF1"}, {"name": "MinPrecision", "valu": 0.9}])
def test_a_spec_that_is_none_is_refused(spec):
    with pytest.raises(InputError, match=r"is no constraint|is not understood"):
        limits.of_spec(spec)


def test_a_toml_file_says_all_of_it(tmp_path):
    (tmp_path / "tree.json").write_text(json.dumps(TREE))
    file = tmp_path / "constraints.toml"
    file.write_text(
        """
        [min_precision]
        value = 0.9
        labels = {Owl = 0.95}
        [[max_predictions]]
        rate = 0.05
        [[max_predictions]]
        per_hour = 8
        hours = 24
        per = "all"
        [same_threshold]
        labels = ["Owl", "Dog"]
        [threshold_range]
        low = 0.1
        [hierarchy]
        file = "tree.json"
        closed = true
        """
    )
    assert limits.read_constraints(file) == [
        limits.MinPrecision(0.9, per={"Owl": 0.95}),
        limits.MaxPredictions(rate=0.05),
        limits.MaxPredictions(per_hour=8, hours=24, per="all"),
        limits.SameThreshold(["Owl", "Dog"]),
        limits.ThresholdRange(0.1),
        limits.Hierarchy.of_tree(TREE, closed=True),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no constraint. Its tables are min_precision,"),
        ("[min_f1]\nvalue = 1", "has 'min_f1'. Its tables are"),
        ("min_precision = 0.9", "'min_precision' of"),
        ("[min_precision]\nvalue = 2", "MinPrecision has the value 2"),
        ("[min_precision]\nvalues = 2", "is not understood"),
        ("[", "is not TOML"),
    ],
)
def test_a_toml_file_that_is_wrong_is_refused(tmp_path, text, words):
    file = tmp_path / "constraints.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=escape(words)):
        limits.read_constraints(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UnreadableError, match="Check the path"):
        limits.read_constraints(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"holds": True, "measured": 0.923, "said": "92.3 %"}, "x: kept, 92.3 %"),
        ({"holds": False, "broken_by": ["a", "b"]}, "x: broken by 2 labels, 'a', 'b'"),
        (
            {"holds": True, "binds": True, "binds_for": ["a"], "price": 0.0123, "spec": {"name": "MinRecall"}},
            "x: kept; it binds for 1 label, and 1 point looser gains 1.2 points",
        ),
        (
            {"holds": True, "binds": True, "price": 0.5, "spec": {"name": "MaxPredictions"}},
            "x: kept; it binds, and 1 % looser gains 50 points",
        ),
    ],
)
def test_how_one_fared_is_said(entry, words):
    assert limits.said_outcome({"constraint": "x", **entry}) == words
