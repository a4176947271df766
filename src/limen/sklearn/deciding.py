"""A classifier that decides by thresholds on the scores of another: what tuned and fixed ones share."""

# ruff: noqa: N803 - X is what scikit-learn calls the items

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from limen.decisions import decide_rows
from limen.errors import InputError
from limen.objectives import Objective
from limen.sklearn.held_out import Scored
from limen.sklearn.responses import positive_scores
from limen.sklearn.targets import Target, takes_columns
from limen.sources.arrays import as_scores, check_finite
from limen.sources.frames import is_frame
from limen.sums import sums_of

CONTAINERS = ("default", "pandas", "polars")


class Cuts(NamedTuple):
    """Thresholds (n_labels,), the rule that they decide by, and what decisions are measured by."""

    values: NDArray[Any]
    rule: str
    objective: Objective


def _available(method: str) -> Callable[[Any], bool]:
    def check(decider: Any) -> bool:
        estimator = getattr(decider, "estimator_", None)
        getattr(decider.estimator if estimator is None else estimator, method)
        return True

    return check


class Decider(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """What decides by thresholds; a subclass says by which, and on whose scores."""

    estimator: Any
    estimator_: Any

    def _fitted(self) -> tuple[Any, Target, str]:
        """Return the fitted estimator, what its target is, and the method that gives its scores.

        Raises
        ------
        NotFittedError
            If there is none.
        """
        raise NotImplementedError

    def _cuts(self, target: Target, dtype: np.dtype[Any]) -> Cuts:
        """Return the thresholds for scores of a dtype."""
        raise NotImplementedError

    def predict(self, X: Any) -> Any:
        """Return decisions in the form of the target that was fitted.

        Returns
        -------
        ndarray (n_items,) of classes for a binary target; else (n_items, n_labels), sparse if the target was
            Or a frame, if `set_output` says so.
        """
        scores, target = self._scores(X)
        values, rule, _ = self._cuts(target, scores.dtype)
        decided = decide_rows(scores, values, rule)
        if self._container(target) != "default":
            return _framed(target.dense(decided), target.names, self._container(target), X)
        return target.decode(decided)

    @available_if(_available("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return what the estimator's ``predict_proba`` gives; or a frame of each label's probability."""
        return self._response(X, "predict_proba")

    @available_if(_available("predict_log_proba"))  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Any:
        """Return what the estimator's ``predict_log_proba`` gives."""
        return self._fitted()[0].predict_log_proba(X)

    @available_if(_available("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        """Return what the estimator's ``decision_function`` gives; or a frame of it, by label."""
        return self._response(X, "decision_function")

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the metric that the thresholds were tuned for, with its average, of the decisions on items.

        It is greater for better decisions, costs being negated. `limen.evaluate` gives its interval too.
        """
        scores, target = self._scores(X)
        values, rule, objective = self._cuts(target, scores.dtype)
        weight = None if sample_weight is None else np.asarray(sample_weight)
        source = Scored(target.names, target.encode(y), scores, weight).source
        return objective(*sums_of(objective, (source,), values, rule))

    def set_output(self, *, transform: str | None = None) -> Self:
        """Return the classifier, with the container of its outputs set; steps of its estimator keep theirs.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            What decisions and scores of several labels are given as: a numpy array, or a frame with a column
            for each label, its index that of a pandas ``X``. None leaves it as it is.
        """
        if transform is None:
            return self
        if transform not in CONTAINERS:
            raise InputError(f"transform={transform!r} is unknown. Use {', '.join(map(repr, CONTAINERS))}.")
        self._sklearn_output_config = {"transform": transform}
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        if hasattr(self.estimator, "__sklearn_tags__"):
            inner = get_tags(self.estimator)
            tags.input_tags = inner.input_tags
            tags.non_deterministic = inner.non_deterministic
            tags.target_tags.single_output = not takes_columns(self.estimator)
            tags.target_tags.multi_output = not tags.target_tags.single_output
            labels = inner.classifier_tags is not None and inner.classifier_tags.multi_label
            tags.classifier_tags.multi_label = labels or inner.target_tags.multi_output
        return tags

    def _take_features(self) -> None:
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))

    def _scores(self, X: Any) -> tuple[NDArray[Any], Target]:
        estimator, target, method = self._fitted()
        scores = as_scores(positive_scores(estimator, X, target, method)[0])
        assert isinstance(scores, np.ndarray)
        check_finite(scores, target.names)
        return scores, target

    def _response(self, X: Any, method: str) -> Any:
        estimator, target, _ = self._fitted()
        if self._container(target) == "default":
            return getattr(estimator, method)(X)
        scores, _ = positive_scores(estimator, X, target, method)
        return _framed(scores, target.names, self._container(target), X)

    def _container(self, target: Target) -> str:
        if target.binary:
            return "default"
        return str(getattr(self, "_sklearn_output_config", {}).get("transform", "default"))


def _framed(values: NDArray[Any], labels: Sequence[str], container: str, items: Any) -> Any:
    """Return values (n_items, n_labels) as a frame; a pandas one has the index of pandas items."""
    columns = {name: values[:, k] for k, name in enumerate(labels)}
    if container == "pandas":
        import pandas

        return pandas.DataFrame(columns, index=items.index if is_frame(items) and hasattr(items, "iloc") else None)
    import polars

    return polars.DataFrame({name: one.tolist() if one.dtype == object else one for name, one in columns.items()})
