"""A stored set of results: digests of what limen gives, to prove that a change of its inside changes none of them.

``python benchmarks/results.py > before.json`` stores a digest of each field of each result, for every method,
metric, average, door and kind of file, on small data from fixed seeds and the spoken tags. After the change,
``python benchmarks/results.py --against before.json`` lists every result that differs, is missing or is new, and
exits with 1 if one differs or is missing. Digests are of exact bits; times, versions and dates are left out, and a
field that the stored results do not have does not count as a difference. Only public names and commands are used,
under their old and their new names, so the script runs on both sides of a reorganisation. ``--only PREFIX`` runs
the results whose names begin so.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import limen
import results_arrays
import results_doors
import results_files
import results_leaves
from results_digests import Results, differences


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--against", metavar="FILE", help="Compare with these stored results.")
    parser.add_argument("--only", metavar="PREFIX", default="", help="Compute the results with such names.")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = Results(options.only)
    for part in (*results_arrays.PARTS, *results_doors.PARTS, *results_leaves.PARTS, *results_files.PARTS):
        start, before = time.perf_counter(), len(found)
        part(found)
        line = f"{part.__name__}: {len(found) - before} results, {time.perf_counter() - start:.1f} s"
        print(line, file=sys.stderr, flush=True)
    failed = [name for name, result in found.items() if "raises" in result["digests"]]
    print(f"{len(found)} results of {limen.__file__}; errors: {', '.join(failed) or 'none'}", file=sys.stderr)
    if options.against is None:
        print(json.dumps(found, indent=1, sort_keys=True))
        return 0
    wrong, new = differences(json.loads(Path(options.against).read_text("utf-8")), found)
    print("\n".join([*wrong, *new, f"{len(wrong)} differ or are missing, {len(new)} are new"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
