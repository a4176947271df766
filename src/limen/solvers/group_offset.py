"""One offset for each group of labels, such as seen and unseen ones, that serves the groups alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.curves import halfway
from limen.decisions import BY_ARGMAX, THRESHOLD_RULE, count_decisions, in_dtype
from limen.errors import InputError, UnsupportedError, count, examples
from limen.solvers.along import Changes, near_best, values_along
from limen.solvers.argmax_offset import best_offset
from limen.solvers.base import OF_COUNTS, Problem
from limen.solvers.label_groups import Group, groups_of, harmonic_mean
from limen.solvers.solution import Solution
from limen.sources.arrays import UNKNOWN
from limen.sources.blocks import Rows, flatten


@dataclass(frozen=True)
class GroupOffset:
    """One offset for each group of labels: the largest harmonic mean of the groups' values.

    The value of a group is the objective over its labels that have a positive item, so that a small group counts
    as much as a large one, and none can be given up.

    Parameters
    ----------
    groups : mapping from name of a group to names of its labels
        Labels that none names are the group "others".
    decide : {"thresholds", "argmax"}
        "thresholds": all thresholds of a group move together, and each item gets any number of labels. "argmax":
        each item gets the one label whose score is farthest above its threshold, which is the offset of the
        first group, and 0 in the second; for generalized zero-shot learning with ``metric="recall"`` and
        ``average="macro"``, where the offset of the seen classes is known as calibrated stacking.
    base : float array-like (n_labels,), optional
        With "thresholds": what the offsets are added to, such as the ``values`` of other thresholds. If left out,
        the cut that serves all labels best if they share it: each group then has one cut.
    unlabelled : float, optional
        Offset of the groups of which no label has a positive item. If left out, they are refused.

    Raises
    ------
    InputError
        If a label is in two groups, unknown, or a group has none; if no label of a group has a positive item
        and ``unlabelled`` is not given; if there are not two groups for "argmax".
    UnsupportedError
        With sparse scores and "argmax", which looks at all scores of an item; with ``target_prevalence``.

    Notes
    -----
    A label without a positive item gets, by rule, the offset of its group: with "thresholds" added to the cut that
    the labels with positives share best. A warning, the summary and ``details["by_rule"]`` name these labels.

    Decisions change only where the offset passes a score less its base, or the gap between an item's best scores
    in both groups. All of these are sorted and tried, O(n log n): no offset is better, and of equally good ones
    the highest is taken, midway between two change points. Where "argmax" reaches no harmonic mean above 0, it is
    0. Thresholds have the dtype of the scores, and there "argmax" is exact too; sums with a ``base`` are rounded
    to it, and changes nearer than it resolves may not come apart. Values in ``details`` are counted from the
    decisions. The status is "local": thresholds of single labels may do better for the objective.

    A harmonic mean in which a value is 0 or less is 0.

    Examples
    --------
    >>> import limen
    >>> y_true = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    >>> y_score = [[0.9, 0.2, 0.3], [0.1, 0.9, 0.2], [0.7, 0.1, 0.5], [0.1, 0.6, 0.5]]
    >>> by = GroupOffset({"seen": ["a", "b"], "unseen": ["c"]}, decide="argmax")
    >>> t = limen.tune(y_true, y_score, labels=["a", "b", "c"], method=by, metric="recall", average="macro")
    >>> t.values.round(3), t.details["harmonic_mean"]
    (array([0.4, 0.4, 0. ]), 1.0)
    >>> t.decide(y_score).astype(int)
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 0, 1],
           [0, 0, 1]])
    """

    name: ClassVar[str] = "group-offset"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = OF_COUNTS
    groups: Mapping[str, Sequence[str]]
    decide: Literal["thresholds", "argmax"] = "thresholds"
    base: ArrayLike | None = None
    unlabelled: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.groups, Mapping) or not self.groups:
            raise InputError('groups must map names to labels, such as {"unseen": ["fox", "owl"]}.')
        for name, labels in self.groups.items():
            if isinstance(labels, str) or not len(labels):
                raise InputError(f"the group {name!r} is {labels!r}. Give a list of at least one label.")
        if self.decide not in ("thresholds", "argmax"):
            raise InputError(f"decide={self.decide!r} is unknown. Use 'thresholds' or 'argmax'.")
        if self.decide == "argmax" and self.base is not None:
            raise InputError("base goes with decide='thresholds'. Leave it out, or subtract it from the scores.")
        if self.unlabelled is not None and not math.isfinite(self.unlabelled):
            raise InputError(f"unlabelled={self.unlabelled} is no offset. Give a finite number.")

    def __str__(self) -> str:
        said = ", ".join(f"{name}: {len(labels)}" for name, labels in self.groups.items())
        return f"{self.name}({self.decide}; {said})"

    def solve(self, problem: Problem) -> Solution:
        """Return the thresholds, one offset a group."""
        if problem.target_prevalence is not None:
            raise UnsupportedError("group-offset weighs no labels anew. Leave target_prevalence out.")
        groups = groups_of(problem, self.groups)
        self._check(groups)
        if self.decide == "argmax":
            values, offsets = self._by_argmax(problem, groups)
        else:
            values, offsets = self._by_thresholds(problem, groups)
        rule = BY_ARGMAX if self.decide == "argmax" else THRESHOLD_RULE
        counts = count_decisions(problem.sources, in_dtype(values, problem.dtype), rule, check=False)
        found = {
            group.name: group.of(problem.objective)(*(part[group.labelled] for part in counts))
            for group in groups
            if len(group.labelled)
        }
        mean = float(harmonic_mean(np.array(list(found.values()))))
        told = ", ".join(f"{name} {problem.objective.metric.said(value)}" for name, value in found.items())
        details: dict[str, Any] = {
            "offsets": {name: _plain(offset) for name, offset in offsets.items()},
            "group_values": found,
            "harmonic_mean": mean,
        }
        silent = np.concatenate([np.setdiff1d(group.columns, group.labelled) for group in groups])
        if len(silent):
            shared = "the cut that the labels with positives share, plus the offset of their group"
            how = "the offset of their group" if self.decide == "argmax" else shared
            given = [group.name for group in groups if not len(group.labelled)]
            if given:
                how += f" (given for {examples(given)}: {self.unlabelled:g})"
            details["by_rule"] = {"labels": [problem.labels[k] for k in sorted(silent)], "rule": how}
        said = problem.objective.metric.said(mean)
        reason = f"one offset a group, for the harmonic mean of {told}: {said}; single thresholds may do better"
        return Solution(values=values, rule=rule, reason=reason, leans=len(silent) > 0, details=details)

    def _check(self, groups: list[Group]) -> None:
        """Refuse groups without a positive item whose offset is not given, and more than two for "argmax"."""
        empty = [group.name for group in groups if not len(group.labelled)]
        if empty and self.unlabelled is None:
            raise InputError(
                f"no label of {count(len(empty), 'group')} has a positive item: {examples(empty)}. Nothing can be "
                "learned about their offset: add annotated items of some of their labels, or give the offset "
                "that you want (unlabelled=0.0: the cut of the others as it is)."
            )
        if self.decide == "argmax" and len(groups) != 2:
            raise InputError(
                f"decide='argmax' balances two groups; these labels make {len(groups)} "
                f"({examples(group.name for group in groups)}). Name one or two."
            )

    def _by_thresholds(
        self, problem: Problem, groups: list[Group]
    ) -> tuple[NDArray[np.float64], dict[str, float]]:
        """Return the thresholds (n_labels,), and the offset of each group."""
        n_labels, dtype = len(problem.labels), np.dtype(np.float64)
        every = np.sort(np.concatenate([group.labelled for group in groups]))
        ranked = Ranked.of(problem, every)
        shared = ranked.best_cut(problem, Group("all", every, every), problem.dtype)
        if self.base is None:
            base, dtype = np.zeros(n_labels), problem.dtype
        else:
            base = np.asarray(self.base, np.float64)
            if base.shape != (n_labels,) or not np.isfinite(base).all():
                raise InputError(
                    f"base has shape {base.shape} for {count(n_labels, 'label')}. Give one finite number for each."
                )
            ranked = Ranked.of(problem, every, base)
        values, offsets = np.empty(n_labels), {}
        for group in groups:
            silent = np.setdiff1d(group.columns, group.labelled)
            if not len(group.labelled):
                assert self.unlabelled is not None
                offsets[group.name], values[silent] = self.unlabelled, shared + self.unlabelled
                continue
            moved = ranked.best_cut(problem, group, dtype)
            values[group.labelled] = base[group.labelled] + moved
            if self.base is None:  # the cut of the group is the shared one plus its offset, unrounded
                offsets[group.name], values[silent] = 0.0 if moved == shared else moved - shared, moved
            else:
                offsets[group.name], values[silent] = moved, shared + moved
        return values, offsets

    def _by_argmax(self, problem: Problem, groups: list[Group]) -> tuple[NDArray[np.float64], dict[str, float]]:
        """Return the thresholds (n_labels,): the offset in the first group, 0 in the second; and the offsets."""
        first, second = groups
        values = np.zeros(len(problem.labels))
        for group in groups:
            if not len(group.labelled):
                assert self.unlabelled is not None
                values[group.columns] = self.unlabelled
                return values, {each.name: float(values[each.columns[0]]) for each in groups}
        values[first.columns] = best_offset(problem, first, second)
        return values, {first.name: float(values[first.columns[0]]), second.name: 0.0}


class Ranked(NamedTuple):
    """The known pairs of item and label, by falling score: score, column, weight, and whether it is a positive."""

    score: NDArray[Any]
    column: NDArray[np.int32]
    weight: NDArray[Any]
    positive: NDArray[np.bool_]

    @classmethod
    def of(cls, problem: Problem, columns: NDArray[np.int64], base: NDArray[np.float64] | None = None) -> Ranked:
        """Return the pairs of these columns; of a ``base`` (n_labels,), scores are what they are above it."""
        place = np.full(len(problem.labels), -1)
        place[columns] = np.arange(len(columns))
        parts = []
        for block in problem.blocks():
            if isinstance(block, Rows):
                pairs = flatten(Rows(block.scores[:, columns], block.truth[:, columns], block.weight))
            else:
                label = place[block.label]
                truth = np.where(label < 0, np.int8(UNKNOWN), block.truth)
                pairs = flatten(block._replace(label=label, truth=truth))
            column = columns[pairs.label].astype(np.int32)
            score = pairs.scores if base is None else pairs.scores - base[column]
            parts.append((score, column, pairs.weight, pairs.truth == 1))
        score, column, weight, positive = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(-score, kind="stable")
        return cls(score[order], column[order], weight[order], positive[order])

    def best_cut(self, problem: Problem, group: Group, dtype: np.dtype[Any]) -> float:
        """Return the cut that is best for a group by itself, in ``dtype``; +inf to give none of its labels.

        The harmonic mean rises with the value of each group, and groups do not compete: it is best for that too.
        """
        place = np.full(len(problem.labels), -1, np.int32)
        place[group.labelled] = np.arange(len(group.labelled))
        label = place[self.column]
        some = label >= 0
        score, label, weight = self.score[some], label[some], self.weight[some]
        own, (p, n) = group.of(problem.objective), group.totals(problem)
        nothing = np.zeros(len(p), weight.dtype)
        changes = Changes(label, weight * self.positive[some], weight)
        ends = np.append(0, np.flatnonzero(np.append(score[1:] != score[:-1], True)) + 1)
        values = values_along(own, (nothing, nothing, p, n), changes)[ends]
        best = near_best(values, lambda k: own(*changes.counts((nothing, nothing), ends[k]), p, n))
        if best == 0:
            return math.inf
        below = score[ends[best]] if best + 1 < len(ends) else -np.inf
        return float(halfway(score[ends[best] - 1], below, dtype))


def _plain(offset: float) -> float | None:
    """Return an offset as files have it: never is null."""
    return None if math.isinf(offset) else float(offset)
