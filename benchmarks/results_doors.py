"""Results of the same data through every door: dense, sparse, tags, frames of three libraries, chunks, tensors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp
import torch

import limen
from limen import Curves
from limen.curves import Candidates
from results_arrays import DATA, PLAIN, Data, made
from results_digests import Results

SMALL = made(60, 60, 4, dtype="float32")
IDS = [f"clip {row:03d}" for row in range(60)]
TAGS = [[name for name, has in zip(SMALL.labels, row, strict=True) if has] for row in SMALL.y_true]
ORDER = np.random.default_rng(61).permutation(60)
COLUMNS = [2, 0, 3, 1]
MAKERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "arrow": pa.table,
}


def through(y_true: Any, y_score: Any, **given: Any) -> dict[str, Any]:
    """Return the curves, and what the exact method and the default make of the same arguments."""
    exact = limen.tune(y_true, y_score, method="exact", **given)
    found = {"curves": Curves.from_arrays(y_true, y_score, **given), "exact": exact, "value": exact.value}
    found["auto"] = limen.tune(y_true, y_score, **given)
    found["evaluated"] = limen.evaluate(y_true, y_score, 0.4, **given)
    found["decided"] = decided(exact, y_score)
    return found


def decided(thresholds: limen.Thresholds, y_score: Any) -> Any:
    """Return the decisions; None for a frame that holds more than scores, which `decide` may refuse."""
    try:
        return thresholds.decide(y_score)
    except limen.InputError:
        return None


def dense(results: Results) -> None:
    truth, scores = SMALL.pair
    unknown = np.where(np.random.default_rng(62).random(truth.shape) < 0.1, np.nan, truth)
    hidden = np.isnan(unknown)
    few = scores * (scores > 0.3)
    doors: dict[str, tuple[Any, Any]] = {
        "plain": (truth, scores),
        "bool": (truth.astype(bool), scores),
        "lists": (truth.tolist(), scores.tolist()),
        "columns first": (np.asfortranarray(truth), np.asfortranarray(scores)),
        "strided": (np.repeat(truth, 2, axis=0)[::2], np.repeat(scores, 2, axis=1)[:, ::2]),
        "whole scores": (truth, np.round(scores * 10).astype(np.int32)),
        "other bytes": (truth, scores.astype(">f4")),
        "unknown": (unknown, scores),
        "masked labels": (np.ma.array(truth, mask=hidden), scores),
        "masked floats": (np.ma.array(unknown, mask=hidden), scores),
        "one dimension": (truth[:, 3], scores[:, 3]),
        "tags": (TAGS, scores),
        "sets of tags": ([set(row) for row in TAGS], scores),
        "sparse labels": (sp.csr_array(truth), scores),
        "sparse scores": (truth, sp.csr_array(few)),
        "sparse both": (sp.csr_matrix(truth), sp.csr_matrix(few)),
        "sparse by column": (sp.csc_array(truth), sp.coo_array(few)),
        "sparse unknown": (unknown, sp.csr_array(few)),
        "tensors": (torch.tensor(truth), torch.tensor(scores)),
        "half tensors": (torch.tensor(truth, dtype=torch.bool), torch.tensor(scores).half()),
        "tensor and array": (truth, torch.tensor(scores, requires_grad=True).detach()),
    }
    for name, (y_true, y_score) in doors.items():
        labels = None if name == "one dimension" else SMALL.labels
        results.keep(f"door/{name}", through, y_true, y_score, labels=labels)
        weight = np.random.default_rng(63).random(60)
        results.keep(f"door/{name}/weights", through, y_true, y_score, labels=labels, sample_weight=weight)
    for name, mask in {"array": ~hidden, "tensor": torch.tensor(~hidden)}.items():
        results.keep(f"door/mask {name}", through, truth, scores, mask=mask)
        results.keep(f"door/mask {name} sparse", through, sp.csr_array(truth), sp.csr_array(few), mask=mask)
    results.keep("door/lists of tags without names", through, TAGS, pd.DataFrame(scores, columns=SMALL.labels))
    results.keep("door/unnamed", through, truth, scores)


def wide(make: Any, values: Any, columns: Any = range(4), ids: Any = None, rows: Any = range(60)) -> Any:
    rows = list(rows)
    head = {} if ids is None else {"id": [ids[row] for row in rows]}
    return make({**head, **{SMALL.labels[k]: np.ascontiguousarray(values[rows, k]) for k in columns}})


def long(make: Any, values: Any, name: str, pairs: Any) -> Any:
    return make(
        {
            "id": [IDS[row] for row, _ in pairs],
            "label": [SMALL.labels[k] for _, k in pairs],
            name: [values[row, k].item() for row, k in pairs],
        }
    )


def frames(results: Results) -> None:
    truth, scores = SMALL.pair
    every = [(row, k) for row in range(60) for k in range(4)]
    mixed = [every[k] for k in np.random.default_rng(64).permutation(len(every))]
    likely = [(row, k) for row, k in mixed if scores[row, k] > 0.2 or scores[row, k] == scores[row].max()]
    for name, make in MAKERS.items():
        lists = make({"id": IDS, "tags": [";".join(row) for row in TAGS]})
        pairs = make(
            {
                "id": [item for item, row in zip(IDS, TAGS, strict=True) for _ in row or [""]],
                "label": [tag for row in TAGS for tag in row or [None]],
            }
        )
        plain, by_id = wide(make, scores), wide(make, scores, ids=IDS)
        doors = {
            "wide": (wide(make, truth), plain),
            "wide truth": (wide(make, truth), scores),
            "wide scores": (truth, plain),
            "other columns": (wide(make, truth, COLUMNS), plain),
            "bools": (wide(make, truth.astype(bool)), wide(make, scores.astype(np.float64))),
            "halves": (wide(make, truth), wide(make, scores.astype(np.float16)))
            if name == "pandas"
            else (truth, plain),
            "ids": (wide(make, truth, ids=IDS), by_id),
            "ids in other order": (wide(make, truth, COLUMNS, IDS, ORDER), by_id),
            "scores in other order": (wide(make, truth, ids=IDS), wide(make, scores, COLUMNS, IDS, ORDER)),
            "long labels": (long(make, truth, "value", mixed), by_id),
            "long scores": (wide(make, truth, ids=IDS), long(make, scores, "score", mixed)),
            "long both": (long(make, truth, "value", every), long(make, scores, "score", mixed)),
            "few long scores": (wide(make, truth, ids=IDS), long(make, scores, "score", likely)),
            "tag lists": (lists, by_id),
            "tag lists, long scores": (lists, long(make, scores, "score", mixed)),
            "pairs": (pairs, by_id),
        }
        for door, given in doors.items():
            results.keep(f"frame/{name}/{door}", through, *given)
        mask = wide(make, np.arange(240).reshape(60, 4) % 7 > 0)
        results.keep(f"frame/{name}/mask", through, wide(make, truth), plain, mask=mask)
        gaps = make(
            {
                tag: [None if row % 9 == k else int(truth[row, k]) for row in range(60)]
                for k, tag in enumerate(SMALL.labels)
            }
        )
        results.keep(f"frame/{name}/gaps", through, gaps, plain)
        results.keep(
            f"frame/{name}/compare", limen.compare, *doors["ids in other order"], methods=("exact", "shared")
        )
        results.keep(f"frame/{name}/frontier", limen.frontier, *doors["long both"])
        found = limen.tune(truth, scores, labels=SMALL.labels, method="exact")
        results.keep(f"frame/{name}/decide", found.decide, wide(make, scores, COLUMNS))
        results.keep(f"frame/{name}/evaluate", limen.evaluate, *doors["other columns"], found)
    index = pd.DataFrame(scores, columns=SMALL.labels, index=IDS)
    other = pd.DataFrame(truth, columns=SMALL.labels, index=IDS).iloc[ORDER, COLUMNS]
    results.keep("frame/pandas/indexes", through, other, index)
    results.keep("frame/pandas/series", through, pd.Series(truth[:, 3]), scores[:, 3])
    results.keep(
        "frame/mixed libraries",
        through,
        wide(pl.DataFrame, truth, COLUMNS, IDS, ORDER),
        wide(pa.table, scores, ids=IDS),
    )


def curves(results: Results) -> None:
    """Curves from arrays, from chunks, added, reweighted, pickled."""
    for name, data in DATA.items():
        whole = Curves.from_arrays(*data.pair, labels=data.labels)
        cut = max(1, len(data.y_true) // 3)
        parts = [
            Data(data.y_true[rows], data.y_score[rows], data.labels) for rows in (slice(0, cut), slice(cut, None))
        ]
        chunks = [part.pair for part in parts]
        first, second = (Curves.from_arrays(*part.pair, labels=part.labels) for part in parts)
        union = first.candidates | second.candidates
        results.keep(f"curves/{name}/whole", lambda whole=whole: whole)
        results.keep(f"curves/{name}/chunks", Curves.from_chunks, chunks, labels=data.labels)
        results.keep(f"curves/{name}/function", Curves.from_chunks, lambda chunks=chunks: iter(chunks))
        results.keep(f"curves/{name}/added", lambda a=first, b=second: a + b)
        results.keep(
            f"curves/{name}/part", Curves.from_arrays, *parts[0].pair, labels=data.labels, candidates=union
        )
        coarse = Candidates.shared(data.labels, whole.dtype, np.linspace(0.1, 0.9, 9))
        results.keep(
            f"curves/{name}/coarse", Curves.from_arrays, *data.pair, labels=data.labels, candidates=coarse
        )
        share = np.full(len(data.labels), 0.2)
        results.keep(f"curves/{name}/reweighted", whole.reweighted, share)
        for metric, average in (("f1", "micro"), ("mcc", "micro"), ("f1", "macro")):
            given = {"metric": metric, "average": average}
            key = f"curves/{name}/tune/{metric}/{average}"
            bare = pickle.loads(pickle.dumps(whole))
            results.keep(f"{key}/pickled", limen.tune, bare, method="exact", **given)
            results.keep(f"{key}/auto without scores", limen.tune, bare, **given)
            for method in ("exact", "auto", "sgl", "top-k", "shared", "calibrated"):
                results.keep(
                    f"{key}/added/{method}",
                    lambda a=first, b=second, m=method, g=given: limen.tune(a + b, method=m, **g),
                )
    weight = np.random.default_rng(65).random(len(PLAIN.y_true))
    weighted = [(*(part[rows] for part in PLAIN.pair), weight[rows]) for rows in (slice(0, 50), slice(50, None))]
    results.keep("curves/weights", Curves.from_arrays, *PLAIN.pair, sample_weight=weight)
    results.keep("curves/weights in chunks", Curves.from_chunks, weighted)
    results.keep("curves/tuned chunks", lambda: limen.tune(Curves.from_chunks(weighted)))
    results.keep(
        "curves/chunks with groups",
        lambda: limen.tune(Curves.from_chunks([PLAIN.pair]), groups=np.arange(200) // 9),
    )
    results.keep("curves/frontier", lambda: limen.frontier(Curves.from_chunks(weighted)))


PARTS = (dense, frames, curves)
