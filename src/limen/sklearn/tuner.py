"""The meta-estimator: a classifier whose decisions are made by tuned thresholds."""

# ruff: noqa: N803, N806 - X is what scikit-learn calls the items

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from limen.errors import InputError
from limen.folds import as_groups
from limen.metrics import Metric
from limen.sklearn.containers import check_container, framed
from limen.sklearn.crossfit import CrossFitted, cross_fit
from limen.sklearn.held_out import Scored, Tuning, cv_results
from limen.sklearn.responses import positive_scores
from limen.sklearn.routing import route
from limen.sklearn.splitting import splits_of
from limen.sklearn.targets import Target, read_target, takes_columns
from limen.solvers import Solver
from limen.thresholds import Thresholds


def _available(method: str) -> Callable[[Any], bool]:
    def check(tuner: Any) -> bool:
        estimator = getattr(tuner, "estimator_", None)
        getattr(tuner.estimator if estimator is None else estimator, method)
        return True

    return check


class ThresholdTuner(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
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
        the positive class, ``classes_[1]``.
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
    labels : sequence of n_labels str, optional
        Names of the labels; those of the columns of a frame ``y`` if left out, else their numbers (for a
        binary target, the name of the Series or of the positive class).
    store_cv_results : bool
        Measure the held-out metric of each fold; it takes one more tuning for each.
    n_jobs : int, optional
        Folds at a time, as joblib takes it.
    random_state : int, RandomState or None
        Seed of the folds dealt here, and of the methods that draw.

    Attributes
    ----------
    estimator_ : classifier
        The fitted one, which gives the scores.
    thresholds_ : Thresholds
        The artefact of limen: ``values``, ``labels``, ``expected`` (the metric to expect on new data),
        ``save`` and more. Its ``value`` is measured on the scores tuned on.
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
        cv: Any = 5,
        refit: bool = True,
        response_method: str = "auto",
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
        self.cv = cv
        self.refit = refit
        self.response_method = response_method
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
            If the estimator takes no weights, or labels have no positive item.
        """
        tuning = Tuning.of(self, self._seed())
        prefit = isinstance(self.cv, str) and self.cv == "prefit"
        X, sample_weight, groups = indexable(X, sample_weight, groups)
        learned = self._check_prefit(fit_params) if prefit else None
        target, y, truth = read_target(
            y, labels=self.labels, columns=takes_columns(self.estimator), learned=learned
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
        self.thresholds_ = fitted.scored.tune(tuning)
        self.estimator_ = fitted.estimator
        self.response_method_ = fitted.method
        self.classes_ = target.fitted_classes
        self.labels_ = target.names
        self._target = target
        self.cv_results_ = cv_results(fitted, tuning, held_out=self.store_cv_results, n_jobs=self.n_jobs)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def predict(self, X: Any) -> Any:
        """Return decisions in the form of the target that was fitted.

        Returns
        -------
        ndarray (n_items,) of classes for a binary target; else (n_items, n_labels), sparse if the target was
            Or a frame, if `set_output` says so.
        """
        scores = self._scores(X)
        decided = self.thresholds_.decide(scores)
        if self._container() != "default":
            return framed(self._target.dense(decided), self.labels_, self._container(), X)
        return self._target.decode(decided)

    @available_if(_available("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return what the estimator's ``predict_proba`` gives; or a frame of each label's probability."""
        check_is_fitted(self)
        if self._container() != "default":
            return self._framed_scores(X, "predict_proba")
        return self.estimator_.predict_proba(X)

    @available_if(_available("predict_log_proba"))  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Any:
        """Return what the estimator's ``predict_log_proba`` gives."""
        check_is_fitted(self)
        return self.estimator_.predict_log_proba(X)

    @available_if(_available("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        """Return what the estimator's ``decision_function`` gives; or a frame of it, by label."""
        check_is_fitted(self)
        if self._container() != "default":
            return self._framed_scores(X, "decision_function")
        return self.estimator_.decision_function(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the metric that was tuned for, with its average, of the decisions on items.

        It is greater for better decisions, costs being negated. `limen.evaluate` gives its interval too.
        """
        scores = self._scores(X)
        truth = self._target.encode(y)
        weight = None if sample_weight is None else np.asarray(sample_weight)
        return self.thresholds_.objective(*Scored(self.labels_, truth, scores, weight).count(self.thresholds_))

    def set_output(self, *, transform: str | None = None) -> Self:
        """Return the tuner, with the container of outputs set here and in the estimator.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            What decisions and scores of several labels are given as: a numpy array, or a frame with a column
            for each label, its index that of a pandas ``X``. None leaves it as it is.
        """
        if transform is None:
            return self
        check_container(transform)
        self._sklearn_output_config = {"transform": transform}
        for estimator in (self.estimator, getattr(self, "estimator_", None)):
            if estimator is not None and hasattr(estimator, "set_output"):
                estimator.set_output(transform=transform)
        return self

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
        splits = splits_of(
            self.cv,
            X,
            y if target.binary else items.truth,
            items.truth,
            stratified=target.binary,
            groups=items.groups,
            for_splitter=to_splitter,
            random_state=seed,
        )
        if not self.refit and len(splits) > 1:
            raise InputError(
                f"refit=False with {len(splits)} splits leaves no estimator: each was fitted on a part. Use a "
                "single split, such as cv=0.2, or refit=True."
            )
        return cross_fit(
            self.estimator,
            X,
            y,
            items,
            target,
            splits,
            fit_params=to_estimator,
            response_method=self.response_method,
            refit=self.refit,
            n_jobs=self.n_jobs,
        )

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

    def _scores(self, X: Any) -> Any:
        check_is_fitted(self)
        return positive_scores(self.estimator_, X, self._target, self.response_method_)[0]

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _container(self) -> str:
        if self._target.binary:
            return "default"
        return str(getattr(self, "_sklearn_output_config", {}).get("transform", "default"))

    def _framed_scores(self, X: Any, method: str) -> Any:
        scores, _ = positive_scores(self.estimator_, X, self._target, method)
        return framed(scores, self.labels_, self._container(), X)

    def _repr_html_inner(self) -> str:
        diagram = str(super()._repr_html_inner())
        thresholds: Thresholds | None = getattr(self, "thresholds_", None)
        return diagram if thresholds is None else diagram + thresholds._repr_html_()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] = self._repr_html_inner()
        return bundle
