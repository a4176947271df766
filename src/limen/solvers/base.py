"""What every solver takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NoReturn, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound, bind
from limen.curves import Curves
from limen.data import Data
from limen.draws import name_keys
from limen.errors import InputError, UnsupportedError
from limen.folds import content_keys, keyed_folds, name_hashes, unit_count
from limen.objectives import Objective
from limen.scales import Kind, kind_in, kind_of
from limen.solvers.solution import Solution
from limen.sources.blocks import Entries, Rows, Source
from limen.sources.raised import Raised

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Problem:
    """Data and objective.

    Attributes
    ----------
    objective : Objective
    sources : tuple of Source
        The scores and labels; empty when only the counts are left.
    counted : Curves, optional
        The curves, if they exist already.
    random_state : int
        Seed of whatever a solver draws.
    groups : int64 (n_items,), optional
        Group of each item; folds do not divide groups.
    group_names : tuple of str
        The name of each group, by whose hash it is dealt; its number, if there are none.
    target_prevalence : float64 (n_labels,), optional
        Share of positives to tune for, where it is not that of the data.
    progress : callable ``(step, steps, value)``, optional
        Called by iterative solvers after each step.
    known_kind : {"probability", "logit", "real"}, optional
        What the scores are, where these data are a part of others.
    bound : Bound, optional
        Constraints, put to these labels; see `constrained`.
    """

    objective: Objective
    sources: tuple[Source, ...] = ()
    counted: Curves | None = None
    random_state: int = 0
    groups: NDArray[np.int64] | None = None
    target_prevalence: NDArray[np.float64] | None = None
    progress: Progress | None = field(default=None, repr=False)
    known_kind: Kind | None = None
    bound: Bound | None = None
    group_names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, objective: Objective, data: Data, random_state: int = 0, progress: Progress | None = None
    ) -> Problem:
        """Return the problem of tuning for an objective on data."""
        return cls(
            objective,
            (data.source,),
            random_state=random_state,
            groups=data.groups,
            group_names=data.group_names,
            progress=progress,
            known_kind=data.known_kind,
        )

    @classmethod
    def of_curves(
        cls,
        objective: Objective,
        curves: Curves,
        groups: NDArray[np.int64] | None = None,
        random_state: int = 0,
        progress: Progress | None = None,
    ) -> Problem:
        """Return the problem of tuning on curves, with the data that they still have."""
        sources = tuple(source for source in curves.sources if isinstance(source, Source))
        return cls(objective, sources, curves, random_state, groups, progress=progress)

    def constrained(self, bound: Bound) -> Problem:
        """Return the problem under constraints; under a closed hierarchy scores of parents are raised."""
        if self.objective.needs_items:
            raise UnsupportedError(
                f"constraints limit the counts of labels, and {self.objective.noun} is no function of them. Use "
                'the average "micro", "macro" or "weighted", or leave the constraints out.'
            )
        if not bound.closed:
            return replace(self, bound=bound)
        if not self.sources:
            raise UnsupportedError(
                "a closed hierarchy needs the scores; these curves hold only counts at the positive items. Give "
                "the scores and labels."
            )
        sources = tuple(Raised(source, bound.closed) for source in self.sources)
        return replace(self, bound=bound, sources=sources, counted=None)

    @property
    def given(self) -> tuple[Source, ...]:
        """The sources with the scores as they were given; `sources` may have raised ones."""
        return tuple(source.base if isinstance(source, Raised) else source for source in self.sources)

    @cached_property
    def kind(self) -> Kind:
        """What the scores are: that of the data set these data are a part of, or else by their own range."""
        if self.known_kind is None and self.counted is not None and not self.sources:
            return kind_in(
                self.curves.scores_seen if self.counted.folds is None else self.counted.folds.extent.ends
            )
        return self.known_kind or kind_of(self.sources)

    @cached_property
    def curves(self) -> Curves:
        """The exact curves, counted on first use."""
        curves = self.counted
        if self.bound is not None or self._every.any():
            from limen.solvers.constrained import extended

            bound = bind((), self.labels) if self.bound is None else self.bound
            curves = extended(curves, self.sources, bound, self._every)
        elif curves is None:
            curves = Curves.from_source(self.sources[0])
        return curves if self.target_prevalence is None else curves.reweighted(self.target_prevalence)

    @cached_property
    def _every(self) -> NDArray[np.bool_]:
        """Labels of which giving every item may be best, (n_labels,)."""
        if not self.objective.zero_division:
            return np.zeros(len(self.labels), bool)
        if self.counted is not None:
            p, n = self.counted.n_positive, self.counted.n_known
        else:
            totals = [source.totals() for source in self.sources]
            p, n = np.add.reduce([t.positive for t in totals]), np.add.reduce([t.known for t in totals])
        return self.objective.most_at_all(p, n, or_none=self.bound is None)

    @property
    def digest(self) -> str:
        """What tells the data tuned on: the digest of their curves, without cuts that constraints need besides."""
        from limen.solvers.constrained import needs_more

        if not ((self.bound is not None and needs_more(self.bound)) or self._every.any()):
            return self.curves.digest()
        curves = self.counted
        if curves is None:
            parts = [Curves.from_source(source) for source in self.given]
            curves = sum(parts[1:], start=parts[0])
        return (curves if self.target_prevalence is None else curves.reweighted(self.target_prevalence)).digest()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.counted.labels if self.counted is not None else self.sources[0].labels

    @cached_property
    def keys(self) -> NDArray[np.uint64]:
        """A number for each label, from which what it draws follows: by its name and the seed."""
        return name_keys(self.labels, self.random_state)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the scores."""
        return self.counted.dtype if self.counted is not None else self.sources[0].dtype

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.counted.n_items if self.counted is not None else sum(s.n_items for s in self.sources)

    @property
    def weighted(self) -> bool:
        """Whether counts are sums of weights."""
        return self.sources[0].weighted

    def split(self, number: int) -> list[tuple[NDArray[np.int64], Source]]:
        """Return the row numbers and the data of each of ``number`` random folds, or fewer, that divide no group.

        Items are dealt by their content, groups by their name, so that the order of items and labels does not
        matter. Curves that were added keep their parts as folds, unless groups say otherwise.
        """
        rows = self.fold_rows(number)
        if len(self.sources) > 1:
            return list(zip(rows, self.sources, strict=True))
        return [(own, self.sources[0].take(own)) for own in rows]

    def fold_rows(self, number: int) -> list[NDArray[np.int64]]:
        """Return the row numbers of each fold of `split`."""
        if len(self.sources) > 1:
            if self.groups is not None:
                raise InputError(
                    "groups need the data in one piece; these curves were added from parts, which are the folds. "
                    "Leave groups out, or give scores and labels."
                )
            ends = np.cumsum([source.n_items for source in self.sources])
            return [np.arange(e - s.n_items, e) for e, s in zip(ends, self.sources, strict=True)]
        source = self.sources[0]
        if self.groups is None:
            return keyed_folds(content_keys(source, self.keys), number)
        names = self.group_names or tuple(map(str, range(unit_count(self.n_items, self.groups))))
        dealt = keyed_folds(name_hashes(names, self.random_state), number)
        return [np.flatnonzero(np.isin(self.groups, members)) for members in dealt]

    @property
    def counted_alone(self) -> Curves | None:
        """The curves as they were counted, if their data are gone."""
        return None if self.sources else self.counted

    def blocks(self, *, check: bool = True) -> Iterator[Rows | Entries]:
        """Return the blocks of all sources."""
        for source in self.sources:
            yield from source.blocks(check=check)


@runtime_checkable
class Solver(Protocol):
    """A way to choose thresholds.

    ``needs`` is ``"curves"`` if the counts at the candidates suffice, ``"scores"`` if the data
    must be at hand; ``serves`` names the structures of objective it can work on.
    """

    @property
    def name(self) -> str:
        """Short name, for messages."""
        ...

    @property
    def needs(self) -> Literal["curves", "scores"]:
        """What must be at hand."""
        ...

    @property
    def serves(self) -> tuple[str, ...]:
        """Structures of objective it can work on."""
        ...

    def solve(self, problem: Problem) -> Solution:
        """Return the solution; the problem has what `needs` and `serves` promise."""
        ...


OF_COUNTS = ("separable", "linear-ratio", "quasi-convex", "counts")
"""Structures of the objectives that counts by label decide."""
EVERYTHING = (*OF_COUNTS, "items")


def check_fit(solver: Solver, problem: Problem) -> None:
    """Raise `UnsupportedError` if the solver cannot work on the problem; the message names both sides."""
    structure = problem.objective.structure
    if structure == "items" and structure not in solver.serves:
        refuse_items(solver.name, problem.objective)
    if structure not in solver.serves:
        raise UnsupportedError(
            f"{solver.name} needs an objective that is {' or '.join(solver.serves)}; {problem.objective} is "
            f"{structure}. Use method='exact', which chooses the solver by the objective."
        )
    if (solver.needs == "scores" or structure == "items") and not problem.sources:
        raise UnsupportedError(
            f"{solver.name} needs the scores; these curves hold only counts at the positive items. "
            + ("Give" if structure == "items" else "Use method='exact', or give")
            + " the scores and labels."
        )
    if structure == "items" and problem.target_prevalence is not None:
        raise UnsupportedError(
            f"{problem.objective} cannot be tuned for other shares of positives: those are of labels, and it "
            "needs whole items. Leave target_prevalence out, or use an average over labels."
        )


def refuse_items(method: str, objective: Objective) -> NoReturn:
    """Raise `UnsupportedError`: the method works on counts by label, and the objective needs items."""
    raise UnsupportedError(
        f"method={method!r} needs a metric of per-label counts; got {objective.noun}. Use method='auto', or "
        "'ascent' (coordinate ascent, a local optimum)."
    )
