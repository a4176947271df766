"""The default method: regularised cuts, averaged with the weights that cross-fitting gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.fold_counts import HALF
from limen.objectives import Objective
from limen.solvers.base import EVERYTHING, Problem
from limen.solvers.calibrated import Calibrated, Calibration
from limen.solvers.fine import FineCurves
from limen.solvers.item_ascent import Ascent
from limen.solvers.item_auto import cross_fits, held_out, kinds_of, trained_on_others, weights_of
from limen.solvers.log_odds import LogOddsSolver, blended
from limen.solvers.one_cut import averaged, one_cut, resampled_cuts
from limen.solvers.regularised import Bagged, Smoothed
from limen.solvers.solution import CrossCounts, CrossFit, Solution
from limen.solvers.spread import spread
from limen.sources.blocks import Source

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
OWN = ("bagged", "balanced", "calibrated")


class Kinds(NamedTuple):
    """What some of the data say, in log odds.

    Attributes
    ----------
    cuts : float64 (mixtures, n_labels)
        Of each own kind with each share of the shared cut.
    draws : float64 (samples, n_labels)
        Exact cuts of bootstrap samples.
    calibration : Calibration
    """

    cuts: NDArray[np.float64]
    draws: NDArray[np.float64]
    calibration: Calibration


class HeldOut(NamedTuple):
    """What each part says of the cuts tuned without it.

    Attributes
    ----------
    counts : list of float64 (2, mixtures, n_labels)
        Its tp and pp.
    totals : list of float64 (2, n_labels)
        Its positives and known items.
    positives : list of float
        Number of positives, of as many alike as would say as much.
    """

    counts: list[NDArray[np.float64]]
    totals: list[NDArray[np.float64]]
    positives: list[float]

    @classmethod
    def of(cls, parts: list[FineCurves], tuned: list[Kinds]) -> HeldOut:
        """Return the counts of parts at cuts tuned without them."""
        return cls(
            [part.counts(kind.cuts) for part, kind in zip(parts, tuned, strict=True)],
            [np.array([part.curves.n_positive, part.curves.n_known], np.float64) for part in parts],
            [float(part.positives.sum()) for part in parts],
        )

    def without(self, number: int) -> HeldOut:
        """Return what the other parts say."""
        others = [k for k in range(len(self.counts)) if k != number]
        return HeldOut(
            [self.counts[k] for k in others], [self.totals[k] for k in others], [self.positives[k] for k in others]
        )


@dataclass(frozen=True)
class Auto(LogOddsSolver):
    """An average, in log odds, of mixtures of per-label cuts and the shared cut.

    Parameters
    ----------
    folds : int
        For cross-fitting.
    samples : int
        Bootstrap samples of the bagged cuts; a third as many in each fold.
    strength : float
        A label with this many positives takes its "balanced" cut halfway between the bagged and the
        calibrated one.
    pull : float
        Averages over labels: every kind of cut of a label with this many positives is drawn halfway to the
        shared cut.
    temperature : float
        A mixture that is worse by this much, in standard errors of a proportion over all positives,
        weighs 1/e as much in a resample.
    resamples : int
        Resamples of the held-out counts that the weights are averaged over, at most.
    min_positive : float
        Labels with fewer positives lean on the pool alone: the calibrated and the shared cut.

    Notes
    -----
    Three kinds of per-label cut (bagged; calibrated across labels; balanced between the two by the number of
    positives) are each mixed with the best shared cut, which takes 0, 1/4, 1/2, 3/4 or all of the mixture. Each
    of the 15 mixtures is tuned on all folds but one and measured on that one. The held-out counts are resampled,
    by label and fold; in each resample the weights fall exponentially with the loss of the objective to the
    best, and their mean is taken: what may be luck is shared. The result is the mean of the mixed cuts of all
    data and of those of the folds. No per-label choice is made from a label's few positives, and a clear winner
    takes all.

    Where labels count alike, a label without tuning positives scores 0 whatever its cut, and so can't choose, but
    it counts on new data. There every kind is drawn to the shared cut, the more, the fewer positives.

    For averages over items the bagged cuts are local optima (`Ascent`) of a third as many bootstrap samples of
    items, the calibrated one is one cut for all labels, and folds are of whole items, which are resampled for the
    weights. A function of decisions gets the local optimum alone.

    Folds of items are dealt for each label by itself, by rank among its scores: nothing depends on the order of
    items or labels, and noise in the scores moves little. With groups, weights, or curves added from parts, and
    for what to expect on new data, folds are of whole items, dealt by a hash of their content (or of groups, or
    the parts). For what to expect, each fold is decided by the cuts tuned without it, mixed with weights in
    which its own result does not count.
    """

    name: ClassVar[str] = "auto"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING
    folds: int = 5
    samples: int = 30
    strength: float = 20.0
    pull: float = 0.5
    temperature: float = 0.1
    resamples: int = 200
    min_positive: float = 0.0

    def solve(self, problem: Problem) -> Solution:
        """Return the averaged cuts, the weights in ``details``, and cross-fitted cuts of each fold."""
        objective, names = problem.objective, problem.keys
        if objective.needs_items:
            return self._solve_items(problem)
        counted = problem.counted_alone
        folds = [] if counted is not None else problem.split(self.folds)
        whole, parts = self._counted(problem, [source for _, source in folds])
        grouped = problem.groups is not None or (counted is not None and _by_group(counted))
        plain = not grouped and len(problem.sources) < 2 and _all_alike(whole)
        number = min(self.folds, problem.n_items)
        dealt = whole.dealt(number, names) if plain and number > 1 and len(parts) != 1 else parts
        target = problem.target_prevalence
        whole, parts, dealt = whole.reweighted(target), _reweighted(parts, target), _reweighted(dealt, target)
        first = self._kinds(whole, objective, names, 0)
        if len(dealt) < 2:
            return self._found(problem, whole, first.cuts[0])
        tasks: list[Callable[[], Kinds]] = [
            partial(self._kinds_without, part, whole, objective, names, 1 + number, first.calibration)
            for number, part in enumerate(dealt if dealt is parts else [*dealt, *parts])
        ]
        kinds = self._done(tasks, whole, problem)
        tuned, by_item = kinds[: len(dealt)], kinds[len(kinds) - len(parts) :]
        weights, values = self._weights(HeldOut.of(dealt, tuned), objective, names)
        final = weights @ (first.cuts / 2 + np.mean([kind.cuts for kind in tuned], axis=0) / 2)
        own_kinds = first.cuts[[number * len(SHARES) for number in range(len(OWN))] + [len(SHARES) - 1]]
        # Calibrated cuts lie at one calibrated value, so what shared cuts vary by is common to all.
        common = float(resampled_cuts(whole, objective, names, 10).std()) if objective.pooled else 0.0
        of_folds = np.array([weights @ kind.cuts for kind in tuned])
        ends = spread(final, own_kinds, of_folds, first.draws, whole.positives, common)
        held_out, cross_fit = HeldOut.of(parts, by_item), []
        for number, (rows, source) in enumerate(folds):
            own, _ = self._weights(held_out.without(number), objective, names)
            cross_fit.append(CrossFit(rows, source, whole.back(own @ by_item[number].cuts)))
        cross_counts = None
        if counted is not None and len(parts) > 1:
            own_cuts = [
                self._weights(held_out.without(k), objective, names)[0] @ by_item[k].cuts
                for k in range(len(parts))
            ]
            cross_counts = self._cross_counts(problem, own_cuts)
        return self._found(
            problem,
            whole,
            final,
            cross_fit=tuple(cross_fit),
            cross_counts=cross_counts,
            ranges=np.array([whole.back(end) for end in ends]),
            details=self._explain(weights, values, len(dealt), whole),
        )

    def _counted(self, problem: Problem, folds: list[Source]) -> tuple[FineCurves, list[FineCurves]]:
        """Return the curves of all items and of each fold; none of folds where counts of these are not at hand."""
        counted = problem.counted_alone
        if counted is None:
            return FineCurves.of_folds(problem.sources, folds, problem.kind)
        if counted.folds is None:
            return FineCurves.of_curves(counted, problem.kind), []
        return FineCurves.of_counts(counted.folds.joined(self.folds), problem.kind)

    def _cross_counts(self, problem: Problem, cuts: list[NDArray[np.float64]]) -> CrossCounts:
        """Return the counts of each fold that was counted, at the cuts in log odds of the set that it is in."""
        counted = problem.counted_alone
        assert counted is not None
        assert counted.folds is not None
        sets = counted.folds.sets(self.folds)
        whole, parts = FineCurves.of_counts(counted.folds, problem.kind)
        half = whole.places.scale.forward(np.full(whole.n_labels, HALF), np.arange(whole.n_labels))
        own, at_half = [], []
        for own_cuts, members in zip(cuts, sets, strict=True):
            for k in members:
                if counted.folds.n_items[k]:
                    totals = np.array([parts[k].raw.n_positive, parts[k].raw.n_known], np.float64)
                    counts = parts[k].counts(np.array([own_cuts, half]))
                    own.append(np.concatenate([counts[:, 0], totals]))
                    at_half.append(np.concatenate([counts[:, 1], totals]))
        return CrossCounts(np.array(own), np.array(at_half))

    def tables(self, fine: FineCurves, at: NDArray[np.float64], keys: NDArray[np.uint64]) -> list[Curves]:
        """Return smoothed counts; of labels with fewer than ``min_positive`` those that calibration expects."""
        (smooth,) = Smoothed().tables(fine, at, keys)
        few = ~_own(fine.positives, self.min_positive)
        if not self.min_positive or not few.any():
            return [smooth]
        (pool,) = Calibrated().tables(fine, at, keys)
        return [blended(smooth, pool, np.where(few, 0.0, 1.0), 0.0)]

    def _solve_items(self, problem: Problem) -> Solution:
        """Return what `solve` does for an average over items, whose exact cuts are local optima."""
        if not problem.objective.additive:
            return Ascent().solve(problem)
        folds = problem.split(self.folds)
        whole, parts = FineCurves.of_folds(problem.sources, [source for _, source in folds], problem.kind)
        samples, steps = max(1, self.samples // 3), len(folds) + 1

        def step(number: int) -> None:
            if problem.progress is not None:
                problem.progress(number, steps, float("nan"))

        first, calibration = kinds_of(problem, whole, SHARES, samples=samples, strength=self.strength)
        step(1)
        if len(folds) == 1:
            return Solution(values=whole.back(first.cuts[0]), leans=True)
        tuned, measured = [], []
        for number, (training, part) in enumerate(zip(trained_on_others(problem, folds), parts, strict=True)):
            kinds, _ = kinds_of(
                training, whole.without(part), SHARES, samples=samples, strength=self.strength, start=calibration
            )
            tuned.append(kinds)
            measured.append(held_out(problem, folds[number][1], whole.places.scale, kinds.cuts))
            step(number + 2)
        positives = float(whole.positives.sum())
        resamples, temperature = self.resamples, self.temperature
        weights, values = weights_of(problem, measured, positives, resamples, temperature)
        own = [
            weights_of(problem, measured[:k] + measured[k + 1 :], positives, resamples, temperature)[0]
            for k in range(len(folds))
        ]
        final = weights @ (first.cuts / 2 + np.mean([kinds.cuts for kinds in tuned], axis=0) / 2)
        of_folds = np.array([weights @ kinds.cuts for kinds in tuned])
        shared = np.full((1, len(final)), first.shared)
        common = float(np.std([kinds.shared for kinds in tuned]))
        ends = spread(final, np.concatenate([first.own, shared]), of_folds, first.draws, whole.positives, common)
        return Solution(
            values=whole.back(final),
            cross_fit=cross_fits(folds, tuned, own, whole.places.scale),
            leans=True,
            ranges=np.array([whole.back(end) for end in ends]),
            details=self._explain(weights, values, len(folds), whole),
        )

    def _done(self, tasks: list[Callable[[], Kinds]], whole: FineCurves, problem: Problem) -> list[Kinds]:
        """Return the results of the tasks, and tell of progress."""
        from limen._kernels import sampling as kernels

        found = []
        for result in kernels.in_threads(len(whole.raw.tp) * self.samples, tasks):
            found.append(result)
            if problem.progress is not None:
                problem.progress(len(found), len(tasks) + 1, float("nan"))
        return found

    def _kinds_without(self, part: FineCurves, whole: FineCurves, *options: Any) -> Kinds:
        """Return the cuts of every mixture, tuned on all items but those of a part."""
        return self._kinds(whole.without(part), *options)

    def _kinds(
        self,
        fine: FineCurves,
        objective: Objective,
        names: NDArray[np.uint64],
        number: int,
        start: Calibration | None = None,
    ) -> Kinds:
        """Return the cuts of every mixture; ``number`` tells draws apart; ``start`` calibrates all data."""
        samples = self.samples if start is None else max(1, self.samples // 3)
        draws = Bagged(samples).draws(fine, objective, names, number << 20)
        calibration = Calibration.fit(fine) if start is None else Calibration.fit(fine, 2, start)
        calibrated = Calibrated.cuts_of(calibration, fine, objective)
        shared, positives = one_cut(fine, None, objective), fine.positives
        bagged = np.where(_own(positives, self.min_positive), draws.mean(axis=0), calibrated)
        share = positives / (positives + self.strength)
        kept = 1.0 if objective.pooled else positives / (positives + self.pull)
        kinds = (bagged, share * bagged + (1 - share) * calibrated, calibrated)
        drawn = [kept * kind + (1 - kept) * shared for kind in kinds]
        return Kinds(np.array([(1 - s) * kind + s * shared for kind in drawn for s in SHARES]), draws, calibration)

    def _weights(
        self, held_out: HeldOut, objective: Objective, names: NDArray[np.uint64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weight of each mixture by its held-out counts, and its cross-fitted objective."""
        from limen._kernels import sampling as kernels

        counts, totals, positives = held_out
        values = averaged(objective, *np.add.reduce(counts), *np.add.reduce(totals))
        n_parts, (_, n_mixtures, n_labels) = len(counts), counts[0].shape
        samples = int(np.clip((1 << 21) // (n_mixtures * n_labels), 8, self.resamples))
        weight = np.empty((n_parts, samples, n_labels))
        kernels.exponential_weights(names, weight)
        if objective.pooled:
            tp, pp = np.add.reduce([weight[k] @ counts[k].swapaxes(1, 2) for k in range(n_parts)])
            p, n = np.add.reduce([totals[k] @ weight[k].T for k in range(n_parts)])[:, :, np.newaxis]
            resampled = np.asarray(objective.metric(tp, pp, p, n, objective.zero_division))
        else:
            drawn = np.zeros((2, samples, n_mixtures, n_labels))
            for k in range(n_parts):
                drawn += weight[k][:, np.newaxis] * counts[k][:, np.newaxis]
            p, n = np.add.reduce([weight[k] * totals[k][:, np.newaxis] for k in range(n_parts)])
            tp, pp = drawn
            resampled = averaged(objective, tp, pp, p, n)
        scale = self.temperature / np.sqrt(max(sum(positives), 1.0))
        weights = np.exp((resampled - resampled.max(axis=1, keepdims=True)) / scale)
        return (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0), values

    def _explain(
        self, weights: NDArray[np.float64], values: NDArray[np.float64], folds: int, whole: FineCurves
    ) -> dict[str, object]:
        grid = weights.reshape(len(OWN), len(SHARES))
        shared = float(grid @ SHARES @ np.ones(len(OWN)))
        kinds = dict(zip(OWN, (grid @ (1 - np.array(SHARES))).tolist(), strict=True))
        positives = whole.positives
        share = positives / (positives + self.strength)
        from_own = (kinds["bagged"] + kinds["balanced"] * share) * _own(positives, self.min_positive)
        names = np.array(whole.curves.labels)
        return {
            "weights": {"shared": shared, **kinds},
            "cross_fitted": {
                kind: row.tolist() for kind, row in zip(OWN, values.reshape(grid.shape), strict=True)
            },
            "shares_of_shared": list(SHARES),
            "folds": folds,
            "leaning_on_pool": names[from_own < 0.5].tolist(),
        }


def _own(positives: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    """Return which labels have positives enough for a cut of their own; sums of weights are rounded."""
    return (positives > 0) & (positives >= least * (1 - 1e-9))


def _by_group(counted: Curves) -> bool:
    """Return whether folds that were counted keep groups whole."""
    return counted.folds is not None and counted.folds.grouped


def _all_alike(fine: FineCurves) -> bool:
    """Return whether every item weighs 1."""
    return bool(np.abs(fine.units - 1).max() < 1e-9)


def _reweighted(parts: list[FineCurves], target: NDArray[np.float64] | None) -> list[FineCurves]:
    return parts if target is None else [part.reweighted(target) for part in parts]
