"""Recipes: a training method end to end, from data to a report, with what it must reach.

`RECIPES` names them; each is a module with ``WHAT`` (a line), ``DATA`` (files of the folder that it reads) and
``run(data, output, seed, progress)``, which returns an `Outcome`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from limen.errors import InputError, examples

RECIPES = {
    "disentanglement": "limen.learn.recipes.disentanglement",
    "representations": "limen.learn.recipes.representations",
    "similarity": "limen.learn.recipes.similarity",
    "sketch": "limen.learn.recipes.sketch",
    "zeroshot": "limen.learn.recipes.zeroshot",
}
Progress = Callable[[int, int, str], None]


class Check(NamedTuple):
    """What was to be reached, and what was."""

    what: str
    required: str
    measured: str
    passed: bool


class Outcome(NamedTuple):
    """What a recipe found.

    Attributes
    ----------
    title : str
        Method and data in a line.
    headings, rows : sequences of str
        The table of what was measured.
    checks : list of Check
    files : list of Path
        What was written.
    notes : list of str
        What the figures do not say.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    checks: list[Check]
    files: list[Path]
    notes: list[str] = []  # noqa: RUF012 - never changed

    @property
    def passed(self) -> bool:
        """Whether everything was reached."""
        return all(check.passed for check in self.checks)


def at_most(what: str, measured: float, required: float, digits: int = 3) -> Check:
    """Return the check that a figure is no larger than required."""
    return Check(what, f"at most {required:g}", f"{measured:.{digits}f}", measured <= required)


def at_least(what: str, measured: float, required: float, digits: int = 3) -> Check:
    """Return the check that a figure is no smaller than required."""
    return Check(what, f"at least {required:g}", f"{measured:.{digits}f}", measured >= required)


def get(name: str) -> Any:
    """Return the module of a recipe.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in RECIPES:
        raise InputError(f"there is no recipe {name!r}. Choose one of {examples(RECIPES)}.")
    return importlib.import_module(RECIPES[name])


def run(
    name: str, data: str | Path, output: str | Path, seed: int = 0, progress: Progress | None = None
) -> Outcome:
    """Return the outcome of a recipe, after it wrote thresholds and a report.

    Parameters
    ----------
    name : str
        One of `RECIPES`.
    data : path
        The folder with the recipe's files.
    output : path
        The folder to write to, made if it is not there. Steps that an earlier run finished there are not done
        again.
    seed : int
    progress : callable ``(step, steps, note)``, optional

    Raises
    ------
    InputError
        If there is no such recipe, or a file is missing.
    """
    recipe, folder = get(name), Path(data)
    lacking = [file for file in recipe.DATA if not (folder / file).is_file()]
    if lacking:
        raise InputError(
            f"the recipe {name!r} reads {examples(recipe.DATA)}; {folder} lacks {examples(lacking)}. Put them "
            "there, or give the folder that has them."
        )
    Path(output).mkdir(parents=True, exist_ok=True)
    return recipe.run(folder, Path(output), seed, progress or (lambda *_: None))  # type: ignore[no-any-return]
