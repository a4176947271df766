"""`limen.learn` could leave the house on any day: it uses public names, and only the command line knows it."""

import ast
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "limen"
PUBLIC = {
    *(
        "limen",
        "limen.audio",
        "limen.constraints",
        "limen.data",
        "limen.errors",
        "limen.events",
        "limen.guarantees",
    ),
    *("limen.metrics", "limen.onnx", "limen.sklearn", "limen.solvers", "limen.torch"),
}


def imported(path):
    """Return the modules that a file imports by name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_it_uses_public_names_only():
    files = list((SOURCE / "learn").rglob("*.py"))
    assert len(files) > 5
    ours = {(path.name, name) for path in files for name in imported(path) if name.split(".")[0] == "limen"}
    assert {
        (file, name) for file, name in ours if name not in PUBLIC and not name.startswith("limen.learn")
    } == set()


def test_only_the_command_line_knows_it():
    files = [path for path in SOURCE.rglob("*.py") if path.parent.name != "cli" and "learn" not in path.parts]
    assert [path.name for path in files for name in imported(path) if name.startswith("limen.learn.")] == []
    assert [path.name for path in files for name in imported(path) if name == "limen.learn"] == []


def test_its_names_load_late_and_sketches_need_no_torch():
    script = (
        "import sys, limen.learn; assert not {'sklearn', 'scipy', 'torch'} & set(sys.modules); "
        "limen.learn.SketchedBinaryRelevance; assert 'sklearn' in sys.modules; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
    learn = __import__("limen.learn").learn
    assert dir(learn) == sorted(learn.__all__) == sorted(learn._HOME)
