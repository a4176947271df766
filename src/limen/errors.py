"""The exception tree, and the parts that every message is made of.

A message says what was found (value, where), the rule it breaks, and what to do. Labels and
items are called by name; at most five examples are given, and a total.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any


class LimenError(Exception):
    """Base of every error that limen raises on purpose."""


class InputError(LimenError, ValueError):
    """The data or the arguments break a rule; the message says which and what to do."""


class InfeasibleError(InputError):
    """No thresholds keep the constraints; the message names them, the labels, and what can be reached."""


class FileError(LimenError):
    """A file could not be read or written; what stood there before is untouched."""


class UnreadableError(FileError, InputError):
    """A file that should be read is missing, damaged or cut short."""


class UnsupportedError(LimenError):
    """The method asked for cannot serve this objective or this kind of input."""


class MergeError(LimenError):
    """Two summaries cannot be added exactly."""


class MissingDependencyError(LimenError, ImportError):
    """An optional package is needed and not installed."""


class LimenWarning(UserWarning):
    """Something the caller should know about a result that is valid all the same."""


def examples(names: Iterable[object], *, most: int = 5) -> str:
    """Return up to ``most`` names in quotes, and how many there are when some are left out.

    Examples
    --------
    >>> examples(["Speech", "Dog"])
    "'Speech', 'Dog'"
    >>> examples("abcdefg", most=2)
    "'a', 'b' and 5 more"
    """
    names = [str(name) for name in names]
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def require(package: str, *, extra: str, user: str | None = None) -> Any:
    """Return the optional package of this name, imported.

    Parameters
    ----------
    package : str
        What to import, such as ``"onnx"`` or ``"sklearn"``.
    extra : str
        The extra of limen that installs it.
    user : str, optional
        Who needs it; ``limen.`` and the name of the extra, if left out.

    Raises
    ------
    MissingDependencyError
        If it is not installed; the message has the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package.partition(".")[0]:
            raise
        raise MissingDependencyError(
            f'{user or f"limen.{extra}"} needs {package}, which is not installed: pip install "limen[{extra}]"'
        ) from error


def count(number: int, noun: str) -> str:
    """Return ``number`` with its noun in the singular or plural.

    Examples
    --------
    >>> count(1, "label"), count(20371, "item")
    ('1 label', '20 371 items')
    """
    return f"{number:,}".replace(",", " ") + f" {noun}" + ("" if number == 1 else "s")


def percent(value: float, *, signed: bool = False) -> str:
    """Return a share in per cent with one decimal, as every figure is shown.

    Examples
    --------
    >>> percent(0.8331), percent(-0.021, signed=True)
    ('83.3 %', '-2.1 %')
    """
    return f"{100 * value:{'+' if signed else ''}.1f} %"


def span(low: float, high: float, *, signed: bool = False) -> str:
    """Return the ends of a 95 % interval of a share, in per cent.

    Examples
    --------
    >>> span(0.812, 0.85)
    '95 % 81.2 to 85.0'
    """
    sign = "+" if signed else ""
    return f"95 % {100 * low:{sign}.1f} to {100 * high:{sign}.1f}"
