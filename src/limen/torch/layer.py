"""Thresholds as the last layer of a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from limen.decisions import THRESHOLD_RULE, by_threshold, counted_for, rounded_up
from limen.errors import InputError, UnsupportedError, count, examples
from limen.metrics import Metric
from limen.names import beyond, unique
from limen.solvers.base import EVERYTHING, Problem
from limen.solvers.solution import Solution
from limen.thresholds import Thresholds
from limen.torch.exact import ExactModule, on_processor
from limen.torch.step import check_surrogate, decide, threshold
from limen.tuning import tune


class ThresholdLayer(ExactModule):
    """Decisions of scores: each label is given where its score is at or above its threshold.

    Parameters
    ----------
    thresholds : Thresholds, or float tensor or array-like (n_labels,), or float
        +inf: never. What has no dtype of its own gets torch's default dtype.
    labels : sequence of n_labels str, optional
        Names, for thresholds that are plain numbers.
    n_labels : int, optional
        How many labels share a single number, if they have no names.
    trainable : bool
        Whether the thresholds are a parameter, and training mode lets gradients through.
    surrogate, smooth
        For training; as in `limen.torch.threshold`.
    slope : float
        For training; as in `limen.torch.threshold`. 50 suits probabilities, 2 logits.
    learn_slope : bool
        Whether each label's slope is a parameter too, starting at ``slope``.

    Attributes
    ----------
    thresholds : Tensor (n_labels,)
        A buffer, or a parameter (float32 or float64) if trainable.
    labels : tuple of n_labels str
        "0", "1", ... if they have no names.
    rule : str
        ">=", or "closed:CHILD>PARENT,..." of thresholds that are closed under a hierarchy: then a label is decided
        by the highest of its own score and those of the labels below it.

    Raises
    ------
    InputError
        If the thresholds, their number or the names do not fit together.
    UnsupportedError
        If the thresholds decide by item: the rules "top-k", "mcut" and "expected-f".

    Notes
    -----
    ``forward`` takes floating-point scores (..., n_labels). In eval mode, and in training mode unless
    trainable, it returns bool: what `Thresholds.decide` returns, for finite scores of every dtype. NaN
    decides False. Scores and thresholds are compared in a dtype that holds both, and the thresholds
    keep their dtype when the model is cast: ``half()``, ``to(dtype)`` and autocast move no
    threshold past a score. In training mode a trainable layer returns float decisions 0.0 and 1.0, with
    the surrogate's gradient; a threshold at +inf gets none, and stays.

    ``state_dict`` carries the thresholds, in their dtype, and the names of the labels and the rule, as a tensor. A
    state with other names or another rule is refused; a layer without names takes those of the state.

    Examples
    --------
    >>> import torch
    >>> layer = ThresholdLayer([0.5, 0.25], labels=["dog", "cat"])
    >>> layer(torch.tensor([[0.5, 0.1], [0.4, 0.25]]))
    tensor([[ True, False],
            [False,  True]])
    """

    thresholds: Tensor
    _others: Tensor

    def __init__(
        self,
        thresholds: Thresholds | Tensor | Sequence[float] | NDArray[Any] | float,
        *,
        labels: Sequence[str] | None = None,
        n_labels: int | None = None,
        trainable: bool = False,
        surrogate: str = "sigmoid",
        slope: float = 50.0,
        learn_slope: bool = False,
        smooth: bool = False,
    ) -> None:
        super().__init__()
        check_surrogate(surrogate)
        if not 0 < slope < float("inf"):
            raise InputError(f"slope={slope} is not usable. It must be a finite number above 0.")
        if learn_slope and not trainable:
            raise InputError("learn_slope goes with trainable=True: a fixed layer has no slope to learn.")
        if isinstance(thresholds, Thresholds):
            if labels is not None:
                raise InputError("labels are in the thresholds already. Leave labels out.")
            if not by_threshold(thresholds.rule):
                raise UnsupportedError(
                    f"a ThresholdLayer needs one threshold a label; these thresholds have the rule "
                    f"{thresholds.rule!r}, which decides by item. Use Thresholds.decide, or another method."
                )
            labels = thresholds.labels
        self.rule = thresholds.rule if isinstance(thresholds, Thresholds) else THRESHOLD_RULE
        self._names = _names(labels)
        values = _values(thresholds, len(self._names) if self._names is not None else n_labels)
        for known, what in ((self._names and len(self._names), "labels"), (n_labels, "n_labels")):
            if known and known != len(values):
                raise InputError(
                    f"thresholds has {count(len(values), 'value')}, {what} says {count(known, 'label')}. Give one "
                    "number, or one for each label."
                )
        wrong = [] if values.is_meta else values.isnan().nonzero().ravel().tolist()
        if wrong:
            names = self._names or tuple(map(str, range(len(values))))
            raise InputError(
                f"thresholds has NaN for {examples(names[k] for k in wrong)}. A threshold is a number, or +inf "
                "for never."
            )
        if not isinstance(thresholds, Tensor):
            values = values.to(torch.empty(0).device)  # the default device, or that of torch.device(...)
        others = _others(self.rule, len(values)).to(values.device)
        self.register_buffer("_others", others, persistent=False)
        self.trainable, self.surrogate, self.smooth = trainable, surrogate, smooth
        self.slope: float | Tensor = slope
        if trainable:
            wide = torch.promote_types(values.dtype, torch.float32)
            self.thresholds = nn.Parameter(values.to(wide))
            if learn_slope:
                del self.slope
                self.slope = nn.Parameter(torch.full_like(self.thresholds, slope))
        else:
            self.register_buffer("thresholds", values)

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.thresholds)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self._names if self._names is not None else tuple(map(str, range(self.n_labels)))

    def forward(self, scores: Tensor) -> Tensor:
        """Return decisions (..., n_labels): bool, or float with gradients when training."""
        if not isinstance(scores, Tensor):
            raise InputError(
                f"scores are of type {type(scores).__name__}. A ThresholdLayer takes a tensor: give "
                "torch.as_tensor(scores), or use Thresholds.decide for arrays."
            )
        if not scores.is_floating_point() or scores.ndim == 0 or scores.shape[-1] != self.n_labels:
            raise InputError(
                f"scores have dtype {scores.dtype} and shape {tuple(scores.shape)}. They must be floating-point, "
                f"of shape (..., {self.n_labels}): one column for each label ({examples(self.labels, most=3)})."
            )
        if len(self._others):
            scores = torch.stack([scores, *(scores[..., one] for one in self._others)]).amax(dim=0)
        if not (self.training and self.trainable):
            return decide(scores, self.thresholds)
        return threshold(scores, self.thresholds, surrogate=self.surrogate, slope=self.slope, smooth=self.smooth)

    def values(self, dtype: Any = None) -> NDArray[Any]:
        """Return the thresholds as an array (n_labels,), for `limen.evaluate` and others.

        Parameters
        ----------
        dtype : float16, float32 or float64, optional
            Of the scores to be decided. The thresholds are rounded up to it, so that every score of that
            dtype is decided as by the layer. Their own (float32 for bfloat16), if left out.
        """
        values: NDArray[Any] = on_processor(self.thresholds).copy()
        return values if dtype is None else rounded_up(values, dtype)

    def to_thresholds(
        self,
        y_true: Any,
        y_score: Any,
        *,
        metric: str | dict[str, Any] | Metric = "f1",
        average: str = "micro",
        sample_weight: Any = None,
        mask: Any = None,
        zero_division: float = 0.0,
    ) -> Thresholds:
        """Return these thresholds as `limen.Thresholds`, to save, to export and to compare.

        Parameters are those of `limen.tune`; the data are those that the thresholds were trained on,
        and give the counts and the value on them. ``values`` of the result are in the dtype of
        ``y_score``, rounded up: its decisions are the layer's.
        """
        return tune(
            y_true,
            y_score,
            metric=metric,
            average=average,
            method=_Trained(self.values(), self.rule),
            labels=self.labels,
            sample_weight=on_processor(sample_weight),
            mask=on_processor(mask),
            zero_division=zero_division,
        )

    def extra_repr(self) -> str:
        """Return what is shown between the parentheses."""
        parts = [f"{count(self.n_labels, 'label')} ({examples(self.labels, most=3)})"]
        if self.trainable:
            steepness = "a slope learned by label" if isinstance(self.slope, Tensor) else f"slope {self.slope:g}"
            kind = "smooth forward" if self.smooth else "hard forward"
            parts.append(f"trainable, {kind}, {self.surrogate} of {steepness}")
        return "; ".join(parts)

    def get_extra_state(self) -> Tensor:
        """Return the names of the labels, as the bytes of JSON, so that any format for tensors can hold them.

        Under a closed hierarchy they stand in an object with the rule.
        """
        known = self._names if self.rule == THRESHOLD_RULE else {"labels": self._names, "rule": self.rule}
        return torch.frombuffer(bytearray(json.dumps(known), "utf-8"), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the names of the labels, if there are any."""
        names, _ = _known(state)
        self._names = self._names if names is None else tuple(names)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        extra = state_dict.get(f"{prefix}_extra_state")
        found, rule = (None, self.rule) if extra is None else _known(extra)
        if rule != self.rule:
            raise InputError(
                f"the state is of a layer with the rule {rule[:60]!r}, this one has {self.rule[:60]!r}. Build the "
                "layer from the same thresholds: it then has their hierarchy."
            )
        if found is not None and self._names is not None and tuple(found) != self._names:
            other = beyond(found, self._names)
            differ = (
                f"labels not here: {examples(other)}" if other else "the same names in another order, or fewer"
            )
            raise InputError(
                f"the state has {count(len(found), 'label')}, this layer {count(len(self._names), 'label')} "
                f"({differ}). Both must have the same labels in the same order: build the layer for the "
                "state's labels."
            )
        if self.trainable:
            # Parameters are float32 or float64, whatever the state was saved in.
            own = {key: state_dict.get(key) for key in (f"{prefix}thresholds", f"{prefix}slope")}
            state_dict = state_dict | {
                key: stored.to(torch.promote_types(stored.dtype, torch.float32))
                for key, stored in own.items()
                if isinstance(stored, Tensor) and stored.is_floating_point()
            }
        names, before = self._names, self.thresholds
        values = before.detach().clone()
        stored = state_dict.get(f"{prefix}thresholds")
        if isinstance(stored, Tensor) and stored.dtype != before.dtype:
            # Copying would round the stored thresholds to the dtype that this layer happens to have.
            with torch.no_grad():
                before.data = before.data.to(stored.dtype)
        n_errors = len(error_msgs)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        if len(error_msgs) > n_errors or stored is None:
            self._names, self.thresholds = names, before
            before.data = values


@dataclass(frozen=True)
class _Trained:
    """The solver that has its answer already."""

    name: ClassVar[str] = "torch"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING
    values: NDArray[Any]
    rule: str

    def solve(self, problem: Problem) -> Solution:
        return Solution(values=rounded_up(self.values, problem.dtype).astype(np.float64), rule=self.rule)

    def __str__(self) -> str:
        return "trained in PyTorch"


def _known(state: Tensor) -> tuple[list[str] | None, str]:
    """Return the names and the rule that a state has."""
    found = json.loads(bytes(state.tolist()))
    return (found["labels"], found["rule"]) if isinstance(found, dict) else (found, THRESHOLD_RULE)


def _others(rule: str, n_labels: int) -> Tensor:
    """Return labels whose scores count for each label too, int64 (most, n_labels); where fewer do, again one."""
    counted = counted_for(rule, n_labels)
    most = max(map(len, counted)) - 1
    return torch.tensor(
        [[own[min(j, len(own) - 1)] for own in counted] for j in range(1, most + 1)], dtype=torch.int64
    )


def _names(labels: Sequence[str] | None) -> tuple[str, ...] | None:
    if labels is None:
        return None
    if isinstance(labels, str):
        raise InputError(f"labels is the text {labels!r}. Give a sequence of label names.")
    return unique(map(str, labels), "labels")


def _values(thresholds: Any, n_labels: int | None) -> Tensor:
    if isinstance(thresholds, Thresholds):
        thresholds = thresholds.values
    if isinstance(thresholds, np.ndarray | np.generic):
        thresholds = np.array(thresholds)  # torch warns of arrays that are read-only
    try:
        # On the processor, where they can be looked at, even if the default device is "meta".
        where = thresholds.device if isinstance(thresholds, Tensor) else "cpu"
        values = torch.as_tensor(thresholds, device=where).detach().clone()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"thresholds are not numbers: {error}. Give one for each label.") from error
    if not values.is_floating_point():
        values = values.to(torch.get_default_dtype())
    if values.ndim == 0:
        if n_labels is None:
            raise InputError(
                f"thresholds is the single number {values.item():g}. Say for how many labels: n_labels, or labels "
                "with their names."
            )
        values = values.repeat(n_labels)
    if values.ndim != 1 or len(values) == 0:
        raise InputError(f"thresholds has shape {tuple(values.shape)}. Give one number for each label.")
    return values
