"""What monitoring found: alarms, who is to blame, and how every check stands."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from limen.display import Displayed, Shown
from limen.errors import count, examples, percent
from limen.files.writing import write_atomically
from limen.monitoring.betting import each_by_itself, evidence, together
from limen.monitoring.checks import FAMILIES, Family, FamilyName, said_kind
from limen.monitoring.state import State, log10
from limen.thresholds import Thresholds

ROWS = 20
"""So many checks are shown."""
NAMES = {"tags": "the tags given", "answers": "what labels say"}
GONE = {
    "tags": "tuning data no longer explain how often labels are given",
    "answers": "by the labels, what was promised or came out at tuning no longer holds",
}


@dataclass(frozen=True, eq=False)
class Monitoring(Displayed):
    """How a stream stands to thresholds.

    Attributes
    ----------
    thresholds : Thresholds
    state : State
        For the next run, ``state=``; `State.save` writes it.
    families : dict of Family
        What is watched: "tags" and "answers".
    skipped : tuple of str
        Checks that were counted before, and were not counted again.
    """

    thresholds: Thresholds
    state: State
    families: dict[FamilyName, Family]
    skipped: tuple[str, ...] = ()

    @property
    def alarm(self) -> bool:
        """Whether there is an alarm, of this run or an earlier one with the same state."""
        return any(course.alarm for course in self.state.courses.values())

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict a check: those to blame first, then by falling evidence.

        label, kind, says (what an alarm of it says), basis, tuned, limit, whole and lately (shares: on the tuning
        data, the last that is no alarm, of the stream and of its last days; None if there were no pairs), log10_e
        (the evidence for it alone), adjusted (for there being so many), blamed_since (empty, or when).
        """
        found = []
        for name in FAMILIES:
            family, course = self.families[name], self.state.courses[name]
            if not family.checks:
                continue
            log_e = evidence(course.logs, course.number)
            adjusted = each_by_itself(log_e, family.weights, family.level)
            for k, check in enumerate(family.checks):
                bad, size, bad_lately, size_lately = course.sums[:, k].tolist()
                found.append(
                    {
                        "label": check.label,
                        "kind": check.kind,
                        "says": said_kind(check),
                        "basis": check.basis,
                        "tuned": check.shown(check.tuned) if np.isfinite(check.tuned) else None,
                        "limit": check.shown(check.limit),
                        "whole": check.shown(bad / size) if size else None,
                        "lately": check.shown(bad_lately / size_lately) if size_lately > 1e-9 else None,
                        "log10_e": log10(float(log_e[k])),
                        "adjusted": log10(float(adjusted[k])) if np.isfinite(adjusted[k]) else None,
                        "blamed_since": course.blamed.get(check.name, ""),
                    }
                )
        return sorted(found, key=lambda row: (not row["blamed_since"], -row["log10_e"]))

    @property
    def blamed(self) -> tuple[str, ...]:
        """Names of the labels to blame; none of them wrongly, with a chance of 1 - alpha."""
        names = (row["label"] for row in self.table if row["blamed_since"])
        return tuple(name for name in dict.fromkeys(names) if name in self.thresholds.labels)

    @property
    def not_watched(self) -> tuple[str, ...]:
        """What is not watched, and why, in words."""
        return tuple(why for name in FAMILIES for why in self.families[name].not_watched)

    def said(self) -> list[str]:
        """Return sentences: each alarm and who is to blame; what was not counted or not watched."""
        lines = []
        for name in FAMILIES:
            course = self.state.courses[name]
            if not course.alarm:
                continue
            blamed = [check for check in self.families[name].checks if check.name in course.blamed]
            who = "; ".join(
                f"{words}: {examples(check.label for check in blamed if said_kind(check) == words)}"
                for words in dict.fromkeys(map(said_kind, blamed))
            )
            lines.append(
                f"ALARM since {course.alarm}: {GONE[name]}. "
                + (f"To blame: {who}" if who else "It takes more items to say which labels are to blame")
            )
        if self.skipped:
            lines.append(f"counted before, not counted again: {examples(self.skipped)}")
        lines += [f"not watched: {why}" for why in self.not_watched]
        never = [name for name in FAMILIES if self.families[name].checks and not self.state.courses[name].number]
        lines += [f"never checked so far: {NAMES[name]}" for name in never]
        return lines

    def summary(self) -> str:
        """Return one sentence: whether there is an alarm, after how much, and how sure it is."""
        number = max(course.number for course in self.state.courses.values())
        after = f"after {count(number, 'check')} of {count(self.state.n_items, 'item')}"
        what = "ALARM" if self.alarm else "no alarm"
        return f"{what} {after}"

    def basis(self) -> str:
        """Return how sure an alarm is, in words."""
        settings = self.state.settings
        units = f"groups of at most {count(settings.group_size, 'item')}" if settings.group_size else "items"
        return (
            f"a stream like the tuning data raises an alarm, over all time and labels, with a chance of at most "
            f"{percent(settings.alpha)}; independent are {units}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all that was found as plain numbers, text and lists."""
        families: dict[str, Any] = {}
        for name in FAMILIES:
            family, course = self.families[name], self.state.courses[name]
            value = None
            if family.checks and course.number:
                value = log10(float(together(evidence(course.logs, course.number), family.weights)))
            families[name] = {
                "checks": course.number,
                "log10_e": value,
                "alarm_from": log10(-float(np.log(family.level))),
                "alarm_since": course.alarm,
            }
        return {
            "alarm": self.alarm,
            "blamed": list(self.blamed),
            "alpha": self.state.settings.alpha,
            "n_items": self.state.n_items,
            **families,
            "skipped": list(self.skipped),
            "not_watched": list(self.not_watched),
            "table": self.table,
        }

    def to_json(self) -> str:
        """Return the same as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def save_page(self, path: str | os.PathLike[str]) -> None:
        """Write a page that shows the evidence over time: one HTML file that needs nothing else."""
        from limen.monitoring.page import page

        with write_atomically(path) as temporary:
            temporary.write_text(page(self), encoding="utf-8")

    def __repr__(self) -> str:
        return f"Monitoring({self.summary()})"

    def shown(self) -> Shown:
        """Return the table that is shown: at most `ROWS` checks, those to blame among them."""
        table = self.table
        rows = [
            (
                row["label"],
                row["says"],
                _share(row["tuned"]),
                _share(row["limit"]),
                _share(row["whole"]),
                _share(row["lately"]),
                f"{10 ** min(row['log10_e'], 9):.3g}",
                row["blamed_since"],
            )
            for row in table[: max(ROWS, sum(bool(row["blamed_since"]) for row in table))]
        ]
        headings = ("label", "watched", "tuned", "limit", "stream", "lately", "e-value", "to blame since")
        left = len(table) - len(rows)
        more = f", the {len(rows)} with most evidence of {count(len(table), 'check')}" if left else ""
        return Shown(
            self.summary() + more, headings, rows, ("watched",), ("stream", "tuned", "watched"), ("label",)
        )


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)
