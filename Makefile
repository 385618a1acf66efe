# `make help` lists the targets. Only Python >= 3.11, make and the package registry are assumed:
# everything else is installed into .venv on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export UNLIST_DATA_DIR ?= var
export PYTHONUNBUFFERED = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help demo serve test check bench format screenshots clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1  \2/p' Makefile

# Its own stamp, newer than the lists of what to install: the second run costs nothing.
$(READY): requirements.txt requirements-web.txt requirements-dev.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Unlist needs Python 3.11 or newer, and $(PYTHON) is not: run" \
			"'make $(MAKECMDGOALS) PYTHON=/path/to/python3.11'" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) could not make a virtual environment: on Debian and Ubuntu" \
			"'apt-get install python3-venv' brings what it lacks" >&2; exit 1; }
	@echo "Installing what Unlist needs into $(VENV) (once; some minutes)"
	@$(BIN)/python -m pip install --quiet --no-input -r requirements-dev.txt
	@touch $@

demo: $(READY) ## the whole story once, on real photos, with real processes
	@$(BIN)/python -m scripts.demo

serve: $(READY) ## the site at 127.0.0.1:8000 with worker and scheduler (PORT=8000)
	@$(BIN)/python -m scripts.sample $(UNLIST_DATA_DIR)/sample
	@$(BIN)/python manage.py serve --port $(or $(PORT),8000) --sample $(UNLIST_DATA_DIR)/sample

test: $(READY) ## all tests, with real PostgreSQL, Redis and browser
	@$(BIN)/python -m scripts.run_tests

check: $(READY) ## formatting, lint, types, import layers, migrations, API and docs in step
	@$(BIN)/python -m scripts.run_checks

bench: $(READY) ## the benchmarks beside their peers, as a table and JSON (QUICK=1: small)
	@$(BIN)/python -m benchmarks --all $(if $(QUICK),--quick)

format: $(READY) ## put the code into its one format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

screenshots: $(READY) ## make the pictures of docs/images anew
	@UNLIST_SCREENSHOTS=docs/images $(BIN)/python -m pytest tests/functional -k browser

clean: ## remove the demo's and the tests' files, not the data of `make serve`
	rm -rf $(UNLIST_DATA_DIR)/demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
