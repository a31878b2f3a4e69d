# `make help` lists what can be made. Nothing but Python 3.11 or later and make is needed.
#
#   PYTHON       the Python to build .venv with (default: the newest one found that fits); a .venv
#                of another Python is built anew
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
# Python compiles what is imported, once, where it may keep that (images of containers often forbid
# it, and then every start compiles anew); pip would compile all that there is, a minute of it.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq --no-compile \
	--constraint constraints.txt
SAY := @printf '\033[1m%s\033[0m\n'

# mypy and import-linter follow packages through folders, and training/ and assets/ become
# facewarp.training and facewarp.assets only when installed: they are shown the installed shape.
TREE := .cache/tree

# Environments of `make test-newest` and `make test-oldest`
MATRIX := .cache/matrix
TORCH := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(shell grep '^torch==' constraints.txt)
NEW_PIP = $(MATRIX)/$(1)/bin/python -m pip --disable-pip-version-check install -qq

# The other scripts want data, a browser, a GPU or another revision: benchmarks/README.md
BENCHMARKS := face/effects.py face/steadiness.py face/sliding.py face/templates.py \
	face/correlation.py hearts/cine.py live/live.py training.py

.PHONY: help demo test tools test-newest test-oldest check lint tree fast bench format clean other-python

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: $(RUN) ## track the clip that comes with facewarp; writes facewarp-demo/
	$(SAY) "Tracking the demo clip ..."
	$(BIN)/facewarp demo

test: $(DEV) ## every test
	$(SAY) "Running all tests ..."
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-newest: ## the fast tests and every command, on the newest releases that pyproject.toml allows
	$(SAY) "Building $(MATRIX)/newest without pins ..."
	@rm -rf $(MATRIX)/newest && mkdir -p $(MATRIX)
	@$(call FIND_PYTHON,$(MATRIX)/newest,$(if $(PYTHON),"$(PYTHON)",$(PYTHONS)))
	$(call NEW_PIP,newest) $(TORCH)
	$(call NEW_PIP,newest) --editable '.[live,train,test]'
	$(call RUN_MATRIX,newest)

test-oldest: ## the same on the oldest releases that it allows, with Python 3.11
	$(SAY) "Building $(MATRIX)/oldest ..."
	@rm -rf $(MATRIX)/oldest && mkdir -p $(MATRIX)
	@$(call FIND_PYTHON,$(MATRIX)/oldest,$(if $(PYTHON),"$(PYTHON)",python3.11))
	$(call NEW_PIP,oldest) $(TORCH) uv
	$(MATRIX)/oldest/bin/uv pip compile pyproject.toml --quiet --resolution lowest-direct \
		--python $(MATRIX)/oldest/bin/python --extra live --extra train --extra test \
		--no-annotate --no-header --output-file $(MATRIX)/oldest.txt
	grep -vE '^(torch|triton|nvidia|cuda)' $(MATRIX)/oldest.txt > $(MATRIX)/oldest-pins.txt
	$(call NEW_PIP,oldest) --constraint $(MATRIX)/oldest-pins.txt --editable '.[live,train,test]'
	$(MATRIX)/oldest/bin/python -m pytest tests/lower_bounds.py
	$(call RUN_MATRIX,oldest)

tools: $(DEV)

# `make check test` runs every test once: the fast ones are among them.
check: lint $(if $(filter test,$(MAKECMDGOALS)),,fast) ## formatting, lint, types, import rules and the fast tests

lint: $(DEV) tree ## the part of `make check` that runs no code
	$(SAY) "Formatting (ruff format) ..."
	$(BIN)/ruff format --check .
	$(SAY) "Lint (ruff) ..."
	$(BIN)/ruff check .
	$(SAY) "Types (mypy) ..."
	cd $(TREE) && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../mypy
	$(SAY) "Import rules (import-linter) ..."
	cd $(TREE) && ../../$(BIN)/lint-imports --no-logo ../../pyproject.toml --cache-dir ../import-linter

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

bench: $(DEV) ## facewarp bench, then those scripts of benchmarks/ that need nothing but this checkout
	$(BIN)/facewarp bench
	@for script in $(BENCHMARKS); do \
		printf '\033[1m%s\033[0m\n' "$$script"; $(BIN)/python "benchmarks/$$script"; done

clean: ## remove .venv, caches and what was built or written here
	rm -rf .venv .cache build dist facewarp-demo .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name '*.egg-info' -prune -exec rm -rf {} +

PYTHONS := python3.14 python3.13 python3.12 python3.11 python3 python

# $(1): the environment to make, $(2): the Pythons to try
define FIND_PYTHON
for python in $(2); do \
	if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		printf '\033[1mMaking $(1) with %s (%s) ...\033[0m\n' "$$python" "$$("$$python" -V)"; \
		exec "$$python" -m venv $(1); \
	fi; \
done; \
echo "facewarp needs Python 3.11 or later with venv (on Debian and Ubuntu: apt install python3-venv)." >&2; \
echo "None was found among: $(2). Say which one to take with: make PYTHON=/path/to/python ..." >&2; \
exit 1
endef

# $(1): the environment
define RUN_MATRIX
	$(SAY) "Running the fast tests and every command ..."
	$(MATRIX)/$(1)/bin/python -m pytest -m "not slow" $(PYTEST_ARGS)
	$(MATRIX)/$(1)/bin/python -m pytest tests/cli/every_command.py $(PYTEST_ARGS)
endef

.venv/bin/python: | other-python
	@$(call FIND_PYTHON,.venv,$(if $(PYTHON),"$(PYTHON)",$(PYTHONS)))

other-python:
	@if [[ -n "$(PYTHON)" && -x .venv/bin/python ]] && \
		[[ "$$($(PYTHON) -V 2>&1)" != "$$(.venv/bin/python -V 2>&1)" ]]; then \
		printf '\033[1mRemoving .venv, which was built with %s ...\033[0m\n' "$$(.venv/bin/python -V)"; \
		rm -rf .venv; \
	fi

.venv/.installed-torch: constraints.txt | .venv/bin/python
	$(SAY) "Installing torch into .venv (about 200 MB, once) ..."
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	@touch $@

$(RUN): pyproject.toml .venv/.installed-torch
	$(SAY) "Installing facewarp and what it needs into .venv (a minute or two, once) ..."
	$(PIP) --editable '.[live]'
	@touch $@

# They bring what runs with them: one installation, unless `demo` asks for the other beside it.
$(DEV): $(if $(filter demo,$(MAKECMDGOALS)),$(RUN),pyproject.toml .venv/.installed-torch)
	$(SAY) "Installing facewarp with the tools for testing into .venv (some minutes, once) ..."
	$(PIP) --editable '.[live,train,dev]'
	@touch $(RUN) $@
