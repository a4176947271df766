"""What estimators around a network have in common: targets, a validation part, scores in batches, ONNX."""

# ruff: noqa: N803 - X is what scikit-learn calls it

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, require

require("torch", extra="learn", user="limen.learn")
require("sklearn", extra="learn", user="limen.learn")

import torch  # noqa: E402
from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: E402
from sklearn.utils import Tags, check_array, column_or_1d  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402
from torch import nn  # noqa: E402

from limen.learn.exporting import export  # noqa: E402
from limen.learn.training import device_of  # noqa: E402

AT_ONCE = 256
"""Items that are scored in one go."""


class Targets(NamedTuple):
    """What is to be learned, as a network takes it.

    Attributes
    ----------
    values : float32 ndarray (n_items, n_labels) of 0 and 1, or int64 (n_items,)
        Labels, or the numbers of classes.
    classes : ndarray
        The numbers of the labels, or the classes.
    """

    values: NDArray[Any]
    classes: NDArray[Any]

    @property
    def multilabel(self) -> bool:
        """Whether an item may have many labels, or none."""
        return self.values.ndim == 2

    def loss(self) -> nn.Module:
        """Return the loss of logits (n, n_labels) that goes with them, a mean over items (and labels)."""
        return nn.BCEWithLogitsLoss() if self.multilabel else nn.CrossEntropyLoss()


def read_targets(y: Any, n_items: int, name: str = "y", task: str | None = None) -> Targets:
    """Return labels, a column of 0 and 1 for each, or classes, one for each item.

    Parameters
    ----------
    y : array-like (n_items, n_labels) or (n_items,)
    n_items : int
    name : str
        What messages call ``y``.
    task : {"multilabel", "multiclass"}, optional
        If not given, two columns or more are labels, and one is classes.

    Raises
    ------
    InputError
        If there is not a row for each item, a column holds more than 0 and 1, or ``y`` is not of this task.
    """
    if y is None:
        raise InputError(f"requires {name} to be passed, but the target {name} is None.")
    values = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
    if len(values) != n_items:
        raise InputError(
            f"X has {n_items} items, {name} has {len(values)}: inconsistent numbers of samples. Give one row of "
            f"{name} for each item."
        )
    columns = values.shape[1] if values.ndim == 2 else 0
    if (task == "multilabel" and not columns) or (task == "multiclass" and columns > 1):
        raise InputError(
            f"{name} has shape {values.shape}, task={task!r}. Labels are columns of 0 and 1 (n_items, n_labels), "
            "classes one value an item (n_items,)."
        )
    if columns > 1 or (task == "multilabel" and columns):
        if values.dtype.kind not in "biuf" or not ((values == 0) | (values == 1)).all():
            raise InputError(
                f"{name} has values beyond 0 and 1. Give a column of 0 and 1 for each label (scikit-learn's "
                "MultiLabelBinarizer makes them from lists of tags)."
            )
        return Targets(values.astype(np.float32), np.arange(values.shape[1]))
    values = column_or_1d(values, warn=True)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError(f"{name} contains NaN or inf. Give the class of each item, or drop the item.")
    check_classification_targets(values)
    classes, numbers = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"{name} has one class only, {classes.tolist()[0]!r}. A classifier needs two or more.")
    return Targets(numbers.astype(np.int64), classes)


def held_out(n_items: int, fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the items to train on and of those to validate on; none, if ``fraction`` is 0.

    Raises
    ------
    InputError
        If fewer than two items are left to train on.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"validation_fraction={fraction!r}: it is a share of the items, from 0 and below 1.")
    n_held = round(fraction * n_items)
    shuffled = np.random.default_rng(seed).permutation(n_items)
    if n_items - n_held < 2:
        raise InputError(
            f"{n_items} items, of which {n_held} validate, leave {n_items - n_held} to train on. Give two or "
            "more, or a smaller validation_fraction."
        )
    return np.sort(shuffled[n_held:]), np.sort(shuffled[:n_held])


def scores_of(network: nn.Module, *inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Return what a network gives for items, as it stands, in evaluation mode; it may take several inputs."""
    device = next(network.parameters()).device
    was, found = network.training, []
    network.eval()
    with torch.no_grad():
        for start in range(0, len(inputs[0]), AT_ONCE):
            parts = (X[start : start + AT_ONCE] for X in inputs)
            batch = [torch.as_tensor(part, dtype=torch.float32, device=device) for part in parts]
            found.append(network(*batch).cpu().numpy())
    network.train(was)
    return np.concatenate(found)


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose scores are the logits of a network.

    A subclass has a parameter ``device``; its ``fit`` sets ``network_`` (items to logits) and ``classes_``, and
    ``_multilabel``.
    """

    network_: nn.Module
    classes_: NDArray[Any]
    device: str | None
    _multilabel: bool

    def decision_function(self, X: Any) -> NDArray[np.float32]:
        """Return the scores of the items.

        Parameters
        ----------
        X : float array-like, items as for ``fit``

        Returns
        -------
        float32 ndarray (n_items, n_labels)
            Logits. For two classes (n_items,), as scikit-learn has it: that of the second less that of the first.
        """
        return self._shaped(self._logits(X))

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Return probabilities (n_items, n_labels): of each label, or of the classes."""
        logits = torch.as_tensor(self._logits(X))
        found: NDArray[np.float32] = (
            torch.sigmoid(logits) if self._multilabel else torch.softmax(logits, dim=1)
        ).numpy()
        return found

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the labels whose probability is 0.5 or more, a cut that `limen.tune` improves; or the classes.

        Returns
        -------
        ndarray (n_items, n_labels) of 0 and 1, or (n_items,) of classes
        """
        logits = self._logits(X)
        return (logits >= 0).astype(np.int64) if self._multilabel else self.classes_[logits.argmax(axis=1)]

    def to_onnx(self, path: str | os.PathLike[str], **sound: Any) -> None:
        """Write the network as an ONNX model, checked against PyTorch on made items.

        Parameters
        ----------
        path : path
        **sound
            ``rate`` and ``labels``, for `limen.audio` and ``limen tag``: the items are windows of sound at this
            rate, and the scores have these names.

        Raises
        ------
        InputError
            If both differ by more than single precision explains.
        """
        check_is_fitted(self, "network_")
        export(self.network_, path, self._item_shape, **sound)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    _item_shape: tuple[int, ...]

    def _read(self, X: Any, *, reset: bool) -> NDArray[np.float32]:
        """Return items as float32 (n_items, ...), finite and of the shape fitted on."""
        found: NDArray[np.float32] = check_array(X, dtype=np.float32, allow_nd=True, ensure_all_finite=False)
        if not np.isfinite(found).all():
            row = int(np.flatnonzero(~np.isfinite(found).reshape(len(found), -1).all(axis=1))[0])
            raise InputError(f"X has NaN or inf in row {row}. Items must be finite: mend or drop them.")
        if reset:
            self._item_shape, self.n_features_in_ = found.shape[1:], found.shape[1]
        elif found.shape[1:] != self._item_shape:
            raise InputError(
                f"X has {found.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} "
                "features as input: items must have the shape fitted on. Cut or pad them."
            )
        return found

    def _logits(self, X: Any) -> NDArray[np.float32]:
        check_is_fitted(self, "network_")
        return scores_of(self.network_, self._read(X, reset=False))

    def _shaped(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits as ``decision_function`` gives them."""
        two = not self._multilabel and len(self.classes_) == 2
        return logits[:, 1] - logits[:, 0] if two else logits

    def _place(self) -> torch.device:
        return device_of(self.device)
