# The same commands for people and for CI. Needs git and Python 3.11 or newer; uses uv where it is installed.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
# Errors only: what a machine's own configuration makes pip warn of is noise here.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check

# What is installed is up to date as long as these have not changed.
PROJECT_FILES := pyproject.toml Makefile

.PHONY: demo test check bench format clean help

help:
	@echo "make demo   set up .venv and watch one episode: no key, no network beyond package installation"
	@echo "make test   set up .venv and run the tests"
	@echo "make check  formatting, lint, types"
	@echo "make bench  the figures in docs/benchmarks.md"

demo: $(VENV)/installed
	@$(BIN)/selfplay demo

test: $(VENV)/tested-with
	@$(BIN)/python -m pytest

check: $(VENV)/tested-with
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/tested-with
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/tested-with
	$(BIN)/python benchmarks/model_calls.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python -m benchmarks.gate
	$(BIN)/python -m benchmarks.engine --quick
	$(BIN)/python benchmarks/search.py --quick

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis

# An editable install points at this folder: one that was moved here from elsewhere is made anew.
$(VENV)/place: $(PROJECT_FILES)
	@if [ "$$(cat $@ 2>/dev/null)" != "$(CURDIR)" ]; then rm -rf $(VENV); fi
	@[ -x $(BIN)/python ] || echo "making $(VENV) ..."
ifdef UV
	@[ -x $(BIN)/python ] || $(UV) venv --quiet --seed --python $(PYTHON) $(VENV)
else
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(PIP) 'pip>=25.1'
endif
	@printf %s "$(CURDIR)" > $@

$(VENV)/installed: $(VENV)/place
	@echo "installing selfplay and what it needs into $(VENV) ..."
ifdef UV
	@$(UV) pip install --quiet --python $(BIN)/python --editable .
else
	@$(PIP) --editable .
endif
	@touch $@

$(VENV)/tested-with: $(VENV)/installed
	@echo "installing what the tests need ..."
# TRL comes without what it needs to train (torch): only its chat templates are wanted.
ifdef UV
	@$(UV) pip install --quiet --python $(BIN)/python --group dev --group trainers
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps 'trl>=1.16'
else
	@$(PIP) --group dev --group trainers
	@$(PIP) --no-deps 'trl>=1.16'
endif
	@touch $@
