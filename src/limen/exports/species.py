"""Species by the names that BirdNET and its users give them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from limen.errors import InputError, UnreadableError, examples
from limen.names import repeated

Species = tuple[str | None, str | None]
"""The scientific and the common name, each None where it is unknown."""


def both_names(label: str) -> tuple[str, str]:
    """Return the scientific and the common name; a label of one name is both, as in BirdNET.

    Examples
    --------
    >>> both_names("Turdus merula_Eurasian Blackbird"), both_names("Dog")
    (('Turdus merula', 'Eurasian Blackbird'), ('Dog', 'Dog'))
    """
    scientific, _, common = label.partition("_")
    return scientific, common or scientific


def called(scientific: str | None, common: str | None) -> str:
    """Return what messages call a species."""
    return "_".join(dict.fromkeys(name for name in (scientific, common) if name))


class SpeciesNames:
    """Labels, to be found by both names, the scientific one or the common one.

    Parameters
    ----------
    labels : iterable of str
        ``Scientific name_Common name``, or either name alone.
    source : str
        Where they stand, for messages.
    """

    def __init__(self, labels: Iterable[str], source: str) -> None:
        self._labels, self._source = frozenset(labels), source
        self._by_scientific: defaultdict[str, list[str]] = defaultdict(list)
        self._by_common: defaultdict[str, list[str]] = defaultdict(list)
        for label in self._labels:
            scientific, common = both_names(label)
            self._by_scientific[scientific].append(label)
            self._by_common[common].append(label)

    def find(self, scientific: str | None, common: str | None) -> str | None:
        """Return the label of a species, or None; either name may be unknown (None).

        The scientific name decides, because common names are translated; labels that are a common name and
        nothing else are found by it.

        Raises
        ------
        InputError
            If several labels fit.
        """
        if f"{scientific}_{common}" in self._labels:
            return f"{scientific}_{common}"
        found = [] if scientific is None else self._by_scientific.get(scientific, [])
        if not found and common is not None:
            found = [x for x in self._by_common.get(common, []) if scientific is None or x == common]
        if len(found) > 1:
            raise InputError(
                f"{called(scientific, common)!r} may be any of {examples(sorted(found))} of {self._source}. Use "
                "names of the form 'Scientific name_Common name' that tell them apart."
            )
        return found[0] if found else None


def read_names(path: str | os.PathLike[str]) -> list[str]:
    """Return the names in a text file, one a line, without spaces around them and without empty ones.

    Raises
    ------
    UnreadableError
        If the file cannot be read, or is not UTF-8 text.
    """
    try:
        lines = Path(path).read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UnreadableError(f"cannot read {os.fspath(path)}: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{os.fspath(path)} is not UTF-8 text. It should have one name in each line."
        ) from error
    return [line.strip() for line in lines if line.strip()]


def called_as_in(labels_file: Path, labels: Iterable[str]) -> list[str]:
    """Return what a BirdNET labels file calls each label.

    Raises
    ------
    UnreadableError
        If the file cannot be read.
    InputError
        If a label is not in it, fits several of its lines, or shares a line with another.
    """
    labels = list(labels)
    names = SpeciesNames(read_names(labels_file), str(labels_file))
    found = {}
    for label in labels:
        scientific, common = both_names(label)
        found[label] = names.find(scientific, common)
        if found[label] is None and scientific == common:
            found[label] = names.find(None, common)
    missing = [label for label, name in found.items() if name is None]
    if missing:
        raise InputError(
            f"{labels_file} does not have {examples(missing)}. Give the labels file of the model that scored, or "
            "rename the labels."
        )
    known = [name for name in found.values() if name is not None]
    if twice := repeated(known):
        same = [label for label, name in found.items() if name == twice[0]]
        raise InputError(
            f"the labels {examples(same)} are both {twice[0]!r} of {labels_file}. Every species needs one label."
        )
    return known
