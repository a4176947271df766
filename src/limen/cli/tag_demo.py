"""`limen tag --demo`: the same command on recordings, a tagger and thresholds that come with limen."""

from __future__ import annotations

import click

from limen.cli.console import say
from limen.cli.help import Command
from limen.errors import InputError, percent

OUTPUT = "demo_tags"


class TagCommand(Command):
    """A command whose ``--demo`` stands for the recordings, the model and the thresholds shipped."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the two ways to call it: what is needed without ``--demo``, and that nothing is with it."""
        formatter.write_usage(ctx.command_path, "RECORDINGS... --model FILE --thresholds FILE -o FOLDER [OPTIONS]")
        formatter.write_usage(ctx.command_path, "--demo [-o FOLDER]", prefix="       ")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line, with what ``--demo`` stands for."""
        if "--demo" not in args:
            return super().parse_args(ctx, args)
        from limen.datasets import spoken_events

        rest = [given for given in args if given != "--demo"]
        if rest and not (len(rest) == 2 and rest[0] in ("-o", "--output")):
            raise InputError("--demo takes nothing but a folder for the labels: limen tag --demo -o labels/.")
        shipped = ctx.with_resource(spoken_events())
        stands_for = [str(shipped / "recordings"), "--model", str(shipped / "tagger.onnx")]
        stands_for += ["--thresholds", str(shipped / "events.json"), "--format", "audacity"]
        return super().parse_args(ctx, ["--demo", *stands_for, *(rest or ["-o", OUTPUT])])


def say_how_good(output: str) -> None:
    """Say how the labels written compare with what is spoken, and what to do with them."""
    from limen.audio.demo import measured
    from limen.datasets import spoken_events

    found = measured(output)
    tp, pp, p = (int(column.sum()) for column in found.counts[:3])
    say(
        f"of {p} events (a digit, or who speaks) {tp} were found, among {pp} given: micro-F1 "
        f"{percent(found.value)} by {found.criterion}. The recordings were mixed from "
        "utterances that the tagger never heard."
    )
    with spoken_events() as shipped:
        say(
            f"look at them in Audacity: open a recording of {shipped / 'recordings'}, then File > Import > "
            f"Labels, {output}/NAME.txt"
        )
