"""Scores of a fitted estimator: one column for each label, whatever shape the estimator gives."""

# ruff: noqa: N803 - X is what scikit-learn calls the items

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, UnsupportedError, count
from limen.sklearn.targets import Target

Method = Literal["predict_proba", "decision_function"]
METHODS: tuple[Method, ...] = get_args(Method)
DEFAULT_CUT: dict[Method, float] = {"predict_proba": 0.5, "decision_function": 0.0}


def check_response_method(wanted: str) -> None:
    """Raise `InputError` unless ``wanted`` is "auto" or names a method that gives scores."""
    if wanted != "auto" and wanted not in METHODS:
        raise InputError(f"response_method={wanted!r} is unknown. Use 'auto', {' or '.join(map(repr, METHODS))}.")


def positive_scores(estimator: Any, X: Any, target: Target, wanted: str = "auto") -> tuple[NDArray[Any], Method]:
    """Return the score of each label's positive class (n_items, n_labels), and the method that gave it.

    ``predict_proba`` may give an array (n_items, n_labels), or for each label an array (n_items, 2), as
    a list or in three dimensions; ``decision_function`` the first, or one dimension for one label. A
    probability of a class that the estimator has not seen is 0.

    Raises
    ------
    UnsupportedError
        If the estimator has no method that gives scores.
    InputError
        If what it gives does not fit the labels.
    """
    check_response_method(wanted)
    method = _method(estimator, wanted)
    values = getattr(estimator, method)(X)
    learned = getattr(estimator, "classes_", None)
    n_labels = len(target.names)
    if hasattr(values, "toarray"):
        values = values.toarray()
    if not isinstance(values, list | tuple):
        values = np.asarray(values)
    if target.binary:
        seen = target.fitted_classes if learned is None else learned
        columns = [_of_class(values, target.classes[0][1], seen)]
        alone = np.ndim(values) < 2 or (np.shape(values)[1] == 1 and len(seen) > 1)
        if target.turned and alone and columns[0] is not None:
            columns = [-columns[0] if method == "decision_function" else 1 - columns[0]]
    elif (isinstance(values, list | tuple) or values.ndim == 3) and len(values) == n_labels:
        by_label = learned if isinstance(learned, list | tuple) and len(learned) == n_labels else [None] * n_labels
        columns = [
            _of_class(np.asarray(one), pair[1], seen)
            for one, pair, seen in zip(values, target.classes, by_label, strict=True)
        ]
    elif isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == n_labels:
        return values, method
    elif isinstance(values, np.ndarray) and n_labels == 1:
        columns = [_of_class(values, target.classes[0][1], None)]
    else:
        columns = [None]
    if any(column is None for column in columns):
        found = [np.shape(one) for one in values] if isinstance(values, list | tuple) else values.shape
        raise InputError(
            f"{type(estimator).__name__}.{method} gave {found} for {count(n_labels, 'label')}. It must give one "
            "column for each label, or for each label an array (n_items, 2)."
        )
    return np.column_stack(columns), method  # type: ignore[arg-type]


def _method(estimator: Any, wanted: str) -> Method:
    for method in METHODS:
        if wanted in ("auto", method) and hasattr(estimator, method):
            return method
    lacking = " nor ".join(METHODS) if wanted == "auto" else wanted
    raise UnsupportedError(
        f"{type(estimator).__name__} has {'neither' if wanted == 'auto' else 'no'} {lacking}: there are no scores "
        "to put a threshold on. Use an estimator that has one, such as OneVsRestClassifier around one."
    )


def _of_class(values: Any, given: Any, learned: Any) -> NDArray[Any] | None:
    """Return the column of the class ``given``; None if there is no telling which it is."""
    if isinstance(values, list | tuple) or values.ndim > 2:
        return None
    if values.ndim == 1:
        return np.asarray(values)
    seen = None if learned is None else np.asarray(learned, dtype=None)
    if seen is not None and seen.ndim == 1 and len(seen) == values.shape[1]:
        at = np.flatnonzero(seen == given)
        return np.asarray(values[:, at[0]]) if len(at) else np.zeros(len(values), values.dtype)
    return np.asarray(values[:, -1]) if values.shape[1] in (1, 2) else None
