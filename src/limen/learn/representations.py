"""Networks on several representations of one sound that teach each other, and of which one is used alone.

After multi-representation knowledge distillation (Gao and others), by mechanism (`limen.learn.online`).
"""

# ruff: noqa: N803 - X is what scikit-learn calls it

from __future__ import annotations

import copy
import itertools
import os
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples, require

require("torch", extra="learn", user="limen.learn.representations")
require("sklearn", extra="learn", user="limen.learn.representations")

import torch  # noqa: E402
from sklearn.metrics import average_precision_score  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402
from torch import nn  # noqa: E402

from limen.learn.backbones import SmallCNN  # noqa: E402
from limen.learn.networks import AT_ONCE, NetworkClassifier, Targets, held_out, read_targets, scores_of  # noqa: E402
from limen.learn.online import TASKS, OnlineDistillationLoss, one_of  # noqa: E402
from limen.learn.training import Progress, Training, seed_of, seeded, train  # noqa: E402

KEPT_BYTES = 1 << 28
"""Of spectra that are computed once; more are computed anew for each batch."""

Augment = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


class RandomShift:
    """Moves waves in time at random, each by its own number of samples; zeros come in.

    Parameters
    ----------
    n_samples : int
        At most so many, either way.
    """

    def __init__(self, n_samples: int) -> None:
        self.n_samples = n_samples

    def __call__(self, waves: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the moved waves (n_items, n_samples)."""
        by = torch.randint(-self.n_samples, self.n_samples + 1, (len(waves), 1), generator=generator)
        padded = nn.functional.pad(waves, (self.n_samples, self.n_samples))
        return padded.gather(1, (torch.arange(waves.shape[1]) + self.n_samples + by).to(waves.device))


class MultiRepresentationClassifier(NetworkClassifier):
    """Networks on several representations of one sound that teach each other; each can be used alone.

    One network (a branch) for each representation. All are trained at once on the same batches, with the same
    augmentation; each learns the labels, and from the others (`OnlineDistillationLoss`). A branch costs at
    prediction what it would have cost without the others.

    Parameters
    ----------
    representations : dict of torch.nn.Module
        Names to modules from items to the input of a backbone: `LogSTFT`, `LogMel`, `MFCC` of waves. They are
        copied. What one without parameters makes of an item is computed once: leave chance to ``augment``.
    backbone : callable ``n_outputs -> torch.nn.Module``
        From what a representation gives to logits (n_items, n_outputs).
    task : {"multilabel", "multiclass"}, optional
        If not given, read from ``y``: labels if it has two columns or more.
    teacher, temperature
        See `OnlineDistillationLoss`.
    distill_weight : float
        Of what branches learn from each other; at 0, as if each were trained alone.
    ramp_epochs : float
        Epochs over which the weight rises from 0: early on there is nothing to learn from others.
    epochs, batch_size : int
    learning_rate, weight_decay : float
        The largest rate (see `limen.learn.training.train`), and that of AdamW.
    augment : callable ``(items, generator) -> items``, optional
        Changes items (n_items, ...) of a batch, a tensor, before any representation is made: `RandomShift`, say.
    validation_fraction : float
        Share of the items that choose the epoch and the branch, where ``fit`` is given no others. With 0, the last
        epoch and the first branch are taken.
    patience : int, optional
        Epochs without a better mean value of the branches after which training stops.
    device : str, optional
        A GPU if there is one, else the processor.
    progress : bool or callable ``(epoch, epochs, note)``
    random_state : int, RandomState or None
        A branch's first weights depend on it and on the branch's name, not on which others there are.

    Attributes
    ----------
    best_branch_ : str
        That of the best value, used where no other is named.
    branch_values_ : dict of float
        What branches reach on the items that validate: the micro-averaged average precision of labels, or the
        share of right classes. Empty without any.
    training_ : limen.learn.training.Training
    classes_ : ndarray
        The numbers of the labels, or the classes.
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from limen.learn import LogMel, LogSTFT, MultiRepresentationClassifier
    >>> rng = np.random.default_rng(0)
    >>> high = rng.integers(0, 2, 60)
    >>> waves = np.sin(np.outer(0.3 + high, np.arange(800))) + 0.1 * rng.standard_normal((60, 800))
    >>> fronts = {"stft": LogSTFT(8000, 16, 256, 80), "logmel": LogMel(8000, 16, 256, 80)}
    >>> model = MultiRepresentationClassifier(fronts, epochs=4, random_state=0).fit(waves, high)
    >>> model.decision_function(waves, branch="logmel").shape
    (60,)
    """

    def __init__(
        self,
        representations: Mapping[str, nn.Module],
        backbone: Callable[[int], nn.Module] = SmallCNN,
        *,
        task: str | None = None,
        teacher: str = "ensemble",
        temperature: float = 4.0,
        distill_weight: float = 1.0,
        ramp_epochs: float = 5,
        epochs: int = 30,
        batch_size: int = 32,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-4,
        augment: Augment | None = None,
        validation_fraction: float = 0.2,
        patience: int | None = None,
        device: str | None = None,
        progress: Progress | bool = False,
        random_state: Any = None,
    ) -> None:
        self.representations = representations
        self.backbone = backbone
        self.task = task
        self.teacher = teacher
        self.temperature = temperature
        self.distill_weight = distill_weight
        self.ramp_epochs = ramp_epochs
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.augment = augment
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.device = device
        self.progress = progress
        self.random_state = random_state

    best_branch_: str
    branch_values_: dict[str, float]
    training_: Training
    _branches: dict[str, nn.Module]

    def fit(self, X: Any, y: Any, validation: tuple[Any, Any] | None = None) -> Self:
        """Train all branches.

        Parameters
        ----------
        X : float array-like (n_items, n_samples)
            Waves, or whatever the representations take.
        y : array-like (n_items, n_labels) of 0 and 1, or (n_items,) of classes
        validation : tuple of such an X and y, optional
            Choose the epoch and the branch, in place of a random part of X: recordings of other speakers or places
            say more about new ones.

        Raises
        ------
        InputError
            If a setting or the data are not as described, or a representation does not fit the backbone.
        """
        self._check()
        items = self._read(X, reset=True)
        targets = read_targets(y, len(items), task=self.task)
        place, seed = self._place(), seed_of(self.random_state)
        if validation is None:
            taken, held = held_out(len(items), self.validation_fraction, seed)
            kept, known = items[held], targets.values[held]
            items, values = items[taken], targets.values[taken]
        else:
            kept = self._read(validation[0], reset=False)
            known, values = _numbered(validation[1], len(kept), targets), targets.values
        if targets.multilabel and len(kept) and not known.any():
            raise InputError(
                f"none of the {len(kept)} items that validate has a label: nothing can be chosen by them. Give "
                "others, a larger validation_fraction, or 0."
            )
        self.classes_, self._multilabel = targets.classes, targets.multilabel
        branches = {
            # Convolutions of few channels take half the time with channels last.
            name: self._new(name, seed).to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for name in self.representations
        }
        loss = OnlineDistillationLoss(TASKS[not targets.multilabel], self.teacher, self.temperature)
        waves, truth = (torch.as_tensor(values, device=place) for values in (items, values))
        inputs = self._fixed(branches, waves)
        seen = self._fixed(branches, torch.as_tensor(kept, device=place)) if len(kept) else None
        seen = seen and {name: found.cpu() for name, found in seen.items()}
        own = {name: _seed(seed, name) for name in branches}
        moved, steps = torch.Generator().manual_seed(seed), itertools.count(1)

        def loss_of(rows: torch.Tensor, done: float) -> torch.Tensor:
            rows, step, logits = rows.to(place), next(steps), {}
            batch = waves[rows] if inputs is None else None
            if batch is not None and self.augment is not None:
                batch = self.augment(batch, moved)
            for name, branch in branches.items():
                with seeded(own[name] + step):  # what dropout draws does not depend on the other branches
                    logits[name] = branch(batch) if inputs is None else branch[1](inputs[name][rows])
            ramp = min(1.0, done * self.epochs / self.ramp_epochs) if self.ramp_epochs else 1.0
            found: torch.Tensor = loss(logits, truth[rows], self.distill_weight * ramp)
            return found

        def value_of(name: str) -> float:
            branch, given = (branches[name], kept) if seen is None else (branches[name][1], seen[name].numpy())
            return _value(scores_of(branch, given), known)

        self.training_ = train(
            nn.ModuleList(branches.values()),
            loss_of,
            len(items),
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            seed=seed,
            value_of=(lambda: float(np.mean([*map(value_of, branches)]))) if len(kept) else None,
            patience=self.patience,
            progress=self.progress or None,
        )
        self.branch_values_ = {name: value_of(name) for name in branches if len(kept)}
        self.best_branch_ = max(branches, key=lambda name: self.branch_values_.get(name, 0.0))
        self._branches, self.network_ = dict(branches), branches[self.best_branch_]
        return self

    def branch(self, name: str) -> nn.Module:
        """Return a branch: its representation and its backbone in a row, as if trained without the others.

        Raises
        ------
        InputError
            If there is none of this name.
        """
        check_is_fitted(self, "network_")
        one_of("branch", name, tuple(self._branches))
        return self._branches[name]

    def decision_function(self, X: Any, branch: str | None = None) -> NDArray[np.float32]:
        """Return the scores of the items, by the best branch or that named.

        Parameters
        ----------
        X : float array-like, items as for ``fit``
        branch : str, optional

        Returns
        -------
        float32 ndarray (n_items, n_labels)
            Logits. For two classes (n_items,), as scikit-learn has it: that of the second less that of the first.
        """
        return super(MultiRepresentationClassifier, self._with(branch)).decision_function(X)

    def predict_proba(self, X: Any, branch: str | None = None) -> NDArray[np.float32]:
        """Return probabilities (n_items, n_labels): of each label, or of the classes."""
        return super(MultiRepresentationClassifier, self._with(branch)).predict_proba(X)

    def predict(self, X: Any, branch: str | None = None) -> NDArray[Any]:
        """Return the labels whose probability is 0.5 or more, a cut that `limen.tune` improves; or the classes.

        Returns
        -------
        ndarray (n_items, n_labels) of 0 and 1, or (n_items,) of classes
        """
        return super(MultiRepresentationClassifier, self._with(branch)).predict(X)

    def to_onnx(self, path: str | os.PathLike[str], branch: str | None = None, **sound: Any) -> None:
        """Write a branch as an ONNX model, checked against PyTorch on made items.

        Parameters
        ----------
        path : path
        branch : str, optional
            The best, if not given.
        **sound
            ``rate`` and ``labels``, for `limen.audio` and ``limen tag``: the items are windows of sound at this
            rate, and the scores have these names.
        """
        super(MultiRepresentationClassifier, self._with(branch)).to_onnx(path, **sound)

    def _with(self, branch: str | None) -> Self:
        """Return this estimator with another branch in the place of the best."""
        check_is_fitted(self, "network_")
        if branch is None:
            return self
        other = copy.copy(self)
        other.network_ = self.branch(branch)
        return other

    def _check(self) -> None:
        """Say which setting is not as described."""
        if not isinstance(self.representations, Mapping) or not self.representations:
            raise InputError(
                f"representations={self.representations!r}: give a dict of names and modules, such as "
                "{'logmel': LogMel(16000), 'mfcc': MFCC(16000)}."
            )
        if self.task is not None:
            one_of("task", self.task, TASKS)
        if not 0 <= self.distill_weight < np.inf:
            raise InputError(f"distill_weight={self.distill_weight!r}: it is 0 or more. 1 is usual.")
        if len(self.representations) == 1 and self.distill_weight:
            raise InputError(
                f"there is one representation, {next(iter(self.representations))!r}, which has nothing to learn "
                "from. Give two or more, or distill_weight=0."
            )
        if not 0 <= self.ramp_epochs < np.inf:
            raise InputError(f"ramp_epochs={self.ramp_epochs!r}: it is 0 or more.")
        if self.epochs < 1:
            raise InputError(f"epochs={self.epochs!r}: give 1 or more.")

    def _new(self, name: str, seed: int) -> nn.Sequential:
        """Return a new branch, tried on items of zeros."""
        try:
            with seeded(_seed(seed, name)), torch.no_grad():
                front = copy.deepcopy(self.representations[name])
                found = nn.Sequential(front, self.backbone(len(self.classes_))).eval()
                shape = tuple(found(torch.zeros((2, *self._item_shape))).shape)
        except (RuntimeError, IndexError) as error:
            raise InputError(
                f"the branch {name!r} cannot take items of shape {self._item_shape}: {error}. Give longer items, "
                "or another representation or backbone."
            ) from error
        if shape != (2, len(self.classes_)):
            raise InputError(
                f"the branch {name!r} gives {shape} for 2 items; logits (2, {len(self.classes_)}) are needed. "
                "Mend its representation or backbone."
            )
        return found

    def _fixed(self, branches: Mapping[str, nn.Sequential], waves: torch.Tensor) -> dict[str, torch.Tensor] | None:
        """Return what the representations make of the items, if it stays the same and can be kept."""
        fronts = {name: branch[0] for name, branch in branches.items()}
        if self.augment is not None or any(True for front in fronts.values() for _ in front.parameters()):
            return None
        with torch.no_grad():
            if sum(front(waves[:1]).nbytes for front in fronts.values()) * len(waves) > KEPT_BYTES:
                return None
            parts = torch.split(waves, AT_ONCE)
            return {name: torch.cat([front(part) for part in parts]) for name, front in fronts.items()}


def _seed(seed: int, name: str) -> int:
    """Return the seed of a branch: it depends on its name, not on its place."""
    return int(np.random.SeedSequence([seed, zlib.crc32(str(name).encode())]).generate_state(1)[0])


def _numbered(y: Any, n_items: int, targets: Targets) -> NDArray[Any]:
    """Return the targets of other items as those of training are."""
    if targets.multilabel:
        found = read_targets(y, n_items, "y of validation", "multilabel").values
        if found.shape[1] != len(targets.classes):
            raise InputError(
                f"y of validation has {found.shape[1]} labels, y has {len(targets.classes)}. Give the same "
                "columns."
            )
        return found
    given = np.asarray(y).ravel()
    numbers = {value: number for number, value in enumerate(targets.classes.tolist())}
    strange = sorted(set(given.tolist()) - set(numbers))
    if strange or len(given) != n_items:
        raise InputError(
            f"y of validation has {len(given)} values for {n_items} items, and {len(strange)} classes that y "
            f"lacks ({examples(strange)}). Give the class of each item, of those trained on."
        )
    return np.array([numbers[value] for value in given.tolist()])


def _value(logits: NDArray[np.float32], known: NDArray[Any]) -> float:
    """Return the micro-averaged average precision of labels, or the share of right classes."""
    if known.ndim == 2:
        return float(average_precision_score(known.ravel(), logits.ravel()))
    return float((logits.argmax(axis=1) == known).mean())
