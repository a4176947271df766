"""Sketched binary relevance: linear scores for many labels from a random sketch of the items.

After "Fast multi-label learning", whose sketches are sub-Gaussian and Walsh-Hadamard; the count sketch is an
extension of ours. The equations are those of sketched least squares (Pilanci and Wainwright).
"""

# ruff: noqa: N803, N806 - X, Y, S and W are what the equations call them

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, LimenWarning, examples, require

require("sklearn", extra="learn", user="limen.learn.sketch")

from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: E402
from sklearn.preprocessing import LabelBinarizer  # noqa: E402
from sklearn.utils import Tags, check_array, check_random_state, column_or_1d  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import check_is_fitted, validate_data  # noqa: E402

from limen.learn.least_squares import costs_of, least_squares  # noqa: E402
from limen.learn.projections import PROJECTIONS  # noqa: E402

SKETCHES = ("gaussian", "hadamard", "count", "identity")


class SketchedBinaryRelevance(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A linear score for each label, by least squares on a random sketch of the items.

    Fits ``|S (X W - Y)|² + alpha |W|²``: one S of ``sketch_size_`` rows for all labels, one Cholesky factor. The
    scores estimate labels of 0 and 1, but are no probabilities: tune their thresholds with `limen.tune`.

    Parameters
    ----------
    sketch : {"gaussian", "hadamard", "count", "identity"}
        Normal numbers; a fast Walsh-Hadamard transform; each item added with a random sign to one row (our
        extension, not of the paper, and the quick one); no sketch: exact binary relevance.
    sketch_size : float or int
        Rows of the sketch: a float is a multiple of the columns (features and intercept), an int a number of rows.
        With no fewer rows than items nothing is gained, and the fit is exact.
    alpha : float
        Ridge penalty of the coefficients, not of the intercept.
    fit_intercept : bool
        Whether a column of ones is added before the sketch.
    random_state : int, RandomState or None
        What the sketch is drawn from.

    Attributes
    ----------
    coef_ : float ndarray (n_labels, n_features)
    intercept_ : float ndarray (n_labels,)
    sketch_size_ : int
        Rows of the sketch; the number of items where the fit was exact.
    classes_ : ndarray
        The numbers of the labels; of a ``y`` of one dimension, its classes.
    n_features_in_ : int

    Notes
    -----
    With a Gaussian sketch of m rows, d columns of full rank and no penalty the expected cost of each label on the
    items fitted on is ``1 + d / (m - d - 1)`` times the least (`limen.learn.sketch.expected_cost_ratio`);
    `suboptimality` measures it.

    A dense sketch of X costs more than the exact Gram matrix of X. Only the count sketch is quicker than the exact
    fit; the other two are quicker only than iterative solvers that go label by label.

    Columns that depend on each other get the smallest coefficients that fit.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> X, Y = make_multilabel_classification(2000, n_classes=5, random_state=0)
    >>> model = SketchedBinaryRelevance(random_state=0).fit(X[:1000], Y[:1000])
    >>> model.sketch_size_, model.decision_function(X).shape
    (168, (2000, 5))
    >>> import limen
    >>> t = limen.tune(Y[:1000], model.decision_function(X[:1000]))
    >>> print(f"{limen.evaluate(Y[1000:], model.decision_function(X[1000:]), t, baseline=0.5).value:.2f}")
    0.68
    """

    def __init__(
        self,
        sketch: str = "gaussian",
        sketch_size: float = 8.0,
        *,
        alpha: float = 1e-6,
        fit_intercept: bool = True,
        random_state: Any = None,
    ) -> None:
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.random_state = random_state

    _binarizer: Any

    def fit(self, X: Any, y: Any) -> Self:
        """Return the estimator fitted.

        Parameters
        ----------
        X : array-like or sparse (n_items, n_features)
            float32 stays float32 until it is summed.
        y : array-like or sparse (n_items, n_labels) of 0 and 1, or (n_items,) of classes
            A ``y`` of one dimension is taken one class against the rest.

        Raises
        ------
        InputError
            If a parameter or ``y`` does not fit, or the sketch has fewer rows than X columns while ``alpha`` is 0.
        """
        self._check_parameters()
        X, Y = self._read(X, y)
        n_items, n_columns = X.shape[0], X.shape[1] + bool(self.fit_intercept)
        self.sketch_size_ = self._rows(n_items, n_columns)
        ones = np.ones((n_items, int(bool(self.fit_intercept))), X.dtype)
        parts = [X, ones, Y]
        if self.sketch_size_ < n_items:
            seed = check_random_state(self.random_state).randint(1 << 31)
            parts = PROJECTIONS[self.sketch](parts, self.sketch_size_, np.random.default_rng(seed))
            parts = [part.astype(np.float64, copy=False) for part in parts]  # few rows: exact sums cost nothing
        self._keep(least_squares(*parts, alpha=self.alpha))
        return self

    def decision_function(self, X: Any) -> NDArray[np.floating[Any]]:
        """Return the scores of the items.

        Parameters
        ----------
        X : array-like or sparse (n_items, n_features)

        Returns
        -------
        float ndarray (n_items, n_labels)
            Unbounded; they estimate labels of 0 and 1. For a ``y`` of one dimension as scikit-learn has it: less
            0.5, and (n_items,) for two classes.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        scores: NDArray[np.floating[Any]] = X @ self.coef_.T.astype(X.dtype) + self.intercept_.astype(X.dtype)
        if self._binarizer is None:
            return scores
        scores -= scores.dtype.type(0.5)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the labels whose scores are 0.5 or more, which is a poor cut: see `limen.tune`.

        Returns
        -------
        ndarray (n_items, n_labels) of 0 and 1, or (n_items,) of classes
        """
        scores = self.decision_function(X)
        if self._binarizer is None:
            return (scores >= 0.5).astype(np.int64)
        if scores.ndim == 1:
            return np.asarray(self.classes_[np.where(scores > 0, len(self.classes_) - 1, 0)])
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def suboptimality(self, X: Any, y: Any) -> NDArray[np.float64]:
        """Return how far the root of each label's cost on these items is above the least that can be.

        Parameters
        ----------
        X, y : as for ``fit``
            The items fitted on, for what theory speaks of.

        Returns
        -------
        float64 ndarray (n_labels,)
            delta, from 0: ``|X w - y|`` is 1 + delta times that of the exact solution (of the penalised cost, if
            ``alpha`` is not 0). 0 where neither costs anything; inf where the least is 0 and this is not.
        """
        check_is_fitted(self)
        X, Y = self._read(X, y, reset=False)
        ones = np.ones((X.shape[0], int(bool(self.fit_intercept))), X.dtype)
        exact = least_squares(X, ones, Y, alpha=self.alpha)
        own = np.vstack([self.coef_.T, self.intercept_[np.newaxis] if self.fit_intercept else self.coef_.T[:0]])
        least, cost = (costs_of(X, Y, W, self.alpha) for W in (exact, own))
        nothing = 1e-12 * np.maximum(1.0, np.asarray(Y.sum(axis=0), np.float64).ravel())
        with np.errstate(divide="ignore", invalid="ignore"):
            delta = np.maximum(np.sqrt(cost / least) - 1, 0)
        return np.where(least > nothing, delta, np.where(cost > nothing, np.inf, 0.0))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags

    def _check_parameters(self) -> None:
        if self.sketch not in SKETCHES:
            raise InputError(f"sketch={self.sketch!r} is not known. Choose one of {examples(SKETCHES)}.")
        size = self.sketch_size
        if isinstance(size, bool) or not isinstance(size, int | float | np.number) or not 0 < size < np.inf:
            raise InputError(
                f"sketch_size={size!r} is not usable. Give a number above 0: a float is a multiple of X's "
                "columns, an int is a number of rows."
            )
        if isinstance(self.alpha, bool) or not isinstance(self.alpha, int | float | np.number):
            raise InputError(f"alpha={self.alpha!r} is no number. Give a penalty from 0.")
        if not 0 <= self.alpha < np.inf:
            raise InputError(f"alpha={self.alpha!r} is not usable. Give a penalty from 0.")

    def _rows(self, n_items: int, n_columns: int) -> int:
        """Return the number of the sketch's rows; that of the items where no sketch is worth it."""
        if self.sketch == "identity":
            return n_items
        whole = isinstance(self.sketch_size, int | np.integer)
        rows = int(self.sketch_size) if whole else max(1, round(float(self.sketch_size) * n_columns))
        if rows >= n_items:
            return n_items
        if rows < n_columns:
            found = f"the sketch has {rows} rows for {n_columns} columns"
            if self.alpha == 0:
                raise InputError(
                    f"{found}, so many solutions fit it. Give sketch_size at least that number (8.0 is 8 times as "
                    "many), or a penalty: alpha above 0."
                )
            warnings.warn(
                f"{found}: only the penalty (alpha={self.alpha:g}) chooses among the solutions that fit it, and "
                "their cost has no bound. Give sketch_size more rows, such as 8.0 (8 times the columns).",
                LimenWarning,
                stacklevel=3,
            )
        return rows

    def _read(self, X: Any, y: Any, *, reset: bool = True) -> tuple[Any, Any]:
        """Return X and the labels as numbers of its type (n_items, n_labels), sparse if they are."""
        if y is None:
            raise InputError("SketchedBinaryRelevance requires y to be passed, but the target y is None.")
        kind = [np.float64, np.float32]
        X = validate_data(self, X, accept_sparse="csr", dtype=kind, reset=reset)
        sparse = hasattr(y, "tocsr")
        Y = check_array(y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name="y")
        if Y.shape[0] != X.shape[0]:
            raise InputError(
                f"X has {X.shape[0]} items, y has {Y.shape[0]}: inconsistent numbers of samples. Give one row of "
                "labels for each item."
            )
        binarizer: Any = None
        if Y.ndim == 2 and Y.shape[1] == 1 and not sparse and not _only(Y):
            Y = column_or_1d(Y, warn=True)
        if Y.ndim == 1:
            check_classification_targets(Y)
            binarizer = LabelBinarizer().fit(Y) if reset else self._binarizer
            if binarizer is None:
                raise InputError("y has one dimension; it was fitted on a column for each label. Give the same.")
            classes, Y = binarizer.classes_, binarizer.transform(Y)
        else:
            _check_zero_one(Y)
            classes = np.arange(Y.shape[1])
        if reset:
            self._binarizer, self.classes_ = binarizer, classes
        elif Y.shape[1] != len(self.intercept_):
            raise InputError(
                f"y has {Y.shape[1]} labels, {len(self.intercept_)} were fitted. Give the same labels."
            )
        return X, Y.astype(X.dtype) if sparse else np.asarray(Y, X.dtype)

    def _keep(self, W: NDArray[np.float64]) -> None:
        self.coef_ = np.ascontiguousarray(W[: self.n_features_in_].T)
        self.intercept_ = W[-1].copy() if self.fit_intercept else np.zeros(W.shape[1])


def expected_cost_ratio(n_columns: int, sketch_size: int) -> float:
    """Return what the squared error of a sketched fit is, on average, as a multiple of the least.

    Parameters
    ----------
    n_columns : int
        d: features and the intercept.
    sketch_size : int
        m: rows of the sketch.

    Returns
    -------
    float
        ``1 + d / (m - d - 1)``; inf where m is not above d + 1.

    Notes
    -----
    Exact for a Gaussian sketch, X of full rank and no penalty, on the items fitted on. The transform and the count
    sketch come near it, and below it where m is a good part of the items.

    Examples
    --------
    >>> [round(expected_cost_ratio(361, k * 361), 3) for k in (2, 8, 32)]
    [2.003, 1.143, 1.032]
    """
    spare = sketch_size - n_columns - 1
    return 1 + n_columns / spare if spare > 0 else float("inf")


def _check_zero_one(Y: Any) -> None:
    if Y.ndim == 2 and _only(Y.data if hasattr(Y, "tocsr") else Y):
        return
    raise InputError(
        f"y has {Y.ndim} dimensions and values beyond 0 and 1. Give a column of 0 and 1 for each label "
        "(scikit-learn's MultiLabelBinarizer makes them from lists of tags)."
    )


def _only(values: NDArray[Any]) -> bool:
    return bool(values.dtype.kind in "biuf" and ((values == 0) | (values == 1)).all())
