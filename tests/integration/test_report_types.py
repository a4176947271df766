"""The page's own script has sound types: TypeScript checks its JSDoc, without building anything."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from limen.reporting.assembly import SCRIPTS

TYPESCRIPT = "typescript@5.9.3"

GLOBALS = """
import chart = require("{types}");
declare global {{
  const uPlot: typeof chart;
  type uPlot = chart;
  namespace uPlot {{
    type Options = chart.Options;
    type AlignedData = chart.AlignedData;
    type Axis = chart.Axis;
    type BBox = chart.BBox;
    type Series = chart.Series;
  }}
}}
"""


def checked(folder: Path, scripts: list[Path]) -> subprocess.CompletedProcess:
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("THE TYPES OF THE REPORT'S SCRIPT ARE NOT CHECKED: no npx found. Install Node.js with npm.")
    here = Path(str(files("limen.reporting")))
    (folder / "globals.d.ts").write_text(GLOBALS.format(types=(here / "vendor" / "uPlot").as_posix()))
    options = {
        "allowJs": True,
        "checkJs": True,
        "noEmit": True,
        "strict": True,
        "noUnusedLocals": True,
        "noUnusedParameters": True,
        "noImplicitReturns": True,
        "target": "es2022",
        "lib": ["es2022", "dom", "dom.iterable"],
        "types": [],
        "skipLibCheck": True,
    }
    project = {"compilerOptions": options, "files": ["globals.d.ts", *map(str, scripts)]}
    (folder / "tsconfig.json").write_text(json.dumps(project))
    done = subprocess.run(
        [npx, "--yes", "--package", TYPESCRIPT, "tsc", "--project", "tsconfig.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    if done.returncode and "error TS" not in done.stdout:
        pytest.skip(f"THE TYPES OF THE REPORT'S SCRIPT ARE NOT CHECKED: npx cannot run tsc: {done.stderr[-300:]}")
    return done


def test_types_of_the_script(tmp_path):
    page = Path(str(files("limen.reporting"))) / "page"
    done = checked(tmp_path, [page / name for name in SCRIPTS])
    assert done.stdout == ""


def test_a_wrong_type_is_found(tmp_path):
    (tmp_path / "wrong.js").write_text("/** @param {number} x */\nconst half = (x) => x / 2;\nhalf('a');\n")
    assert "error TS2345" in checked(tmp_path, [tmp_path / "wrong.js"]).stdout


def test_every_script_is_assembled():
    page = Path(str(files("limen.reporting"))) / "page"
    assert sorted(SCRIPTS) == sorted(path.name for path in page.glob("*.js"))
    for name in SCRIPTS:
        assert "</script" not in (page / name).read_text().lower()
    assert "</script" not in (page.parent / "vendor" / "uPlot.iife.min.js").read_text().lower()
