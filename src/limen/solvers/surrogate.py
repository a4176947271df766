"""SGL-Thresh: thresholds learned with surrogate gradients (Pellegrini & Masquelier, ICASSP 2021)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, UnsupportedError
from limen.scales import Scale, Space, scale_of
from limen.solvers.ascent import Adam, Start, starting_point
from limen.solvers.base import EVERYTHING, Problem
from limen.solvers.bins import Bins
from limen.solvers.item_surrogate import Items
from limen.solvers.solution import Solution
from limen.sources.dense import DenseSource
from limen.sources.sparse import SparseSource


def _sigmoid_derivative(u: NDArray[np.float64]) -> NDArray[np.float64]:
    half: NDArray[np.float64] = 0.5 / np.cosh(0.5 * np.clip(u, -700, 700))
    return half * half


def _fast_sigmoid(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 / (1 + np.abs(u)) ** 2


def _arctan(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(1, np.pi * (1 + u**2))


def _triangle(u: NDArray[np.float64]) -> NDArray[np.float64]:
    derivative: NDArray[np.float64] = np.maximum(0, 1 - np.abs(u))
    return derivative


def _truncated_cosine(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(u) <= 1, np.pi / 4 * np.cos(np.pi / 2 * u), 0)


SURROGATES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "sigmoid": _sigmoid_derivative,
    "fast-sigmoid": _fast_sigmoid,
    "arctan": _arctan,
    "triangle": _triangle,
    "truncated-cosine": _truncated_cosine,
}
"""Derivative of each smooth step at slope 1: unit mass, peak at 0. At slope b: b * f(b * x)."""


@dataclass(frozen=True)
class SurrogateGradient:
    """Gradient ascent on the hard objective, with a smooth step's derivative in place of the step's.

    Parameters
    ----------
    surrogate : {"sigmoid", "fast-sigmoid", "arctan", "triangle", "truncated-cosine"}
        Whose derivative stands in. ``"truncated-cosine"`` is that of TruSThresh (Son et al. 2023).
    slope : float, optional
        1 / width, on the scale of ``space``; 50, or 2 for logits.
    learn_slope : bool
        Also learn a slope for each label, by the same Adam.
    start : float, sequence of n_labels floats, "shared" or "paper"
        Where to begin, on the scale of the scores; "paper" takes 0.3 or 0.5, as the paper did by data set,
        whichever is better on the tuning data.
    space : {"probability", "logit", "rank"}
        Scale on which scores and thresholds differ. Scores outside 0 to 1 are taken for logits.
    learning_rate : float, optional
        Adam's; 0.01, or 0.1 for logits.
    epochs : int
    batch_size : int, optional
        Items a step; None for all.
    keep : {"last", "best"}
        Which iterate to return, "best" by the objective on the tuning data.
    bins : int
        With more items than this, each label's scores are binned (`Table`); None never bins.

    Notes
    -----
    Forward: hard counts at ``score >= threshold``. Backward, for an objective M of the counts:
    ``dM/dt_k = -sum_i h(s_ik - t_k) (dM/dtp_k y_ik + dM/dpp_k)`` with ``h(x) = b f(b x)``; for
    micro-F1 this is equation 3 of the paper, whose other defaults (slope 50, Adam 0.01, 100 full
    batches, last iterate) are the defaults here. A local method: Adam moves a threshold by at most
    about ``learning_rate`` a step. A step costs O(labels * bins), not O(items). Of averages over items the
    derivatives are those of each item's counts, and a step costs O(labels * items).
    """

    name: ClassVar[str] = "sgl"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING
    surrogate: str = "sigmoid"
    slope: float | None = None
    learn_slope: bool = False
    start: Start = "paper"
    space: Space = "probability"
    learning_rate: float | None = None
    epochs: int = 100
    batch_size: int | None = None
    keep: Literal["last", "best"] = "last"
    bins: int | None = 1024

    def __post_init__(self) -> None:
        if self.surrogate not in SURROGATES:
            raise InputError(f"surrogate={self.surrogate!r} is unknown. Use {', '.join(SURROGATES)}.")
        if self.keep not in ("last", "best"):
            raise InputError(f"keep={self.keep!r} is unknown. Use 'last' or 'best'.")
        for name in ("slope", "learning_rate", "epochs", "batch_size", "bins"):
            value = getattr(self, name)
            whole = name in ("epochs", "batch_size", "bins")
            if value is not None and (not value > 0 or (whole and value != int(value))):
                kind = "a whole number above 0" if whole else "above 0"
                raise InputError(f"{name}={value} is not usable. It must be {kind}.")

    def solve(self, problem: Problem) -> Solution:
        """Return the learned thresholds and the objective at every iterate."""
        objective, n_labels = problem.objective, len(problem.labels)
        logits = self.space == "logit"
        scale = scale_of(self.space, problem.sources, problem.kind)
        items = Items.of(problem, scale) if objective.needs_items else None
        table = Bins.of(problem, scale, self.bins or problem.n_items) if items is None else None
        t = starting_point(self.start, problem, scale).copy()
        slope = np.full(n_labels, self.slope or (2.0 if logits else 50.0))
        rate = self.learning_rate or (0.1 if logits else 0.01)
        adam, slope_adam = Adam(rate, n_labels), Adam(rate, n_labels)

        def value_at(thresholds: NDArray[np.float64]) -> float:
            if table is None:
                assert items is not None
                return items.value(thresholds)
            return objective(*table.counts(thresholds), *table.totals)

        history = [value_at(t)]
        best = (history[0], t.copy())
        for epoch in range(self.epochs):
            for by_t, by_slope in self._gradients(problem, scale, table or items, t, slope, epoch):
                t += adam.step(by_t)
                if self.learn_slope:
                    slope += slope_adam.step(by_slope)
            history.append(value_at(t))
            if history[-1] > best[0]:
                best = (history[-1], t.copy())
            if problem.progress is not None:
                problem.progress(epoch + 1, self.epochs, history[-1])
        return Solution(values=scale.back(t if self.keep == "last" else best[1]), history=tuple(history))

    def gradient(
        self, table: Bins, objective: Any, t: NDArray[np.float64], slope: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the surrogate gradient by threshold and by slope, (n_labels,) each."""
        distance = table.x - table.spread(t)
        weight = SURROGATES[self.surrogate](table.spread(slope) * distance)
        by_tp, by_pp = objective.gradient(*table.sums(distance >= 0), *table.totals)
        of_positive, of_all = slope * table.sums(weight)
        by_t = -(by_tp * of_positive + by_pp * of_all)
        if not self.learn_slope:
            return by_t, np.zeros_like(by_t)
        of_positive, of_all = table.sums(distance * weight)
        return by_t, by_tp * of_positive + by_pp * of_all

    def _gradients(
        self,
        problem: Problem,
        scale: Scale,
        data: Bins | Items | None,
        t: NDArray[np.float64],
        slope: NDArray[np.float64],
        epoch: int,
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return the gradient of each batch, at the thresholds as they then are."""
        if isinstance(data, Items):
            for rows in self._rows(len(data.x), problem, epoch):
                yield data.take(rows).gradient(t, slope, SURROGATES[self.surrogate])
            return
        assert data is not None
        for batch in self._batches(problem, scale, data, epoch):
            yield self.gradient(batch, problem.objective, t, slope)

    def _rows(self, n_items: int, problem: Problem, epoch: int) -> Iterator[Any]:
        """Return the rows of each batch; all of them are a slice."""
        if self.batch_size is None or self.batch_size >= n_items:
            yield slice(None)
            return
        order = np.random.default_rng([problem.random_state, epoch]).permutation(n_items)
        for first in range(0, n_items, self.batch_size):
            yield np.sort(order[first : first + self.batch_size])

    def _batches(self, problem: Problem, scale: Scale, table: Bins, epoch: int) -> Iterator[Bins]:
        if self.batch_size is None or self.batch_size >= problem.n_items:
            yield table
            return
        source = problem.sources[0]
        if len(problem.sources) > 1 or not isinstance(source, DenseSource | SparseSource):
            raise UnsupportedError(
                "mini-batches need scores and labels in memory; these come in chunks. Leave batch_size out: the "
                "binned full batch costs less."
            )
        for rows in self._rows(source.n_items, problem, epoch):
            part = source.take(rows)
            yield Bins.of(replace(problem, sources=(part,), counted=None), scale, problem.n_items)
