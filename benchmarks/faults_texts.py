"""Damaged bytes, text files, JSON and queries."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from faults_files import Draw, text_of

WORDS = [
    "", " ", "nan", "inf", "-inf", "1e999", "1e-400", "1_0", "0x10", "1,5", "1.5.2", "½", "٣", "\uff11", "=1+1",
    "+0.5", "-0",     "true", "maybe", "2", "0.5", "-1", "None", "null", "NULL", "NA", "#N/A", "1 000",
    "1e5", ".5", "5.", "1e", "0.5f",
        '"', "'", "\0", "\u200b0.5", " 0.5", "0.5 ", "a\nb", "a,b", "a;b", "x" * 5000, "😀", "\ufeff0.5", "1e+2",
    "infinity",
]  # fmt: skip


def bytes_damaged(data: bytes, draw: Draw) -> tuple[bytes, str]:
    """Return bytes with damage of a random sort, and what it is."""
    size = max(len(data), 1)
    at, length = int(draw.integers(size)), int(min(2 ** draw.uniform(0, 7), size))
    changed = bytearray(data)
    sort = str(
        draw.choice(
            ["flip", "flip", "flip", "head", "cut", "drop", "repeat", "zero", "noise", "swap", "more", "none"]
        )
    )
    if sort in ("flip", "head"):
        for _ in range(int(draw.integers(1, 4))):
            at = int(draw.integers(min(size, 128) if sort == "head" else size))
            changed[at : at + 1] = bytes([data[at] ^ 1 << int(draw.integers(8))]) if data else b"\1"
    elif sort == "cut":
        del changed[at:]
    elif sort == "drop":
        del changed[at : at + length]
    elif sort == "repeat":
        changed[at:at] = data[at : at + length]
    elif sort == "zero":
        changed[at : at + length] = bytes(len(changed[at : at + length]))
    elif sort == "noise":
        changed[at : at + length] = draw.bytes(length)
    elif sort == "swap":
        other = int(draw.integers(size))
        changed[at : at + length], changed[other : other + length] = (
            data[other : other + length],
            data[at : at + length],
        )
    elif sort == "more":
        changed += draw.bytes(length)
    return bytes(changed), f"bytes: {sort} at {at}"


def cells_damaged(header: list[str], rows: list[list[Any]], draw: Draw) -> tuple[list[str], list[list[Any]], str]:
    """Return a table with a wrong cell, row or column, or with another order."""
    header, rows = list(header), [[str(cell) for cell in row] for row in rows]
    row, other, column = (int(draw.integers(size)) for size in (len(rows), len(rows), len(header)))
    sort = str(
        draw.choice(
            ["cell", "cell", "cell", "cell", "number", "number", "header", "again", "drop row", "drop column",
             "add column",              "twice named", "short", "long", "shuffle rows", "shuffle columns",
             "pad", "id again",
             "empty rows", "swap"]
        )
    )  # fmt: skip
    what = sort
    if sort in ("cell", "number"):
        column = column if sort == "cell" else len(header) - 1
        rows[row][column] = str(draw.choice(WORDS))
        what = f"{rows[row][column][:12]!r} in row {row}, column {column}"
    elif sort == "header":
        header[column] = str(draw.choice([*WORDS, "id", "label", "tags", "score", "value", "wind", "WIND", "0.5"]))
        what = f"{header[column][:12]!r} in the header"
    elif sort == "again":
        rows.insert(other, list(rows[row]))
    elif sort == "drop row":
        del rows[row]
    elif sort == "drop column":
        header, rows = (header[:column] + header[column + 1 :], [one[:column] + one[column + 1 :] for one in rows])
    elif sort == "add column":
        header, rows = [*header, "more"], [[*one, "0.5"] for one in rows]
    elif sort == "twice named":
        header[column] = header[int(draw.integers(len(header)))]
    elif sort == "short":
        rows[row] = rows[row][:column]
    elif sort == "long":
        rows[row] = [*rows[row], "1"]
    elif sort == "shuffle rows":
        rows = [rows[k] for k in draw.permutation(len(rows))]
    elif sort == "shuffle columns":
        order = draw.permutation(len(header))
        header, rows = [header[k] for k in order], [[one[k] for k in order] for one in rows]
    elif sort == "pad":
        rows[row][column] = f" {rows[row][column]} "
    elif sort == "id again":
        rows[row][0] = rows[other][0]
    elif sort == "empty rows":
        rows = []
    elif sort == "swap":
        rows[row][column], rows[other][column] = rows[other][column], rows[row][column]
    return header, rows, f"cells: {what}"


def text_damaged(data: bytes, draw: Draw, delimiter: str = ",") -> tuple[bytes, str]:
    """Return a text file with damaged bytes, cells or conventions."""
    sort = draw.random()
    if sort < 0.3:
        return bytes_damaged(data, draw)
    header, *rows = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter)
    if sort < 0.75:
        header, rows, what = cells_damaged(header, rows, draw)
        return text_of(header, rows, delimiter), what
    ways: dict[str, Callable[[], bytes]] = {
        "CRLF": lambda: data.replace(b"\n", b"\r\n"),
        "CR": lambda: data.replace(b"\n", b"\r"),
        "mixed ends": lambda: data.replace(b"\n", b"\r\n", 3),
        "BOM": lambda: b"\xef\xbb\xbf" + data,
        "UTF-16": lambda: data.decode().encode("utf-16"),
        "latin-1": lambda: data.replace(b"wind", "wïnd".encode("latin-1")),
        "quoted": lambda: text_of(header, rows, delimiter, quoting=csv.QUOTE_ALL),
        "semicolons": lambda: text_of(header, rows, ";"),
        "tabs": lambda: text_of(header, rows, "\t"),
        "decimal commas": lambda: text_of(header, [[cell.replace(".", ",") for cell in row] for row in rows], ";"),
        "blank lines": lambda: data.replace(b"\n", b"\n\n", int(draw.integers(1, 4))),
        "spaces": lambda: data.replace(delimiter.encode(), delimiter.encode() + b" "),
        "no last end": lambda: data.rstrip(b"\n"),
        "trailing delimiter": lambda: data.replace(b"\n", delimiter.encode() + b"\n"),
        "comment": lambda: b"# made by hand\n" + data,
        "no header": lambda: data.partition(b"\n")[2],
        "header again": lambda: data.partition(b"\n")[0] + b"\n" + data,
        "open quote": lambda: data.replace(b"\n", b'\n"', int(draw.integers(1, 9))),
        "empty": lambda: b"",
        "only ends": lambda: b"\n" * 9,
        "HTML": lambda: b"<!DOCTYPE html><html><body>404</body></html>",
    }
    way = str(draw.choice(list(ways)))
    return ways[way](), f"text: {way}"


def json_damaged(data: bytes, draw: Draw) -> tuple[bytes, str]:
    """Return a JSON file with a value changed, gone, added or repeated somewhere in it."""
    if draw.random() < 0.3:
        return bytes_damaged(data, draw)
    content = json.loads(data)
    places: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        for key in part if isinstance(part, dict) else range(len(part)):
            places.append((part, key))
            if isinstance(part[key], dict | list):
                walk(part[key])

    walk(content)
    # Most places are in the list of labels; fields of the file come as often.
    part, key = places[int(draw.integers(len(places)))]
    if draw.random() < 0.5:
        part, key = content, list(content)[int(draw.integers(len(content)))]
    sort = draw.random()
    if sort < 0.15:
        del part[key]
        what = f"without {key}"
    elif sort < 0.25 and isinstance(part, dict):
        piece = f'"{key}": {json.dumps(part[key], ensure_ascii=False)}'
        return json.dumps(content, ensure_ascii=False).replace(
            piece, f"{piece}, {piece}", 1
        ).encode(), f"{key} twice"
    elif sort < 0.35 and isinstance(part, dict):
        part[str(draw.choice(["more", "", "values", "Name"]))] = 1
        what = "another key"
    else:
        old = part[key]
        values = [
            None,
            True,
            -1,
            0,
            1,
            7.5,
            1e300,
            -1e300,
            10**30,
            "",
            "x",
            "0.5",
            [],
            {},
            [1, 2],
            {"a": 1},
            3,
            0.25,
            float("nan"),
        ]
        if isinstance(old, int | float) and not isinstance(old, bool):
            values += [-old, 2 * old, old + 1, old / 2, str(old), [old]]
        elif isinstance(old, list):
            values += [old[::-1], old[:-1], old + old[:1]]
        elif isinstance(old, str):
            values += [
                old.upper(),
                old + " ",
                old[:-1],
                "macro",
                "weighted",
                "mcc",
                "recall",
                "top-k:2",
                "mcut",
                "float16",
                "logit",
                ">",
            ]
        part[key] = values[int(draw.integers(len(values)))]
        what = f"{key} is {str(part[key])[:30]!r}"
    return json.dumps(content, ensure_ascii=False).encode(), f"JSON: {what}"


def query_damaged(sql: str, draw: Draw) -> tuple[str, str]:
    """Return a query with words changed."""
    ways = [
        lambda: sql[: int(draw.integers(len(sql)))],
        lambda: sql.replace(
            "wide",
            str(draw.choice(["wide", "gone", "wide WHERE id < 'clip 20'", "wide LIMIT 0", "wide, wide AS b"])),
        ),
        lambda: f"{sql}; {sql}",
        lambda: f"{sql};",
        lambda: f"{sql} -- all\n",
        lambda: f"{sql} ORDER BY id DESC",
        lambda: "CREATE TABLE x AS SELECT 1",
        lambda: "COPY wide TO 'stolen.csv'",
        lambda: sql.replace(
            "*",
            str(
                draw.choice(
                    ["id", "count(*)", "* EXCLUDE id", "*, 1 AS more", "id, wind", "*, id", "[id] AS id, wind"]
                )
            ),
        ),
        lambda: sql.replace(
            "SELECT *", 'SELECT id, wind / 0.0 AS wind, "Rain, heavy", * EXCLUDE (id, wind, "Rain, heavy")'
        ),
        lambda: bytes_damaged(sql.encode(), draw)[0].decode("utf-8", "replace"),
        lambda: "SELECT error('no')",
        lambda: "SELECT * FROM range(3)",
        lambda: "DROP TABLE wide",
        lambda: "PRAGMA database_list",
        lambda: "FROM wide",
        lambda: "",
    ]
    text = ways[int(draw.integers(len(ways)))]().replace("\0", "")
    return text, f"query: {text[:60]!r}"
