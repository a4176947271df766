"""Scores of items by models that were fitted without them."""

# ruff: noqa: N803, N806 - X is what scikit-learn calls the items

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params, has_fit_parameter

from limen.errors import InputError, LimenWarning, examples
from limen.folds import Split, as_groups, splits
from limen.holdout import pooled_value
from limen.sklearn.held_out import Scored, Tuning
from limen.sklearn.responses import DEFAULT_CUT, Method, positive_scores
from limen.sklearn.targets import Target

DEFAULT_FOLDS = 5
ENOUGH = 10
"""Items of a fold whose scores are hardly all the same by chance."""


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

    @property
    def constant(self) -> list[str]:
        """Names of the labels that have both values, but the same score on all items, or on all of each fold."""
        scores, truth = self.scored.scores, self.scored.truth
        parts = self.parts if min(map(len, self.parts)) >= ENOUGH else [np.arange(len(scores))]
        same = np.all([(scores[part] == scores[part[:1]]).all(axis=0) for part in parts], axis=0)
        if not same.any():
            return []
        columns = truth[:, np.flatnonzero(same)]
        columns = columns.toarray() if hasattr(columns, "toarray") else columns
        both = (columns == 1).any(axis=0) & (columns == 0).any(axis=0)
        return [self.scored.names[k] for k in np.flatnonzero(same)[both]]

    def results(self, tuning: Tuning, *, held_out: bool, n_jobs: int | None) -> dict[str, Any]:
        """Return a tuner's ``cv_results_``; the held-out metric only if asked for."""
        scored, parts, objective = self.scored, self.parts, tuning.objective
        default = [scored.take(part).value_at(DEFAULT_CUT[self.method], objective) for part in parts]
        results = {
            "fit_time": np.array(self.fit_s),
            "score_time": np.array(self.score_s),
            "n_items": np.array([len(part) for part in parts]),
            "default_score": np.array(default),
        }
        if held_out and len(parts) > 1:
            sums = scored.held_out(parts, tuning, n_jobs)
            results["test_score"] = np.array([pooled_value([one], objective) for one in sums])
        elif held_out:
            sums = scored.held_out(scored.parts(tuning.random_state), tuning, n_jobs)
            results["test_score"] = np.array([pooled_value(sums, objective)])
        return results


def splits_of(
    cv: Any, X: Any, y: Any, items: Scored, for_splitter: dict[str, Any], seed: int, *, stratified: bool = False
) -> list[Split]:
    """Return the (fit, score) pairs of row numbers.

    Parameters
    ----------
    cv : int, float, splitter, iterable of pairs, or None
        As `limen.folds.splits` takes it; None: 5 folds; or a splitter of scikit-learn.
    X, y
        For the splitter.
    items : Scored
        Their groups are not divided by folds that are made here.
    for_splitter : dict
        Further arguments of the splitter's ``split``, such as groups.
    seed : int
    stratified : bool
        Whether a number of folds without groups makes scikit-learn's, stratified by the classes ``y``.

    Raises
    ------
    InputError
        If ``cv`` is no way to split these items.
    """
    if cv is None:
        cv = DEFAULT_FOLDS
    whole = isinstance(cv, int | np.integer) and not isinstance(cv, bool)
    if stratified and whole and items.groups is None and 2 <= cv <= len(items.truth):
        cv = StratifiedKFold(cv)
    if hasattr(cv, "split") and not isinstance(cv, str):
        cv = cv.split(X, y, **for_splitter)
    dealt = whole or isinstance(cv, float | np.floating)
    groups = as_groups(items.groups, items.truth.shape[0]) if dealt else None
    return splits(cv, items.source, groups, seed, copies=True)


def route(
    tuner: Any, sample_weight: Any, groups: Any, fit_params: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of the estimator's ``fit`` and of the splitter's ``split``.

    With scikit-learn's metadata routing these are what each requests. Without it, weights go to an
    estimator whose ``fit`` names them, groups to the splitter, and the rest to the estimator.
    """
    if get_config().get("enable_metadata_routing", False):
        routed = process_routing(tuner, "fit", sample_weight=sample_weight, groups=groups, **fit_params)
        return dict(routed["estimator"]["fit"]), dict(routed["splitter"]["split"])
    to_estimator = dict(fit_params)
    if sample_weight is not None:
        if has_fit_parameter(tuner.estimator, "sample_weight"):
            to_estimator["sample_weight"] = sample_weight
        elif not any(name.endswith("sample_weight") for name in fit_params):
            warnings.warn(
                f"{type(tuner.estimator).__name__}.fit takes no sample_weight: the weights count in the tuning "
                "only. Name the step of a pipeline (step__sample_weight=...), or enable scikit-learn's metadata "
                "routing and set_fit_request(sample_weight=True).",
                LimenWarning,
                stacklevel=3,
            )
    return to_estimator, {} if groups is None else {"groups": groups}


class _Fold(NamedTuple):
    scores: NDArray[Any]
    method: Method
    fit_s: float
    score_s: float
    estimator: Any


def cross_fit(
    tuner: Any, X: Any, y: Any, items: Scored, target: Target, pairs: Sequence[Split], fit_params: dict[str, Any]
) -> CrossFitted:
    """Return the scores of all items that are held out in some split, by clones fitted without them.

    Parameters
    ----------
    tuner
        Whose estimator is cloned, as it says by ``response_method``, ``refit`` and ``n_jobs``.
    X, y
        As the estimator takes them.
    items, target
        What ``y`` means; the items have no scores yet.
    pairs : sequence of (fit, score) pairs of row numbers
    fit_params : dict
        For the estimator's ``fit``.
    """
    wanted, keep = tuner.response_method, not tuner.refit
    jobs = [
        delayed(_fit_and_score)(
            clone(tuner.estimator), X, y, fit_params, pair, target, wanted, keep, _lone(items, pair)
        )
        for pair in pairs
    ]
    if tuner.refit:
        jobs.append(delayed(_fit)(clone(tuner.estimator), X, y, fit_params))
    results = Parallel(n_jobs=tuner.n_jobs)(jobs)
    fitted = results.pop() if tuner.refit else results[0].estimator
    folds: list[_Fold] = results
    rows = np.concatenate([held_out for _, held_out in pairs])
    order = np.argsort(rows, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    parts = np.split(place, np.cumsum([len(held_out) for _, held_out in pairs])[:-1])
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
    pair: Split,
    target: Target,
    response_method: str,
    keep: bool,
    lone: list[str],
) -> _Fold:
    train, held_out = pair
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


def _lone(items: Scored, pair: Split) -> list[str]:
    """Return the labels of which the part to fit on has one class only."""
    part = items.truth[pair[0]]
    positive = np.asarray((part == 1).sum(axis=0)).ravel()
    return [name for name, number in zip(items.names, positive, strict=True) if number in (0, len(pair[0]))]
