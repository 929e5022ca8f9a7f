# Two commands on a fresh machine: `make serve` and `make test`. Needed beforehand: Python 3.11 or newer, and make.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve build test test-lowest check lint types bench clean

serve: build
	$(BIN)/kg serve --host $(HOST) --port $(PORT)

# Makes nothing when nothing changed.
build: $(VENV)/.installed
	$(BIN)/kg build

test: $(VENV)/.tested-with
	$(BIN)/pytest -n auto --dist loadfile

# The same with the lowest versions that pyproject.toml allows, in an environment of their own.
test-lowest:
	$(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(VENV)-lowest/bin/python -m pip install --quiet --disable-pip-version-check --constraint .ci/lowest.txt --editable . --group dev
	$(VENV)-lowest/bin/pytest -n auto --dist loadfile $(TESTS)

check: lint types test

lint: $(VENV)/.tested-with
	$(BIN)/ruff format --check kg endpoint tests
	$(BIN)/ruff check kg endpoint tests
	$(BIN)/lint-imports

types: $(VENV)/.tested-with
	$(BIN)/mypy

bench: $(VENV)/.tested-with build
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.validate
	$(BIN)/python -m tests.bench.external
	$(BIN)/python -m tests.bench.writes
	$(BIN)/python -m tests.bench.durability
	$(BIN)/python -m tests.bench.history
	$(BIN)/python -m tests.bench.pauses
	$(BIN)/python -m tests.bench.crowd

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.tested-with: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-lowest releases dist build
