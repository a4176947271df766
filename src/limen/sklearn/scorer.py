"""A scorer for model selection: the metric after tuning, on items not tuned on."""

# ruff: noqa: N803 - X is what scikit-learn calls the items

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from sklearn.utils.metadata_routing import MetadataRequest

from limen.draws import as_seed
from limen.holdout import pooled_value
from limen.metrics import Metric
from limen.sklearn.crossfit import splits_of
from limen.sklearn.held_out import Scored, Tuning
from limen.sklearn.responses import positive_scores
from limen.sklearn.targets import read_target, takes_columns
from limen.solvers import Solver

REQUESTS = ("sample_weight", "groups")


@dataclass(eq=False)
class TunedScorer:
    """What `tuned_scorer` makes: called with a fitted estimator, items and their target, it gives the metric."""

    metric: str | dict[str, Any] | Metric = "f1"
    average: str = "micro"
    method: str | Solver = "auto"
    cv: Any = 5
    response_method: str = "auto"
    pos_label: Any = None
    zero_division: float = 0.0
    random_state: Any = 0
    _requests: dict[str, bool | str | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        Tuning.of(self)

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> float:
        """Return the metric of the items, each decided by thresholds tuned on the others.

        Parameters
        ----------
        estimator : fitted classifier
        X, y : the items, which the estimator was not fitted on, and their target
        sample_weight, groups : array-like (n_items,), optional

        Raises
        ------
        InputError
            If the target is neither binary nor of several labels, or ``cv`` cannot split it.
        """
        tuning = Tuning.of(self, as_seed(self.random_state))
        learned = getattr(estimator, "classes_", None)
        target, y, truth = read_target(
            y, columns=takes_columns(estimator), learned=learned, pos_label=self.pos_label
        )
        scores, _ = positive_scores(estimator, X, target, self.response_method)
        weight, member = (None if part is None else np.asarray(part) for part in (sample_weight, groups))
        scored = Scored(target.names, truth, scores, weight, member)
        labels, to_splitter = y if target.binary else truth, {} if member is None else {"groups": member}
        pairs = splits_of(self.cv, scores, labels, scored, to_splitter, tuning.random_state)
        return pooled_value(scored.held_out([part for _, part in pairs], tuning), tuning.objective)

    def set_score_request(self, **requests: bool | str | None) -> Self:
        """Return the scorer, asking metadata routing for ``sample_weight`` or ``groups``.

        Parameters
        ----------
        **requests : True, False, None or str
            As for any ``set_score_request`` of scikit-learn.
        """
        unknown = [name for name in requests if name not in REQUESTS]
        if unknown:
            raise TypeError(f"set_score_request takes {' and '.join(REQUESTS)}; got {', '.join(unknown)}.")
        self._requests.update(requests)
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what the scorer asks metadata routing for."""
        request = MetadataRequest(owner=type(self).__name__)
        for name in REQUESTS:
            request.score.add_request(param=name, alias=self._requests.get(name))
        return request

    def _accept_sample_weight(self) -> bool:
        return True


def tuned_scorer(
    *,
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    method: str | Solver = "auto",
    cv: Any = 5,
    response_method: str = "auto",
    pos_label: Any = None,
    zero_division: float = 0.0,
    random_state: Any = 0,
) -> TunedScorer:
    """Return a scorer that measures a metric after tuning thresholds, for model selection.

    In `GridSearchCV` and `cross_validate` it asks which model is best *once its thresholds are tuned*, which
    a metric at 0.5 does not. The estimator scores the items it was not fitted on; these are split into
    folds, each is decided by thresholds tuned on the others, and the counts of all are summed. Nothing is
    measured on what it was tuned on.

    Parameters
    ----------
    metric, average, method, zero_division
        As in `limen.tune`. ``method="shared"`` or ``"exact"`` takes a small part of the time of ``"auto"``.
    cv : int, float, splitter or iterable
        How to split the scored items; each label's rarer value is shared out over a number of folds.
    response_method : {"auto", "predict_proba", "decision_function"}
    pos_label : optional
        Positive class of a binary target; the second if left out.
    random_state : int, RandomState, Generator or None

    Returns
    -------
    TunedScorer
        A callable ``(estimator, X, y, sample_weight=None, groups=None)``: greater is better, costs being
        negated.

    Raises
    ------
    InputError
        If the metric, the average or the method is unknown.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> X, y = make_multilabel_classification(random_state=0)
    >>> scorer = tuned_scorer(method="exact")
    >>> search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [3, 30]}, scoring=scorer)
    >>> search.fit(X, y).best_params_
    {'n_neighbors': 3}
    """
    return TunedScorer(metric, average, method, cv, response_method, pos_label, zero_division, random_state)
