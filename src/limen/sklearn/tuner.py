"""The meta-estimator: a classifier whose decisions are made by tuned thresholds."""

# ruff: noqa: N803, N806 - X is what scikit-learn calls the items

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted

from limen.constraints import Infeasible
from limen.draws import as_seed
from limen.errors import InputError, LimenWarning, count, examples
from limen.folds import as_groups
from limen.metrics import Metric
from limen.sklearn.crossfit import CrossFitted, cross_fit, route, splits_of
from limen.sklearn.deciding import Cuts, Decider
from limen.sklearn.held_out import Scored, Tuning
from limen.sklearn.targets import Target, read_target, takes_columns
from limen.solvers import Solver
from limen.thresholds import Thresholds

DEAF = ("sklearn.multiclass", "sklearn.calibration", "limen.sklearn.crossfit")
"""Modules whose classifiers take scores from those they wrap, and never ask them to decide."""


class ThresholdTuner(Decider):
    """A classifier that decides by thresholds tuned on scores of items it was not fitted on.

    For multi-label, multi-output (each output of two classes) and binary classifiers. The scores of each
    item come from a clone fitted without it; all of them together go to `limen.tune`; then the estimator
    is fitted on everything.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba`` (an array, or a list of arrays) or ``decision_function``: OneVsRestClassifier,
        MultiOutputClassifier, ClassifierChain, MLPClassifier, trees, neighbours, any binary classifier, or
        a pipeline that ends in one.
    metric, average, method, zero_division
        What to tune for, and how, as in `limen.tune`. For a binary target all averages are the metric of
        the positive class.
    constraints, infeasible, hold
        What the decisions must keep, and what happens where a label cannot, and how often
        limits shall hold on new data, as in `limen.tune`. Folds that are measured take ``infeasible="never"``.
    cv : int, float, splitter, iterable, "prefit" or None
        How to split for cross-fitting. A number of folds (None: 5): stratified as scikit-learn does for a
        binary target; otherwise items are dealt so that each label's rarer value is shared out over
        the folds. With ``groups``, folds divide no group. A float: the share of items to hold out,
        once. Or a splitter or (fit, score) pairs of row numbers. "prefit": the estimator is fitted
        already, on other data, and only thresholds are tuned.
    refit : bool
        Fit the estimator on everything in the end. False needs a single split, and keeps the estimator
        of that split. Of no effect with "prefit".
    response_method : {"auto", "predict_proba", "decision_function"}
        Where scores come from; "auto" takes the first that the estimator has.
    pos_label : optional
        Positive class of a binary target; ``classes_[1]`` if left out. For the other class the decision
        function is negated, and thresholds are those of the negated one.
    labels : sequence of n_labels str, optional
        Names of the labels; those of the columns of a frame ``y`` if left out, else their numbers (for a
        binary target, the name of the Series or of the positive class).
    store_cv_results : bool
        Measure the held-out metric of each fold; it takes one more tuning for each.
    n_jobs : int, optional
        Folds at a time, as joblib takes it.
    random_state : int, RandomState, Generator or None
        Seed of the folds dealt here, and of the methods that draw; with None another each time.

    Attributes
    ----------
    estimator_ : classifier
        The fitted one, which gives the scores.
    thresholds_ : Thresholds
        The artefact of limen: ``values``, ``labels``, ``expected`` (the metric to expect on new data),
        ``save`` and more. Its ``value`` is measured on the scores tuned on.
    best_threshold_ : float
        For a binary target, its threshold.
    classes_ : ndarray (2,), or list of n_labels such arrays
    labels_ : tuple of n_labels str
    response_method_ : str
    cv_results_ : dict of ndarray (n_splits,)
        ``test_score``: the metric on the items of a fold, decided by thresholds tuned on the scores of the
        others; where there is one split, of its items in five parts. ``default_score``: the same
        items at 0.5, or at 0 for ``decision_function``. ``n_items``, and seconds: ``fit_time``,
        ``score_time`` (NaN with "prefit").
    n_features_in_, feature_names_in_
        Of ``estimator_``, if it has them.

    Notes
    -----
    A score at or above its threshold is given. Scores of a fold come from models that saw the
    labels of the other folds, and ``test_score`` takes thresholds from these: as with any stacking,
    that is nearly, not strictly, held out. `sklearn.model_selection.cross_validate` of the whole tuner is.

    ``sample_weight`` weighs both in the estimator, where it takes weights (or, with metadata routing
    enabled, requests them), and in the tuning.

    Predictions differ from ``predict_proba(X).argmax(axis=1)``, which is what tuning is for; of
    scikit-learn's `check_estimator` this fails ``check_classifiers_train``, as it does for
    TunedThresholdClassifierCV.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> X, y = make_multilabel_classification(random_state=0)
    >>> tuner = ThresholdTuner(OneVsRestClassifier(LogisticRegression()), metric="f1", average="macro").fit(X, y)
    >>> tuner.predict(X[:2])
    array([[0, 1, 1, 1, 1],
           [0, 1, 1, 0, 0]])
    >>> tuner.thresholds_.values.shape, tuner.cv_results_["test_score"].shape
    ((5,), (5,))
    """

    def __init__(
        self,
        estimator: Any,
        *,
        metric: str | dict[str, Any] | Metric = "f1",
        average: str = "micro",
        method: str | Solver = "auto",
        constraints: Sequence[Any] = (),
        infeasible: Infeasible = "error",
        hold: float | None = None,
        cv: Any = 5,
        refit: bool = True,
        response_method: str = "auto",
        pos_label: Any = None,
        labels: Sequence[str] | None = None,
        zero_division: float = 0.0,
        store_cv_results: bool = True,
        n_jobs: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.estimator = estimator
        self.metric = metric
        self.average = average
        self.method = method
        self.constraints = constraints
        self.infeasible = infeasible
        self.hold = hold
        self.cv = cv
        self.refit = refit
        self.response_method = response_method
        self.pos_label = pos_label
        self.labels = labels
        self.zero_division = zero_division
        self.store_cv_results = store_cv_results
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None, groups: Any = None, **fit_params: Any) -> Self:
        """Return the tuner with the estimator fitted and the thresholds tuned.

        Parameters
        ----------
        X : array-like, sparse or frame (n_items, n_features), or what else the estimator takes
        y : array-like (n_items,) of two classes; or array-like, sparse or frame (n_items, n_labels)
            Columns of 0 and 1, or of two classes each. With "prefit", NaN or None for an unknown label.
        sample_weight : array-like (n_items,), optional
        groups : array-like (n_items,), optional
            Group of each item, such as its recording: neither cross-fitting nor `limen.tune` divides groups.
            Where a single group was held out, thresholds are tuned on its items without groups.
        **fit_params
            For the estimator's ``fit``; those with an element for each item are split with the items.

        Raises
        ------
        InputError
            If the target, the scores or an argument break a rule; the message says which.
        UnsupportedError
            If the estimator gives no scores, or the method cannot serve the metric.
        NotFittedError
            If ``cv="prefit"`` and the estimator is not fitted.

        Warns
        -----
        LimenWarning
            If the estimator takes no weights; if labels have no positive item, or scores that are all the same;
            if a classifier that takes scores only, such as OneVsRestClassifier, wraps the tuner.
        """
        tuning = Tuning.of(self, as_seed(self.random_state))
        _warn_if_unheard()
        prefit = isinstance(self.cv, str) and self.cv == "prefit"
        X, sample_weight, groups = indexable(X, sample_weight, groups)
        learned = self._check_prefit(fit_params) if prefit else None
        target, y, truth = read_target(
            y,
            labels=self.labels,
            columns=takes_columns(self.estimator),
            learned=learned,
            pos_label=self.pos_label,
        )
        indexable(X, y)
        tuning.objective.check_labels(len(target.names))
        weight, member = (None if part is None else np.asarray(part) for part in (sample_weight, groups))
        items = Scored(target.names, truth, None, weight, member)
        if prefit:
            as_groups(member, items.truth.shape[0])
            fitted = CrossFitted.of_fitted(self.estimator, X, items, target, self.response_method)
        else:
            to_estimator, to_splitter = route(self, sample_weight, groups, fit_params)
            fitted = self._cross_fit(X, y, items, target, to_estimator, to_splitter, tuning.random_state)
        if fitted.constant:
            warnings.warn(
                f"{count(len(fitted.constant), 'label')} whose scores are all the same: "
                f"{examples(fitted.constant)}. No threshold tells items apart there: all get the label, or none. "
                "Look at the model, or leave the labels out.",
                LimenWarning,
                stacklevel=2,
            )
        self.thresholds_ = fitted.scored.tune(tuning)
        self.estimator_ = fitted.estimator
        self.response_method_ = fitted.method
        self.classes_ = target.fitted_classes
        self.labels_ = target.names
        self._target = target
        self.cv_results_ = fitted.results(tuning, held_out=self.store_cv_results, n_jobs=self.n_jobs)
        self._take_features()
        return self

    @property
    def best_threshold_(self) -> float:
        """The threshold of a binary target."""
        check_is_fitted(self)
        if not self._target.binary:
            raise AttributeError("best_threshold_ is that of a binary target. Look at thresholds_.values.")
        return float(self.thresholds_.values[0])

    def get_metadata_routing(self) -> MetadataRouter:
        """Return who takes ``sample_weight`` and ``groups``: the tuner, its estimator, the splitter."""
        fit_to_fit = MethodMapping().add(caller="fit", callee="fit")
        fit_to_split = MethodMapping().add(caller="fit", callee="split")
        return (
            MetadataRouter(owner=type(self).__name__)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=fit_to_fit)
            .add(splitter=self.cv, method_mapping=fit_to_split)
        )

    def _cross_fit(
        self,
        X: Any,
        y: Any,
        items: Scored,
        target: Target,
        to_estimator: dict[str, Any],
        to_splitter: dict[str, Any],
        seed: int,
    ) -> CrossFitted:
        if items.unknown:
            row, column = np.argwhere(np.isnan(items.truth))[0]
            raise InputError(
                "y has unknown labels (NaN), and the estimator is to be fitted on them. The first is in label "
                f"{items.names[column]!r}, row {row}. Fit it yourself, and tune with cv='prefit', which "
                "leaves unknown labels out."
            )
        labels = y if target.binary else items.truth
        pairs = splits_of(self.cv, X, labels, items, to_splitter, seed, stratified=target.binary)
        if not self.refit and len(pairs) > 1:
            raise InputError(
                f"refit=False with {len(pairs)} splits leaves no estimator: each was fitted on a part. Use a "
                "single split, such as cv=0.2, or refit=True."
            )
        return cross_fit(self, X, y, items, target, pairs, to_estimator)

    def _check_prefit(self, fit_params: dict[str, Any]) -> Any:
        """Return the classes of the fitted estimator, if it says them."""
        if fit_params:
            raise InputError(f"cv='prefit' fits nothing. Leave {', '.join(fit_params)} out.")
        if hasattr(self.estimator, "fit"):
            try:
                check_is_fitted(self.estimator)
            except NotFittedError as error:
                raise NotFittedError(
                    f"cv='prefit' needs a fitted estimator, and this {type(self.estimator).__name__} is not. Fit "
                    "it on other data than those to tune on, or give a number of folds."
                ) from error
        return getattr(self.estimator, "classes_", None)

    def _fitted(self) -> tuple[Any, Target, str]:
        check_is_fitted(self)
        return self.estimator_, self._target, self.response_method_

    def _cuts(self, target: Target, dtype: np.dtype[Any]) -> Cuts:
        return Cuts(self.thresholds_.values, self.thresholds_.rule, self.thresholds_.objective)

    def _repr_html_inner(self) -> str:
        diagram = str(super()._repr_html_inner())
        thresholds: Thresholds | None = getattr(self, "thresholds_", None)
        return diagram if thresholds is None else diagram + thresholds._repr_html_()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] = self._repr_html_inner()
        return bundle


def _warn_if_unheard() -> None:
    """Warn if whoever fits a tuner will not ask for its decisions: only the calls that led here can tell."""
    frame = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if module in DEAF:
            warnings.warn(
                f"a ThresholdTuner is fitted by {module}, which takes its scores and not its decisions: the "
                "thresholds will not count. Put the tuner outside: ThresholdTuner(OneVsRestClassifier(...)). Or "
                "use MultiOutputClassifier, which lets its estimators decide.",
                LimenWarning,
                stacklevel=3,
            )
            return
        frame = frame.f_back  # type: ignore[assignment]
