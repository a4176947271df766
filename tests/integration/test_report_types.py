"""The page's own script has sound types: TypeScript checks its JSDoc, without building anything."""

import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from limen.reporting.assembly import assembled, modules

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
        "module": "preserve",
        "allowImportingTsExtensions": True,
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
    done = checked(tmp_path, [page / name for name in modules()])
    assert done.stdout == ""


def test_a_wrong_type_is_found(tmp_path):
    (tmp_path / "wrong.js").write_text("/** @param {number} x */\nconst half = (x) => x / 2;\nhalf('a');\n")
    assert "error TS2345" in checked(tmp_path, [tmp_path / "wrong.js"]).stdout


def test_modules_stand_in_one_scope():
    """Each after those that it imports, no name twice, and nothing left that only a module may say."""
    seen: dict[str, str] = {}
    for name, text in modules().items():
        assert re.findall(r"^import (?!\{[^}]*\} from \"\./\w+\.js\";$)", text, re.MULTILINE) == []
        assert set(re.findall(r'from "\./(\w+\.js)";', text)) <= set(seen.values())
        declared = re.findall(
            r"^(?:export )?(?:const|let|function|class) (?:(\w+)|\{([^}]*)\})", text, re.MULTILINE
        )
        for one in [part.strip() for names in declared for part in ",".join(names).split(",") if part.strip()]:
            assert one not in seen, f"{name} and {seen[one]} both have {one}"
            seen[one] = name
    assert list(modules())[-1] == "main.js"
    script = re.findall(r"<script>(.*?)</script>", assembled({"title": "t"}), re.DOTALL)[-1]
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_no_script_ends_its_element():
    vendor = Path(str(files("limen.reporting"))) / "vendor" / "uPlot.iife.min.js"
    for text in (*modules().values(), vendor.read_text()):
        assert "</script" not in text.lower()
