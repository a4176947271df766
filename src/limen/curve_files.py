"""Files of curves and of candidates: arrays in an .npz, no pickle, a version, everything checked on the way in."""

from __future__ import annotations

import hashlib
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
FOLDS = "folds_"
FOLD_ARRAYS = ("tp", "fp", "beneath", "n_positive", "n_known", "squares", "n_items", "half")


class Form(NamedTuple):
    """A form of file: its schema, what it holds, and what writes it."""

    schema: str
    holds: str
    writer: str


CURVES = Form("https://limen.dev/schema/curves", "curves", "limen curves, limen merge or Curves.save")
CANDIDATES = Form("https://limen.dev/schema/candidates", "candidates", "limen candidates or limen merge")
FORMS = (CURVES, CANDIDATES)


class Stored(NamedTuple):
    """What a file holds: candidates, what else its header says, its other arrays, and candidates beside."""

    candidates: Candidates
    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    beside: Candidates | None = None


def write(path: str | os.PathLike[str], form: Form, stored: Stored) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    candidates = stored.candidates
    header: dict[str, Any] = {
        "schema": form.schema,
        "version": VERSION,
        "labels": list(candidates.labels),
        "score_dtype": str(candidates.dtype),
        "versions": versions(),
        **stored.header,
    }
    arrays = {"sizes": np.diff(candidates.offsets), "cuts": candidates.cuts, **stored.arrays}
    if stored.beside is not None:
        arrays |= {"beside_sizes": np.diff(stored.beside.offsets), "beside_cuts": stored.beside.cuts}
    write_arrays(path, {**header, "digest": digest_of(header, arrays)}, arrays)


def write_arrays(path: str | os.PathLike[str], header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write a header and arrays to an archive, whole or not at all; `opened` reads them.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    text: NDArray[Any] = np.frombuffer(json.dumps(header, ensure_ascii=False, allow_nan=False).encode(), np.uint8)
    arrays = {name: array.astype(array.dtype.newbyteorder("<")) for name, array in arrays.items()}
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{HEADER: text, **arrays})


def digest_of(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    """Return a digest of all that a file says: arrays of different files do not mix unseen."""
    said = {key: value for key, value in header.items() if key != "digest"}
    state = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), copy=False)
        state.update(f"{name} {array.dtype.str} {array.shape}".encode())
        state.update(np.ascontiguousarray(array).data)
    return "sha256:" + state.hexdigest()[:32]


def form_of(path: str | os.PathLike[str]) -> Form:
    """Return the form of a file.

    Raises
    ------
    UnreadableError, InputError
        As `read`.
    """
    header, _ = opened(path, FORMS)
    _check_version(path, header)
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
        The other arrays. What they have one of: "c" for each candidate, "l" label, "b" candidate beside, "p" part,
        "q" part and candidate beside, "r" part and label, "s" part, truth value and label, "h" correct or given
        tag and label, "u" any number. Then of what: "n" counts (int64, or float64 with weights), "s" scores of the
        dtype of the cuts, "f" float64, "i" int64, "k" uint64, "b" bool. "?" after: may be missing.

    Raises
    ------
    UnreadableError
        If the file is missing, damaged or cut short.
    InputError
        If it is of another form, or of a newer limen, or its cuts are none.
    """
    name = os.fspath(path)
    found, stored = opened(path, (form,))
    _check_version(path, found)
    if found.get("digest") != digest_of(found, stored):
        raise altered(name, form, "its digest is not that of its content")
    try:
        labels, dtype = found["labels"], np.dtype(found["score_dtype"])
        if dtype not in (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"scores of {dtype}")
        if not (isinstance(labels, list) and labels and all(isinstance(label, str) and label for label in labels)):
            raise ValueError("labels are no names")
        for key, kind in header.items():
            if type(found[key]) is not kind:
                raise ValueError(f"{key} is {found[key]!r}")
        cuts, sizes = _cuts_in(stored, "", len(labels))
        beside = _cuts_in(stored, "beside_", len(labels)) if "beside_cuts" in stored else None
        if beside is not None and beside[0].dtype != cuts.dtype:
            raise ValueError(f"cuts of {beside[0].dtype} beside {cuts.dtype}")
        needed = {key for key, spec in arrays.items() if not spec.endswith("?")}
        if not needed <= set(stored) <= set(arrays):
            raise ValueError(f"it has the arrays {', '.join(sorted(stored))}")
        _check_arrays(stored, arrays, (cuts, len(labels), 0 if beside is None else len(beside[0])))
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(name, f"a file of {form.holds}", form.writer, error) from error
    for own in filter(None, ((cuts, sizes), beside)):
        if problem := _no_cuts(own[1], own[0]):
            raise altered(name, form, problem)
    names = unique(labels, name)
    candidates, more = (
        None if own is None else Candidates(names, dtype, np.concatenate([[0], np.cumsum(own[1])]), own[0])
        for own in ((cuts, sizes), beside)
    )
    assert candidates is not None
    return Stored(candidates, {key: found[key] for key in header}, stored, more)


def _cuts_in(
    stored: dict[str, NDArray[Any]], prefix: str, n_labels: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Take cuts, and how many each label has, out of what is stored."""
    sizes, cuts = stored.pop(f"{prefix}sizes"), stored.pop(f"{prefix}cuts")
    if sizes.dtype != np.int64 or sizes.shape != (n_labels,) or cuts.ndim != 1:
        raise ValueError("sizes or cuts have another shape")
    if cuts.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"cuts of {cuts.dtype}")
    return cuts, sizes


def _check_arrays(
    stored: dict[str, NDArray[Any]], specs: dict[str, str], sizes: tuple[NDArray[Any], int, int]
) -> None:
    """Raise `ValueError` if an array has another type or shape than it must have; `read` explains the specs."""
    cuts, n_labels, n_beside = sizes
    counts = next((stored[key].dtype for key, spec in specs.items() if spec[1] == "n" and key in stored), None)
    if counts not in (None, np.dtype(np.int64), np.dtype(np.float64)):
        raise ValueError(f"counts of {counts}")
    parts = next((len(stored[key]) for key, spec in specs.items() if spec[0] == "p" and key in stored), 0)
    kinds: dict[str, Any] = {
        "n": counts,
        "s": cuts.dtype,
        "f": np.float64,
        "i": np.int64,
        "k": np.uint64,
        "b": np.bool_,
    }
    shapes: dict[str, tuple[int, ...]] = {
        "c": (len(cuts),),
        "l": (n_labels,),
        "b": (n_beside,),
        "p": (parts,),
        "q": (parts, n_beside),
        "r": (parts, n_labels),
        "s": (parts, 2, n_labels),
        "h": (2, n_labels),
    }
    for key, array in stored.items():
        shape = shapes.get(specs[key][0], (array.size,))
        if array.shape != shape or array.dtype != kinds[specs[key][1]]:
            raise ValueError(f"{key} is {array.dtype} of shape {array.shape}")


def altered(name: str | os.PathLike[str], form: Form, problem: str) -> InputError:
    """Return the error for a file that contradicts itself."""
    return InputError(f"{os.fspath(name)} was altered: {problem}. Write it again with {form.writer}.")


def opened(
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
                header = json.loads(arrays.pop(HEADER).tobytes().decode(), parse_constant=_refuse)
    except OSError as error:
        raise UnreadableError(f"cannot read {name}: {error.strerror}. Check the path.") from error
    if not isinstance(header, dict) or header.get("schema") not in [form.schema for form in forms]:
        raise other
    return header, arrays


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _check_version(path: str | os.PathLike[str], header: dict[str, Any]) -> None:
    if header.get("version") != VERSION:
        raise InputError(
            f"{os.fspath(path)} is of version {header.get('version')!r}; this limen knows {VERSION}. Upgrade it: "
            "pip install --upgrade limen"
        )


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
    arrays, n_items = stored.arrays, stored.header["n_items"]
    problem = _contradiction(stored.candidates, arrays, n_items)
    if problem or stored.beside is None:
        return problem
    folds = {name: arrays[f"{FOLDS}{name}"] for name in FOLD_ARRAYS}
    together = {"beneath": folds["beneath"]} | {
        name: folds[name].sum(axis=0) for name in COUNTS if name != "beneath"
    }
    problem = _contradiction(stored.beside, together, n_items)
    some = folds["n_items"]
    if some.sum() != n_items or (some < 0).any():
        return "its folds are not all its items"
    if any(not np.allclose(together[name], arrays[name], rtol=1e-9, atol=0) for name in ("n_positive", "n_known")):
        return "its folds do not add up to its totals"
    if not (np.isfinite(folds["squares"]).all() and (folds["squares"] >= 0).all()):
        return "squares of weights are no numbers"
    tp, pp = folds["half"]
    most = arrays["n_known"] * (1 + 1e-9)
    if not ((tp >= 0) & (tp <= pp) & (pp <= most)).all():
        return "counts at 0.5 are above their bounds"
    return f"in its folds, {problem}" if problem else ""


def _contradiction(candidates: Candidates, arrays: dict[str, NDArray[Any]], n_items: int) -> str:
    cuts, offsets = candidates.cuts, candidates.offsets
    tp, fp, beneath, positive, known = (arrays[key] for key in COUNTS)
    first, last = offsets[:-1], offsets[1:] - 1
    inside = np.ones(len(cuts), bool)
    inside[first] = False
    follows = np.flatnonzero(inside)
    least = arrays.get(LEAST, fp)
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
    if n_items < 1 or (known.dtype == np.int64 and (known > n_items).any()):
        return f"it says {count(n_items, 'item')}, fewer than are counted"
    return ""
