"""Items of several streams: arrays by name, and an encoder that joins two or more of them."""

# ruff: noqa: N803 - X is what scikit-learn calls it

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples, require

require("torch", extra="learn", user="limen.learn")

import torch  # noqa: E402
from torch import nn  # noqa: E402

ONLY = "items"
"""The name of the stream where X is one array."""
Streams = dict[str, NDArray[np.float32]]


class TwoStreamEncoder(nn.Module):
    """Streams of numbers to one embedding: a layer for each stream, and one for all.

    Parameters
    ----------
    dims : dict of str to int
        Name of each stream and the length of its rows: two streams, or any other number.
    embed_dim : int
        Length of the embedding.
    hidden : int
        Units of each stream's layer.
    dropout : float
        Share of the units left out while training.

    Examples
    --------
    >>> encoder = TwoStreamEncoder(dims={"audio": 80, "prosody": 29}, embed_dim=16).eval()
    >>> encoder({"audio": torch.zeros(3, 80), "prosody": torch.zeros(3, 29)}).shape
    torch.Size([3, 16])
    """

    def __init__(
        self, dims: Mapping[str, int], embed_dim: int = 64, *, hidden: int = 256, dropout: float = 0.5
    ) -> None:
        super().__init__()
        if not dims or min(*dims.values(), embed_dim, hidden) < 1 or not 0 <= dropout < 1:
            raise InputError(
                f"dims={dict(dims)}, embed_dim={embed_dim}, hidden={hidden}, dropout={dropout:g}: give one stream "
                "or more, sizes of 1 or more, and a dropout from 0 and below 1."
            )
        self.dims, self.embed_dim = dict(dims), embed_dim
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(dim), nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout))
            for dim in self.dims.values()
        )
        self.joined = nn.Sequential(nn.Linear(hidden * len(self.dims), embed_dim), nn.BatchNorm1d(embed_dim))

    def forward(self, streams: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return embeddings (n, embed_dim) of streams (n, dim)."""
        parts = [layer(streams[name]) for name, layer in zip(self.dims, self.layers, strict=True)]
        found: torch.Tensor = self.joined(torch.cat(parts, dim=1))
        return found

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.BatchNorm1d):
                module.reset_parameters()


def read_streams(X: Any, expected: Mapping[str, tuple[int, ...]] | None = None) -> Streams:
    """Return streams by name as float32, of one length, finite, and of the shapes expected.

    Parameters
    ----------
    X : dict of str to float array-like (n_items, ...), or one array-like
        One array is a stream of its own, `ONLY`.
    expected : dict of str to the shape of an item, optional

    Raises
    ------
    InputError
        If they are not.
    """
    given = X if isinstance(X, Mapping) else {ONLY: X}
    if not given:
        raise InputError("X has no streams. Give a dict of arrays, one or more.")
    found = {str(name): np.asarray(values, np.float32) for name, values in given.items()}
    for name, values in found.items():
        if values.ndim < 2 or 0 in values.shape:
            raise InputError(
                f"{_words(name)} has shape {values.shape}. Give (n_items, ...), one item or more. Reshape your "
                "data."
            )
        finite = np.asarray(np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        if not finite.all():
            raise InputError(
                f"{_words(name)} has NaN or inf in {np.count_nonzero(~finite)} of {len(finite)} rows (first: row "
                f"{int(np.flatnonzero(~finite)[0])}). Items must be finite: mend or drop them."
            )
    lengths = {name: len(values) for name, values in found.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(
            f"streams of different lengths: {_listed(lengths)} items. Each stream has one row for each item."
        )
    if expected is not None:
        _check_expected(found, expected)
        found = {name: found[name] for name in expected}
    return found


def items_of(X: Any, rows: Any) -> Any:
    """Return these items of X: of an array, or of each stream of a dict."""
    return {name: np.asarray(values)[rows] for name, values in X.items()} if isinstance(X, Mapping) else X[rows]


def _check_expected(found: Streams, expected: Mapping[str, tuple[int, ...]]) -> None:
    if set(found) != set(expected):
        lacking, more = (sorted(a - b) for a, b in ((set(expected), set(found)), (set(found), set(expected))))
        parts = [f"lacks {examples(lacking)}"] * bool(lacking) + [f"has {examples(more)} too many"] * bool(more)
        raise InputError(f"X {' and '.join(parts)}. Give the streams fitted on: {examples(expected)}.")
    for name, shape in expected.items():
        if found[name].shape[1:] != shape:
            raise InputError(
                f"{_words(name)} has items of shape {found[name].shape[1:]}; {shape} is expected. Give items as "
                "for fit, and an encoder made for them."
            )


def _words(name: str) -> str:
    return "X" if name == ONLY else f"stream {name!r}"


def _listed(lengths: Mapping[str, int]) -> str:
    return ", ".join(f"{name!r} has {length}" for name, length in list(lengths.items())[:5])
