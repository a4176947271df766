"""What `import limen` shows and what it loads."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import limen

HEAVY = (
    "numba",
    "duckdb",
    "narwhals",
    "rich",
    "click",
    "torch",
    "scipy",
    "pandas",
    "polars",
    "sklearn",
    "dask",
    "pyspark",
)


def run(script):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.split()


def test_few_public_names():
    assert len(limen.__all__) <= 14
    assert list(limen.__all__) == sorted(limen.__all__)
    assert set(dir(limen)) == set(limen.__all__)
    for name in limen.__all__:
        assert getattr(limen, name) is getattr(limen, name)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'limen' has no attribute 'tune_all'"):
        limen.tune_all  # noqa: B018


def test_the_version():
    from importlib.metadata import version

    assert limen.__version__ == version("limen")


def test_import_loads_none_of_the_heavy_packages():
    loaded = run("import limen, sys; print(*sys.modules)")
    assert "limen" in loaded
    assert not set(HEAVY) & set(loaded)


def test_names_load_no_more_than_numpy():
    """The front door and its results: numba comes with the first curve."""
    script = f"import limen, sys\nfor name in {limen.__all__!r}: getattr(limen, name)\nprint(*sys.modules)"
    loaded = run(script)
    assert "numpy" in loaded
    assert not set(HEAVY) & set(loaded)


def test_arrays_need_no_frames_and_no_display():
    loaded = run("import limen, sys; limen.tune([[1], [0]], [[0.5], [0.1]], method='exact'); print(*sys.modules)")
    assert "numba" in loaded
    assert not {"narwhals", "rich", "click", "duckdb", "torch", "pandas"} & set(loaded)


def public_objects():
    """Modules, and their own public classes, functions and methods."""
    for module in pkgutil.walk_packages(limen.__path__, "limen."):
        if any(part.startswith("_") for part in module.name.split(".")):
            continue
        module = importlib.import_module(module.name)
        yield module.__name__, module
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing):
                for method, member in vars(thing).items():
                    if not method.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                        yield f"{module.__name__}.{name}.{method}", member


def test_everything_public_has_a_docstring():
    objects = list(public_objects())
    assert len(objects) > 100
    assert [name for name, thing in objects if not (getattr(thing, "__doc__", None) or "").strip()] == []


def test_public_functions_say_what_comes_back():
    for name in ("tune", "frontier", "evaluate", "compare"):
        function = getattr(limen, name)
        assert function.__doc__.startswith("Return ")
        parameters = list(inspect.signature(function).parameters.values())
        assert all(
            parameter.name in function.__doc__ or parameter.name in limen.tune.__doc__ for parameter in parameters
        )
