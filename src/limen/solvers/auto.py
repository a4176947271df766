"""The default method: regularised cuts, averaged with the weights that cross-fitting gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.objectives import Objective
from limen.solvers.base import EVERYTHING, Problem
from limen.solvers.calibrated import Calibrated, Calibration
from limen.solvers.fine import FineCurves
from limen.solvers.item_ascent import Ascent
from limen.solvers.item_auto import cross_fits, held_out, kinds_of, trained_on_others, weights_of
from limen.solvers.log_odds import LogOddsSolver, blended
from limen.solvers.mixtures import HeldOut, Kinds, Pool, Shared, Tuned, cross_counts
from limen.solvers.one_cut import averaged, one_cut, resampled_cuts
from limen.solvers.panels import of_panel, panels_of
from limen.solvers.regularised import Smoothed
from limen.solvers.resampled import exact_cuts_of
from limen.solvers.solution import CrossFit, Solution
from limen.solvers.spread import spread
from limen.sources.blocks import Source

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
OWN = ("bagged", "balanced", "calibrated")


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
        if problem.objective.needs_items:
            return self._solve_items(problem)
        panels = panels_of(problem)
        if len(panels) > 1:
            return self._solve_panels(problem, panels)
        folds = [] if problem.counted_alone is not None else problem.split(self.folds)
        tuned = self._tuned(problem, [source for _, source in folds])
        whole, pairs, counted = tuned.whole, zip(folds, tuned.of_folds, strict=False), problem.counted_alone
        by_fold = counted is not None and len(tuned.of_folds) > 1
        return self._found(
            problem,
            whole,
            tuned.final,
            cross_counts=cross_counts(problem, tuned.of_folds, self.folds) if by_fold else None,
            cross_fit=tuple(CrossFit(rows, source, whole.back(cuts)) for (rows, source), cuts in pairs),
            ranges=None if tuned.ends is None else np.array([whole.back(end) for end in tuned.ends]),
            details=self._explain(tuned.pool, whole) if tuned.pool.parts else {},
        )

    def _solve_panels(self, problem: Problem, panels: list[NDArray[np.int64]]) -> Solution:
        """Return what `solve` does for very many labels: panel by panel, with what labels share from the first."""
        n_labels, details = len(problem.labels), dict[str, Any]()
        pool: Pool | None = None
        for _ in problem.blocks(check=True):
            pass  # says which score is not finite
        rows = problem.fold_rows(self.folds)
        turned = tuple(source.by_label() for source in problem.sources)
        values, ranges, of_folds = np.empty(n_labels), np.empty((2, n_labels)), np.empty((len(rows), n_labels))
        for number, labels in enumerate(panels):
            own = of_panel(problem, turned, labels)
            folds = own.sources if len(own.sources) > 1 else [own.sources[0].take(fold) for fold in rows]
            tuned = self._tuned(own, list(folds), pool)
            if pool is None:
                pool = tuned.pool
                details = {**self._explain(pool, tuned.whole), "panels": len(panels)} if pool.parts else {}
                details.pop("leaning_on_pool", None)
            values[labels] = tuned.whole.back(tuned.final)
            if tuned.ends is not None:
                ranges[:, labels] = [tuned.whole.back(end) for end in tuned.ends]
                of_folds[:, labels] = [tuned.whole.back(cuts) for cuts in tuned.of_folds]
            if problem.progress is not None:
                problem.progress(number + 1, len(panels) + 1, float("nan"))
        if pool is None or not pool.parts:
            return Solution(values=values, leans=True)
        sources = problem.sources if len(turned) > 1 else [problem.sources[0].take(fold) for fold in rows]
        cross_fit = tuple(map(CrossFit, rows, sources, of_folds))
        return Solution(values=values, leans=True, cross_fit=cross_fit, ranges=ranges, details=details)

    def _tuned(self, problem: Problem, folds: list[Source], pool: Pool | None = None) -> Tuned:
        """Return the cuts, in log odds; what labels share is that of the ``pool``, if it was found before."""
        objective, names, counted = problem.objective, problem.keys, problem.counted_alone
        whole, parts = _counted(problem, folds, self.folds)
        grouped = problem.groups is not None or (counted is not None and _by_group(counted))
        plain = not grouped and len(problem.sources) < 2 and _all_alike(whole)
        number = min(self.folds, problem.n_items)
        dealt = whole.dealt(number, names) if plain and number > 1 and len(parts) != 1 else parts
        target = problem.target_prevalence
        whole, parts, dealt = whole.reweighted(target), _reweighted(parts, target), _reweighted(dealt, target)
        shared = [None] * (1 + len(dealt) + len(parts)) if pool is None else pool.shared
        first = self._kinds(whole, objective, names, 0, shared[0])
        if len(dealt) < 2:
            return Tuned(
                whole, first.cuts[0], None, [], Pool([first.shared], np.empty(0), np.empty(0), [], 0.0, 0)
            )
        tasks: list[Callable[[], Kinds]] = [
            partial(self._kinds_without, whole, part, objective, names, 1 + number, shared[1 + number], first)
            for number, part in enumerate(dealt if dealt is parts else [*dealt, *parts])
        ]
        kinds = self._done(tasks, whole, problem)
        tuned, by_item = kinds[: len(dealt)], kinds[len(kinds) - len(parts) :]
        if pool is None:
            pool = self._pool(problem, whole, (dealt, parts), (first, kinds))
        weights = pool.weights
        final = weights @ (first.cuts / 2 + np.mean([kind.cuts for kind in tuned], axis=0) / 2)
        own_kinds = first.cuts[[number * len(SHARES) for number in range(len(OWN))] + [len(SHARES) - 1]]
        of_folds = np.array([weights @ kind.cuts for kind in tuned])
        ends = spread(final, own_kinds, of_folds, first.draws, whole.positives, pool.common)
        of_items = [own @ kind.cuts for own, kind in zip(pool.of_folds, by_item, strict=True)]
        return Tuned(whole, final, ends, of_items, pool)

    def _pool(
        self,
        problem: Problem,
        whole: FineCurves,
        parts: tuple[list[FineCurves], list[FineCurves]],
        found: tuple[Kinds, list[Kinds]],
    ) -> Pool:
        """Return what labels share: the weights of the mixtures by held-out counts, among others.

        ``parts`` are dealt by label and by item; ``found`` are the kinds of all data, and without each part.
        """
        objective, names, (dealt, by_item), (first, kinds) = problem.objective, problem.keys, parts, found
        weights, values = self._weights(HeldOut.of(dealt, kinds[: len(dealt)]), objective, names)
        # Calibrated cuts lie at one calibrated value, so what shared cuts vary by is common to all.
        common = float(resampled_cuts(whole, objective, names, 10).std()) if objective.pooled else 0.0
        held_out = HeldOut.of(by_item, kinds[len(kinds) - len(by_item) :])
        own = [self._weights(held_out.without(k), objective, names)[0] for k in range(len(by_item))]
        return Pool([kind.shared for kind in (first, *kinds)], weights, values, own, common, len(dealt))

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
            details=self._explain(Pool([], weights, values, [], common, len(folds)), whole),
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

    def _kinds_without(
        self,
        whole: FineCurves,
        part: FineCurves,
        objective: Objective,
        names: NDArray[np.uint64],
        number: int,
        shared: Shared | None,
        first: Kinds,
    ) -> Kinds:
        """Return the cuts of every mixture for all data but a part."""
        return self._kinds(whole.without(part), objective, names, number, shared, first.calibration)

    def _kinds(
        self,
        fine: FineCurves,
        objective: Objective,
        names: NDArray[np.uint64],
        number: int,
        shared: Shared | None = None,
        start: Calibration | None = None,
    ) -> Kinds:
        """Return the cuts of every mixture; ``number`` tells draws apart; ``start`` calibrates all data.

        What labels share is ``shared``, if it was found on others.
        """
        samples, value = self.samples if start is None else max(1, self.samples // 3), None
        prior, at = (None, None) if shared is None else (shared.prior, shared.calibrated)
        if shared is not None:
            value = shared.value
        draws, value = exact_cuts_of(fine, objective, names, number << 20, samples, value)
        calibration = Calibration.fit(fine, 8 if start is None else 2, start, prior)
        if at is None and objective.pooled:
            at = Calibrated.shared_cut(calibration, fine, objective)
        calibrated = Calibrated.cuts_of(calibration, fine, objective, at)
        cut, positives = one_cut(fine, None, objective) if shared is None else shared.cut, fine.positives
        bagged = np.where(_own(positives, self.min_positive), draws.mean(axis=0), calibrated)
        share = positives / (positives + self.strength)
        kept = 1.0 if objective.pooled else positives / (positives + self.pull)
        kinds = (bagged, share * bagged + (1 - share) * calibrated, calibrated)
        drawn = [kept * kind + (1 - kept) * cut for kind in kinds]
        cuts = np.array([(1 - s) * kind + s * cut for kind in drawn for s in SHARES])
        assert calibration.state is not None
        return Kinds(cuts, draws, calibration, Shared(cut, at, value, calibration.state))

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

    def _explain(self, pool: Pool, whole: FineCurves) -> dict[str, object]:
        weights, values, folds = pool.weights, pool.values, pool.parts
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


def _counted(problem: Problem, folds: list[Source], number: int) -> tuple[FineCurves, list[FineCurves]]:
    """Return the curves of all items and of each fold; none of folds where counts of these are not at hand."""
    counted = problem.counted_alone
    if counted is None:
        return FineCurves.of_folds(problem.sources, folds, problem.kind)
    if counted.folds is None:
        return FineCurves.of_curves(counted, problem.kind), []
    return FineCurves.of_counts(counted.folds.joined(number), problem.kind)


def _by_group(counted: Curves) -> bool:
    """Return whether folds that were counted keep groups whole."""
    return counted.folds is not None and counted.folds.grouped


def _all_alike(fine: FineCurves) -> bool:
    """Return whether every item weighs 1."""
    return bool(np.abs(fine.units - 1).max() < 1e-9)


def _reweighted(parts: list[FineCurves], target: NDArray[np.float64] | None) -> list[FineCurves]:
    return parts if target is None else [part.reweighted(target) for part in parts]
