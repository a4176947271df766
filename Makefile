# Two commands: `make demo` and `make test`. Both need only Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
# The tests need a PyTorch; this version satisfies them, and any that is installed already is kept.
TORCH ?= torch==2.13.0

.PHONY: demo test test-oldest docs clean

demo: $(VENV)/.installed
	$(BIN)/limen demo

# The documentation comes before the tests: some of these look at the built site. Networks of the tests are small, and many
# processes train them at once: with more than one thread each they wait for each other, sixty times as long.
test docs: export OMP_NUM_THREADS := 1
test: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/warm.py
	$(MAKE) docs
	$(BIN)/pytest -n auto --dist loadgroup

# Not run: what needs a browser or Node, the documentation, and two campaigns that do not depend on versions.
test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m pip freeze --exclude-editable
	$(OLDEST)/bin/python -m pytest --ignore=tests/integration/test_docs.py --ignore=tests/sabotage \
		--ignore=tests/integration/test_docs_browser.py --ignore=tests/property/test_interval_coverage.py \
		$(patsubst %,--ignore=tests/integration/test_report_%.py,editing looks page pictures saving types values weights)

# All pages anew (their code from the cache): a build of some forgets the index entries of the others, which the search needs.
# Sphinx deals out pages in runs of the alphabet, one a job: of two jobs, one would run nearly all notebooks.
docs: $(VENV)/.installed-test
	$(BIN)/sphinx-build --fresh-env --write-all --fail-on-warning --keep-going --show-traceback --quiet --jobs 8 --builder html docs build/docs

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@ $(VENV)/.installed

$(OLDEST)/.installed: pyproject.toml tests/oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint tests/oldest.txt \
		"$(TORCH)" --editable ".[test]"
	touch $@

clean:
	rm -rf $(VENV) $(OLDEST) build dist .mypy_cache .pytest_cache .ruff_cache
