"""Scores of items by models that were fitted without them."""

# ruff: noqa: N803, N806 - X is what scikit-learn calls the items

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params

from limen.errors import InputError, examples
from limen.sklearn.held_out import Scored
from limen.sklearn.responses import Method, positive_scores
from limen.sklearn.splitting import Split
from limen.sklearn.targets import Target


class CrossFitted(NamedTuple):
    """What cross-fitting gives.

    Attributes
    ----------
    scored : Scored
        The held-out items of all folds, by row number.
    parts : list of int64 arrays
        The places of each fold's items in ``scored``.
    method : str
        The method of the estimator that gave the scores.
    fit_s, score_s : list of float
        Seconds of each fold.
    estimator : estimator
        Fitted on all items; or, without refit, on those of the one fold.
    """

    scored: Scored
    parts: list[NDArray[np.int64]]
    method: Method
    fit_s: list[float]
    score_s: list[float]
    estimator: Any

    @classmethod
    def of_fitted(cls, estimator: Any, X: Any, items: Scored, target: Target, response_method: str) -> CrossFitted:
        """Return the scores of an estimator that was fitted before, as of a single fold."""
        start = time.perf_counter()
        scores, method = positive_scores(estimator, X, target, response_method)
        spent = time.perf_counter() - start
        scored = replace(items, scores=scores)
        return cls(scored, [np.arange(len(scores))], method, [np.nan], [spent], estimator)


class _Fold(NamedTuple):
    scores: NDArray[Any]
    method: Method
    fit_s: float
    score_s: float
    estimator: Any


def cross_fit(
    estimator: Any,
    X: Any,
    y: Any,
    items: Scored,
    target: Target,
    splits: Sequence[Split],
    *,
    fit_params: dict[str, Any],
    response_method: str,
    refit: bool,
    n_jobs: int | None,
) -> CrossFitted:
    """Return the scores of all items that are held out in some split, by clones fitted without them."""
    jobs = [
        delayed(_fit_and_score)(
            clone(estimator), X, y, fit_params, split, target, response_method, not refit, _lone(items, split)
        )
        for split in splits
    ]
    if refit:
        jobs.append(delayed(_fit)(clone(estimator), X, y, fit_params))
    results = Parallel(n_jobs=n_jobs)(jobs)
    fitted = results.pop() if refit else results[0].estimator
    folds: list[_Fold] = results
    rows = np.concatenate([held_out for _, held_out in splits])
    order = np.argsort(rows, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    parts = np.split(place, np.cumsum([len(held_out) for _, held_out in splits])[:-1])
    rows = rows[order]
    scored = replace(items.take(rows), scores=np.concatenate([fold.scores for fold in folds])[order])
    if scored.groups is None and len(np.unique(rows)) < len(rows):
        scored = replace(scored, groups=rows)
    return CrossFitted(
        scored, parts, folds[0].method, [fold.fit_s for fold in folds], [fold.score_s for fold in folds], fitted
    )


def _fit(estimator: Any, X: Any, y: Any, fit_params: dict[str, Any]) -> Any:
    estimator.fit(X, y, **fit_params)
    return estimator


def _fit_and_score(
    estimator: Any,
    X: Any,
    y: Any,
    fit_params: dict[str, Any],
    split: Split,
    target: Target,
    response_method: str,
    keep: bool,
    lone: list[str],
) -> _Fold:
    train, held_out = split
    X_train, y_train = _safe_split(estimator, X, y, train)
    X_held_out, _ = _safe_split(estimator, X, y, held_out, train)
    start = time.perf_counter()
    try:
        estimator.fit(X_train, y_train, **_check_method_params(X, fit_params, indices=train))
    except Exception as error:
        if lone:
            error.add_note(
                f"The part that this fold is fitted on has one class only of {examples(lone)}. Use fewer folds, "
                "add annotated items, or take an estimator that can do with one class (OneVsRestClassifier can)."
            )
        raise
    fitted = time.perf_counter()
    scores, method = positive_scores(estimator, X_held_out, target, response_method)
    done = time.perf_counter()
    if len(scores) != len(held_out):
        raise InputError(
            f"{type(estimator).__name__}.{method} gave scores of {len(scores)} items for {len(held_out)}."
        )
    return _Fold(scores, method, fitted - start, done - fitted, estimator if keep else None)


def _lone(items: Scored, split: Split) -> list[str]:
    """Return the labels of which the part to fit on has one class only."""
    part = items.truth[split[0]]
    positive = np.asarray((part == 1).sum(axis=0)).ravel()
    known = len(split[0])
    return [name for name, number in zip(items.names, positive, strict=True) if number in (0, known)]
