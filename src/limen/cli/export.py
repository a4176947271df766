"""`limen export` and `limen birdnet-filter`: thresholds carried to where decisions are made."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from limen.cli.console import say
from limen.cli.help import Command, Group
from limen.cli.inputs import refuse_to_replace
from limen.cli.onnx import onnx_
from limen.errors import count, examples

if TYPE_CHECKING:
    from limen.exports.birdnet import Filtered

TEXT_OUTPUT = click.option("-o", "--output", help="A file, instead of standard output.")
LABEL = click.option("--label", default="label", show_default=True, help="Column of labels in a long table.")
SCORE = click.option("--score", default="score", show_default=True, help="Column of scores in a long table.")
LABELS_FILE = click.option(
    "--labels-file", metavar="FILE", help="Labels file of the BirdNET model, to complete and check the names."
)


@click.group(cls=Group, short_help="Carry thresholds to other systems.")
def export() -> None:
    """Carry thresholds to an ONNX model, SQL, BirdNET or a Hugging Face model.

    \b
    limen export onnx tagger.onnx thresholds.json -o tagger_with_tags.onnx
    limen export sql thresholds.json -o tags.sql
    limen export duckdb thresholds.json | duckdb birds.db
    limen export birdnet thresholds.json -o species_list.txt
    limen export huggingface thresholds.json ./my-model
    """


export.add_command(onnx_)


@export.command(short_help="Write a query that decides.")
@click.argument("thresholds")
@TEXT_OUTPUT
@click.option(
    "--layout",
    type=click.Choice(["wide", "long"]),
    default="wide",
    show_default=True,
    help="Of the table: a column for each label, or id, label, score.",
)
@click.option("--table", default="scores", show_default=True, help="Name of the table.")
@click.option("--id", "id_", default="id", show_default=True, help="Column that is passed on.")
@LABEL
@SCORE
@click.option("--every-row", is_flag=True, help="Long: all rows with a column given, not only the given labels.")
def sql(
    thresholds: str,
    output: str | None,
    layout: str,
    table: str,
    id_: str,
    label: str,
    score: str,
    every_row: bool,
) -> None:
    """Write a query that decides: for DuckDB, SQLite and PostgreSQL.

    \b
    limen export sql thresholds.json
    limen export sql thresholds.json --layout long --table predictions -o tags.sql
    """
    from limen.exports.sql import case_sql, long_sql
    from limen.thresholds import Thresholds

    chosen = Thresholds.load(thresholds)
    if layout == "wide":
        text = case_sql(chosen, table=table, id=id_)
    else:
        text = long_sql(chosen, table=table, id=id_, label=label, score=score, only_given=not every_row)
    _write(output, text, thresholds)


@export.command(short_help="Write two DuckDB macros.")
@click.argument("thresholds")
@TEXT_OUTPUT
@click.option("--name", default="limen", show_default=True, help="What the names of the macros begin with.")
@LABEL
@SCORE
def duckdb(thresholds: str, output: str | None, name: str, label: str, score: str) -> None:
    """Write two DuckDB macros: limen_decide(label, score) and limen_tags('scores').

    \b
    limen export duckdb thresholds.json | duckdb birds.db
    duckdb birds.db "FROM limen_tags('scores')"
    """
    from limen.exports.sql import duckdb_macros
    from limen.thresholds import Thresholds

    _write(output, duckdb_macros(Thresholds.load(thresholds), name=name, label=label, score=score), thresholds)


@export.command(short_help="Write a BirdNET species list.")
@click.argument("thresholds")
@click.option("-o", "--output", default="species_list.txt", show_default=True, help="The species list.")
@click.option("--confidences", metavar="FILE", help="Also write a .csv file of the confidence of each species.")
@LABELS_FILE
def birdnet(thresholds: str, output: str, confidences: str | None, labels_file: str | None) -> None:
    """Write a BirdNET species list, and the confidence of each species.

    \b
    limen export birdnet thresholds.json --labels-file BirdNET_Labels.txt
    limen export birdnet thresholds.json -o species_list.txt --confidences confidences.csv
    """
    from limen.exports.birdnet import write_confidences, write_species_list
    from limen.files.writing import write_atomically
    from limen.thresholds import Thresholds

    refuse_to_replace(output, confidences, inputs=(thresholds, labels_file))
    chosen = Thresholds.load(thresholds)
    with ExitStack() as both:  # both files or none
        if confidences is not None:
            temporary = both.enter_context(write_atomically(confidences))
            write_confidences(chosen, temporary, labels_file=labels_file)
        written = write_species_list(chosen, output, labels_file=labels_file)
    say(f"wrote {output} ({written} species)")
    if chosen.never:
        say(f"left out, as never given: {examples(chosen.never)}")
    if confidences is not None:
        say(f"wrote {confidences}")


@export.command(short_help="Write into a Hugging Face model.")
@click.argument("thresholds")
@click.argument("model")
def huggingface(thresholds: str, model: str) -> None:
    """Write thresholds into the config.json of a model, a folder on this machine.

    \b
    limen export huggingface thresholds.json ./my-model
    """
    from limen.exports.huggingface import write_thresholds
    from limen.thresholds import Thresholds

    chosen = Thresholds.load(thresholds)
    path = write_thresholds(model, chosen)
    say(f"wrote thresholds and limen_thresholds into {path} ({count(len(chosen.labels), 'label')})")
    say(
        "To apply them: limen.exports.huggingface.PostProcessor on the outputs of\n"
        'pipeline(..., top_k=None, function_to_apply="sigmoid")'
    )


@click.command(name="birdnet-filter", cls=Command, short_help="Filter the detections of BirdNET.")
@click.argument("detections")
@click.argument("thresholds")
@click.option("-o", "--output", required=True, help="The same file with the detections that pass.")
@LABELS_FILE
@click.option(
    "--unknown",
    type=click.Choice(["error", "keep", "drop"]),
    default="error",
    show_default=True,
    help="What to do with species that have no threshold.",
)
def birdnet_filter(detections: str, thresholds: str, output: str, labels_file: str | None, unknown: Any) -> None:
    """Keep the BirdNET detections at or above the threshold of their species.

    DETECTIONS is a CSV, Kaleidoscope, Raven or Parquet table of BirdNET, or its Audacity labels.

    \b
    limen birdnet-filter detections.csv thresholds.json -o kept.csv
    """
    from limen.exports.birdnet import filter_detections
    from limen.thresholds import Thresholds

    refuse_to_replace(output, inputs=(thresholds, labels_file))
    chosen = Thresholds.load(thresholds)
    found: Filtered = filter_detections(detections, chosen, output, labels_file=labels_file, unknown=unknown)
    say(f"wrote {output}: kept {found.kept} of {count(found.read, 'detection')}")
    if found.unknown:
        done = "kept" if unknown == "keep" else "dropped"
        say(f"{done}, as they have no threshold: {examples(found.unknown)}")


def _write(output: str | None, text: str, thresholds: str) -> None:
    from limen.files.writing import write_atomically

    refuse_to_replace(output, inputs=(thresholds,))
    if output is None:
        click.echo(text, nl=False)
        return
    with write_atomically(output) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    say(f"wrote {output}")
