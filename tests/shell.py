"""The installed command, run as a user runs it."""

import csv
import subprocess
import sys
from pathlib import Path

LIMEN = str(Path(sys.executable).with_name("limen"))


def run(*arguments, cwd, check=None, **options):
    done = subprocess.run(
        [LIMEN, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120, check=False, **options
    )
    if check is not None:
        assert done.returncode == check, done.stderr
    assert "Traceback" not in done.stderr
    return done


def write_csv(path, header, rows, delimiter=","):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows(rows)
