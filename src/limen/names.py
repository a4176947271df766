"""Names of labels and items: whether they repeat, and how two lists of them are matched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from limen.errors import InputError, examples

ADVICE = "Columns are joined by name: rename them or drop what is not shared."


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, in order of first occurrence."""
    names = tuple(names)
    if len(set(names)) == len(names):
        return []
    return [name for name, times in Counter(names).items() if times > 1]


def unique(names: Iterable[str], what: str, rule: str = "Every label needs a name of its own.") -> tuple[str, ...]:
    """Return the names as a tuple.

    Raises
    ------
    InputError
        If one occurs more than once; the message says of ``what``, and the ``rule``.
    """
    names = tuple(names)
    if twice := repeated(names):
        raise InputError(f"{what} repeats {examples(twice)}. {rule}")
    return names


def beyond(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the names that are not among the ``known`` ones, in order."""
    known = frozenset(known)
    return [name for name in names if name not in known]


def match(
    wanted: Sequence[str],
    found: Sequence[str],
    *,
    between: tuple[str, str],
    extra: Literal["refuse", "ignore"] = "refuse",
    advice: str = ADVICE,
) -> list[int]:
    """Return where each wanted name stands among those found.

    Parameters
    ----------
    wanted, found : sequence of str
        Names without repeats.
    between : (str, str)
        Who wants them and where they were looked for, for the message.
    extra : {"refuse", "ignore"}
        What becomes of names that are found and not wanted.
    advice : str
        The last sentence of the message.

    Raises
    ------
    InputError
        If a wanted name is missing, or one that is not wanted is refused.

    Examples
    --------
    >>> match(["dog", "cat"], ["cat", "wind", "dog"], between=("thresholds", "scores"), extra="ignore")
    [2, 0]
    """
    position = {name: k for k, name in enumerate(found)}
    sides = [beyond(wanted, position), beyond(found, wanted) if extra == "refuse" else []]
    if any(sides):
        only = ", ".join(
            f"{examples(names)} only in {side}" for names, side in zip(sides, between, strict=True) if names
        )
        raise InputError(f"{between[0]} and {between[1]} name different labels: {only}. {advice}")
    return [position[name] for name in wanted]
