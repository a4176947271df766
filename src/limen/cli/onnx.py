"""`limen export onnx`: thresholds inside an ONNX model."""

from __future__ import annotations

from typing import Any

import click

from limen.cli.console import busy, say
from limen.cli.help import Command
from limen.cli.inputs import refuse_to_replace
from limen.errors import UnreadableError


@click.command(name="onnx", cls=Command, short_help="Put thresholds inside an ONNX model.")
@click.argument("model")
@click.argument("thresholds")
@click.option("-o", "--output", metavar="OUT", required=True, help="The new model, an .onnx file.")
@click.option("--scores", metavar="NAME", help="The model's output with the scores, if more than one fits.")
@click.option(
    "--logits",
    "model_gives",
    flag_value="logits",
    help="The model gives logits, and the thresholds are for probabilities.",
)
@click.option(
    "--probabilities",
    "model_gives",
    flag_value="probabilities",
    help="The model gives probabilities, and the thresholds are for logits.",
)
@click.option("--sigmoid", metavar="NAME", help="With --logits: also give probabilities, and decide on them.")
@click.option("--labels", metavar="FILE", help="Names of the model's columns, a line each: joined by name.")
@click.option("--name", default="tags", show_default=True, help="Of the new output.")
@click.option("--inputs", metavar="FILE.npz", help="Inputs by name, to verify with instead of random ones.")
@click.option("--no-verify", is_flag=True, help="Do not run the new model to compare it with limen apply.")
def onnx_(
    model: str,
    thresholds: str,
    output: str,
    scores: str | None,
    model_gives: Any,
    sigmoid: str | None,
    labels: str | None,
    name: str,
    inputs: str | None,
    no_verify: bool,
) -> None:
    """Put the thresholds inside an ONNX model: it gives its scores and, as booleans, its tags.

    The new model keeps all outputs, and carries the label names and the thresholds in its metadata.

    \b
    limen export onnx tagger.onnx thresholds.json -o tagger_with_tags.onnx
    limen export onnx tagger.onnx thresholds.json -o out.onnx --logits --scores clipwise
    """
    from limen.exports.species import read_names
    from limen.onnx import export

    refuse_to_replace(output, inputs=(labels, inputs))  # export itself refuses to replace what it reads
    with busy(f"reading {model}, and running it with thresholds"):
        done = export(
            model,
            thresholds,
            output,
            scores=scores,
            labels=None if labels is None else read_names(labels),
            model_gives=model_gives or "scores",
            sigmoid=sigmoid,
            name=name,
            inputs=None if inputs is None else _arrays(inputs),
            verify=not no_verify,
        )
    say(f"scores: {done.scores}, opset {done.opset}")
    say(f"{name}: {done.how}")
    say("not verified" if done.verified is None else f"{done.verified}")
    for path in done.weight_files:
        say(f"copied the weights {path}")
    say(f"wrote {output}")


def _arrays(path: str) -> dict[str, Any]:
    """Return the arrays of an .npz file by name."""
    from pathlib import Path

    import numpy as np

    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    except Exception as error:  # hostile bytes bring out errors of every kind
        raise UnreadableError(
            f"{path} is no .npz file of numbers: {error}. Write it with numpy.savez(path, input_name=array, ...)."
        ) from error
