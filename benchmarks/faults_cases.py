"""What is tried: damaged files of every kind through every command, and what is right then."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import onnx
import onnxruntime

import faults_arrays as arrays
import faults_files as files
import faults_texts as texts
import faults_twin as twin
from faults_files import IDS, LABELS, UNNAMED, Draw
from faults_run import Outcome, run
from faults_twin import BrokenError, UnsureError
from limen.cli.export import export

ONNX = ["export", "onnx"] if "onnx" in export.commands else ["onnx"]
ANY = ("",)
Judge = Callable[[Outcome], str]


@dataclass
class Trial:
    """A command on damaged files.

    ``judge`` gives what is wrong with a run that was accepted, or "". ``named`` are texts of which an error names
    one; ``refuse`` says that the command must fail. ``most_bytes`` bounds the size of files that are written.
    """

    what: str
    arguments: list[str]
    named: tuple[str, ...]
    judge: Judge
    refuse: bool = False
    accept: bool = False
    most_bytes: int | None = None
    after: Callable[[], None] | None = None
    protected: tuple[str, ...] = field(default=())


def pick(draw: Draw, options: Any) -> Any:
    options = list(options)
    return options[int(draw.integers(len(options)))]


def bring(base: Path, folder: Path, *names: str) -> None:
    for name in names:
        if not (folder / name).exists():
            shutil.copy(base / name, folder / name)


def file_of(kind: str, form: str) -> str:
    return f"{kind}{form}" if form.startswith(".") else f"{kind}_{form}"


def commands_with(kind: str, file: str, partner: str, draw: Draw, *, named: bool) -> list[str]:
    """Return a command that reads ``file`` as scores or labels, and ``partner`` as the other."""
    both = [file, partner] if kind == "scores" else [partner, file]
    method = pick(draw, ["exact", "exact", "exact", "shared", "sgl", "auto"])
    ways = [
        ["tune", *both, "-o", "out.json", "--method", method],
        ["evaluate", *both, "exact.json", "-o", "out.csv"],
        ["evaluate", *both, "0.5", "--metric", "mcc"],
        ["compare", *both, "--methods", "fixed:0.5,exact", "--cv", "2"],
        ["learning-curve", *both, "--method", "exact", "--cv", "2"],
        ["report", *both, "exact.json", "--no-compare", "-o", "out.html"],
    ]
    if named:
        ways.append(["curve", *both, "--label", "wind", "--rows", "5"])
    if kind == "scores":
        ways += [
            ["apply", file, "exact.json", "-o", "out.csv", "--layout", pick(draw, ["tags", "wide", "long"])]
        ] * 3
        ways.append(
            ["tune", "scores.npz", "labels.npz", "--adapt-to", file, "-o", "out.json", "--method", "exact"]
        )
    return pick(draw, ways)


def tables(form: str) -> Callable[[Draw, Path, Path], Trial]:
    """Return trials of scores or labels in files of this form."""

    def trial(draw: Draw, base: Path, folder: Path) -> Trial:
        kind = pick(draw, [kind for kind in files.FORMS if form in files.FORMS[kind].split()])
        name = file_of(kind, form)
        data, what = damaged(form, kind, (base / name).read_bytes(), draw)
        (folder / name).write_bytes(data)
        other = "labels" if kind == "scores" else "scores"
        partner = f"{other}.npy" if form in UNNAMED else f"{other}.npz"
        bring(base, folder, partner, "exact.json", "scores.npz", "labels.npz")
        file = f"duckdb:{name}?table=wide" if form == ".db" else name
        arguments = commands_with(kind, file, partner, draw, named=form not in UNNAMED)
        judge = as_twin(kind, arguments, file, base, folder, lambda: read_content(folder / name, kind))
        return Trial(f"{what} of {name}", arguments, (name, partner), judge)

    return trial


def read_content(path: Path, kind: str, sql: str = "SELECT * FROM wide") -> twin.Content:
    if path.suffix != ".db":
        return twin.read(path, kind)
    try:
        with duckdb.connect(str(path), read_only=True) as con:
            result = con.sql(sql)
            header, rows = [str(name) for name in result.columns], [list(row) for row in result.fetchall()]
    except Exception as error:
        raise BrokenError(f"duckdb: {error}") from error
    content = twin.checked(twin.from_cells(header, rows, kind), kind)
    if content.ids is None:
        raise BrokenError("rows of a query without ids")
    return content


def damaged(form: str, kind: str, data: bytes, draw: Draw) -> tuple[bytes, str]:
    """Return a damaged file of a form."""
    layout, _, ending = form.partition(".")
    made = draw.random()
    if ending in ("csv", "tsv"):
        return texts.text_damaged(data, draw, "\t" if ending == "tsv" else ",")
    if ending == "csv.gz":
        if made < 0.5:
            return texts.bytes_damaged(data, draw)
        changed, what = texts.text_damaged(gzip.decompress(data), draw)
        return gzip.compress(changed, mtime=0), what
    if made < 0.45 or ending == "db":
        return texts.bytes_damaged(data, draw)
    if ending == "parquet":
        return arrays.parquet_damaged(kind, layout, draw)
    if form == "sparse.npz":
        return arrays.sparse_damaged(kind, draw)
    if ending == "npy" and made < 0.75:
        return arrays.header_damaged(kind, draw)
    if ending == "h5" and made < 0.6:
        return arrays.hdf5_claims(kind, draw)
    return arrays.arrays_damaged(ending, kind, draw)


def as_twin(
    kind: str, arguments: list[str], file: str, base: Path, folder: Path, content_of: Callable[[], twin.Content]
) -> Judge:
    """Return a judge: the run must equal that of a plain file with what the twin reads in the damaged one."""

    def judge(outcome: Outcome) -> str:
        try:
            content = content_of()
            alone = arguments[0] == "apply" or "--adapt-to" in arguments
            ids = content.ids if alone or content.ids is None else IDS
            twin.fits(content, ids if not alone else content.ids, LABELS, kind)
            if not alone and (content.ids is None) == ("scores.npz" in arguments or "labels.npz" in arguments):
                raise BrokenError("only one of the files has ids")
            if not alone and len(content.values) != files.ITEMS:
                raise BrokenError("another number of items")
        except (BrokenError, UnsureError) as reason:
            # A curve is of one label: what is wrong with another one does not change it.
            if isinstance(reason, BrokenError) and arguments[0] != "curve":
                return f"accepted, though {reason}"
            whole = whole_run(arguments, file, base, folder)
            return "" if whole == outcome else f"another result than the whole file's, and {reason}"
        plain = twin.write(content, folder, kind)
        expected = rerun(folder, [plain if part == file else part for part in arguments])
        if expected.code:
            return f"accepted, but a plain file of the same content is refused: {expected.complained[:150]}"
        return "" if expected == outcome else "another result than that of a plain file of the same content"

    return judge


def rerun(folder: Path, arguments: list[str]) -> Outcome:
    for name in list(folder.glob("out.*")):
        name.unlink()
    return run(folder, *arguments)


def whole_run(arguments: list[str], file: str, base: Path, folder: Path) -> Outcome:
    """Return the outcome for the undamaged file."""
    name = file.removeprefix("duckdb:").partition("?")[0]
    shutil.copy(base / name, folder / name)
    return rerun(folder, arguments)


def queries(draw: Draw, base: Path, folder: Path) -> Trial:
    kind = pick(draw, ["scores", "labels"])
    sql, what = texts.query_damaged("SELECT * FROM wide", draw)
    partner = "labels.npz" if kind == "scores" else "scores.npz"
    bring(base, folder, f"{kind}.db", partner, "exact.json", "scores.npz", "labels.npz")
    file = f"duckdb:{kind}.db?query={sql}"
    arguments = commands_with(kind, file, partner, draw, named=True)
    judge = as_twin(kind, arguments, file, base, folder, lambda: read_content(folder / f"{kind}.db", kind, sql))
    return Trial(what, arguments, (f"{kind}.db", partner), judge)


def thresholds(draw: Draw, base: Path, folder: Path) -> Trial:
    source = pick(draw, ["thresholds.json", "exact.json"])
    data, what = texts.json_damaged((base / source).read_bytes(), draw)
    file = "t.json"
    (folder / file).write_bytes(data)
    bring(base, folder, "scores.npz", "labels.npz", "model.onnx", "detections.csv", "config.json", "exact.json")
    both = ["scores.npz", "labels.npz"]
    ways = [
        ["show", file],
        ["show", file, "--sort", "f1", "--most", "2"],
        ["apply", "scores.npz", file, "-o", "out.csv"],
        ["evaluate", *both, file],
        ["evaluate", *both, "exact.json", "--baseline", file],
        ["curve", *both, "--label", "wind", "--thresholds", file],
        ["report", *both, file, "--no-compare", "-o", "out.html"],
        ["export", "sql", file],
        ["export", "sql", file, "--layout", "long", "-o", "out.sql"],
        ["export", "duckdb", file],
        ["export", "birdnet", file, "-o", "out.txt"],
        ["export", "huggingface", file, "config.json"],
        ["birdnet-filter", "detections.csv", file, "-o", "out.csv"],
        [*ONNX, "model.onnx", file, "-o", "out.onnx", "--no-verify"],
    ]
    arguments = pick(draw, ways)

    def judge(_: Outcome) -> str:
        try:
            content = twin.strict_json(data)
            twin.check_thresholds(content)
            names = {label["name"] for label in content["labels"]}
            if arguments[0] in ("apply", "evaluate", "report") and names != set(LABELS):
                raise BrokenError("other labels")
        except BrokenError as reason:
            return f"accepted, though {reason}"
        return ""

    # That the labels of the thresholds are others is said of the file that they do not fit.
    return Trial(what, arguments, (file, "config.json", "model.onnx", "detections.csv"), judge)


def pairs(option: str, source: str) -> Callable[[Draw, Path, Path], Trial]:
    """Return trials of files of two columns."""

    def trial(draw: Draw, base: Path, folder: Path) -> Trial:
        data, what = texts.text_damaged((base / source).read_bytes(), draw)
        (folder / source).write_bytes(data)
        bring(base, folder, "scores.npz", "labels.npz", "exact.json")
        both = ["scores.npz", "labels.npz"]
        tune = ["tune", *both, "--method", pick(draw, ["exact", "auto"]), "-o", "out.json", option, source]
        more = [
            ["evaluate", *both, "exact.json", option, source],
            ["compare", *both, "--methods", "fixed:0.5,exact", "--cv", "2", option, source],
            ["learning-curve", *both, "--method", "exact", "--cv", "2", option, source],
        ]
        arguments = pick(draw, [tune, *more]) if option == "--groups" else tune

        def judge(outcome: Outcome) -> str:
            try:
                found = twin.pairs(folder / source, IDS if option == "--groups" else LABELS)
                if option == "--groups" and len(found) < len(IDS):
                    raise BrokenError("an item has no group")
                if option != "--groups" and not all(0 <= twin.number(x, "scores") <= 1 for x in found.values()):
                    raise BrokenError("a share beyond 0 to 1")
            except BrokenError as reason:
                return f"accepted, though {reason}"
            (folder / "shares_twin.csv").write_bytes(
                files.text_of(["name", "what"], [list(x) for x in found.items()])
            )
            expected = rerun(folder, ["shares_twin.csv" if part == source else part for part in arguments])
            return "" if expected == outcome else "another result than that of a plain file of the same content"

        return Trial(what, arguments, (source, option), judge)

    return trial


def birdnet(draw: Draw, base: Path, folder: Path) -> Trial:
    source = pick(draw, ["detections.csv", "detections.csv", "detections.txt"])
    delimiter = "\t" if source.endswith(".txt") else ","
    data, what = texts.text_damaged((base / source).read_bytes(), draw, delimiter)
    (folder / source).write_bytes(data)
    bring(base, folder, "exact.json")
    unknown = pick(draw, ["error", "keep", "drop"])
    output = f"out{Path(source).suffix}"
    cuts = {x["name"]: x["threshold"] for x in json.loads((base / "exact.json").read_text())["labels"]}

    def cells(text: bytes) -> list[list[str]]:
        try:
            text = text.decode("utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig").encode()
        except UnicodeDecodeError as error:
            raise BrokenError(str(error)) from error
        delimiter = "\t" if b"\t" in text.partition(b"\n")[0] else ","
        quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
        opened = io.StringIO(text.decode(), newline="")
        try:
            return [row for row in csv.reader(opened, delimiter=delimiter, strict=True, quoting=quoting) if row]
        except csv.Error as error:
            raise BrokenError(str(error)) from error

    def kept(row: list[str], at: dict[str, int]) -> bool:
        common, scientific = (
            row[at["common name"]].strip(),
            row[at["scientific name"]].strip() if "scientific name" in at else None,
        )
        if "nocall" in (common, scientific):
            return True
        found = [
            x
            for x in cuts
            if (x.split("_")[0] == scientific if scientific is not None else x.split("_")[-1] == common)
        ]
        sure = twin.number(row[at["confidence"]].strip(), "scores")
        if not math.isfinite(sure) or not 0 <= sure <= 1:
            raise BrokenError(f"the confidence {sure}")
        if not found and scientific is not None:
            found = [x for x in cuts if x == common]
        if not found:
            if unknown == "error":
                raise BrokenError("an unknown species")
            return unknown == "keep"
        cut = cuts[found[0]]
        return cut is not None and float(np.float32(sure)) >= cut

    def judge(outcome: Outcome) -> str:
        try:
            header, *rows = cells(data) or [[]]
            at = {name.strip().lower(): k for k, name in enumerate(header)}
            if not {"common name", "confidence"} <= set(at) or any(len(row) < len(header) for row in rows):
                raise BrokenError("columns")
            wanted = [header, *(row for row in rows if kept(row, at))]
        except BrokenError as reason:
            return f"accepted, though {reason}"
        return "" if cells(outcome.files[output]) == wanted else "other detections than those at or above the cuts"

    arguments = ["birdnet-filter", source, "exact.json", "-o", output, "--unknown", unknown]
    return Trial(what, arguments, (source,), judge)


def species(draw: Draw, base: Path, folder: Path) -> Trial:
    data, what = texts.bytes_damaged((base / "species.txt").read_bytes(), draw)
    (folder / "species.txt").write_bytes(data)
    bring(base, folder, "exact.json", "model.onnx")

    def judge(outcome: Outcome) -> str:
        try:
            lines = [line.strip() for line in data.decode("utf-8-sig").splitlines()]
        except UnicodeDecodeError as error:
            return f"accepted, though {error}"
        written = outcome.files["out.txt"].decode().splitlines()
        firsts = {name.partition("_")[0] for name in LABELS}
        good = set(written) <= set(lines) and all(name.partition("_")[0] in firsts for name in written)
        return "" if good else "species that are not those of the labels, or not in the file"

    arguments = ["export", "birdnet", "exact.json", "-o", "out.txt", "--labels-file", "species.txt"]
    return Trial(what, arguments, ("species.txt",), judge)


def config(draw: Draw, base: Path, folder: Path) -> Trial:
    data, what = texts.json_damaged((base / "config.json").read_bytes(), draw)
    (folder / "config.json").write_bytes(data)
    bring(base, folder, "exact.json")

    def judge(outcome: Outcome) -> str:
        try:
            content = twin.strict_json(data, constants=True)
            names = [str(name) for name in content["id2label"].values()]
            if sorted(names) != sorted(LABELS) or any(
                not isinstance(x, str) for x in content["id2label"].values()
            ):
                raise BrokenError("other labels")
        except (BrokenError, TypeError, KeyError, AttributeError) as reason:
            return f"accepted, though {reason}"
        written = json.loads(outcome.files["config.json"])
        kept = all(written.get(key) == value for key, value in content.items() if "thresholds" not in key)
        return "" if kept else "other parts of the file were changed"

    return Trial(what, ["export", "huggingface", "exact.json", "config.json"], ("config.json",), judge)


def models(draw: Draw, base: Path, folder: Path) -> Trial:
    bring(base, folder, "exact.json")
    data, what = (base / "model.onnx").read_bytes(), "whole"
    more: list[str] = []
    sort = draw.random()
    named = ("model.onnx", "the model")
    if sort < 0.5:
        data, what = texts.bytes_damaged(data, draw)
    elif sort < 0.8:
        data, what = arrays.model_changed(onnx.load_from_string(data), draw)
    else:
        given, what = (
            arrays.arrays_damaged("npz", "scores", draw)
            if sort < 0.9
            else texts.bytes_damaged((base / "inputs.npz").read_bytes(), draw)
        )
        (folder / "inputs.npz").write_bytes(given)
        more, named = ["--inputs", "inputs.npz"], ("inputs.npz", "the inputs given")
    (folder / "model.onnx").write_bytes(data)
    cuts = {x["name"]: x["threshold"] for x in json.loads((base / "exact.json").read_text())["labels"]}

    def judge(outcome: Outcome) -> str:
        if "NOT the whole model" in outcome.said:
            return ""  # it does not run, and limen says so
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        x = np.random.default_rng(3).normal(size=(7, 6)).astype(np.float32)
        found = []
        for name in ("model.onnx", "out.onnx"):
            try:
                session = onnxruntime.InferenceSession(
                    str(folder / name), options, providers=["CPUExecutionProvider"]
                )
                given = {
                    one.name: x.astype(np.float64) if "double" in one.type else x for one in session.get_inputs()
                }
                found.append(
                    dict(zip([one.name for one in session.get_outputs()], session.run(None, given), strict=True))
                )
            except Exception as error:
                return f"accepted, though {name} does not run: {str(error)[:150]}"
        before, after = found
        same = all(np.array_equal(value, after.get(name), equal_nan=True) for name, value in before.items())
        limits = np.array([math.inf if cuts[name] is None else cuts[name] for name in LABELS])
        shown = next((value for value in before.values() if np.shape(value)[-1:] == (4,)), None)
        if not same or shown is None or not np.array_equal(after["tags"], shown.astype(float) >= limits):
            return "the new model gives other scores, or other tags than its scores say"
        return ""

    return Trial(what, [*ONNX, "model.onnx", "exact.json", "-o", "out.onnx", *more], named, judge)
