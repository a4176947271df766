"""Pictures of the gallery on the home page: one a task, each drawn from a run of limen on the data it ships."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import limen
from limen.constraints import MaxPredictions
from limen.datasets import spoken_tags

Y, S, LABELS = spoken_tags()
TUNING, REST = slice(0, 2000), slice(2000, 4000)
HALF = {"color": "0.4", "linestyle": "--", "linewidth": 1}


class Picture(NamedTuple):
    """How a picture is drawn, and what it shows, in words."""

    draw: Callable[[Axes], Any]
    words: str


def table_of_scores(ax: Axes) -> None:
    """Draw the first lines of a score file, with what its thresholds give."""
    columns = [LABELS.index(name) for name in ("digit 0", "jackson", "theo", "lucas")]
    t = limen.tune(Y[TUNING], S[TUNING], labels=LABELS, method="exact")
    shown = S[2000:2005][:, columns]
    given = shown >= t.values[columns]
    cells = [[f"clip{2000 + row}", *(f"{score:.2f}" for score in line)] for row, line in enumerate(shown)]
    grid = ax.table(
        cells, colLabels=["id", *(LABELS[k] for k in columns)], loc="center", cellLoc="center", edges=""
    )
    grid.scale(1, 1.55)
    grid.auto_set_font_size(False)
    for (row, column), cell in grid.get_celld().items():
        if row and column and given[row - 1, column - 1]:
            cell.visible_edges = "closed"
            cell.set(facecolor="#cfe3fa", edgecolor="none")
            cell.get_text().set_fontweight("bold")
    ax.axis("off")


def overlooked_positives(ax: Axes) -> None:
    """Draw thresholds tuned with positives overlooked against those tuned with all of them."""
    found = Y * (np.random.default_rng(0).random(Y.shape) > 0.3)
    honest, misled = (limen.tune(y, S, method="exact").values for y in (Y, found))
    ax.plot([0, 1], [0, 1], **HALF)
    ax.plot(honest, misled, "o", markersize=4)
    ax.set(xlabel="all positives marked", ylabel="30 % overlooked", xlim=(0, 0.8), ylim=(0, 0.8))


def frontier(ax: Axes) -> None:
    """Draw the frontier, one shared threshold, and 90 % precision."""
    f = limen.frontier(Y, S)
    cuts = np.quantile(S, np.linspace(0.4, 0.999, 200))
    pp, tp = ([(scores >= cut).sum() for cut in cuts] for scores in (S, S[Y == 1]))
    recall, precision = np.divide(tp, Y.sum()), np.divide(tp, pp)
    ax.plot(f.recall, f.precision)
    ax.plot(recall, precision, color="C4")
    ax.axhline(0.9, **HALF)
    ax.set(xlabel="recall", ylabel="precision", xlim=(0.5, 1), ylim=(0.6, 1))


def counts_of_machines(ax: Axes) -> None:
    """Draw the counts of two machines, and their sum."""
    k, parts = LABELS.index("digit 3"), (slice(0, 1600), slice(1600, 4000))
    own = [limen.Curves.from_arrays(Y[part][:, [k]], S[part][:, [k]]).candidates for part in parts]
    counted = [limen.Curves.from_arrays(Y[p][:, [k]], S[p][:, [k]], candidates=own[0] | own[1]) for p in parts]
    whole = counted[0] + counted[1]
    for curves, color, width in ((counted[0], "C4", 1.2), (counted[1], "C4", 1.2), (whole, "C0", 2)):
        cuts, tp = curves.candidates.cuts, curves.tp
        ax.plot(cuts[np.isfinite(cuts)], tp[np.isfinite(cuts)], color=color, linewidth=width)
    ax.set(xlabel="cut", ylabel="true tags", xlim=(0, 1), ylim=(0, None))


def bounds_by_bins(ax: Axes) -> None:
    """Draw the value that is certain, and the upper bound, by the number of bins."""
    from limen.streams import Summary

    bins = (4, 8, 16, 32, 64)
    found = [limen.tune(Summary.of([(Y, S)], bins=number), method="exact") for number in bins]
    low, high = [100 * t.value for t in found], [100 * (t.upper_bound or t.value) for t in found]
    ax.fill_between(bins, low, high, alpha=0.3, linewidth=0)
    ax.plot(bins, low)
    ax.plot(bins, high)
    ax.set_xscale("log", base=2)
    ax.set(xticks=bins, xticklabels=bins, xlabel="bins", ylabel="micro-F1, %")


def scores_kept(ax: Axes) -> None:
    """Draw the value reached with the best scores of each item."""
    numbers = range(1, 9)
    best = [np.where(np.partition(S, -k, axis=1)[:, [-k]] <= S, S, -1) for k in numbers]
    ax.plot(numbers, [limen.tune(Y, kept, method="exact").value for kept in best], "o-", color="C0")
    ax.set(xlabel="scores kept for each item", ylabel="micro-F1")


def methods(ax: Axes) -> None:
    """Draw the held-out values of some methods."""
    names = ("fixed:0.5", "shared", "sgl", "exact", "auto")
    rows = sorted(limen.compare(Y[:1500], S[:1500], methods=list(names)).rows, key=lambda row: row.held_out)
    for place, row in enumerate(rows):
        ax.plot([row.low, row.high], [place, place], color="C0", linewidth=5, alpha=0.3)
        ax.plot(row.held_out, place, "o", color="C0")
    ax.set(yticks=range(len(rows)), yticklabels=[row.method for row in rows], xlabel="micro-F1, held out")
    ax.margins(y=0.15)


def budgets(ax: Axes) -> None:
    """Draw the largest micro-F1 for every number of tags."""
    curves = limen.Curves.from_arrays(Y[TUNING], S[TUNING])
    most = np.linspace(200, 9000, 24)
    limits = [MaxPredictions(m, per="all") for m in most]
    values = [limen.tune(curves, method="exact", constraints=[limit]).value for limit in limits]
    ax.plot(most, values)
    ax.axvline(2000, **HALF)
    ax.set(xlabel="at most so many tags", ylabel="micro-F1", ylim=(0, 1))


def nearest_and_surest(ax: Axes) -> None:
    """Draw the scores of one label's items, and those to look at first."""
    k = LABELS.index("lucas")
    cut = limen.tune(Y[TUNING], S[TUNING], method="exact").values[k]
    score, truth = S[2000:2400, k], Y[2000:2400, k] == 1
    height = np.random.default_rng(0).uniform(-0.35, 0.35, len(score)) + truth
    far = np.abs(score - cut)
    wrong = np.flatnonzero((score >= cut) != truth)
    ax.plot(score, height, "o", color="C4", markersize=2.5, alpha=0.5)
    for rows, color in ((np.argsort(far)[:12], "C0"), (wrong[np.argsort(-far[wrong])[:6]], "C5")):
        ax.plot(score[rows], height[rows], "o", color=color, markersize=5)
    ax.axvline(cut, **HALF)
    ax.set(xlabel="score", yticks=(0, 1), yticklabels=("without", "with"), ylim=(-0.5, 1.5))


def frequencies(ax: Axes) -> None:
    """Draw the best threshold of one label against how often it occurs."""
    k, shares = [LABELS.index("lucas")], np.geomspace(0.01, 0.5, 12)
    found = [limen.tune(Y[:, k], S[:, k], method="exact", target_prevalence=[share]).values[0] for share in shares]
    ax.plot(shares, found, "o-", markersize=4)
    ax.set(xscale="log", xlabel="share of clips with the label", ylabel="threshold")
    ax.set_xticks([0.01, 0.05, 0.25], ["1 %", "5 %", "25 %"])
    ax.minorticks_off()


def classifier(ax: Axes) -> None:
    """Draw F1 by label of a scikit-learn classifier, at 0.5 and tuned."""
    from sklearn.datasets import make_multilabel_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.multiclass import OneVsRestClassifier

    from limen.sklearn import ThresholdTuner

    x, y = make_multilabel_classification(1200, 20, n_classes=8, n_labels=2, random_state=0)
    plain = OneVsRestClassifier(LogisticRegression(max_iter=500)).fit(x[:800], y[:800])
    tuner = ThresholdTuner(plain, average="macro", method="exact", cv=0.25).fit(x[:800], y[:800])
    for model, marker, label in ((plain, "o", "0.5"), (tuner, "D", "tuned")):
        values = f1_score(y[800:], model.predict(x[800:]), average=None)
        ax.plot(values, marker, markersize=5, color="C4" if model is plain else "C0", label=label)
    ax.set(xlabel="label", ylabel="F1, test items", ylim=(0, 1), xticks=range(8))
    ax.legend(loc="lower center", ncols=2)


def cost_ratio(ax: Axes) -> None:
    """Draw the cost of sketched fits against theory."""
    from limen.learn import SketchedBinaryRelevance
    from limen.learn.sketch import expected_cost_ratio

    rng, sizes = np.random.default_rng(0), np.array([2, 3, 4, 6, 8, 12, 16])
    x = rng.standard_normal((5000, 39))
    y = (x[:, :8] + 2 * rng.standard_normal((5000, 8)) > 1).astype(int)
    ax.plot(sizes, [expected_cost_ratio(40, 40 * size) for size in sizes], color="0.4", linewidth=1)
    for sketch, marker, color in (("gaussian", "o", "C0"), ("count", "D", "C1")):
        delta = [
            SketchedBinaryRelevance(sketch, int(40 * size), alpha=0, random_state=0).fit(x, y).suboptimality(x, y)
            for size in sizes
        ]
        ax.plot(
            sizes, np.square(1 + np.array(delta)).mean(axis=1), marker, color=color, markersize=4, label=sketch
        )
    ax.set(xlabel="rows of the sketch / columns", ylabel="cost / least cost", ylim=(1, None))
    ax.legend()


def three_pictures(ax: Axes) -> None:
    """Draw 1.5 seconds of spoken digits in hertz, in mel and as cepstral coefficients."""
    import soundfile
    import torch

    from limen.datasets import spoken_events
    from limen.learn import MFCC, LogMel, LogSTFT

    with spoken_events() as folder:
        wave, rate = soundfile.read(folder / "recordings" / "digits_01.ogg", dtype="float32")
    waves = torch.tensor(wave[None, int(3.6 * rate) : int(5.1 * rate)])
    fronts = {"Hz": LogSTFT(rate, 32), "mel": LogMel(rate, 32), "MFCC": MFCC(rate, 32, 40, lifter=32)}
    for place, (name, front) in enumerate(fronts.items()):
        found = front(waves)[0, 0].numpy()
        left = 1.6 * place
        low, high = np.quantile(found, (0.02, 0.98))
        ax.imshow(
            found, "Blues", aspect="auto", origin="lower", extent=(left, left + 1.5, 0, 32), vmin=low, vmax=high
        )
        ax.text(left + 0.75, 33, name, ha="center", va="bottom")
    ax.set(xlabel="1.5 s each", xticks=[], yticks=[], xlim=(0, 4.7), ylim=(0, 32))


def frames_alike(ax: Axes) -> None:
    """Draw which frames of four seconds of spoken digits are alike."""
    import soundfile
    import torch

    from limen.datasets import spoken_events
    from limen.learn import IntraUtteranceSimilarityLoss
    from limen.learn.features import LogMel

    with spoken_events() as folder:
        wave, rate = soundfile.read(folder / "recordings" / "digits_01.ogg", dtype="float32")
    spectra = LogMel(rate, 20, 512, 320)(torch.tensor(wave[None, int(3.6 * rate) : int(7.6 * rate)]))
    above = (spectra - spectra.median(dim=-1, keepdim=True)[0]).clamp_min(0)
    gram = IntraUtteranceSimilarityLoss().gram(above - above.mean(dim=-1, keepdim=True))[0].numpy()
    ax.imshow(gram, cmap="Blues", origin="lower", extent=(0, 4, 0, 4), vmin=0, vmax=np.quantile(gram, 0.98))
    ax.set(xlabel="s", ylabel="s", xticks=range(5), yticks=range(5))
    ax.grid(False)


def learning(ax: Axes) -> None:
    """Draw the passes of SGL-Thresh, and the optimum."""
    learned, exact = (limen.tune(Y[TUNING], S[TUNING], method=method) for method in ("sgl", "exact"))
    ax.axhline(exact.value, color="C1", linestyle="--", linewidth=1.2)
    ax.plot(learned.history, color="C0")
    ax.set(xlabel="pass over the items", ylabel="micro-F1")


def onnx_graph(ax: Axes) -> None:
    """Draw the nodes of an exported model."""
    from onnx import TensorProto, helper

    from limen.onnx import append_thresholds

    t = limen.tune(Y[TUNING], S[TUNING], labels=LABELS, method="exact")
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["clips", 16]) for name in ("features", "scores")
    ]
    graph = helper.make_graph(
        [helper.make_node("Sigmoid", ["features"], ["scores"])], "tagger", ends[:1], ends[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    outputs = [output.name for output in append_thresholds(model, t).graph.output]
    gate = "score ≥ threshold"
    places = {"your model": (0.17, 0.65), outputs[0]: (0.9, 0.65), gate: (0.45, 0.2), outputs[1]: (0.9, 0.2)}
    boxes = {}
    for name, place in places.items():
        text = ax.text(*place, name, ha="center", va="center")
        color = "#cfe3fa" if name == gate else "#f2f2f2"
        text.set_bbox({"boxstyle": "round,pad=.45", "facecolor": color, "edgecolor": "0.4"})
        boxes[name] = text.get_bbox_patch()
    for start, end in (("your model", outputs[0]), ("your model", gate), (gate, outputs[1])):
        ends = {"patchA": boxes[start], "patchB": boxes[end], "shrinkA": 0, "shrinkB": 2}
        ax.annotate("", places[end], places[start], arrowprops={"arrowstyle": "-|>", "color": "0.4", **ends})
    ax.set(xlim=(0, 1), ylim=(0, 0.9))
    ax.axis("off")


def query(ax: Axes) -> None:
    """Draw what a query counts."""
    import duckdb
    import pandas as pd

    from limen.exports.sql import duckdb_macros

    t = limen.tune(Y[TUNING, 10:], S[TUNING, 10:], labels=LABELS[10:], method="exact")
    scores = pd.DataFrame(S[REST, 10:], columns=LABELS[10:]).rename_axis("id").reset_index()
    long = scores.melt("id", var_name="label", value_name="score")
    with duckdb.connect() as con:
        con.register("long", long)
        con.execute(duckdb_macros(t))
        rows = con.sql("SELECT label, count(*) FROM limen_tags('long') GROUP BY label ORDER BY 2").fetchall()
    ax.barh(*zip(*rows, strict=True), height=0.6)
    ax.set_title("SELECT label, count(*)\nFROM limen_tags('long') …", family="monospace", fontsize=8.5, loc="left")
    ax.set_xlabel("clips")


PICTURES = {
    "csv": Picture(
        table_of_scores, "A table of scores, a line a clip and a column a label; the tags given are marked."
    ),
    "incomplete-labels": Picture(
        overlooked_positives,
        "Thresholds tuned with 30 % of the positives overlooked, against those tuned with all: most lie higher.",
    ),
    "precision": Picture(
        frontier,
        "Precision against recall: the frontier lies above one shared threshold; a line at 90 % precision.",
    ),
    "audioset-size": Picture(
        scores_kept, "Micro-F1 against the number of scores kept for each item: a few of them are enough."
    ),
    "larger-than-memory": Picture(
        counts_of_machines, "True tags against the cut, as counted by two machines, and their sum."
    ),
    "streams": Picture(
        bounds_by_bins, "What is certain and the upper bound of micro-F1, against the number of bins: they meet."
    ),
    "which-method": Picture(methods, "Micro-F1 on items not tuned on of five methods, with 95 % intervals."),
    "budget": Picture(budgets, "Micro-F1 against the number of tags: it rises, and then no more tags are given."),
    "review": Picture(
        nearest_and_surest,
        "Scores of a label's items: those nearest to the cut, and the surest mistakes, stand out.",
    ),
    "shift": Picture(
        frequencies, "The best threshold of one label against its frequency: the rarer the label, the higher."
    ),
    "sketch": Picture(
        cost_ratio, "The cost of sketched fits against the size of the sketch: the points lie on theory's curve."
    ),
    "representations": Picture(
        three_pictures, "The same spoken digits as energies in hertz and in mel, and as cepstral coefficients."
    ),
    "distil": Picture(
        frames_alike, "Which frames of four seconds of spoken digits are alike: words stand out as blocks."
    ),
    "scikit-learn": Picture(classifier, "F1 of eight labels on test items, at 0.5 and with tuned thresholds."),
    "pytorch": Picture(
        learning, "Micro-F1 over 100 passes of a surrogate gradient, rising to just below the optimum."
    ),
    "onnx": Picture(
        onnx_graph, "A model whose scores go out as before and also through a comparison, which gives tags."
    ),
    "elsewhere": Picture(query, "The clips of each of six labels, as a SQL query counts them."),
}
"""By the name of the task's page."""


def draw(folder: Path, style: Path) -> None:
    """Draw every picture into a folder, as NAME.png, without a background."""
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.use("agg")
    with plt.rc_context(fname=str(style)):
        for name, picture in PICTURES.items():
            fig, ax = plt.subplots(figsize=(3.4, 2.1))
            picture.draw(ax)
            fig.savefig(folder / f"{name}.png")
            plt.close(fig)
