# The whole life of the project in one place. Every target works on a fresh clone by itself and is quick the second time.
#
#   make course      set up, then run the demonstration on real digits
#   make test        everything that CI runs
#   make quick       the checks to run while working (3 minutes or less);  make quick LESSON=mlp  for one lesson
#   make lab         JupyterLab on a copy of the student notebooks, in ./work
#   make notebooks   write notebooks/ from lessons/ and execute the solutions;  LESSON=mlp  for one
#   make clean       remove what the targets above made, except ./work

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LESSON ?=

# Tests and builds leave no progress files behind. Two test processes share the cores, so each computes on one.
export LLMCOURSE_PROGRESS ?= off
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: course test quick lab notebooks clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' Makefile

course: $(VENV)/.course
	$(BIN)/llmcourse demo --out demo

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/llmcourse build --check
	$(BIN)/pytest -n 2 --dist worksteal --durations 10
	$(BIN)/pytest -n 2 --dist loadfile --nbval notebooks/solutions -p no:cacheprovider --durations 10

quick: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/llmcourse build --check
	$(BIN)/pytest -n 2 --dist worksteal $(if $(LESSON),--lesson $(LESSON),-m "not slow")

lab: $(VENV)/.course
	LLMCOURSE_PROGRESS= $(BIN)/llmcourse start work

notebooks: $(VENV)/.dev
	$(BIN)/llmcourse build $(if $(LESSON),--lesson $(LESSON))

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "llmcourse needs Python 3.11, 3.12 or 3.13. Received: " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 course")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.course: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.course
