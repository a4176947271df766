"""Files of curves and of candidates: arrays in an .npz, no pickle, a version, everything checked on the way in."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, UnreadableError, count
from limen.files.archives import damaged, reading
from limen.files.writing import write_atomically
from limen.names import unique
from limen.sources.candidates import Candidates
from limen.versions import versions

VERSION = 1
HEADER = "header"
COUNTS = ("tp", "fp", "beneath", "n_positive", "n_known")
LEAST = "fp_least"


class Form(NamedTuple):
    """A form of file: its schema, what it holds, and what writes it."""

    schema: str
    holds: str
    writer: str


CURVES = Form("https://limen.dev/schema/curves", "curves", "limen curves, limen merge or Curves.save")
CANDIDATES = Form("https://limen.dev/schema/candidates", "candidates", "limen candidates or limen merge")
FORMS = (CURVES, CANDIDATES)


class Stored(NamedTuple):
    """What a file holds: its candidates, what else its header says, and its other arrays."""

    candidates: Candidates
    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def write(path: str | os.PathLike[str], form: Form, stored: Stored) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    candidates = stored.candidates
    header = {
        "schema": form.schema,
        "version": VERSION,
        "labels": list(candidates.labels),
        "score_dtype": str(candidates.dtype),
        "versions": versions(),
        **stored.header,
    }
    text: NDArray[Any] = np.frombuffer(json.dumps(header, ensure_ascii=False, allow_nan=False).encode(), np.uint8)
    arrays = {"sizes": np.diff(candidates.offsets), "cuts": candidates.cuts, **stored.arrays}
    arrays = {name: array.astype(array.dtype.newbyteorder("<")) for name, array in arrays.items()}
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{HEADER: text, **arrays})


def form_of(path: str | os.PathLike[str]) -> Form:
    """Return the form of a file.

    Raises
    ------
    UnreadableError, InputError
        As `read`.
    """
    header, _ = _opened(path, FORMS)
    return next(form for form in FORMS if form.schema == header["schema"])


def read(path: str | os.PathLike[str], form: Form, header: dict[str, type], arrays: dict[str, str]) -> Stored:
    """Return what a file holds, with the types and shapes that it must have.

    Parameters
    ----------
    path : path
    form : Form
    header : dict of type
        What the header must say.
    arrays : dict of str
        The other arrays: "c" for one element a candidate, "l" for one a label; then "n" for counts (int64, or
        float64 with weights), "s" for scores of the dtype of the cuts, "f" for float64. "?" after: may be missing.

    Raises
    ------
    UnreadableError
        If the file is missing, damaged or cut short.
    InputError
        If it is of another form, or of a newer limen, or its cuts are none.
    """
    name = os.fspath(path)
    found, stored = _opened(path, (form,))
    try:
        labels, dtype = found["labels"], np.dtype(found["score_dtype"])
        if dtype not in (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"scores of {dtype}")
        if not (isinstance(labels, list) and labels and all(isinstance(label, str) and label for label in labels)):
            raise ValueError("labels are no names")
        for key, kind in header.items():
            if type(found[key]) is not kind:
                raise ValueError(f"{key} is {found[key]!r}")
        sizes, cuts = stored.pop("sizes"), stored.pop("cuts")
        if sizes.dtype != np.int64 or sizes.shape != (len(labels),) or cuts.ndim != 1:
            raise ValueError("sizes or cuts have another shape")
        if cuts.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"cuts of {cuts.dtype}")
        needed = {key for key, spec in arrays.items() if not spec.endswith("?")}
        if not needed <= set(stored) <= set(arrays):
            raise ValueError(f"it has the arrays {', '.join(sorted(stored))}")
        counts = next((stored[key].dtype for key, spec in arrays.items() if "n" in spec and key in stored), None)
        if counts not in (None, np.dtype(np.int64), np.dtype(np.float64)):
            raise ValueError(f"counts of {counts}")
        kinds = {"n": counts, "s": cuts.dtype, "f": np.dtype(np.float64)}
        for key, array in stored.items():
            shape = (len(cuts) if arrays[key][0] == "c" else len(labels),)
            if array.shape != shape or array.dtype != kinds[arrays[key][1]]:
                raise ValueError(f"{key} is {array.dtype} of shape {array.shape}")
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(name, f"a file of {form.holds}", form.writer, error) from error
    if problem := _no_cuts(sizes, cuts):
        raise altered(name, form, problem)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    candidates = Candidates(unique(labels, name), dtype, offsets, cuts)
    return Stored(candidates, {key: found[key] for key in header}, stored)


def altered(name: str | os.PathLike[str], form: Form, problem: str) -> InputError:
    """Return the error for a file that contradicts itself."""
    return InputError(f"{os.fspath(name)} was altered: {problem}. Write it again with {form.writer}.")


def _opened(
    path: str | os.PathLike[str], forms: tuple[Form, ...]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header and the arrays of an archive of one of the forms, each member checked against its sum."""
    name, form = os.fspath(path), forms[0]
    other = InputError(f"{name} is no file of {' or '.join(f.holds for f in forms)}. Give one of {form.writer}.")
    try:
        with Path(path).open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise other
            file.seek(0)
            with reading(name, f"a file of {form.holds}", form.writer), zipfile.ZipFile(file) as archive:
                members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
                if HEADER not in members:
                    raise other
                arrays = {}
                for key, info in members.items():
                    with archive.open(info) as member:
                        arrays[key] = np.lib.format.read_array(member, allow_pickle=False)
                        if member.read(1):
                            raise ValueError(f"{key} is longer than it says")
                header = json.loads(arrays.pop(HEADER).tobytes().decode())
    except OSError as error:
        raise UnreadableError(f"cannot read {name}: {error.strerror}. Check the path.") from error
    if not isinstance(header, dict) or header.get("schema") not in [form.schema for form in forms]:
        raise other
    if header.get("version") != VERSION:
        raise InputError(
            f"{name} is of version {header.get('version')!r}; this limen knows {VERSION}. Upgrade it: pip install "
            "--upgrade limen"
        )
    return header, arrays


def _no_cuts(sizes: NDArray[np.int64], cuts: NDArray[Any]) -> str:
    """Return why these are no cuts of labels; nothing if they are."""
    if (sizes < 1).any() or sizes.sum() != len(cuts):
        return f"its labels have {sizes.sum()} candidates, and there are {count(len(cuts), 'cut')}"
    first = np.cumsum(sizes) - sizes
    inside = np.ones(len(cuts), bool)
    inside[first] = False
    follows = np.flatnonzero(inside)
    if not (np.isposinf(cuts[first]).all() and np.isfinite(cuts[follows]).all()):
        return "a label's cuts do not begin with never, or are not finite"
    return "cuts do not fall" if (cuts[follows] >= cuts[follows - 1]).any() else ""


def contradiction(stored: Stored) -> str:
    """Return what in the counts of curves contradicts what curves are; nothing if they agree."""
    cuts, offsets = stored.candidates.cuts, stored.candidates.offsets
    tp, fp, beneath, positive, known = (stored.arrays[key] for key in COUNTS)
    first, last = offsets[:-1], offsets[1:] - 1
    inside = np.ones(len(cuts), bool)
    inside[first] = False
    follows = np.flatnonzero(inside)
    least = stored.arrays.get(LEAST, fp)
    for name, values, total in (("tp", tp, positive), ("fp", fp, known - positive), (LEAST, least, fp[last])):
        # Sums of weights are rounded, in another order for the total.
        slack = 0 if values.dtype == np.int64 else 1e-9 * np.maximum(1.0, np.abs(known))
        if not np.isfinite(values).all() or (values[first] != 0).any() or (values[last] > total + slack).any():
            return f"{name} is not from 0 to its label's total"
        if (np.diff(values)[follows - 1] < 0).any():
            return f"{name} falls"
    if (least > fp).any() or (positive < 0).any() or (known < positive).any():
        return "counts are above their bounds"
    if np.isnan(beneath).any() or (beneath >= cuts).any():
        return "a score beneath a cut is not below it"
    more = (np.diff(tp) > 0) | (np.diff(least) > 0)
    if (more & (beneath[:-1] < cuts[1:]))[follows - 1].any():
        return "a score beneath a cut is lower than the items counted there"
    n_items = stored.header["n_items"]
    if n_items < 1 or (known.dtype == np.int64 and (known > n_items).any()):
        return f"it says {count(n_items, 'item')}, fewer than are counted"
    return ""
