# `make demo` and `make test` do all the set-up themselves: Python 3.11+ and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

TARGETS := \
  'demo       degrade three photographs, restore them, and show it on a page' \
  'test       lint, types, docs and pytest: what CI runs first' \
  'docs       the documentation, build/site/index.html' \
  'doctest    run every command and program that the documentation shows' \
  'reference  write the man page and the completions in share/' \
  'wheel      build the wheel, and use it in a clean environment' \
  'clean      remove what was built'

.PHONY: help demo test lint types pytest docs doctest reference wheel clean

help:
	@printf 'make %s\n' $(TARGETS)

demo: $(VENV)/.methods
	$(BIN)/resolvent demo --output demo --overwrite

test: lint types docs pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

# One process a core, and one thread each: more would wait for each other. The tests of a file stay together.
pytest: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --dist loadfile --numprocesses \
	  $$($(BIN)/python -c 'from resolvent.system import usable_cpus; print(min(4, usable_cpus()))')

# The documentation, build/site/index.html; any warning is an error.
docs: $(VENV)/.dev
	$(BIN)/python -m docs.builder

# Every command and program that the documentation shows is run.
doctest: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -p docs.commands --dist loadfile --numprocesses 2 \
	  README.md CONTRIBUTING.md docs

# The manual page and the shell completions, which are committed: a test tells when they have to be written again.
reference: $(VENV)/.dev
	$(BIN)/python -m resolvent.cli.reference share

wheel: $(VENV)/.dev
	.ci/wheel $(BIN)/python

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Resolvent needs Python 3.11 or later; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.methods: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) --editable '.[methods]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) --editable '.[dev]'
	touch $@ $(VENV)/.methods

clean:
	rm -rf $(VENV) build demo .mypy_cache .pytest_cache .ruff_cache
