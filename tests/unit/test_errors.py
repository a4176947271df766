"""The exception tree, and the parts of messages."""

import pytest

from limen import errors
from limen.errors import count, examples


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("InputError", (errors.LimenError, ValueError)),
        ("FileError", (errors.LimenError,)),
        ("UnreadableError", (errors.FileError, errors.InputError)),
        ("UnsupportedError", (errors.LimenError,)),
        ("MergeError", (errors.LimenError,)),
        ("MissingDependencyError", (errors.LimenError, ImportError)),
        ("LimenWarning", (UserWarning,)),
    ],
)
def test_the_tree(name, kinds):
    assert all(issubclass(getattr(errors, name), kind) for kind in kinds)


def test_errors_are_no_warnings_and_warnings_no_errors():
    assert not issubclass(errors.LimenError, Warning)
    assert not issubclass(errors.LimenWarning, errors.LimenError)


@pytest.mark.parametrize(
    ("names", "options", "text"),
    [
        ([], {}, ""),
        (["a"], {}, "'a'"),
        ("abcde", {}, "'a', 'b', 'c', 'd', 'e'"),
        ("abcdef", {}, "'a', 'b', 'c', 'd', 'e' and 1 more"),
        ("abcdef", {"most": 1}, "'a' and 5 more"),
        ((x for x in (1, 2)), {}, "'1', '2'"),
        (["a'b", 'c"d\n'], {}, "\"a'b\", 'c\"d\\n'"),
    ],
)
def test_examples(names, options, text):
    assert examples(names, **options) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 items"),
        (1, "1 item"),
        (2, "2 items"),
        (999, "999 items"),
        (1000, "1 000 items"),
        (12345678, "12 345 678 items"),
    ],
)
def test_count(number, text):
    assert count(number, "item") == text
