"""The target ``y`` as scikit-learn's users give it, and the 0/1 labels that it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, check_array, column_or_1d, get_tags
from sklearn.utils.multiclass import type_of_target

from limen.errors import InputError, count, examples
from limen.names import match
from limen.sources.frames import is_frame


@dataclass(frozen=True, eq=False)
class Target:
    """What a target's columns and classes are.

    Attributes
    ----------
    names : tuple of n_labels str
    classes : tuple of n_labels arrays (2,)
        The class "not given" and the class "given" of each label.
    turned : bool
        Whether the class "given" of a binary target is the first of the estimator's.
    binary : bool
        Whether the target is one column of classes, and decisions are classes again.
    dtype : dtype
        Of decisions.
    sparse : type or None
        Of decisions, if they are sparse.
    columns : tuple of n_labels str
        What a frame calls the labels, if not by their names.
    """

    names: tuple[str, ...]
    classes: tuple[NDArray[Any], ...]
    binary: bool
    dtype: Any
    sparse: type | None = None
    columns: tuple[str, ...] = ()
    turned: bool = False

    @property
    def named(self) -> bool:
        """Whether the labels have the names of a frame's columns, and not their numbers."""
        return self.columns not in ((), tuple(map(str, range(len(self.names)))))

    @property
    def fitted_classes(self) -> Any:
        """What scikit-learn calls ``classes_``: the two classes, or a list of them for each label."""
        if not self.binary:
            return list(self.classes)
        return self.classes[0][::-1] if self.turned else self.classes[0]

    def encode(self, y: Any) -> Any:
        """Return a target like the fitted one as 0, 1 or NaN (n_items, n_labels), sparse if it is.

        Raises
        ------
        InputError
            If it has other columns, or classes that were not there.
        """
        if hasattr(y, "tocsr"):
            values = y.tocsr()
        elif is_frame(y) and not self.binary:
            values = _values(self._ordered(y))
        else:
            values = _values(y)
            values = column_or_1d(values)[:, np.newaxis] if self.binary else values
        if values.ndim != 2 or values.shape[1] != len(self.names):
            raise InputError(
                f"y has shape {values.shape}. It must have {count(len(self.names), 'column')}: one for each label "
                f"({examples(self.names, most=3)})."
            )
        if hasattr(values, "tocsr"):
            return values
        if all(_is_zero_one(classes) for classes in self.classes) and _only_zero_one(values):
            return values if values.dtype.kind == "f" else values.astype(np.int8)
        return self._by_class(values)

    def decode(self, decided: NDArray[np.bool_]) -> Any:
        """Return decisions (n_items, n_labels) in the form of the target."""
        if self.binary:
            return self.classes[0][decided[:, 0].astype(np.int64)]
        if self.sparse is not None:
            return self.sparse(decided.astype(self.dtype))
        return self.dense(decided)

    def dense(self, decided: NDArray[np.bool_]) -> NDArray[Any]:
        """Return decisions as an array (n_items, n_labels) of classes."""
        if all(map(_is_zero_one, self.classes)):
            return decided.astype(self.dtype)
        columns = [pair[one.astype(np.int64)] for pair, one in zip(self.classes, decided.T, strict=True)]
        return np.stack(columns, axis=1).astype(self.dtype, copy=False)

    def _ordered(self, y: Any) -> Any:
        columns = [str(name) for name in y.columns]
        known = self.columns if set(self.columns) == set(columns) else self.names
        names = list(y.columns)
        return y[[names[k] for k in match(known, columns, between=("the y fitted on", "this y"))]]

    def _by_class(self, values: NDArray[Any]) -> NDArray[Any]:
        truth = np.zeros(values.shape, np.float64)
        for k, (name, (without, given)) in enumerate(zip(self.names, self.classes, strict=True)):
            column = values[:, k]
            unknown = _missing(column)
            positive, foreign = np.zeros((2, len(column)), bool)
            positive[~unknown] = column[~unknown] == given
            foreign[~unknown] = ~positive[~unknown] & (column[~unknown] != without)
            if foreign.any():
                raise InputError(
                    f"y has the class {column[foreign][0]!s} in {_where(name, self.binary)} "
                    f"(row {int(np.flatnonzero(foreign)[0])}), which was not there when fitted: "
                    f"{without!s} and {given!s}."
                )
            truth[:, k] = np.where(unknown, np.nan, positive)
        return truth if np.isnan(truth).any() else truth.astype(np.int8)


def read_target(
    y: Any,
    *,
    labels: Sequence[str] | None = None,
    columns: bool = False,
    learned: Any = None,
    pos_label: Any = None,
) -> tuple[Target, Any, Any]:
    """Return what a target is, the target as estimators take it, and its labels.

    Parameters
    ----------
    y : array-like (n_items,) or (n_items, n_labels), sparse, or frame
    labels : sequence of n_labels str, optional
        Names, if not those of a frame's columns.
    columns : bool
        Whether a single column stays a column: the estimator takes nothing else.
    learned : optional
        The ``classes_`` of a fitted estimator.
    pos_label : optional
        The class "given" of a binary target, if not the second.

    Returns
    -------
    target : Target
    y : ndarray, sparse, Series or frame
    truth : ndarray or sparse (n_items, n_labels) of 0, 1 or NaN

    Raises
    ------
    InputError
        If a column has not two classes; the message names it.
    """
    if y is None:
        raise InputError(
            "limen.sklearn requires y to be passed, but the target y is None. Give the labels of the items."
        )
    if hasattr(y, "tocsr"):
        _only_binary(pos_label)
        y = y.tocsr()
        kind = type(y)
        names = _names(labels, [str(k) for k in range(y.shape[1])])
        pairs = (np.array([0, 1], y.dtype),) * y.shape[1]
        target = Target(names, pairs, False, y.dtype, kind)
        _check_sparse(y, names)
        return target, y, y
    values = _values(y)
    if values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1 and not columns):
        target, flat = _binary(y, values, labels, learned, pos_label)
        return target, flat, target.encode(flat)
    _only_binary(pos_label)
    if values.ndim != 2:
        raise InputError(
            f"y has {values.ndim} dimensions. It must have one (two classes) or two (one column for each label)."
        )
    named = [str(name) for name in y.columns] if is_frame(y) else [str(k) for k in range(values.shape[1])]
    names = _names(labels, named)
    pairs = _pairs(values, names, learned)
    if len(values) == 0 or not pairs:
        raise InputError(f"y is empty: shape {values.shape}. At least one item and one label are needed.")
    target = Target(names, pairs, False, values.dtype, columns=tuple(named))
    return target, y if is_frame(y) else values, target.encode(values)


def last_step(estimator: Any) -> Any:
    """Return the estimator itself, or what a pipeline or a search ends in."""
    while hasattr(estimator, "steps") or hasattr(estimator, "best_estimator_"):
        estimator = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator.best_estimator_
    return estimator


def takes_columns(estimator: Any) -> bool:
    """Return whether an estimator, or a pipeline's last step, refuses a one-dimensional target."""
    last = last_step(estimator)
    return hasattr(last, "__sklearn_tags__") and not get_tags(last).target_tags.single_output


def column_target(names: Sequence[str], learned: Any = None) -> Target:
    """Return the target of a column for each label, of the two classes that were learned, or of 0 and 1."""
    zero_one = np.array([0, 1])
    pairs = [zero_one] * len(names) if learned is None else [np.asarray(one) for one in learned]
    if len(pairs) != len(names):
        raise InputError(
            f"the estimator has {count(len(pairs), 'label')}, and {count(len(names), 'name')} are given. Give one "
            "name, and one threshold, for each."
        )
    pairs = [pair if len(pair) == 2 else zero_one for pair in pairs]
    return Target(tuple(map(str, names)), tuple(pairs), False, np.result_type(*pairs))


def binary_target(
    classes: NDArray[Any], pos_label: Any, labels: Sequence[str] | None, name: str | None = None
) -> Target:
    """Return the target of one column of two classes; its label is named ``name``, or like the class given."""
    turned = False
    if pos_label is not None:
        if pos_label not in classes.tolist():
            raise InputError(f"pos_label={pos_label!r} is no class of y: {examples(classes)}. Give one of them.")
        turned = bool(classes[0] == pos_label)
    pair = classes[::-1] if turned else classes
    names = _names(labels, [str(pair[1] if name is None or name == "" else name)])
    return Target(names, (pair,), True, classes.dtype, turned=turned)


def _only_binary(pos_label: Any) -> None:
    if pos_label is not None:
        raise InputError(
            f"pos_label={pos_label!r} goes with one column of two classes; y has a column for each label, whose "
            "positive class is 1, or the second. Leave pos_label out."
        )


def _binary(
    y: Any, values: NDArray[Any], labels: Sequence[str] | None, learned: Any, pos_label: Any
) -> tuple[Target, Any]:
    if values.dtype.kind == "f" and learned is None:
        assert_all_finite(values, input_name="y")
    name = getattr(y, "name", None)
    if values.ndim == 2:
        name = str(y.columns[0]) if is_frame(y) else None
        y = values = column_or_1d(values, warn=True)
    lacking = np.flatnonzero(_missing(values))
    if learned is None and len(lacking):
        raise InputError(
            f"y has no class in {'its column' if name is None or name == '' else f'label {name!r}'} (row "
            f"{lacking[0]}). Leave items of unknown class out, or fit the estimator yourself and tune with "
            "cv='prefit'."
        )
    kind = type_of_target(values, input_name="y") if learned is None else "binary"
    if kind != "binary":
        raise InputError(
            f"y has one column and is {kind}. Only binary classification is supported. Unknown label type: "
            f"{kind}. Give two classes, or a column of 0 and 1 for each label."
        )
    classes = np.unique(values) if learned is None else np.asarray(learned)
    if len(classes) != 2:
        owner = "y" if learned is None else "the fitted estimator"
        raise InputError(
            f"{owner} has {'one class' if len(classes) == 1 else f'{len(classes)} classes'}: {examples(classes)}. "
            "Only binary classification is supported: give two classes, or a column of 0 and 1 for each label."
        )
    return binary_target(classes, pos_label, labels, name), y if hasattr(y, "iloc") else values


def _pairs(values: NDArray[Any], names: tuple[str, ...], learned: Any) -> tuple[NDArray[Any], ...]:
    """Return the two classes of each column."""
    if isinstance(learned, list | tuple) and len(learned) == len(names) and all(len(one) == 2 for one in learned):
        return tuple(np.asarray(one) for one in learned)
    zero_one = np.array([0, 1]).astype(values.dtype if values.dtype.kind in "biuf" else np.int64)
    if _only_zero_one(values):
        return (zero_one,) * len(names)
    pairs = []
    for name, column in zip(names, values.T, strict=True):
        try:
            found = np.unique(column[~_missing(column)])
        except TypeError as error:
            raise InputError(f"y mixes kinds of classes in label {name!r}: {error}.") from error
        if len(found) == 0 or (found.dtype.kind in "biuf" and np.isin(found, (0, 1)).all()):
            pairs.append(zero_one)
        elif len(found) == 2:
            pairs.append(found)
        elif len(found) == 1:
            raise InputError(
                f"y has one class in label {name!r}: {found[0]!s}. Which of two classes it is cannot be told: "
                "code labels as 0 and 1, or leave the label out."
            )
        else:
            raise InputError(
                f"y has {len(found)} classes in label {name!r} ({examples(found, most=3)}). Only binary "
                "classification is supported in each column: give a column of 0 and 1 for each class."
            )
    return tuple(pairs)


def _values(y: Any) -> NDArray[Any]:
    if is_frame(y) and not hasattr(y, "iloc"):
        y = np.asarray(y)
    try:
        values = check_array(
            y,
            dtype=None,
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name="y",
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"y is no array of classes: {error} Give one column of two classes, or a column of 0 and 1 for each "
            "label (scikit-learn's MultiLabelBinarizer makes them from lists of tags)."
        ) from error
    return np.asarray(values)


def _names(labels: Sequence[str] | None, own: Sequence[str]) -> tuple[str, ...]:
    if labels is None:
        return tuple(own)
    if isinstance(labels, str):
        raise InputError(f"labels is the text {labels!r}. Give a sequence of label names.")
    names = tuple(str(name) for name in labels)
    if len(names) != len(own):
        raise InputError(
            f"labels has {count(len(names), 'name')}, y has {count(len(own), 'label')}. Give one name for each."
        )
    return names


def _check_sparse(y: Any, names: tuple[str, ...]) -> None:
    foreign = np.flatnonzero((y.data != 0) & (y.data != 1))
    if len(foreign):
        name = names[int(y.indices[foreign[0]])]
        raise InputError(f"y has {y.data[foreign[0]]!s} in label {name!r}. A sparse y must hold 0 and 1.")


def _missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    if column.dtype.kind == "O":
        return np.array([_is_missing(one) for one in column], bool)
    return np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), bool)


def _is_missing(one: Any) -> bool:
    return one is None or (isinstance(one, float) and one != one) or type(one).__name__ == "NAType"


def _only_zero_one(values: NDArray[Any]) -> bool:
    if values.dtype.kind not in "biuf":
        return False
    known = (values == 0) | (values == 1)
    return bool((known | np.isnan(values)).all() if values.dtype.kind == "f" else known.all())


def _is_zero_one(classes: NDArray[Any]) -> bool:
    return classes.dtype.kind in "biuf" and classes.tolist() == [0, 1]


def _where(name: str, binary: bool) -> str:
    return "its column" if binary else f"label {name!r}"
