"""Help that fits the terminal: examples too long for a line are broken where a shell goes on reading."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

AS_IT_IS = "\b"
"""A paragraph of help that begins with this line keeps its lines."""
UNBROKEN = "\u2011"
"""A hyphen at which no line is broken; it stands for one while lines are made."""
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|\S+")


class Command(click.Command):
    """A command whose examples are as narrow as its help, and whose options may stand under headings.

    Parameters
    ----------
    sections : mapping from heading to names of parameters
        Options that stand under a heading, in this order; the others follow under "Options".
    """

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = dict(sections or {})

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by section."""
        if not self.sections:
            super().format_options(ctx, formatter)
            return
        records = {
            str(option.name): record
            for option in self.get_params(ctx)
            if isinstance(option, click.Option) and (record := option.get_help_record(ctx)) is not None
        }
        for heading, names in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([records.pop(name) for name in names])
        with formatter.section("Options"):
            formatter.write_dl(list(records.values()))

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help, its examples broken at options, and no line at a hyphen: commands have them."""
        whole, before = self.help, len(formatter.buffer)
        text = fitted(inspect.cleandoc(whole or ""), formatter.width - formatter.indent_increment)
        self.help = text.replace("-", UNBROKEN)
        try:
            super().format_help_text(ctx, formatter)
        finally:
            self.help = whole
        formatter.buffer[before:] = [part.replace(UNBROKEN, "-") for part in formatter.buffer[before:]]


class Group(Command, click.Group):
    """Commands under a name."""

    command_class = Command


def fitted(text: str, width: int) -> str:
    """Return help in which the paragraphs that keep their lines are no wider than ``width``, where they can be."""
    paragraphs = text.split("\n\n")
    for k, paragraph in enumerate(paragraphs):
        if paragraph.startswith(AS_IT_IS):
            lines = [
                broken(_TOKEN.findall(line), width) if len(line) > width else line
                for line in paragraph.split("\n")
            ]
            paragraphs[k] = "\n".join(lines)
    return "\n\n".join(paragraphs)


def broken(tokens: Sequence[str], width: int | None) -> str:
    r"""Return a command of shell tokens on lines of at most ``width``, where that can be: broken at options.

    Examples
    --------
    >>> print(broken("limen tune scores.csv labels.csv --metric fbeta --beta 0.5".split(), 45))
    limen tune scores.csv labels.csv \
      --metric fbeta --beta 0.5
    """
    whole = " ".join(tokens)
    if width is None or len(whole) <= width:
        return whole
    parts: list[str] = []
    for token in tokens:
        if parts and not token.startswith("-") and (len(parts) > 1 or len(f"{parts[-1]} {token}") <= width - 2):
            parts[-1] += f" {token}"
        else:
            parts.append(token)
    lines = [parts[0]]
    for part in parts[1:]:
        if len(f"{lines[-1]} {part}") <= width - 2:
            lines[-1] += f" {part}"
        else:
            lines.append(f"  {part}")
    return " \\\n".join(lines)
