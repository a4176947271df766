"""What the commands say on the terminal."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from limen.cli.help import broken
from limen.cli.words import columns, in_words, wrapped


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


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show that something is under way, if anybody looks."""
    terminal = console(stderr=True)
    if not terminal.is_terminal:
        yield
        return
    with terminal.status(what):
        yield


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Give a function ``(step, steps, note)`` that moves a progress bar on stderr."""
    from rich.progress import Progress

    terminal = console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def tick(step: int, steps: int, note: str) -> None:
            bar.update(task, completed=step, total=steps, description=f"{what}: {note}")

        yield tick


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Say a warning on stderr."""
    click.echo(wrapped(f"limen: warning: {in_words(str(message))}"), err=True)
