"""What the commands say on the terminal."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import click

from limen.cli.help import broken
from limen.cli.words import columns, in_words, wrapped

MOMENT = 1.0
"""Seconds before a pass over the data is shown."""


def say(*objects: Any) -> None:
    """Print text broken at spaces, so that paths stay whole, and tables as the terminal's width allows."""
    for thing in objects:
        if isinstance(thing, str):
            click.echo(wrapped(thing, sys.stdout))
        else:
            console().print(thing)


def say_next(*tokens: str) -> None:
    """Print the command to go on with, quoted for the shell, on as many lines as the terminal needs."""
    said = broken([shlex.quote(token) for token in tokens], columns(sys.stdout))
    click.echo(f"next: {said}" if "\n" not in said else f"next:\n{said}")


def console(*, stderr: bool = False) -> Any:
    """Return the terminal that rich prints on."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def is_watched(terminal: Any) -> bool:
    """Return whether somebody looks on: colours may be forced where the output goes to a file, as in notebooks."""
    return bool(terminal.is_terminal and terminal.file.isatty())


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show that something is under way, if anybody looks."""
    terminal = console(stderr=True)
    if not is_watched(terminal):
        yield
        return
    with terminal.status(what):
        yield


class Progressing:
    """A progress bar: called with ``(step, steps, note)`` it moves, with the time left.

    Attributes
    ----------
    reading : callable ``(row, n_rows)``
        Moves a second bar, that of reading the data once, which appears where that takes more than a moment.
    """

    def __init__(self, bar: Any, what: str) -> None:
        self._bar, self._what, self._task = bar, what, bar.add_task(what, total=None)
        self._start, self._row, self._pass = monotonic(), 0, 0
        self._reading: Any = None

    def __call__(self, step: int, steps: int, note: str = "") -> None:
        """Say which step it is."""
        self._bar.update(
            self._task, completed=step, total=steps, description=f"{self._what}: {note}" if note else self._what
        )

    def reading(self, row: int, n_rows: int) -> None:
        """Say how far this pass over the data is."""
        if row < self._row or not self._pass:
            self._pass += 1
            if self._reading is not None:
                self._bar.reset(self._reading)
        self._row = row
        if self._reading is None and monotonic() - self._start > MOMENT:
            self._reading = self._bar.add_task("reading", total=n_rows)
        if self._reading is not None:
            self._bar.update(self._reading, completed=row, total=n_rows, description=f"reading, pass {self._pass}")


@contextmanager
def progress(what: str) -> Iterator[Progressing]:
    """Give a progress bar on stderr."""
    from rich.progress import Progress

    terminal = console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not is_watched(terminal)) as bar:
        yield Progressing(bar, what)


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Say a warning on stderr."""
    click.echo(wrapped(f"limen: warning: {in_words(str(message))}"), err=True)
