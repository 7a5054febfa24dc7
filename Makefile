# Every target sets up what it needs: Python 3.11 or later with pip, make and git are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := runs/demo

.PHONY: help install demo test test-all check docs clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

install: $(STAMP) ## make .venv with darklens and all it needs

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "darklens needs Python 3.11 or later: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

demo: $(STAMP) ## simulate, generate and classify a few lenses, write a report to runs/demo
	DARKLENS_SHARED_DATA="$${DARKLENS_SHARED_DATA:-../shared/data}" \
	  $(BIN)/darklens demo --output $(DEMO)

test: $(STAMP) ## lint, types, import contracts, docs, tests with coverage
	@scripts/browser
	scripts/check

test-all: $(STAMP) ## the same, and the slow tests
	@scripts/browser
	scripts/check lint format types imports docs tests pythons slow

check: test

docs: $(STAMP) ## build the documentation into docs/_build/html
	scripts/check docs

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) $(VENV)-* docs/_build .pytest_cache .mypy_cache .ruff_cache \
	  .hypothesis .coverage .coverage.* .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
