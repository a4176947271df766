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


def shortened(names: Sequence[str], width: int) -> list[str]:
    """Return names of at most ``width`` characters: long ones lose their middle, or what keeps them apart least.

    Examples
    --------
    >>> shortened(["Phylloscopus trochilus", "Phylloscopus collybita", "wind"], 17)
    ['Phyllosc…rochilus', 'Phyllosc…ollybita', 'wind']
    >>> shortened(["site 4, clip 0001, left channel", "site 4, clip 0002, left channel"], 15)
    ['…lip 0001, lef…', '…lip 0002, lef…']
    """
    half = width // 2
    found = [_cut(name, half, width) for name in names]
    alike: dict[str, list[int]] = {}
    for k, name in enumerate(found):
        alike.setdefault(name, []).append(k)
    for members in alike.values():
        whole = [names[k] for k in members]
        if len(set(whole)) > 1:
            start = next(k for k, (a, b) in enumerate(zip(min(whole), max(whole) + "\0", strict=False)) if a != b)
            heads = sorted(range(width), key=lambda head: abs(head - half))
            ways = [[_cut(name, head, width) for name in whole] for head in heads]
            ways += [
                [_window(name, start - before, width) for name in whole] for before in heads if before <= start
            ]
            for k, name in zip(members, max(ways, key=lambda way: len(set(way))), strict=True):
                found[k] = name
    return found


def _cut(name: str, head: int, width: int) -> str:
    """Return a name without its middle, if it is too long; ``head`` characters come before the gap."""
    return name if len(name) <= width else f"{name[:head]}…{name[len(name) - (width - 1 - head) :]}"


def _window(name: str, start: int, width: int) -> str:
    """Return what a name has from ``start`` on, with gaps where it goes on before and after."""
    if start < 2 or len(name) <= width:
        return _cut(name, width - 1, width)
    if len(name) - start < width:
        return _cut(name, 0, width)
    return f"…{name[start : start + width - 2]}…"
