"""A classifier that decides by thresholds it is given, on an estimator that may be fitted already."""

# ruff: noqa: N803 - X is what scikit-learn calls the items

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from limen.decisions import THRESHOLD_RULE, rule_for, values_by_label
from limen.errors import InputError, count, examples
from limen.evaluation import measured_by
from limen.names import beyond
from limen.objectives import objective
from limen.sklearn.deciding import Cuts, Decider
from limen.sklearn.responses import check_response_method
from limen.sklearn.targets import Target, binary_target, column_target, last_step, read_target, takes_columns
from limen.thresholds import Thresholds


class FixedThresholds(Decider):
    """A classifier that decides by given thresholds: tuned elsewhere, read from a file, or plain numbers.

    What scikit-learn's FixedThresholdClassifier is for one threshold, for every label. With an estimator that is
    fitted already it predicts at once; ``fit`` fits a clone.

    Parameters
    ----------
    estimator : classifier
        As `ThresholdTuner` takes it.
    thresholds : Thresholds, path of a thresholds.json, number, or array-like (n_labels,)
        Of a `Thresholds`, labels are matched by name where the names of the estimator's labels are known (from
        ``labels``, or from the columns of a frame ``y``); else they are taken in the order of the estimator's.
    response_method, pos_label
        As `ThresholdTuner` takes them.
    labels : sequence of n_labels str, optional
        Names of the estimator's labels.

    Attributes
    ----------
    estimator_ : classifier
        The clone that ``fit`` fitted.
    classes_ : ndarray (2,), or list of n_labels such arrays
    labels_ : tuple of n_labels str

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_classification(random_state=0)
    >>> fitted = LogisticRegression().fit(X, y)
    >>> [int(FixedThresholds(fitted, cut).predict(X).sum()) for cut in (0.1, 0.5, 0.9)]
    [71, 50, 33]
    """

    def __init__(
        self,
        estimator: Any,
        thresholds: Any = 0.5,
        *,
        response_method: str = "auto",
        pos_label: Any = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        self.estimator = estimator
        self.thresholds = thresholds
        self.response_method = response_method
        self.pos_label = pos_label
        self.labels = labels

    def fit(self, X: Any, y: Any, **fit_params: Any) -> Self:
        """Return the classifier with a clone of the estimator fitted.

        Parameters
        ----------
        X, y : as for `ThresholdTuner.fit`
        **fit_params
            For the estimator's ``fit``.

        Raises
        ------
        InputError
            If the target or the thresholds do not fit.
        """
        check_response_method(self.response_method)
        target, y, _ = read_target(
            y, labels=self.labels, columns=takes_columns(self.estimator), pos_label=self.pos_label
        )
        self._cuts(target, np.dtype(np.float64))
        if get_config().get("enable_metadata_routing", False):
            fit_params = dict(process_routing(self, "fit", **fit_params)["estimator"]["fit"])
        self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        self._target = target
        self._take_features()
        return self

    @property
    def classes_(self) -> Any:
        """The two classes, or a list of them for each label."""
        return self._fitted()[1].fitted_classes

    @property
    def labels_(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self._fitted()[1].names

    def get_metadata_routing(self) -> MetadataRouter:
        """Return who takes what is given to ``fit``: the estimator."""
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=type(self).__name__).add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_is_fitted__(self) -> bool:
        try:
            check_is_fitted(getattr(self, "estimator_", self.estimator))
        except NotFittedError:
            return False
        return True

    def _fitted(self) -> tuple[Any, Target, str]:
        check_is_fitted(self)
        if hasattr(self, "_target"):
            return self.estimator_, self._target, self.response_method
        return self.estimator, self._target_of_fitted(), self.response_method

    def _target_of_fitted(self) -> Target:
        """Return the target that a fitted estimator seems to have been given."""
        given = self._given()
        names = self.labels if self.labels is not None else getattr(given, "labels", None)
        number = len(names) if names is not None else np.size(given) if np.ndim(given) else None
        learned = getattr(self.estimator, "classes_", None)
        if isinstance(learned, list | tuple):
            return column_target(names or [str(k) for k in range(len(learned))], learned)
        several = number is None and (learned is None or getattr(last_step(self.estimator), "multilabel_", False))
        if number in (None, 1) and not several:
            classes = np.array([0, 1]) if learned is None else np.asarray(learned)
            if len(classes) == 2:
                return binary_target(classes, self.pos_label, names)
        number = number or (0 if learned is None else len(learned))
        if not number:
            raise InputError(
                f"{type(self.estimator).__name__} does not say its labels. Name them with labels=, or give a "
                "threshold for each."
            )
        return column_target(names or [str(k) for k in range(number)])

    def _given(self) -> Any:
        if isinstance(self.thresholds, str | PathLike):
            return Thresholds.load(self.thresholds)  # type: ignore[arg-type]
        return self.thresholds

    def _cuts(self, target: Target, dtype: np.dtype[Any]) -> Cuts:
        given = self._given()
        tuned = given if isinstance(given, Thresholds) else None
        measured = objective(*measured_by(tuned, None, None, None))
        if tuned is None:
            return Cuts(values_by_label(given, target.names, dtype), THRESHOLD_RULE, measured)
        names, own = target.names, tuned.labels
        if len(names) != len(own):
            raise InputError(
                f"the thresholds are for {count(len(own), 'label')} ({examples(own, most=3)}), the estimator has "
                f"{len(names)} ({examples(names, most=3)}). They must be the same labels."
            )
        if set(names) == set(own):
            place = {name: k for k, name in enumerate(own)}
            order = np.array([place[name] for name in names])
            return Cuts(tuned.values[order], rule_for(tuned.rule, order), measured)
        if self.labels is not None or target.named:
            lacking = beyond(names, own)
            raise InputError(
                f"the thresholds lack {count(len(lacking), 'label')} of the estimator: {examples(lacking)}. They "
                "are matched by name: give labels= the names that the thresholds have, in the estimator's order."
            )
        return Cuts(tuned.values, tuned.rule, measured)
