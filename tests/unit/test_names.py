"""Names: repeats, and lists matched by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen.errors import InputError
from limen.names import beyond, match, repeated, shortened, unique

names = st.lists(st.sampled_from("abcdefgh"), max_size=10)


@given(names)
def test_repeats(given):
    expected = [name for k, name in enumerate(given) if name in given[k + 1 :] and name not in given[:k]]
    assert repeated(given) == expected
    if expected:
        with pytest.raises(InputError, match=f"y repeats '{expected[0]}'.*Every label needs a name of its own"):
            unique(iter(given), "y")
    else:
        assert unique(iter(given), "y") == tuple(given)


@given(names.map(dict.fromkeys).map(list), names.map(dict.fromkeys).map(list), st.booleans())
def test_match(wanted, found, ignore):
    missing, extra = beyond(wanted, found), beyond(found, wanted)
    assert (set(missing), set(extra)) == (set(wanted) - set(found), set(found) - set(wanted))
    options = {"between": ("s.csv", "l.csv"), "extra": "ignore" if ignore else "refuse"}
    if missing or (extra and not ignore):
        with pytest.raises(InputError) as caught:
            match(wanted, found, **options)
        assert ("only in s.csv" in str(caught.value)) == bool(missing)
        assert ("only in l.csv" in str(caught.value)) == bool(extra and not ignore)
    else:
        assert [found[k] for k in match(wanted, found, **options)] == wanted


def test_the_message():
    with pytest.raises(InputError) as caught:
        match("xy", "yz", between=("s.csv", "l.csv"))
    assert str(caught.value) == (
        "s.csv and l.csv name different labels: 'x' only in s.csv, 'z' only in l.csv. "
        "Columns are joined by name: rename them or drop what is not shared."
    )


@pytest.mark.parametrize("width", [5, 12, 16, 30])
@pytest.mark.parametrize(
    "names",
    [
        [f"Phylloscopus trochilus {k}" for k in range(12)],
        [f"{k} Phylloscopus trochilus acredula" for k in range(12)],
        [f"a long beginning, then {k:02}, and a long end of it" for k in range(12)],
        ["short", "also", ""],
        ["the same name that is long", "the same name that is long"],
        ["a name that is begun by another one", "a name that is begun by another one, and longer"],
    ],
)
def test_shortened_names_stay_apart(names, width):
    found = shortened(names, width)
    assert max(map(len, found)) <= width
    assert len(set(found)) == len(set(names))
    for name, short in zip(names, found, strict=True):
        assert short == name or (len(name) > width and all(part in name for part in short.split("…")))
