"""The commands, and what their options take and refuse."""

from __future__ import annotations

import shlex

from faults_cases import ONNX

BOTH = ["scores.npz", "labels.npz"]
READ = ("scores.npz", "labels.npz", "exact.json", "groups.csv", "shares.csv", "detections.csv", "config.json",
        "model.onnx", "species.txt", "inputs.npz", "one.candidates", "one.curves", "two.curves")  # fmt: skip
COMMANDS = {
    "tune": ["tune", *BOTH, "--method", "exact"],
    "auto": ["tune", *BOTH],
    "evaluate": ["evaluate", *BOTH, "exact.json"],
    "compare": ["compare", *BOTH, "--methods", "fixed:0.5,exact", "--cv", "2"],
    "learning-curve": ["learning-curve", *BOTH, "--method", "exact", "--cv", "2"],
    "curve": ["curve", *BOTH, "--label", "wind"],
    "report": ["report", *BOTH, "exact.json", "--no-compare"],
    "show": ["show", "exact.json"],
    "apply": ["apply", "scores.npz", "exact.json"],
    "sql": ["export", "sql", "exact.json"],
    "duckdb": ["export", "duckdb", "exact.json"],
    "birdnet": ["export", "birdnet", "exact.json"],
    "birdnet-filter": ["birdnet-filter", "detections.csv", "exact.json"],
    "onnx": [*ONNX, "model.onnx", "exact.json"],
    "tune-curves": ["tune", "--curves", "one.curves"],
    "candidates": ["candidates", *BOTH],
    "curves": ["curves", *BOTH],
    "merge": ["merge", "one.curves", "two.curves"],
    "guarantee": ["guarantee", *BOTH, "--precision", "0.5"],
}  # fmt: skip
ENDINGS = {
    "tune": (".json",), "auto": (".json",), "evaluate": (".csv",), "report": (".html",),
    "birdnet-filter": (".csv",),
    "apply": (".csv", ".tsv", ".parquet", ".npy", ".npz", ".h5"), "sql": (".sql",), "duckdb": (".sql",),
    "birdnet": (".txt",), "onnx": (".onnx",), "tune-curves": (".json",), "candidates": (".candidates",),
    "curves": (".curves",), "merge": (".curves",), "guarantee": (".json",),
}  # fmt: skip
TUNING = "tune auto compare learning-curve"
WITH_OUTPUT = ("candidates", "curves", "merge")  # these always write
EVERY = " ".join(name for name in COMMANDS if name not in WITH_OUTPUT)
# Commands, option, then values that are taken, those that are refused, and those where either is right.
_TABLE = [
    (TUNING + " report", "--seed", "0 7", "-1 1.5 '' x 1e3 nan", "99999999999999999999 '٣'"),
    (TUNING + " evaluate report", "--metric fbeta --beta", "2 0.5", "-1 nan inf x ''", "1e300 1e-300 0"),
    (TUNING, "--beta", "", "2", ""),
    (TUNING + " evaluate report", "--metric", "mcc recall", "fbeta nope '' f1,mcc", "F1 cost"),
    (
        TUNING + " evaluate",
        "--metric cost --costs",
        "1,5 0,1",
        "0,0 -1,1 1 1,2,3 nan,1 inf,1 '' a,b '1;5'",
        "1e300,1e300 1e-300,0",
    ),
    (TUNING, "--metric f1 --costs", "", "1,5", ""),
    (TUNING + " evaluate report", "--average", "macro weighted", "samples '' none", "Micro"),
    (TUNING, "--zero-division", "0 1 0.5", "-1 2 nan inf x", ""),
    ("auto", "--min-positive", "0 3 0.5", "-3 nan -inf x", "inf 1e300"),
    (
        "tune auto learning-curve",
        "--method",
        "exact shared fixed:0.3",
        "fixed fixed: fixed:nan fixed:x nope '' exact,auto top-k:0 top-k:-1 top-k:99 top-k:x",
        "fixed:1e999 fixed:-1e300 EXACT fixed:1_0",
    ),
    ("compare", "--methods", "exact", "'' , nope exact,nope fixed:nan", "exact,exact"),
    ("tune", "--placement", "score", "middle ''", ""),
    ("compare learning-curve", "--cv", "3", "1 0 -5 99999999 2.5 x 37", "36"),
    ("report", "--methods exact --cv", "2", "x", "1 -1"),
    ("compare", "--repeats", "2", "0 -1 x 1.5", ""),
    ("compare", "--jobs", "1 2", "0 x", "-2 9999"),
    ("curve", "--rows", "2", "1 0 -1 x", "99999999999999999999"),
    ("curve", "--label", "wind", "Wind '' nope", ""),
    ("curve", "--thresholds", "0.5 exact.json", "nan gone.json scores.npz .", "inf -inf 1e999"),
    ("evaluate", "--baseline", "0.5", "nan gone.json groups.csv ''", "inf 1e300"),
    ("evaluate", "--groups", "groups.csv", "gone.csv shares.csv . exact.json scores.npz", ""),
    ("tune", "--target-prevalence", "shares.csv", "gone.csv groups.csv . model.onnx", ""),
    ("tune", "--adapt-to", "scores.npz", "gone.npz labels.npz exact.json .", ""),
    ("tune", "--target-prevalence shares.csv --adapt-to", "", "scores.npz", ""),
    ("show", "--sort", "f1", "nope ''", ""),
    ("show", "--most", "1 99", "0 -1 x", "99999999999999999999"),
    ("sql", "--layout", "long", "tags", ""),
    ("sql", "--table", "t", "", "'a b' '' '\"' 'x'\"'\"'; DROP TABLE y' '\n'"),
    ("sql", "--id", "clip", "", "'' wind"),
    ("duckdb", "--name", "mine", "", "'' 1 'a b' 'limen;'"),
    ("apply", "-o out.csv --layout", "wide long", "nope", ""),
    ("birdnet-filter", "-o out.csv --unknown", "keep drop", "nope", ""),
    ("birdnet", "-o out.txt --labels-file", "species.txt", "gone.txt . scores.npz detections.csv", ""),
    ("birdnet", "-o out.txt --confidences", "out.csv", "out.txt exact.json gone/c.csv", "''"),
    ("onnx", "-o out.onnx --scores", "y", "nope ''", "z"),
    ("onnx", "-o out.onnx --name", "mine", "y x '' z w", ""),
    ("onnx", "-o out.onnx --sigmoid", "", "p", "''"),
    ("onnx", "-o out.onnx --logits --probabilities --name", "", "", "t"),
    ("onnx", "-o out.onnx --labels", "", "gone.txt . species.txt scores.npz", ""),
    ("onnx", "-o out.onnx --inputs", "inputs.npz", "gone.npz scores.npz groups.csv .", ""),
    (
        "tune evaluate apply report",
        "-o",
        "",
        "gone/out.json . '' /dev/full /proc/out.json exact.json/out.json ../ /sys/x.json",
        "/dev/null",
    ),
    ("apply", "-o", "", "out out.txt out.xlsx", "out.CSV out.csv.gz"),
    ("report", "-o out.html --title", "T", "", "'' '<script>alert(1)</script>' '\udcff'"),
    (EVERY, "--nope", "", "1", ""),
    (EVERY, "", "", "'one more'", ""),
]
OPTIONS = [
    (
        commands.split(),
        option,
        [
            (value, sort)
            for sort, group in zip((True, False, None), groups, strict=True)
            for value in shlex.split(group)
        ],
    )
    for commands, option, *groups in _TABLE
]
