"""Monitoring: false alarms over simulated years without drift, and how soon drifts are found.

python benchmarks/monitor.py --years 1000            false alarms
python benchmarks/monitor.py --delays --years 100    delays of stated drifts
python benchmarks/monitor.py --real DIR              data sets whose two parts differ, or not
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import limen
from limen.monitoring import betting, monitor
from limen.monitoring.checks import POOLED, bad_of, families_of

DAYS, BEGINS = 365, 100
"""Checks of a year, and the day on which a drift begins."""
Change = Callable[[NDArray[np.bool_], NDArray[np.bool_], np.random.Generator], None]


class World(NamedTuple):
    """Labels with their shares of positives and how well they are told, and how items are alike."""

    share: NDArray[np.float64]
    detectability: NDArray[np.float64]
    group_size: int
    dependence: float

    @classmethod
    def drawn(cls, n_labels: int, group_size: int, dependence: float, draw: np.random.Generator) -> World:
        """Return a world whose labels are from rare (0.5 %) to frequent (30 %)."""
        share = np.exp(draw.uniform(np.log(0.005), np.log(0.3), n_labels))
        return cls(share, draw.uniform(1.0, 3.0, n_labels), group_size, dependence)

    def items(self, n: int, draw: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Return labels and scores; what items of a group, or labels of an item, have in common is mixed in."""
        of_group = np.arange(n) // self.group_size
        own, part = np.sqrt([1 - self.dependence, self.dependence]).astype(np.float32)

        def noise() -> NDArray[np.float32]:
            shared = draw.standard_normal((of_group[-1] + 1, 1), np.float32)[of_group]
            return part * shared + own * draw.standard_normal((n, len(self.share)), np.float32)

        truth = noise() < _quantile(self.share).astype(np.float32)
        z = noise() + truth * self.detectability.astype(np.float32)
        d, prior = (one.astype(np.float32) for one in (self.detectability, np.log(self.share / (1 - self.share))))
        return truth, 1 / (1 + np.exp(-prior - d * (z - d / 2)))


def _quantile(share: NDArray[np.float64]) -> NDArray[np.float64]:
    from statistics import NormalDist

    return np.array([NormalDist().inv_cdf(one) for one in share.tolist()])


class Year(NamedTuple):
    """Logarithms of e-values by day, of tags and of answers (n_days,); whether z-tests gave an alarm."""

    tags: NDArray[np.float64]
    answers: NDArray[np.float64]
    z_tests: bool


def year(
    thresholds: Any, families: dict[str, Any], given: NDArray[np.bool_], truth: NDArray[np.bool_], group_size: int
) -> Year:
    """Return the evidence of each day, of decisions and labels (n_days, n_daily, n_labels)."""
    n_daily = given.shape[1]
    units = (DAYS, n_daily // group_size, group_size)
    cells = (given & truth, given, truth, np.ones_like(given))
    # (n_days, n_units, n_labels)
    tp, pp, p, n = (flag.reshape(*units, -1).sum(axis=2, dtype=np.int16) for flag in cells)
    log_e = {}
    for name, family in families.items():
        growth = np.zeros((DAYS, len(family.checks), len(betting.STEPS)))
        if group_size == 1 and family.checks:
            daily = tuple(part.sum(axis=1, keepdims=True) for part in (tp, pp, p, n))
            sums = np.array([_pairs(check, daily) for check in family.checks])[..., 0]
            growth = betting.growth_of_counts(sums[:, 0].T, sums[:, 1].T, family.limits)
        for k, check in enumerate(family.checks):
            if group_size > 1 or check.column == POOLED:
                growth[:, k] = _of_units(*_pairs(check, (tp, pp, p, n)), check)
        logs, found = np.full(growth.shape[1:], -np.inf), np.zeros((DAYS, len(family.checks)))
        for day in range(DAYS):
            logs = betting.grown(logs, growth[day], day + 1)
            found[day] = betting.evidence(logs, day + 1)
        log_e[name] = betting.together(found, family.weights) if family.checks else np.zeros(DAYS)
    rate0, rate, n0 = thresholds.counts.pp / thresholds.n_items, pp.sum(axis=1) / n_daily, thresholds.n_items
    both = (rate * n_daily + thresholds.counts.pp) / (n_daily + n0)
    z = (rate - rate0) / np.sqrt(np.maximum(both * (1 - both), 1e-12) * (1 / n_daily + 1 / n0))
    watched = np.isfinite(thresholds.values)
    most = -_quantile(np.array([0.025 / max(1, watched.sum())]))[0]
    return Year(log_e["tags"], log_e["answers"], bool((np.abs(z) > most)[:, watched].any()))


def _pairs(check: Any, counts: Any) -> tuple[Any, Any]:
    """Return bad pairs and all of each day and unit (n_days, n_units)."""
    if check.column == POOLED:
        assert check.kind == "metric"
        tp, pp, p, _ = (part.sum(axis=2) for part in counts)
        return pp + p - 2 * tp, pp + p  # of F1
    tp, pp, p, n = (part[:, :, check.column] for part in counts)
    if check.kind in ("more", "fewer"):
        return (pp if check.kind == "more" else n - pp), n
    return bad_of(check.kind, (tp, pp, p, n))


def _of_units(bad: Any, size: Any, check: Any) -> NDArray[np.float64]:
    """Return the growth of each day (n_days, n_stakes): `limen.monitoring.betting.growth_of_units`, by numpy."""
    won = (bad - check.limit * size) / np.maximum(size, check.largest)
    return np.log1p(won[..., np.newaxis] * betting.stakes(check.limit)).sum(axis=1)


class Setting(NamedTuple):
    """A simulation: labels, tuning items, items a day, size of groups, dependence, method."""

    n_labels: int
    n_tuning: int
    n_daily: int
    group_size: int = 1
    dependence: float = 0.0
    method: str = "auto"


SETTINGS = {
    "20 labels, 1 000 tuning items": Setting(20, 1000, 50),
    "20 labels that depend on each other": Setting(20, 1000, 50, dependence=0.3),
    "20 labels, 100 tuning items": Setting(20, 100, 50, dependence=0.3),
    "1 label, 200 tuning items": Setting(1, 200, 50),
    "20 labels, 100 groups of 10": Setting(20, 1000, 50, 10, 0.3),
    "300 labels, 1 000 tuning items": Setting(300, 1000, 10, dependence=0.3, method="exact"),
}


def simulated(
    setting: Setting, seed: int, change: Any = None, alpha: float = 0.05
) -> tuple[Any, dict[str, Any], Year]:
    """Return thresholds tuned on fresh data, what is watched, and a year of checks."""
    draw = np.random.default_rng([seed, setting.n_labels, setting.n_tuning, setting.group_size])
    world = World.drawn(setting.n_labels, setting.group_size, setting.dependence, draw)
    truth, score = world.items(setting.n_tuning, draw)
    groups = None if setting.group_size == 1 else np.arange(setting.n_tuning) // setting.group_size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        thresholds = limen.tune(truth, score, method=setting.method, groups=groups)
    families = families_of(thresholds, alpha, None, 0.02, float(setting.group_size))
    truth, score = world.items(DAYS * setting.n_daily, draw)
    given = score >= thresholds.values
    days = (DAYS, setting.n_daily, setting.n_labels)
    given, truth = given.reshape(days), truth.reshape(days)
    if change is not None:
        change(thresholds)(given[BEGINS:], truth[BEGINS:], draw)
    return thresholds, families, year(thresholds, families, given, truth, setting.group_size)


def first_day(logs: NDArray[np.float64], level: float) -> int:
    """Return the day of the alarm, from 1; 0 if there is none."""
    passed = logs >= -np.log(level)
    return int(passed.argmax()) + 1 if passed.any() else 0


def false_alarms(years: int) -> None:
    """Print how many years without drift have an alarm."""
    print("| setting | tags | labels too | either, of years | daily z-tests (Bonferroni over labels) |")
    print("|---|---|---|---|---|")
    for name, setting in SETTINGS.items():
        begun, alarms = time.monotonic(), np.zeros(4, int)
        for seed in range(years):
            _, families, found = simulated(setting, seed)
            tags = first_day(found.tags, families["tags"].level) > 0
            answers = first_day(found.answers, families["answers"].level) > 0
            alarms += tags, answers, tags or answers, found.z_tests
        print(f"| {name} | {alarms[0]} | {alarms[1]} | {alarms[2]} of {years} | {alarms[3]} |", flush=True)
        print(f"<!-- {time.monotonic() - begun:.0f} s -->", flush=True)


def falls(points: float) -> Any:
    """Return a drift: false tags are added until the precision is so many points lower."""

    def made(thresholds: Any) -> Change:
        tp, pp, _, n = (part.sum() for part in thresholds.counts)
        wanted = tp / (tp / pp - points) - pp
        chance = wanted / (n - pp)

        def change(given: NDArray[np.bool_], truth: NDArray[np.bool_], draw: np.random.Generator) -> None:
            given |= ~truth & (draw.random(given.shape, np.float32) < chance)

        return change

    return made


def _middle(thresholds: Any, rate: float) -> int:
    return int(np.abs(thresholds.counts.pp / thresholds.n_items - rate).argmin())


def doubles(rate: float) -> Any:
    """Return a drift: one label, given to about this share of the items, is given twice as often."""

    def made(thresholds: Any) -> Change:
        k = _middle(thresholds, rate)
        r = thresholds.counts.pp[k] / thresholds.n_items

        def change(given: NDArray[np.bool_], truth: NDArray[np.bool_], draw: np.random.Generator) -> None:
            given[..., k] |= draw.random(given.shape[:2]) < r / (1 - r)

        return change

    return made


def dies(rate: float) -> Any:
    """Return a drift: one label, given to about this share of the items, is given no more."""

    def made(thresholds: Any) -> Change:
        k = _middle(thresholds, rate)

        def change(given: NDArray[np.bool_], truth: NDArray[np.bool_], draw: np.random.Generator) -> None:
            given[..., k] = False

        return change

    return made


def quieter(part: float) -> Any:
    """Return a drift: a part of all tags is no more given, as when a microphone loses gain and scores fall."""

    def made(thresholds: Any) -> Change:
        def change(given: NDArray[np.bool_], truth: NDArray[np.bool_], draw: np.random.Generator) -> None:
            given &= draw.random(given.shape, np.float32) >= part

        return change

    return made


DRIFTS = {
    "precision falls by 5 points": falls(0.05),
    "precision falls by 10 points": falls(0.10),
    "precision falls by 20 points": falls(0.20),
    "a label given to 10 % is given twice as often": doubles(0.10),
    "a label given to 3 % is given twice as often": doubles(0.03),
    "a label given to 10 % dies": dies(0.10),
    "a label given to 3 % dies": dies(0.03),
    "scores fall: 25 % of all tags are lost": quieter(0.25),
    "scores fall: 50 % of all tags are lost": quieter(0.50),
}


def delays(years: int) -> None:
    """Print how many days after a drift the alarm comes."""
    setting = Setting(20, 2000, 100)
    print("| drift on day 101 | found by tags alone: days (found) | with labels: days (found) |")
    print("|---|---|---|")
    for name, change in DRIFTS.items():
        late: dict[str, list[int]] = {"tags": [], "answers": []}
        for seed in range(years):
            _, families, found = simulated(setting, 10_000 + seed, change)
            for family, logs in (("tags", found.tags), ("answers", found.answers)):
                day = first_day(logs, families[family].level)
                late[family].append(day - BEGINS if day > BEGINS else DAYS)
        cells = [f"{_median(one)} ({np.mean(np.array(one) < DAYS - BEGINS + 1):.0%})" for one in late.values()]
        print(f"| {name} | {cells[0]} | {cells[1]} |", flush=True)


def _median(days: list[int]) -> str:
    middle = int(np.median(days))
    return f"{middle}" if middle <= DAYS - BEGINS else "never"


def real(folder: str) -> None:
    """Print what is found on data sets, their second part as a stream in 10 checks."""
    print("| data | tags: alarm at check, labels to blame | labels too |")
    print("|---|---|---|")
    for name in ("dcase2017", "dcase2019", "birds", "emotions", "cal500", "spoken_tags"):
        with np.load(f"{folder}/{name}.npz", allow_pickle=False) as file:
            if "val_scores" in file:
                parts = [(file[f"{part}_labels"], file[f"{part}_scores"]) for part in ("val", "eval")]
            else:
                order = np.random.default_rng(0).permutation(len(file["scores"]))
                halves = np.array_split(order, 2)
                parts = [(file["labels"][rows], file["scores"][rows]) for rows in halves]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            thresholds = limen.tune(*parts[0])
        truth, score = parts[1]
        order = np.random.default_rng(1).permutation(len(truth))
        found = monitor(thresholds, score[order], truth[order], every=-(-len(truth) // 10))
        cells = []
        for family in ("tags", "answers"):
            course = found.state.courses[family]
            blamed = len({key.rpartition(":")[2] for key in course.blamed})
            cells.append(f"{course.alarm}, {blamed} to blame" if course.alarm else "none")
        print(
            f"| {name} ({len(parts[0][0])} + {len(truth)} x {truth.shape[1]}) | {cells[0]} | {cells[1]} |",
            flush=True,
        )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--years", type=int, default=1000)
    parser.add_argument("--delays", action="store_true")
    parser.add_argument("--real", metavar="DIR")
    given = parser.parse_args()
    if given.real:
        real(given.real)
    elif given.delays:
        delays(given.years)
    else:
        false_alarms(given.years)


if __name__ == "__main__":
    main()
