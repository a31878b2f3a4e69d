# `make help` lists what can be made. Nothing but Python 3.11-3.13 and make is needed.
#
#   PYTHON       the Python to build .venv with (default: the newest one found that fits)
#   TORCH_INDEX  a further index to look for torch in, e.g. PyTorch's own of CPU builds: what
#                Linux gets otherwise brings 3 GB of CUDA libraries (default: none)
#   PYTEST_ARGS  passed on to pytest

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?=
PYTEST_ARGS ?=
TORCH_INDEX ?=

BIN := .venv/bin
RUN := .venv/.installed-run
DEV := .venv/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq --constraint constraints.txt
SAY := @printf '\033[1m%s\033[0m\n'

# mypy and import-linter follow packages through folders, and training/ and assets/ become
# facewarp.training and facewarp.assets only when installed: they are shown the installed shape.
TREE := .cache/tree

.PHONY: help demo test check lint tree fast bench format clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: $(RUN) ## track the clip that comes with facewarp; writes facewarp-demo/
	$(SAY) "Tracking the demo clip ..."
	$(BIN)/facewarp demo

test: $(DEV) ## every test
	$(SAY) "Running all tests ..."
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: lint fast ## formatting, lint, types, import rules and the fast tests

lint: $(DEV) tree ## the part of `make check` that runs no code
	$(SAY) "Formatting (ruff format) ..."
	$(BIN)/ruff format --check .
	$(SAY) "Lint (ruff) ..."
	$(BIN)/ruff check .
	$(SAY) "Types (mypy) ..."
	cd $(TREE) && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../mypy
	$(SAY) "Import rules (import-linter) ..."
	cd $(TREE) && ../../$(BIN)/lint-imports --no-logo --config ../../pyproject.toml --cache-dir ../import-linter

tree:
	@rm -rf $(TREE) && mkdir -p $(TREE)/facewarp
	@for part in facewarp/[!_]* facewarp/__init__.py training assets; do \
		ln -s "../../../$$part" $(TREE)/facewarp/; done

fast: $(DEV)
	$(SAY) "Running the fast tests ..."
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

format: $(DEV) ## rewrite the code as ruff likes it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV) ## facewarp bench, then every script of benchmarks/, each printing its table
	$(BIN)/facewarp bench
	@shopt -s nullglob; for script in benchmarks/[!_]*.py; do \
		printf '\033[1m%s\033[0m\n' "$$script"; $(BIN)/python "$$script"; done

clean: ## remove .venv, caches and what was built or written here
	rm -rf .venv .cache build dist facewarp-demo .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name '*.egg-info' -prune -exec rm -rf {} +

.venv/bin/python:
	@for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); do \
		if "$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
			printf '\033[1mMaking .venv with %s (%s) ...\033[0m\n' "$$python" "$$("$$python" -V)"; \
			exec "$$python" -m venv .venv; \
		fi; \
	done; \
	echo "facewarp needs Python 3.11, 3.12 or 3.13 with venv (on Debian and Ubuntu: apt install python3-venv)." >&2; \
	echo "None was found$(if $(PYTHON), at $(PYTHON)). Say which one to take with: make PYTHON=/path/to/python ..." >&2; \
	exit 1

.venv/.installed-torch: constraints.txt | .venv/bin/python
	$(SAY) "Installing torch into .venv (about 200 MB, once) ..."
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	@touch $@

$(RUN): pyproject.toml .venv/.installed-torch
	$(SAY) "Installing facewarp and what it needs into .venv (a minute or two, once) ..."
	$(PIP) --editable '.[live]'
	@touch $@

$(DEV): $(RUN)
	$(SAY) "Installing the tools for testing and development into .venv ..."
	$(PIP) --editable '.[live,train,dev]'
	@touch $@
