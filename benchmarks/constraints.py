"""What constraints cost at AudioSet's size, against the same solve without, and the gaps that are proven.

python benchmarks/constraints.py --data DIR, where DIR has audioset_eval_labels.npz. Prints a markdown table and a
line for each required figure; exit code 1 if one is not met.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import audioset
import limen
from limen import constraints as limits
from report import Checks, brief, interleaved, machine, markdown

TAGS = 40_000
PACKAGES = ["limen", "numpy", "numba"]


def cases(labels: tuple[str, ...]) -> dict[str, list[Any]]:
    return {
        "none": [],
        "precision 50 % for each label": [limits.MinPrecision(0.5)],
        "recall 10 % for each label": [limits.MinRecall(0.1)],
        "false positive rate 1 % for each label": [limits.MaxFalsePositiveRate(0.01)],
        "at most 2 % of the items, for each label": [limits.MaxPredictions(rate=0.02)],
        "precision 80 % over all labels": [limits.MinPrecision(0.8, per="all")],
        "recall 60 % over all labels": [limits.MinRecall(0.6, per="all")],
        f"at most {TAGS} tags": [limits.MaxPredictions(TAGS, per="all")],
        "precision 75 % and recall 45 % over all": [
            limits.MinPrecision(0.75, per="all"),
            limits.MinRecall(0.45, per="all"),
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    data = audioset.load(options.data)
    checks, rows = Checks(), []
    print(f"{audioset.SAYS}, {data.y_true.shape[0]} x {data.y_true.shape[1]}; {machine(PACKAGES)}\n")
    curves = limen.Curves.from_arrays(*data)
    for average in ("micro", "macro"):

        def tuned(constraints: list[Any], given: Any = data, average: str = average) -> limen.Thresholds:
            arrays = given if isinstance(given, tuple) else (given,)
            return limen.tune(
                *arrays, average=average, method="exact", constraints=constraints, infeasible="never"
            )

        named = cases(curves.labels)
        whole = interleaved({name: lambda c=c: tuned(c) for name, c in named.items()}, options.repeats)
        alone = interleaved({name: lambda c=c: tuned(c, curves) for name, c in named.items()}, options.repeats)
        for name, constraints in named.items():
            result = tuned(constraints)
            gap = (result.value if result.upper_bound is None else result.upper_bound) - result.value
            ratios = [timing[name].best / timing["none"].best for timing in (whole, alone)]
            rows.append(
                [
                    f"{average}-F1, {name}",
                    f"{whole[name].best:.3f}",
                    f"{ratios[0]:.2f}",
                    f"{1000 * alone[name].best:.1f}",
                    brief(ratios[1]),
                    f"{result.value:.4f}",
                    result.status,
                    f"{gap:.1e}",
                ]
            )
            if constraints:
                pooled = any(getattr(c, "pooled", False) for c in constraints)
                checks.at_most(f"{average}-F1, {name}", ratios[0], 3 if pooled else 1.3, " times")
                checks.at_most(f"{average}-F1, {name}, proven gap", gap, 1e-4)
                checks.add(all(each["holds"] for each in result.constraints), f"{name}: kept")
    header = ["what", "s", "times", "from curves: ms", "times", "value", "status", "gap"]
    print(markdown(header, rows))
    print(
        f"\nBest of {options.repeats} runs, interleaved; from arrays to thresholds, and from curves.\n\n{checks}"
    )
    return checks.exit_code


if __name__ == "__main__":
    sys.exit(main())
