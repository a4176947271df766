"""What thresholds themselves must keep: ranges, one threshold for several labels, tag trees."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from limen.errors import InputError, UnreadableError, count, examples
from limen.names import unique


@dataclass(frozen=True)
class ThresholdRange:
    """Thresholds from ``low`` to ``high``; "never" is +inf, so it is ruled out by any finite ``high``.

    Parameters
    ----------
    low, high : float
    labels : sequence of str, optional
        Which labels; all, if left out.
    """

    low: float = -math.inf
    high: float = math.inf
    labels: tuple[str, ...] | None = None

    name: ClassVar[str] = "ThresholdRange"

    def __post_init__(self) -> None:
        if not self.low <= self.high or self.low == math.inf or self.high == -math.inf:
            raise InputError(
                f"ThresholdRange goes from {self.low} to {self.high}. The lower end must come first, and leave a "
                "number."
            )
        if self.labels is not None:
            object.__setattr__(self, "labels", _names(self.labels, "ThresholdRange"))

    def __str__(self) -> str:
        low, high = (f"{side} {end:g}" for side, end in (("from", self.low), ("to", self.high)))
        ends = " ".join(end for end in (low, high) if "inf" not in end) or "anywhere"
        return f"thresholds {ends}" + ("" if self.labels is None else f" for {examples(self.labels, most=3)}")

    @property
    def spec(self) -> dict[str, Any]:
        """What it is, in plain numbers and text."""
        ends = {key: end for key, end in (("low", self.low), ("high", self.high)) if math.isfinite(end)}
        return {"name": self.name, **ends} | ({} if self.labels is None else {"labels": list(self.labels)})


@dataclass(frozen=True)
class SameThreshold:
    """One threshold for several labels.

    Parameters
    ----------
    labels : sequence of str, two or more
    """

    labels: tuple[str, ...]

    name: ClassVar[str] = "SameThreshold"

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", _names(self.labels, "SameThreshold"))
        if len(self.labels) < 2:
            raise InputError(f"SameThreshold names {count(len(self.labels), 'label')}. Name two or more.")

    def __str__(self) -> str:
        return f"one threshold for {examples(self.labels, most=3)}"

    @property
    def spec(self) -> dict[str, Any]:
        """What it is, in plain text."""
        return {"name": self.name, "labels": list(self.labels)}


@dataclass(frozen=True)
class AtMost:
    """The parent's threshold is no higher than the child's.

    Parameters
    ----------
    parent, child : str
    closed : bool
        Whether decisions keep it too, on any data: an item that gets the child gets the parent. Then a parent is
        decided by the highest of its own score and those of its descendants, here and wherever the thresholds
        are applied; scores of parent and child should be on one scale.
    """

    parent: str
    child: str
    closed: bool = False

    name: ClassVar[str] = "AtMost"

    def __post_init__(self) -> None:
        if self.parent == self.child:
            raise InputError(f"AtMost has {self.parent!r} as parent and as child. Name two labels.")

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """The pair of parent and child."""
        return ((self.parent, self.child),)

    def within(self, labels: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the pair; both must be labels of the data."""
        if unknown := [name for name in (self.parent, self.child) if name not in set(labels)]:
            raise InputError(f"{self} names {examples(unknown)}, and the data have no such label.")
        yield from self.edges

    def __str__(self) -> str:
        return f"the threshold of {self.parent!r} at most that of {self.child!r}" + ", closed" * self.closed

    @property
    def spec(self) -> dict[str, Any]:
        """What it is, in plain text."""
        return {"name": self.name, "parent": self.parent, "child": self.child, "closed": self.closed}


@dataclass(frozen=True)
class Hierarchy:
    """`AtMost` for each parent and child of a tag tree.

    Parameters
    ----------
    edges : sequence of (parent, child)
    closed : bool
        As for `AtMost`.

    Notes
    -----
    Tags of the tree that are no labels of the data are passed over: a label then hangs from its nearest ancestors
    that are labels.

    Examples
    --------
    >>> tree = Hierarchy.of_tree([
    ...     {"id": "/m/0jbk", "name": "Animal", "child_ids": ["/m/068hy"]},
    ...     {"id": "/m/068hy", "name": "Pets", "child_ids": ["/m/0bt9lr"]},
    ...     {"id": "/m/0bt9lr", "name": "Dog", "child_ids": []},
    ... ])
    >>> tree.edges, list(tree.within(["Dog", "Animal"]))
    ((('Animal', 'Pets'), ('Pets', 'Dog')), [('Animal', 'Dog')])
    """

    edges: tuple[tuple[str, str], ...]
    closed: bool = False
    source: str = field(default="", compare=False)

    name: ClassVar[str] = "Hierarchy"

    def __post_init__(self) -> None:
        pairs = [] if isinstance(self.edges, str | Mapping) else list(self.edges)
        if not pairs or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
            raise InputError(
                f"edges={str(self.edges)[:60]!r} are no pairs of a parent and its child. Give at least one, like "
                "(('Animal', 'Dog'),), or a tag tree to Hierarchy.of_tree."
            )
        edges = tuple(dict.fromkeys((str(parent), str(child)) for parent, child in pairs))
        object.__setattr__(self, "edges", edges)
        if circle := circle_of(edges):
            raise InputError(
                f"the hierarchy runs in a circle: {' > '.join(map(repr, circle))}. No label can be above itself."
            )

    @classmethod
    def of_tree(cls, tree: Any, *, closed: bool = False, source: str = "the tree") -> Hierarchy:
        """Return the hierarchy of a tag tree: a list of ``{"id", "name", "child_ids"}``, as AudioSet's ontology.

        Raises
        ------
        InputError
            If the tree has another shape, repeats an id, or runs in a circle.
        """
        if not isinstance(tree, list) or not all(isinstance(tag, Mapping) for tag in tree):
            raise InputError(f"{source} is no list of tags. Each must be an object with id, name and child_ids.")
        for number, tag in enumerate(tree):
            missing = [key for key in ("id", "name", "child_ids") if key not in tag]
            if missing or not isinstance(tag["child_ids"], list):
                lacks = examples(missing) if missing else "a list of child_ids"
                raise InputError(f"tag {number} of {source} lacks {lacks}. Each needs id, name and child_ids.")
        unique((str(tag["id"]) for tag in tree), source, "Every tag needs an id of its own.")
        named = {str(tag["id"]): str(tag["name"]) for tag in tree}
        unknown = [child for tag in tree for child in tag["child_ids"] if str(child) not in named]
        if unknown:
            raise InputError(f"{source} has child_ids that are no tags of it: {examples(unknown)}.")
        return cls(
            tuple((str(tag["name"]), named[str(child)]) for tag in tree for child in tag["child_ids"]),
            closed=closed,
            source=source,
        )

    @classmethod
    def from_json(cls, path: str | Path, *, closed: bool = False) -> Hierarchy:
        """Return the hierarchy of a JSON file; see `of_tree`.

        Raises
        ------
        UnreadableError
            If the file cannot be read.
        InputError
            If it is no tag tree.
        """
        try:
            tree = json.loads(Path(path).read_bytes())
        except OSError as error:
            raise UnreadableError(f"cannot read {path}: {error.strerror}. Check the path.") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} is not JSON: {error}.") from error
        return cls.of_tree(tree, closed=closed, source=str(path))

    def within(self, labels: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the pairs of labels of the data, parent and child, tags that are none passed over.

        Raises
        ------
        InputError
            If there is no pair.
        """
        known = set(labels)
        below: dict[str, list[str]] = {}
        for parent, child in self.edges:
            below.setdefault(parent, []).append(child)
        found = []
        for label in labels:
            seen: set[str] = set()
            open_ = list(below.get(label, ()))
            while open_:
                tag = open_.pop(0)
                if tag in known:
                    found.append((label, tag))
                elif tag not in seen:
                    seen.add(tag)
                    open_ += below.get(tag, ())
        if not found:
            raise InputError(
                f"no two labels of the data are above each other in {self.source or 'the hierarchy'}. It has "
                f"{examples(dict.fromkeys(name for edge in self.edges for name in edge), most=3)}."
            )
        yield from dict.fromkeys(found)

    def __str__(self) -> str:
        return f"a hierarchy of {count(len(self.edges), 'pair')}" + ", closed" * self.closed

    @property
    def spec(self) -> dict[str, Any]:
        """What it is, in plain text."""
        return {"name": self.name, "edges": [list(edge) for edge in self.edges], "closed": self.closed}


def circle_of(edges: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return the members of a circle, the first again at the end; empty if there is none.

    Examples
    --------
    >>> circle_of([("a", "b"), ("b", "c"), ("c", "b")]), circle_of([("a", "b")])
    (['b', 'c', 'b'], [])
    """
    below: dict[Any, list[Any]] = {}
    for parent, child in edges:
        below.setdefault(parent, []).append(child)
    done: set[Any] = set()
    for start in list(below):
        path: list[Any] = []
        stack = [iter((start,))]
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
                if path:
                    done.add(path.pop())
            elif node in path:
                return [*path[path.index(node) :], node]
            elif node not in done:
                path.append(node)
                stack.append(iter(below.get(node, ())))
    return []


def _names(labels: Any, what: str) -> tuple[str, ...]:
    if isinstance(labels, str):
        raise InputError(f"{what} has the labels {labels!r}. Give a sequence of names.")
    return unique(map(str, labels), what, "Name each label once.")
