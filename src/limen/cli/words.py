"""The words of the command line: what the library says of arguments, said of files and options."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TextIO

OPTIONS = (
    "confidence",
    "correction",
    "false_positive_rate",
    "infeasible",
    "per",
    "average",
    "beta",
    "cv",
    "groups",
    "infeasible",
    "layout",
    "media",
    "method",
    "methods",
    "metric",
    "min_positive",
    "placement",
    "repeats",
    "target_prevalence",
    "alpha",
    "at_least",
    "every",
    "group_size",
    "labels_only",
    "tolerance",
    "zero_division",
)
_ARGUMENT = re.compile(rf"\b({'|'.join(OPTIONS)})=('[^']*'|\"[^\"]*\"|[^\s,;)]*[^\s,;.)])?")
_NAMED = re.compile(r"\b\w+=(?:'[^']*'|\w*) \((--[\w-]+)\)")
_files: dict[str, str] = {}


def call(**files: str) -> None:
    """Remember what a user calls the arguments: ``y_score="scores.csv"``."""
    _files.update(files)


def forget() -> None:
    """Forget what the arguments of an earlier command were called."""
    _files.clear()


def in_words(message: str) -> str:
    """Return a message of the library with arguments called as the user gave them.

    Examples
    --------
    >>> in_words("cv=1 folds of 3 items. Use method='exact', or leave min_positive out.")
    '--cv 1 folds of 3 items. Use --method exact, or leave --min-positive out.'
    >>> in_words("Leave the check out: verify=False (--no-verify).")
    'Leave the check out: --no-verify.'
    """

    def said(found: re.Match[str]) -> str:
        value = (found[2] or "").strip("'\"")
        return f"{_option(found[1])} {value}".strip()

    message = _ARGUMENT.sub(said, _NAMED.sub(r"\1", message))
    for name in OPTIONS:
        if "_" in name:
            message = re.sub(rf"\b{name}\b", _option(name), message)
    for name, file in _files.items():
        message = re.sub(rf"\b{name}\b", lambda _, file=file: file, message)  # type: ignore[misc]
    return message


def columns(stream: TextIO) -> int | None:
    """Return the width of the terminal that a stream goes to; None where nobody looks."""
    if not stream.isatty():
        return None
    given = os.environ.get("COLUMNS", "")
    try:
        return int(given) if given.isdecimal() and int(given) else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None


def wrapped(message: str, stream: TextIO | None = None) -> str:
    """Return a message broken at spaces, as wide as the terminal; as it is where nobody looks."""
    width = columns(sys.stderr if stream is None else stream)
    if not width:
        return message
    lines = (
        textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) for line in message.splitlines()
    )
    return "\n".join("\n".join(line) for line in lines)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
