"""Thresholds with a Hugging Face model: in its ``config.json``, and on the outputs of a pipeline.

Nothing here needs transformers. Two keys are written: ``thresholds``, a plain ``{label: number or null}``
for whoever reads ``config.thresholds``, and ``limen_thresholds``, the whole artefact, which is read back
strictly. transformers keeps both through ``from_pretrained`` and ``save_pretrained``.
"""

from __future__ import annotations

import json
import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, LimenWarning, UnreadableError, count, examples
from limen.exports.plain_thresholds import plain_thresholds
from limen.files.writing import write_atomically
from limen.names import beyond, match, repeated, unique
from limen.scales import BARELY

if TYPE_CHECKING:
    from limen.thresholds import Thresholds

PLAIN, ARTEFACT = "thresholds", "limen_thresholds"
# Rounding of 32-bit scores; sigmoids that sum to 1 so closely are a rare chance.
_SUMS_TO_ONE = 1e-4


def labels_of(config: Any) -> tuple[str, ...]:
    """Return the label names of a model, in the order of its outputs.

    Parameters
    ----------
    config : path-like, dict or PretrainedConfig
        A model's folder, its ``config.json``, the content of one, or ``model.config``.

    Raises
    ------
    UnreadableError
        If there is no such file.
    InputError
        If it has no ``id2label``, the ids are not 0, 1, ... without a gap, or names are repeated.

    Examples
    --------
    >>> labels_of({"id2label": {"1": "cat", "0": "dog"}})
    ('dog', 'cat')
    """
    content = _content(config)
    names = content.get("id2label")
    if not isinstance(names, Mapping) or not names:
        raise InputError(
            "the config has no 'id2label'. It names the model's labels by number; set it when the model is made: "
            "AutoModel....from_pretrained(..., id2label={0: 'dog', 1: 'cat'})."
        )
    by_id = {_number_of(key): name for key, name in names.items()}
    if set(by_id) != set(range(len(names))):
        raise InputError(
            f"the ids of 'id2label' are {examples(names)}. They must be the numbers from 0 to {len(names) - 1}."
        )
    ordered = tuple(by_id[k] for k in range(len(names)))
    wrong = [name for name in ordered if not isinstance(name, str)]
    if wrong:
        raise InputError(f"'id2label' has the names {examples(wrong)}, which are no text. Write them as text.")
    return unique(ordered, "'id2label'")


def write_thresholds(config: str | os.PathLike[str], thresholds: Thresholds) -> Path:
    """Write thresholds into a model's ``config.json``, and return its path.

    All else in the file is kept, in its order. Thresholds that limen wrote before are replaced.

    Parameters
    ----------
    config : path-like
        The model's folder, or its ``config.json``.
    thresholds : Thresholds
        For the same labels as the model's ``id2label``, in any order.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    UnreadableError
        If there is no such file.
    InputError
        If it is no model's config, the labels differ, or it has ``thresholds`` of somebody else.
    UnsupportedError
        If the rule of the thresholds is not ``">="``.
    FileError
        If the file cannot be written; the old one is kept.
    """
    cuts = plain_thresholds(thresholds, to="a config.json")
    path = _path(config)
    text = _read(path)
    content = _parsed(text, path)
    try:
        labels = labels_of(content)
        _check_names(labels, thresholds.labels)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if PLAIN in content and ARTEFACT not in content:
        raise InputError(f"{path} has {PLAIN!r} that limen did not write. Rename that key first.")
    content[PLAIN] = {name: None if cuts[name] == math.inf else cuts[name] for name in labels}
    content[ARTEFACT] = thresholds.to_dict()
    indent = re.search(r"^( +|\t+)\S", text, re.MULTILINE)
    written = json.dumps(content, indent=indent[1] if indent else 2, ensure_ascii=text.isascii())
    with write_atomically(path) as temporary:
        temporary.write_text(written + "\n", encoding="utf-8")
    return path


def read_thresholds(config: Any) -> Thresholds:
    """Return the thresholds that `write_thresholds` wrote, checked strictly.

    Parameters
    ----------
    config : path-like, dict or PretrainedConfig
        As for `labels_of`.

    Raises
    ------
    UnreadableError, InputError
        As `labels_of`; if there are no thresholds, they were altered, or the model's labels have changed since.
    """
    from limen.thresholds import Thresholds

    content = _content(config)
    if content.get(ARTEFACT) is None:
        raise InputError(
            f"the config has no {ARTEFACT!r}. Write them with limen.exports.huggingface.write_thresholds."
        )
    thresholds = Thresholds.from_dict(content[ARTEFACT])
    _check_names(labels_of(content), thresholds.labels)
    cuts = {
        name: None if cut == math.inf else cut for name, cut in plain_thresholds(thresholds, to="a config").items()
    }
    plain = content.get(PLAIN)
    if not isinstance(plain, Mapping) or dict(plain) != cuts:
        given = plain if isinstance(plain, Mapping) else {}
        differ = [name for name in {**cuts, **given} if given.get(name, "") != cuts.get(name, "")]
        raise InputError(
            f"{PLAIN!r} and {ARTEFACT!r} of the config differ for {examples(differ)}. One was altered: "
            "write the thresholds again."
        )
    return thresholds


class PostProcessor:
    """The labels that pass, from the outputs of an audio- or text-classification pipeline.

    Run the pipeline with ``top_k=None``, so that it leaves out no label, and with
    ``function_to_apply="sigmoid"`` if the model's config does not say
    ``problem_type="multi_label_classification"``.

    Parameters
    ----------
    thresholds : Thresholds
        Tuned on scores of the same pipeline; `read_thresholds` has those of a model.
    softmax : bool
        Whether they were tuned on scores that sum to 1.

    Raises
    ------
    UnsupportedError
        If the rule of the thresholds is neither ``">="`` nor closed under a hierarchy.

    Warns
    -----
    LimenWarning
        When called on scores that sum to 1 though ``softmax`` is false, or on raw logits though all thresholds
        lie from 0 to 1.

    Examples
    --------
    >>> import limen
    >>> t = limen.tune([[1, 0], [0, 1]], [[0.75, 0.5], [0.25, 1.0]], labels=["dog", "cat"], method="exact")
    >>> PostProcessor(t)([{"label": "cat", "score": 0.9}, {"label": "dog", "score": 0.3}])
    [{'label': 'cat', 'score': 0.9, 'threshold': 0.75}]
    """

    def __init__(self, thresholds: Thresholds, *, softmax: bool = False) -> None:
        self.cuts = plain_thresholds(thresholds, to="a post-processor", closed=True)
        self.thresholds = thresholds
        self.softmax = softmax

    def __call__(self, outputs: Sequence[Any]) -> list[Any]:
        """Return the labels that pass, in the order and nesting of the outputs.

        Parameters
        ----------
        outputs : list of dict, or list of lists of dict
            What a pipeline returns for one item, or for several: ``label`` and ``score`` for every label.

        Returns
        -------
        list of dict, or list of lists of dict
            Those whose ``score >= threshold``, with ``threshold`` added.

        Raises
        ------
        InputError
            If the outputs of an item lack a label, repeat one, or have one that the thresholds do not have,
            or a score is NaN or infinite.
        """
        if not _is_list(outputs):
            raise InputError(f"the outputs are {_kind(outputs)}. {_FORM}")
        if not outputs:
            return []
        one = isinstance(outputs[0], Mapping)
        items = [outputs] if one else outputs
        scores = np.array([self._scores(item, number) for number, item in enumerate(items)])
        kept = self.thresholds.decide(scores)
        if problem := self._other_scale(scores):
            warnings.warn(problem, LimenWarning, stacklevel=2)
        position = {name: k for k, name in enumerate(self.cuts)}
        passed = [
            [
                {**entry, "threshold": self.cuts[entry["label"]]}
                for entry in item
                if decisions[position[entry["label"]]]
            ]
            for item, decisions in zip(items, kept, strict=True)
        ]
        return passed[0] if one else passed

    def _other_scale(self, scores: NDArray[np.float64]) -> str | None:
        """Return why the scores (n_items, n_labels) seem to be on another scale than the thresholds, if so."""
        run = 'Run the pipeline with function_to_apply="sigmoid"'
        finite = [cut for cut in self.cuts.values() if cut != math.inf]
        if (
            (scores.min() < -BARELY or scores.max() > 1 + BARELY)
            and finite
            and 0 <= min(finite) <= max(finite) <= 1
        ):
            return (
                f"the scores reach from {scores.min():.3g} to {scores.max():.3g}, as raw logits do, and all "
                f"thresholds lie from 0 to 1. {run}, or tune on such scores."
            )
        if not self.softmax and scores.shape[1] > 1 and (abs(scores.sum(axis=1) - 1) < _SUMS_TO_ONE).all():
            return (
                f"the scores of each item sum to 1, as after a softmax, where labels push each other down. {run}; "
                "if the thresholds were tuned on such scores, say PostProcessor(thresholds, softmax=True)."
            )
        return None

    def _scores(self, item: Any, number: int) -> list[float]:
        """Return the scores of an item in the order of the labels."""
        if not _is_list(item) or not all(map(_is_entry, item)):
            raise InputError(f"the outputs of item {number} are {_kind(item)}. {_FORM}")
        names = [entry["label"] for entry in item]
        if twice := repeated(names):
            raise InputError(
                f"the outputs of item {number} repeat {examples(twice)}. Run the pipeline with top_k=None; "
                "otherwise it gives the best labels only."
            )
        score = {entry["label"]: entry["score"] for entry in item}
        unknown = [name for name in score if name not in self.cuts]
        if unknown:
            raise InputError(
                f"the outputs of item {number} have {examples(unknown)}, for which there is no threshold. Use the "
                "thresholds of this model."
            )
        if missing := beyond(self.cuts, score):
            raise InputError(
                f"the outputs of item {number} have {len(names)} of {count(len(self.cuts), 'label')}; "
                f"{examples(missing, most=3)} left out. Run the pipeline with top_k=None."
            )
        return [float(score[name]) for name in self.cuts]


_FORM = (
    "They must be a list of {'label': ..., 'score': ...}, as pipelines return with top_k=None, or a list of those."
)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)


def _is_entry(value: Any) -> bool:
    return (
        isinstance(value, Mapping) and isinstance(value.get("label"), str) and isinstance(value.get("score"), Real)
    )


def _kind(value: Any) -> str:
    return f"a {type(value).__name__} ({str(value)[:60]})"


def _check_names(config: Sequence[str], thresholds: Sequence[str]) -> None:
    advice = "Tune on this model's labels, and call the columns of its scores as 'id2label' does."
    match(config, thresholds, between=("'id2label'", "the thresholds"), advice=advice)


def _number_of(key: Any) -> int | None:
    """Return the id that a key of ``id2label`` is: a number, or one written as JSON writes keys."""
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    return int(key) if isinstance(key, str) and re.fullmatch("0|[1-9][0-9]{0,8}", key) else None


def _content(config: Any) -> Mapping[str, Any]:
    if isinstance(config, str | os.PathLike):
        path = _path(config)
        return _parsed(_read(path), path)
    if isinstance(config, Mapping):
        return config
    if hasattr(config, "id2label"):
        return {key: getattr(config, key, None) for key in ("id2label", PLAIN, ARTEFACT)}
    raise InputError(
        f"config is {_kind(config)}. It must be a model's folder, its config.json, or its config (model.config)."
    )


def _path(config: str | os.PathLike[str]) -> Path:
    path = Path(config)
    return path / "config.json" if path.is_dir() else path


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise UnreadableError(
            f"cannot read {path}: {error.strerror}. Give a model's folder; save_pretrained makes one."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no config.json: it is not UTF-8 text.") from error


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no config.json: {error}. Save the model again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no config.json: it is a {type(content).__name__}. It must be an object.")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if twice := repeated(key for key, _ in pairs):
        raise ValueError(f"it repeats {examples(twice)}")
    return dict(pairs)
