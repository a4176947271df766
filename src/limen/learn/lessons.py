"""What a teacher gives a student: it runs once over the items, and what it made of them is kept."""

# ruff: noqa: N803 - X is what scikit-learn calls it

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples, require

require("torch", extra="learn", user="limen.learn.lessons")
require("sklearn", extra="learn", user="limen.learn.lessons")

import torch  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402
from torch import nn  # noqa: E402

from limen.learn.networks import AT_ONCE, NetworkClassifier, Targets  # noqa: E402
from limen.learn.similarity import (  # noqa: E402
    IntraUtteranceSimilarityLoss,
    SimilarityPreservingLoss,
    products,
    rows_to_one,
)

SURE = 1e-6
"""Probabilities of a teacher are kept so far from 0 and 1: their logits are finite."""


class LogitLoss(nn.Module):
    """How far a student's probabilities are from a teacher's, both softened: logit distillation.

    The Kullback-Leibler divergence of logits over ``temperature``, times its square, so that gradients keep their
    size: a mean over items, and over labels.

    Parameters
    ----------
    temperature : float
        Above 0; the larger, the more the unlikely labels count.
    multilabel : bool
        Whether each label is on its own, or the labels are classes of which one is right.

    Examples
    --------
    >>> import torch
    >>> z = torch.tensor([[2.0, -1.0, 0.0]])
    >>> float(LogitLoss()(z, z)), bool(LogitLoss()(-z, z) > 0)
    (0.0, True)
    """

    def __init__(self, temperature: float = 2.0, multilabel: bool = True) -> None:
        super().__init__()
        if not temperature > 0:
            raise InputError(f"temperature={temperature!r}: it is above 0.")
        self.temperature, self.multilabel = float(temperature), multilabel

    def forward(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """Return the loss of logits (b, n_labels) of two networks."""
        ours, theirs = student / self.temperature, teacher / self.temperature
        target = torch.sigmoid(theirs) if self.multilabel else torch.softmax(theirs, dim=1)
        cross = nn.BCEWithLogitsLoss() if self.multilabel else nn.CrossEntropyLoss()
        return torch.as_tensor(cross(ours, target) - cross(theirs, target)) * self.temperature**2


class Seen(NamedTuple):
    """What a network makes of items.

    Attributes
    ----------
    logits : tensor (n, n_labels)
    activations : tensor (n, ...)
        Of the layer compared; of no layer, empty.
    """

    logits: torch.Tensor
    activations: torch.Tensor


class Lesson(Protocol):
    """One part of a student's loss: sees what the teacher makes of all items, in order, then is asked by batch."""

    def see(self, teacher: Seen) -> None:
        """Keep what is needed of the teacher's next items."""

    def loss(self, rows: torch.Tensor, student: Seen, shift: float) -> torch.Tensor:
        """Return the loss of a batch of these items, rolled in time by this share of their length."""


class IntraUtterance:
    """Lesson by `IntraUtteranceSimilarityLoss`: a matrix (t, t) is kept for each item."""

    of_layer = True

    def __init__(self, trial: Seen, multilabel: bool, *, time_dim: int, **_: Any) -> None:
        self.compare = IntraUtteranceSimilarityLoss(time_dim)
        self.n_frames = self.compare.n_frames(trial.activations)
        self.grams: list[torch.Tensor] = []

    def see(self, teacher: Seen) -> None:
        """Keep Gram matrices."""
        self.n_frames = min(self.n_frames, self.compare.n_frames(teacher.activations))
        self.grams.append(self.compare.gram(teacher.activations, n_frames=self.n_frames))

    def loss(self, rows: torch.Tensor, student: Seen, shift: float) -> torch.Tensor:
        """Return the loss of a batch."""
        by = round(shift * self.n_frames)
        theirs = _joined(self.grams)[rows].roll((by, by), (1, 2))
        return self.compare.loss(self.compare.gram(student.activations, n_frames=self.n_frames), theirs)


class Preserving:
    """Lesson by `SimilarityPreservingLoss`: products (n_items, n_items) of the teacher's activations are kept."""

    of_layer = True

    def __init__(self, trial: Seen, multilabel: bool, **_: Any) -> None:
        self.compare = SimilarityPreservingLoss()
        self.seen: list[torch.Tensor] = []
        self.products: torch.Tensor | None = None

    def see(self, teacher: Seen) -> None:
        """Keep activations, until the first batch is asked for."""
        self.seen.append(teacher.activations.flatten(1))

    def loss(self, rows: torch.Tensor, student: Seen, shift: float) -> torch.Tensor:
        """Return the loss of a batch."""
        if self.products is None:
            self.products = products(_joined(self.seen))
            self.seen.clear()
        # A batch is rolled as one, so that the products of its items stay as they are.
        theirs = rows_to_one(self.products[rows][:, rows])
        return self.compare.loss(self.compare.gram(student.activations), theirs)


class Logits:
    """Lesson by `LogitLoss`: the teacher's logits are kept."""

    of_layer = False

    def __init__(self, trial: Seen, multilabel: bool, *, temperature: float, **_: Any) -> None:
        self.compare = LogitLoss(temperature, multilabel)
        self.seen: list[torch.Tensor] = []

    def see(self, teacher: Seen) -> None:
        """Keep logits."""
        self.seen.append(teacher.logits)

    def loss(self, rows: torch.Tensor, student: Seen, shift: float) -> torch.Tensor:
        """Return the loss of a batch."""
        found: torch.Tensor = self.compare(student.logits, _joined(self.seen)[rows])
        return found


LESSONS: dict[str, Any] = {"iusp": IntraUtterance, "sp": Preserving, "kd": Logits}


class Watched:
    """A network, and what its layer gave last: a context that leaves the network as it was.

    Parameters
    ----------
    network : torch.nn.Module
    layer : str or None
        Path of a submodule, or the end of it where only one ends so; None watches nothing.
    who : str
        Whose network it is, for messages.

    Raises
    ------
    InputError
        If there is no such submodule, or more than one.
    """

    def __init__(self, network: nn.Module, layer: str | None, who: str) -> None:
        self.network, self.who, self.last = network, who, torch.empty(0)
        self.module: nn.Module | None = None
        if layer is not None:
            named = dict(network.named_modules())
            found = [layer] if layer in named else [name for name in named if name.endswith(f".{layer}")]
            if len(found) != 1:
                there = examples([name for name in named if name]) or "none"
                raise InputError(
                    f"layer={layer!r} is to be one submodule of the {who}; found {examples(found) or 'none'} "
                    f"among {there}. Give its path."
                )
            self.module = named[found[0]]

    def __enter__(self) -> Watched:
        self._hook = None if self.module is None else self.module.register_forward_hook(self._keep)
        return self

    def __exit__(self, *_: object) -> None:
        if self._hook is not None:
            self._hook.remove()

    def _keep(self, module: nn.Module, given: Any, found: Any) -> None:
        self.last = found[0] if isinstance(found, tuple) else found

    def __call__(self, items: torch.Tensor) -> Seen:
        """Return what the network makes of items."""
        return Seen(self.network(items), self.last)

    def checked(self, items: torch.Tensor, n_outputs: int) -> Seen:
        """Return the same, of a network in evaluation mode, with as many logits as labels.

        Raises
        ------
        InputError
            If it gives something else, or cannot take the items.
        """
        with torch.no_grad():
            try:
                seen = self(items)
            except (RuntimeError, ValueError, IndexError) as error:
                raise InputError(
                    f"the {self.who} cannot take items {tuple(items.shape)}: {error}. Give items as it takes them."
                ) from error
        shape = getattr(seen.logits, "shape", None)
        if shape != (len(items), n_outputs):
            raise InputError(
                f"the {self.who} gives {type(seen.logits).__name__} {tuple(shape or ())} for {len(items)} items "
                f"and {n_outputs} labels. It must give logits ({len(items)}, {n_outputs})."
            )
        return seen


def teach(
    teacher: Any,
    lessons: Sequence[Lesson],
    X: NDArray[np.float32],
    *,
    layer: str | None,
    targets: Targets,
    device: torch.device,
) -> None:
    """Show all items to the teacher once, in evaluation mode and without gradients, and what it makes to lessons.

    Parameters
    ----------
    teacher : torch.nn.Module or fitted estimator
    lessons : sequence of Lesson
    X : float32 ndarray (n_items, ...)
    layer : str or None
        Of the teacher's network; None, if no lesson needs activations.
    targets : Targets
        What the student learns.
    device : torch.device
        Where lessons keep what they see.

    Raises
    ------
    InputError
        If the teacher is not fitted, has no such layer, or gives something else than the student is to.
    """
    classes = getattr(teacher, "classes_", None)
    if not targets.multilabel and classes is not None and not np.array_equal(classes, targets.classes):
        raise InputError(
            f"the teacher knows the classes {examples(classes)}, y has {examples(targets.classes)}. They must be "
            "the same, in the same order."
        )
    if isinstance(teacher, NetworkClassifier):
        check_is_fitted(teacher, "network_")
    network = teacher if isinstance(teacher, nn.Module) else getattr(teacher, "network_", None)
    if network is None:
        if layer is not None:
            raise InputError(
                f"the teacher, {type(teacher).__name__}, is no network that has layers. Give a torch.nn.Module or "
                'a fitted estimator of limen.learn, or use method="kd".'
            )
        seen = Seen(_logits_of(teacher, X, targets).to(device), torch.empty(0))
        for lesson in lessons:
            lesson.see(seen)
        return
    first = next(network.parameters(), None)
    place = torch.device("cpu") if first is None else first.device
    with evaluating(network), Watched(network, layer, "teacher") as watched:
        for start in range(0, len(X), AT_ONCE):
            batch = torch.as_tensor(X[start : start + AT_ONCE], device=place)
            seen = watched.checked(batch, len(targets.classes))
            for lesson in lessons:
                lesson.see(Seen(seen.logits.to(device), seen.activations.to(device)))


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode; afterwards each of its modules is in the mode it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _logits_of(teacher: Any, X: NDArray[np.float32], targets: Targets) -> torch.Tensor:
    """Return the logits (n_items, n_labels) of a classifier's probabilities."""
    if not hasattr(teacher, "predict_proba"):
        raise InputError(
            f"the teacher, {type(teacher).__name__}, is no network and has no predict_proba. Give one that has."
        )
    found = teacher.predict_proba(X)
    if isinstance(found, list):  # scikit-learn's forests: for each label the probabilities of 0 and 1
        found = np.stack([np.asarray(part)[:, -1] for part in found], axis=1)
    found = np.asarray(found, np.float64)
    if found.shape != (len(X), len(targets.classes)):
        raise InputError(
            f"the teacher gives probabilities {found.shape} for {len(X)} items and {len(targets.classes)} labels. "
            f"It must give ({len(X)}, {len(targets.classes)})."
        )
    found = np.clip(found, SURE, 1 - SURE)
    return torch.as_tensor(np.log(found) - np.log1p(-found) * targets.multilabel, dtype=torch.float32)


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """Return what was seen batch by batch as one tensor, which takes the place of the parts."""
    if len(parts) > 1:
        parts[:] = [torch.cat(parts)]
    return parts[0]
