# Two commands: `make demo` and `make test`. Both need only Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests need a PyTorch; this version satisfies them, and any that is installed already is kept.
TORCH ?= torch==2.13.0

.PHONY: demo test docs clean

demo: $(VENV)/.installed
	$(BIN)/limen demo

test: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --dist loadgroup
	$(MAKE) docs

# Sphinx deals out pages in runs of the alphabet, one a job: of two jobs, one would run nearly all notebooks.
docs: $(VENV)/.installed-test
	$(BIN)/sphinx-build --fail-on-warning --keep-going --show-traceback --quiet --jobs 8 --builder html docs build/docs

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
