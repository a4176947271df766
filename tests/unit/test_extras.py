"""Every extra stays in its leaf, and says its name where it is missing."""

import subprocess
import sys

import pytest

from limen.errors import MissingDependencyError, require

LEAVES = [
    ("limen.sklearn", "sklearn", "sklearn"),
    ("limen.torch", "torch", "torch"),
    ("limen.onnx", "onnx", "onnx"),
    ("limen.engines.dask", "dask", "dask"),
    ("limen.engines.spark", "pyspark", "spark"),
    ("limen.exports.polars", "polars", "polars"),
    ("limen.learn.sketch", "sklearn", "learn"),
    ("limen.learn.online", "torch", "learn"),
    ("limen.learn.representations", "torch", "learn"),
]


def python(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(("leaf", "package", "extra"), LEAVES)
def test_a_missing_package_is_named_with_the_extra_that_installs_it(leaf, package, extra):
    done = python(f"import sys; sys.modules[{package!r}] = None; import {leaf}")
    assert done.returncode == 1
    message = f'{leaf} needs {package}, which is not installed: pip install "limen[{extra}]"'
    assert done.stderr.splitlines()[-1] == f"limen.errors.MissingDependencyError: {message}"


def test_hdf5_files_need_h5py(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"anything")
    read = f"from limen.files.reading import read_table; read_table({str(tmp_path / 'x.h5')!r}, kind='scores')"
    script = f"import sys; sys.modules['h5py'] = None; {read}"
    message = 'reading x.h5 needs h5py, which is not installed: pip install "limen[hdf5]"'
    assert python(script).stderr.splitlines()[-1] == f"limen.errors.MissingDependencyError: {message}"


def test_an_error_inside_a_package_is_not_taken_for_its_absence(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import a_package_that_is_nowhere")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_nowhere"):
        require("half_installed", extra="half")
    with pytest.raises(MissingDependencyError, match=r'limen.half needs nowhere_at_all, .* "limen\[half\]"'):
        require("nowhere_at_all", extra="half")
    assert require("math", extra="half").pi > 3


def test_what_writes_text_needs_no_extra():
    blocked = "; ".join(
        f"sys.modules[{name!r}] = None" for name in ("sklearn", "torch", "onnx", "polars", "h5py", "transformers")
    )
    exports = ", ".join(f"limen.exports.{name}" for name in ("sql", "huggingface", "birdnet"))
    done = python(f"import sys; {blocked}; import limen.cli, {exports}")
    assert done.returncode == 0, done.stderr
