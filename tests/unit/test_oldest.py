"""What ``make test-oldest`` installs is the oldest that ``pyproject.toml`` promises."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# No part of what is run there; of torch there are no small wheels of old versions on Linux.
LEFT_FREE = {
    *("axe-playwright-python", "furo", "import-linter", "ipykernel", "matplotlib", "mypy", "myst-nb", "numpydoc"),
    *("pillow", "playwright", "pytest-xdist", "ruff", "sphinx", "torch"),
}


def release(version):
    """Return a version as numbers: 1.26 and 1.26.0 are one."""
    parts = [int(part) for part in version.split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


def test_each_pin_is_the_lower_bound_that_is_promised():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    promised = {}
    for requirement in [
        *project["dependencies"],
        *(one for name in extras if name != "bench" for one in extras[name]),
    ]:
        if found := re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement):
            promised.setdefault(found[1], set()).add(release(found[2]))
    pins = re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / "tests" / "oldest.txt").read_text(), re.MULTILINE)
    assert {name: {release(version)} for name, version in pins} == {
        name: bounds for name, bounds in promised.items() if name not in LEFT_FREE
    }
    assert promised.keys() >= LEFT_FREE
