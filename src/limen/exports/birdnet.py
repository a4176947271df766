"""Thresholds as BirdNET wants them: a species list, a confidence for each species, filtered detections.

BirdNET calls a species ``Scientific name_Common name``. Labels may be called so, or by either name alone.
BirdNET-Analyzer takes one confidence for all species, so run it with a low one and filter its results here; the
``birdnet`` package takes `confidences` as ``custom_confidence_thresholds``.
"""

from __future__ import annotations

import csv
import functools
import math
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from limen.errors import InputError, LimenWarning, examples
from limen.exports.detections import copy_passing
from limen.exports.plain_thresholds import plain_thresholds
from limen.exports.species import Species, SpeciesNames, both_names, called, called_as_in
from limen.files.writing import write_atomically

if TYPE_CHECKING:
    from limen.thresholds import Thresholds

CONFIDENCES = ("scientific_name", "common_name", "confidence")


class Filtered(NamedTuple):
    """How many detections were read and kept, and the species that have no threshold."""

    read: int
    kept: int
    unknown: tuple[str, ...]


def confidences(thresholds: Thresholds, *, labels_file: str | os.PathLike[str] | None = None) -> dict[str, float]:
    """Return the lowest confidence at which each species is kept, without the species that are never given.

    Parameters
    ----------
    thresholds : Thresholds
    labels_file : path-like, optional
        A labels file of the BirdNET model, one ``Scientific name_Common name`` a line. Species are
        then called as in it. Without it, they are called as the labels are.

    Returns
    -------
    dict of str to float
        In the order of the labels. With the ``birdnet`` package: ``model.predict(...,
        custom_confidence_thresholds=found, custom_species_list=set(found))``, which keeps a species at or
        above its confidence, as limen does, but in 32 bits.

    Raises
    ------
    UnsupportedError
        If the rule of the thresholds is not ``">="``.
    UnreadableError
        If the labels file cannot be read.
    InputError
        If a label is not in the labels file, or fits several of its lines.

    Examples
    --------
    >>> import limen
    >>> t = limen.tune([[1], [0]], [[0.75], [0.25]], labels=["Turdus merula_Eurasian Blackbird"], method="exact")
    >>> confidences(t)
    {'Turdus merula_Eurasian Blackbird': 0.5}
    """
    return {name: cut for name, cut in _cuts_by_name(thresholds, labels_file).items() if cut != math.inf}


def write_species_list(
    thresholds: Thresholds,
    path: str | os.PathLike[str],
    *,
    labels_file: str | os.PathLike[str] | None = None,
) -> int:
    """Write the species that may be given as a BirdNET species list, and return how many there are.

    For ``birdnet-analyze --slist``, or ``custom_species_list`` of the ``birdnet`` package.

    Parameters
    ----------
    thresholds : Thresholds
    path : path-like
        A text file, one species a line, in the order of the labels.
    labels_file : path-like, optional
        A labels file of the BirdNET model, to complete and to check the names. BirdNET overlooks names that
        are not exactly its own.

    Raises
    ------
    UnsupportedError, UnreadableError
        As `confidences`.
    InputError
        As `confidences`; if a label cannot stand in a line, or no label is ever given.
    FileError
        If writing fails; an old file is then untouched.

    Warns
    -----
    LimenWarning
        If there is no labels file, and labels have only one of the two names.
    """
    species = confidences(thresholds, labels_file=labels_file)
    if not species:
        raise InputError("no label is ever given. BirdNET takes an empty species list as all species.")
    bad = [name for name in species if name.splitlines() != [name] or name != name.strip()]
    if bad:
        raise InputError(
            f"{examples(bad)} cannot stand in a species list, which has one name a line without spaces around it. "
            "Rename the labels."
        )
    half = [name for name in species if "_" not in name]
    if half and labels_file is None:
        warnings.warn(
            f"labels lack one of the names of 'Scientific name_Common name': {examples(half)}. BirdNET overlooks "
            "names that are not in its labels file; give it as labels_file= (--labels-file) to complete them.",
            LimenWarning,
            stacklevel=2,
        )
    with write_atomically(path) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in species), encoding="utf-8", newline="\n")
    return len(species)


def write_confidences(
    thresholds: Thresholds,
    path: str | os.PathLike[str],
    *,
    labels_file: str | os.PathLike[str] | None = None,
) -> int:
    """Write a CSV file of scientific_name, common_name, confidence, and return how many species it has.

    Parameters
    ----------
    thresholds : Thresholds
    path : path-like
        A line for each species that may be given, in the order of the labels. A label of one name has it
        twice, as in BirdNET. Confidences are written so that they read back the same.
    labels_file : path-like, optional
        A labels file of the BirdNET model, to complete the names.

    Raises
    ------
    UnsupportedError, UnreadableError, InputError
        As `confidences`.
    FileError
        If writing fails; an old file is then untouched.
    """
    species = confidences(thresholds, labels_file=labels_file)
    with write_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CONFIDENCES)
        writer.writerows((*both_names(name), repr(cut)) for name, cut in species.items())
    return len(species)


def filter_detections(
    detections: str | os.PathLike[str],
    thresholds: Thresholds,
    output: str | os.PathLike[str],
    *,
    labels_file: str | os.PathLike[str] | None = None,
    unknown: Literal["error", "keep", "drop"] = "error",
) -> Filtered:
    """Write the detections at or above the threshold of their species, and return how many these are.

    Parameters
    ----------
    detections : path-like
        A result of BirdNET-Analyzer (CSV, Parquet, Kaleidoscope CSV, Raven selection table, Audacity labels) or
        of the ``birdnet`` package (CSV, Parquet). Newer Kaleidoscope tables call the common name ``TOP1MATCH``
        and the confidence so or ``TOP1DIST``.
    thresholds : Thresholds
        Species are found by both names, else by the scientific one (the common one may be of another
        language), else, where a file has no other, by the common one.
    output : path-like
        The same file with fewer lines or rows; each as it stood. It may be the file read.
    labels_file : path-like, optional
        A labels file of the BirdNET model, to complete the names of the labels: some tables have only the
        common ones.
    unknown : {"error", "keep", "drop"}
        What to do with species for which there is no threshold.

    Returns
    -------
    Filtered
        read, kept, unknown. Rows "nocall", which say that there was nothing, are kept and not counted.

    Raises
    ------
    UnsupportedError
        If the rule of the thresholds is not ``">="``.
    UnreadableError
        If a file cannot be read.
    InputError
        If it has no column of species or confidence, a line is broken, or a species has no threshold or
        several.
    FileError
        If writing fails; an old file is then untouched.

    Notes
    -----
    Confidences are compared as they are written, most in four decimals, in the dtype of the scores that the
    thresholds were tuned on; a score that was rounded up to its threshold is kept.
    """
    if unknown not in ("error", "keep", "drop"):
        raise InputError(f'unknown is {unknown!r}. It must be "error", "keep" or "drop".')
    cuts, read_as = _cuts_by_name(thresholds, labels_file), thresholds.values.dtype.type
    label_of = functools.cache(SpeciesNames(cuts, "the thresholds").find)
    n_read, n_kept, strangers = 0, 0, dict[str, None]()

    def passes(species: Species, confidence: float) -> bool:
        nonlocal n_read, n_kept
        if thresholds.scale == "probability" and not 0 <= confidence <= 1:
            raise InputError(
                f"{detections} has the confidence {confidence:g} for {called(*species)!r}. The thresholds are for "
                "probabilities, from 0 to 1: mend the line, or tune on such scores."
            )
        label = label_of(*species)
        if label is None:
            strangers[called(*species)] = None
        keep = unknown == "keep" if label is None else float(read_as(confidence)) >= cuts[label]
        n_read, n_kept = n_read + 1, n_kept + keep
        return keep

    with write_atomically(output) as temporary:
        copy_passing(Path(detections), temporary, passes)
        if strangers and unknown == "error":
            raise InputError(
                f"{detections} has {examples(strangers)}, for which there is no threshold. Keep or drop them with "
                "unknown= (--unknown), or give labels_file= (--labels-file) if the thresholds call them otherwise."
            )
    return Filtered(n_read, n_kept, tuple(strangers))


def _cuts_by_name(thresholds: Thresholds, labels_file: str | os.PathLike[str] | None) -> dict[str, float]:
    """Return the threshold of each species, called as in the labels file if there is one."""
    cuts = plain_thresholds(thresholds, to="BirdNET")
    if labels_file is None:
        return cuts
    return dict(zip(called_as_in(Path(labels_file), cuts), cuts.values(), strict=True))
