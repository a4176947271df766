"""Counts of events against sed_scores_eval at every change point, and sed_eval and psds_eval at some thresholds.

python benchmarks/events_peers.py --data DIR [--write tests/data/events.npz]

Needs `pip install "limen[bench]"` (setuptools below 81 and pandas below 3, for sed_eval and psds_eval). With
--write the inputs and what the peers count are kept as a fixture of the tests.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from limen.events import (
    Collar,
    Events,
    FrameScores,
    Intersection,
    Segments,
    Setting,
    evaluate,
    event_curves,
)
from limen.events.detecting import detect

CRITERIA = {"collar": Collar(), "intersection": Intersection(), "segment": Segments()}
MEDIAN = Setting(median=0.36)
OUTSIDE = -1e6
POINTS = (0.1, 0.3, 0.5, 0.7, 0.9)
TIES = {
    "psds_eval": ((1.024, 1.152), (1.088, 1.399)),  # "Speech" in kygr621z of desed20 at 0.16, 0.18 and 0.2
    "sed_eval": ((5.184, 5.248), (5.179, 5.448)),  # "Speech" in z26ljf1g at 0.94
}
"""Where limen differs from them on desed20 at any of 49 thresholds: detection and reference, seconds."""


def desed(data: Path) -> tuple[FrameScores, Events]:
    """Return the scores and events of `desed20.npz`."""
    with np.load(data / "desed20.npz", allow_pickle=False) as z:
        names, labels = tuple(z["ids"].tolist()), tuple(z["labels"].tolist())
        ends, step = z["offsets"], 0.064
        recordings = {n: z["scores"][a:b] for n, a, b in zip(names, ends[:-1], ends[1:], strict=True)}
        durations = {n: float(z["bounds"][b - 1, 1]) for n, b in zip(names, ends[1:], strict=True)}
        scores = FrameScores(labels, recordings, step, durations)
        for name, a, b in zip(names, ends[:-1], ends[1:], strict=True):
            known = np.rint(np.append(z["bounds"][a:b, 0], z["bounds"][b - 1, 1]) * 1e6)
            assert np.array_equal(scores.bounds(name), known), name
        times = np.rint(z["event_times"] * 1e6).astype(np.int64)
        return scores, Events(names, labels, z["event_clip"], z["event_label"], times[:, 0], times[:, 1])


def soundscapes(data: Path, name: str, part: str, size: int | None = None) -> tuple[FrameScores, Events]:
    """Return the first soundscapes of a part of `sound_events.npz`; all if ``size`` is None."""
    with np.load(data / "sound_events.npz", allow_pickle=False) as z:
        logits, index, times = (z[f"{name}_{part}_{key}"] for key in ("logits", "index", "times"))
        labels = tuple(z[f"{name}_labels"].tolist())
        seconds = float(z["frame_seconds"])
    logits = logits[:size]
    names = tuple(f"{name}_{part}_{i:03d}" for i in range(len(logits)))
    own = index[:, 0] < len(logits)
    index, times = index[own].astype(np.int64), times[own].astype(np.int64)
    scores = FrameScores(labels, dict(zip(names, logits, strict=True)), seconds)
    return scores, Events(names, labels, index[:, 0], index[:, 1], times[:, 0], times[:, 1])


def frames(scores: FrameScores, median: int = 1) -> dict:
    """Return the scores as sed_scores_eval takes them."""
    from sed_scores_eval.base_modules.scores import create_score_dataframe

    found = {}
    for name, own in scores.recordings.items():
        own = own.astype(np.float64)
        if median > 1:
            padded = np.pad(own, ((median // 2,) * 2, (0, 0)), constant_values=OUTSIDE)
            own = np.median(np.lib.stride_tricks.sliding_window_view(padded, median, axis=0), axis=-1)
        found[name] = create_score_dataframe(own, scores.bounds(name) / 1e6, list(scores.labels))
    return found


def truth(events: Events) -> dict:
    """Return the references as sed_scores_eval takes them; those of one label that overlap are one."""
    found: dict = {name: [] for name in events.recordings}
    for name, onset, offset, label in events.merged()[0].rows():
        found[name].append((onset, offset, label))
    return found


def peer(criterion: str, given: dict, known: dict, durations: dict) -> dict:
    """Return label -> (rising scores, counts) by sed_scores_eval."""
    import sed_scores_eval.collar_based.intermediate_statistics as collar
    import sed_scores_eval.intersection_based.intermediate_statistics as intersection
    import sed_scores_eval.segment_based.intermediate_statistics as segment

    if criterion == "collar":
        return collar.accumulated_intermediate_statistics(
            given, known, onset_collar=0.2, offset_collar=0.2, offset_collar_rate=0.2
        )[0]
    if criterion == "intersection":
        return intersection.accumulated_intermediate_statistics(
            given, known, dtc_threshold=0.5, gtc_threshold=0.5
        )[0]
    return segment.accumulated_intermediate_statistics(given, known, durations, segment_length=1.0)[0]


def compare(scores: FrameScores, events: Events, setting: Setting) -> tuple[dict, int, int]:
    """Return the peer's counts by criterion and label, how many counts were compared, and how many differ."""
    given = frames(scores, setting.frames(scores.frame_seconds))
    kept, compared, differ = {}, 0, 0
    durations = {name: scores.seconds(name) for name in scores.names}
    for name, criterion in CRITERIA.items():
        start = time.process_time()
        found = peer(name, given, truth(events), durations)
        middle = time.process_time()
        curves = event_curves(scores, events, setting, criterion)
        took = middle - start, time.process_time() - middle
        print(f"  {name}: sed_scores_eval {took[0]:.2f} s, limen {took[1]:.2f} s, ratio {took[0] / took[1]:.1f}")
        for k, label in enumerate(scores.labels):
            cuts, counts = found[label]
            tp, fp = counts["tps"], counts["fps"]
            # The last entry is above every score; a threshold at a score keeps it.
            own = curves.where(k, 0)
            at = own.start + np.searchsorted(-curves.cuts[own], -cuts, side="right") - 1
            inside = np.isfinite(cuts) & (cuts > OUTSIDE)
            wrong = (curves.tp[0, at] != tp) | (curves.pp[0, at] - curves.tp[0, at] != fp)
            compared += 2 * int(inside.sum())
            differ += int(wrong[inside].sum())
            if wrong[inside].any():
                i = int(np.flatnonzero(wrong & inside)[0])
                print("  differs", name, label, cuts[i], (tp[i], fp[i]), curves.tp[0, at[i]], curves.pp[0, at[i]])
            changes = np.concatenate([[True], (np.diff(tp) != 0) | (np.diff(fp) != 0)])
            last = np.append(changes[1:], True) & inside
            kept[name, k] = np.stack([cuts[last], tp[last], fp[last]])
    return kept, compared, differ


def by_sed_eval(labels: tuple[str, ...], known: dict, found: dict) -> np.ndarray:
    """Return tp and fp by label, by collars; events are (onset, offset, label) by recording."""
    import dcase_util
    import sed_eval

    measured = sed_eval.sound_event.EventBasedMetrics(
        list(labels), t_collar=0.2, percentage_of_length=0.2, event_matching_type="optimal"
    )
    keys = ("onset", "offset", "event_label")
    for name in known:
        lists = [
            dcase_util.containers.MetaDataContainer(
                [{"filename": name} | dict(zip(keys, event, strict=True)) for event in events[name]]
            )
            for events in (known, found)
        ]
        measured.evaluate(*lists)
    return np.array([[measured.class_wise[label][key] for label in labels] for key in ("Ntp", "Nfp")], np.int64)


def by_psds_eval(labels: tuple[str, ...], known: dict, found: dict, seconds: dict) -> np.ndarray:
    """Return tp and fp by label, by intersections."""
    import pandas as pd
    from psds_eval import PSDSEval

    columns = ["filename", "onset", "offset", "event_label"]
    table, detected = (
        pd.DataFrame([(name, *event) for name in known for event in events[name]], columns=columns)
        for events in (known, found)
    )
    meta = pd.DataFrame({"filename": list(seconds), "duration": list(seconds.values())})
    psds = PSDSEval(0.5, 0.5, 0.3, ground_truth=table, metadata=meta)
    matrix = psds._evaluate_detections(psds._init_det_table(detected))[0]
    # Labels in alphabetical order, and last the world, where detections that are not right fall.
    order = np.argsort(np.argsort(labels))
    return np.array([matrix[order, order], matrix[order, -1]], np.int64)


def at_points(scores: FrameScores, events: Events) -> dict[str, np.ndarray]:
    """Return tp and fp by label, at some thresholds, by sed_eval and psds_eval, and print where limen differs."""
    known, seconds = truth(events), {name: scores.seconds(name) for name in scores.names}
    out: dict[str, list[np.ndarray]] = {"sed_eval": [], "psds_eval": []}
    n_labels, n_differ = len(scores.labels), dict.fromkeys(out, 0)
    for point in POINTS:
        cuts = np.full(n_labels, point)
        detections = detect(scores, [Setting()] * n_labels, cuts, cuts)
        found = truth(detections)
        out["sed_eval"].append(by_sed_eval(scores.labels, known, found))
        out["psds_eval"].append(by_psds_eval(scores.labels, known, found, seconds))
        for key, criterion in (("sed_eval", Collar()), ("psds_eval", Intersection())):
            tp, pp, *_ = evaluate(events, detections, criterion).counts
            wrong = (out[key][-1] != [tp, pp - tp]).any(axis=0)
            n_differ[key] += int(wrong.sum())
            for k in np.flatnonzero(wrong):
                print("  differs", key, scores.labels[k], point, out[key][-1][:, k], (tp[k], pp[k] - tp[k]))
    print({key: f"{number} of {len(POINTS) * n_labels} differ" for key, number in n_differ.items()})
    return {key: np.stack(counts) for key, counts in out.items()}


def at_ties() -> dict[str, np.ndarray]:
    """Return tp and fp of detections that are right by an exact tie, as the two programs count."""
    counted = {}
    for key, (detection, reference) in TIES.items():
        known, found = ({"a": [(*times, "x")]} for times in (reference, detection))
        more = ({"a": 10.0},) if key == "psds_eval" else ()
        counted[key] = (by_psds_eval if more else by_sed_eval)(("x",), known, found, *more)[:, 0]
    return counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--whole", action="store_true", help="all 600 soundscapes of each part")
    options = parser.parse_args()
    sets = {"desed20": desed(options.data)}
    sets |= {
        name: soundscapes(options.data, name, "tune", None if options.whole else 12) for name in ("esc10", "fsdd")
    }
    fixture: dict[str, np.ndarray] = {}
    for criterion in CRITERIA.values():
        event_curves(*sets["desed20"], [Setting(), MEDIAN], criterion)  # compiled before anything is timed
    for name, (scores, events) in sets.items():
        for setting in (Setting(), MEDIAN):
            kept, compared, differ = compare(scores, events, setting)
            print(f"{name}, {setting}: {compared:,} counts compared, {differ} differ")
            for (criterion, k), rows in kept.items():
                key = f"{name}/{setting.median:g}/{criterion}/{k}"
                fixture[f"{key}/cuts"] = rows[0].astype(np.float32)
                fixture[f"{key}/counts"] = rows[1:].astype(np.int16)
        fixture |= {
            f"{name}/labels": np.array(scores.labels),
            f"{name}/names": np.array(scores.names),
            f"{name}/sizes": np.array([len(own) for own in scores.recordings.values()]),
            f"{name}/scores": np.concatenate(list(scores.recordings.values())),
            f"{name}/frame_seconds": np.array(scores.frame_seconds),
            f"{name}/seconds": np.array([scores.seconds(each) for each in scores.names]),
            f"{name}/events": np.stack([events.recording, events.label, events.onset, events.offset]),
        }
    for key, counts in at_points(*sets["desed20"]).items():
        fixture[f"desed20/{key}"] = counts
    for key, counts in at_ties().items():
        fixture[f"ties/{key}"], fixture[f"ties/{key}/times"] = counts, np.array(TIES[key])
    if options.write is not None:
        fixture["points"] = np.array(POINTS)
        np.savez_compressed(options.write, **fixture)


if __name__ == "__main__":
    main()
