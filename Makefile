# One set of commands for people, pre-commit and CI. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# The stamp is written last: an install that failed leaves none, and the next make starts it afresh.
STAMP := $(VENV)/.installed
# The site is built in an environment of its own: the pipeline needs none of its packages.
DOCS_VENV := .venv-docs
DOCS_STAMP := $(DOCS_VENV)/.installed
# Of `make test-pythons`: every version that pyproject.toml names, each with an environment of its own.
PYTHONS := $(shell sed -n 's/.*"Programming Language :: Python :: \(3\.[0-9]*\)".*/\1/p' pyproject.toml)
QUICK_TESTS ?= tests/unit/bundle tests/unit/code_digests tests/unit/config tests/unit/decoding tests/unit/modeling tests/unit/tokenization \
  tests/golden tests/parity tests/contracts/test_graph.py tests/contracts/test_pythons.py
# Packages that the index has as source alone: pip builds them, whatever the Python.
BUILT := $(shell sed -n 's/^\(antlr4-python3-runtime\|rouge_score\)==.*/\1/p' requirements.lock)
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' seq2seq_core/__init__.py)
# Console commands (s2s, dvc, mlflow) call one another by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Telemetry of every library is off.
export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
# Every stage is a process of its own: without compiled modules on the disk each compiles the package again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
EXTRAS := $(shell sed -n '/^\[project.optional-dependencies\]/,/^\[project.scripts\]/s/^\([a-z0-9]*\) = .*/\1/p' pyproject.toml | grep -v '^docs$$' | paste -sd,)
.PHONY: help install demo test test-pythons test-newest audit proofs long-proofs check lock-check lock-hashes docs reference format ui serve clean lock

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Install everything into .venv (the other commands do it when needed)

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found; install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "Installing into $(VENV) (some minutes the first time) ..."
	@rm -f $(STAMP)
	@test -x $(BIN)/python || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock \
	  && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . \
	  || { echo "error: the installation failed; what pip said is above. The next make tries again from scratch." >&2; rm -rf $(VENV); exit 1; }
	@touch $(STAMP)

demo: $(STAMP) ## Generate the sample corpus, then train, evaluate and register a model on it
	@s2s sample-corpus
	@s2s retrain
	@echo
	@echo "Try it:    echo '3 May 2031' | $(BIN)/s2s predict"
	@echo "Look:      make ui        Serve: make serve"

test: $(STAMP) ## Run the tests
	@# Four processes on two cores: two of them often wait for a server.
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not proof and not long"

test-pythons: ## Run the quick tests on every Python from 3.11 to 3.13 that is here, each in an environment of its own
	@tried=0; for version in $(PYTHONS); do \
	  if python$$version -c '' 2>/dev/null; then \
	    echo "Python $$version:"; tried=$$((tried + 1)); \
	    $(MAKE) --no-print-directory VENV=.venv-$$version PYTHON=python$$version test-quick || exit 1; \
	  else \
	    echo "Python $$version: not found (python$$version), so not tested"; \
	  fi; \
	done; test $$tried -gt 0 || { echo "error: no Python of $(PYTHONS) is here" >&2; exit 2; }

.PHONY: test-quick
test-quick: $(STAMP)
	@$(BIN)/python -m pip check --disable-pip-version-check
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not proof and not long and not slow" $(QUICK_TESTS)

proofs: $(STAMP) ## Run the long proofs: learning, reproduction, kills
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m proof

long-proofs: $(STAMP) ## Run the proofs that take minutes each, before a release
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m long

check: $(STAMP) ## Check lint rules, format, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP) ## Format the code and apply the linter's fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

$(DOCS_STAMP): requirements-docs.lock
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found; install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@rm -f $(DOCS_STAMP)
	@test -x $(DOCS_VENV)/bin/python || $(PYTHON) -m venv --clear $(DOCS_VENV)
	@$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-docs.lock \
	  || { echo "error: the installation failed; what pip said is above. The next make tries again from scratch." >&2; rm -rf $(DOCS_VENV); exit 1; }
	@touch $(DOCS_STAMP)

docs: $(DOCS_STAMP) ## Build the documentation site into site/; a broken link fails
	@rm -rf site/$(VERSION)
	@$(DOCS_VENV)/bin/zensical build --clean --strict
	@cd site && ls -d [0-9]*/ | tr -d / | sort -rV \
	  | awk 'BEGIN {printf "["} {printf "%s{\"version\": \"%s\", \"title\": \"%s\", \"aliases\": []}", (NR > 1 ? ", " : ""), $$0, $$0} END {print "]"}' > versions.json
	@echo '<!doctype html><meta charset="utf-8"><title>seq2seq-flows</title><meta http-equiv="refresh" content="0; url=$(VERSION)/index.html">' > site/index.html
	@echo "Look:      python -m http.server --directory site        then http://127.0.0.1:8000"

reference: $(STAMP) ## Write the generated pages of docs/ (commands, metrics, settings) again
	@$(BIN)/python -m seq2seq_core.cli.reference.commands_page > .s2s.page && mv .s2s.page docs/commands.md
	@$(BIN)/python -m seq2seq_core.cli.reference.metrics_page > .s2s.page && mv .s2s.page docs/metrics.md
	@s2s settings > .s2s.page && mv .s2s.page docs/settings.md

ui: $(STAMP) ## Start the MLflow and Prefect pages
	@s2s ui

serve: $(STAMP) ## Serve the champion over HTTP
	@s2s serve

clean: ## Remove stage outputs and embedded databases (with WITH_CORPORA=1 or WITH_VENV=1 also the corpora or .venv)
	@rm -rf data/prepared data/tokenized models reports .s2s mlflow.db mlflow.db-shm mlflow.db-wal mlartifacts
	@rm -rf site .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@if [ "$(WITH_CORPORA)" = 1 ]; then git clean -fdX -- data/raw; fi
	@if [ "$(WITH_VENV)" = 1 ]; then rm -rf .venv .venv-*; fi

lock: ## Write requirements.lock from the packages in .venv
	@$(BIN)/python -m pip freeze --all --exclude-editable | grep -v '^pip==' | sed -E 's/^torch @ .*\/torch-([0-9.]+).*/torch==\1/; s/\+cpu$$//' | LC_ALL=C sort -f > requirements.lock
	@if grep -n ' @ ' requirements.lock; then echo "error: a local path in requirements.lock" >&2; exit 1; fi

lock-check: $(STAMP) ## Check that the package index has every file of requirements.lock for Python 3.11 to 3.13; nothing is installed
	@for version in $(PYTHONS); do \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --dry-run --ignore-installed --no-deps --python-version $$version \
	    --only-binary=:all: $(BUILT:%=--no-binary=%) --target $(VENV)/.unused --requirement requirements.lock || exit 1; \
	  echo "Python $$version: the index has every file"; \
	done

AUDIT_VENV := .venv-audit
audit: ## Ask the package index for known advisories of the versions of requirements.lock
	@test -x $(AUDIT_VENV)/bin/pip-audit || { $(PYTHON) -m venv --clear $(AUDIT_VENV) && $(AUDIT_VENV)/bin/python -m pip install --quiet pip-audit==2.10.1; }
	@$(AUDIT_VENV)/bin/pip-audit --requirement requirements.lock --no-deps --disable-pip

NEWEST_VENV := .venv-newest
test-newest: ## Run the quick tests with the newest versions of all dependencies, and say which these are
	@$(PYTHON) -m venv --clear $(NEWEST_VENV)
	@$(NEWEST_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade setuptools
	@$(NEWEST_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@echo "Newer than requirements.lock (>), and what is locked (<):"; \
	  diff <(LC_ALL=C sort -f requirements.lock) <($(NEWEST_VENV)/bin/python -m pip freeze --exclude-editable | LC_ALL=C sort -f) | grep '^[<>]' || echo "  nothing"
	@$(NEWEST_VENV)/bin/python -m pytest -q -n 2 --dist loadfile -m "not proof and not slow" $(QUICK_TESTS) tests/contracts/test_half_private_names.py

# Resolves for all Pythons and platforms at once, whatever is installed here.
UV_VENV := .venv-uv
HASHED := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet
lock-hashes: ## Write requirements.hashes and requirements-cuda.hashes from requirements.lock
	@test -x $(UV_VENV)/bin/uv || { $(PYTHON) -m venv --clear $(UV_VENV) && $(UV_VENV)/bin/python -m pip install --quiet uv==0.13.9; }
	@grep -v '^torch==' requirements.lock > $(UV_VENV)/rest.txt; grep '^torch==' requirements.lock > $(UV_VENV)/torch.txt
	@$(UV_VENV)/bin/uv pip compile $(HASHED) --no-deps $(UV_VENV)/rest.txt --output-file $(UV_VENV)/rest.hashes
	@$(UV_VENV)/bin/uv pip compile $(HASHED) --constraint requirements.lock $(UV_VENV)/torch.txt --output-file $(UV_VENV)/cuda.hashes
	@{ echo "# Written by \`make lock-hashes\` from requirements.lock: hashes of all files that the index has of each version."; \
	  cat $(UV_VENV)/rest.hashes; } > requirements.hashes
	@{ echo "# Written by \`make lock-hashes\` from requirements.lock: hashes of all files that the index has of PyTorch and its CUDA packages."; \
	  awk '/^[^ ]/ {keep = $$0 ~ /^(torch|triton|nvidia-|cuda-)/} keep' $(UV_VENV)/cuda.hashes; } > requirements-cuda.hashes
