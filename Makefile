# Plain `make` lists what there is. Everything that is made lies in .venv and .cache, but for what Python keeps beside its
# sources; `make clean` removes it all.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Temporary files stay in the checkout too, so that a test run leaves nothing behind elsewhere.
export TMPDIR := $(CURDIR)/.cache/tmp
# Whatever the environment says: tests start a hundred programs, and each would compile the package for itself.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The locked files name every package, so nothing is left to look up: older pips, left to it, miss pins of extras.
LOCKED := $(PIP) --require-hashes --only-binary :all: --no-deps

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-deps lint type fmt bench fuzz accuracy detection torture lock sbom audit compose clean setup

help: ## list the targets, a sentence each
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/runtime.stamp ## set up what is needed and show the main job at work on a simulated fleet
	@$(BIN)/flopwatch demo

test: setup lint type ## set up what is needed, then lint, check types and run all tests
	@$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder \
	  --cov=monitor.core --cov-report=term-missing --cov-fail-under=100

test-deps: ## install what tests need: servers from Debian, and Kafka, Helm and Compose's reader into the user's cache
	@bash .ci/servers

lint: setup ## check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

type: setup ## check the package's types
	@$(BIN)/mypy --strict monitor

fmt: setup ## put the code into shape
	@$(BIN)/ruff check --fix --exit-zero .
	@$(BIN)/ruff format .

bench: setup ## measure speed and memory against plain loops, bare clients and other frameworks (half an hour)
	@$(BIN)/python bench/replay.py
	@$(BIN)/python -m bench.streaming
	@$(BIN)/python bench/backtest.py --days 120 --repeat 1
	@$(BIN)/python bench/console.py
	@$(BIN)/python bench/metrics.py
	@$(BIN)/python bench/intake.py

fuzz: setup .cache/fuzz/stamp ## give every parser mutated samples, a minute each (CPython 3.11, Linux on x86-64)
	@PYTHONPATH=.cache/fuzz $(BIN)/python -m bench.fuzz
	@$(BIN)/python -m pytest tests/intake --numprocesses=auto --hypothesis-profile=fuzz -k "whatever or any_document or nothing_is"

accuracy: setup ## fit the priors to published training runs, write them, and judge them on families left out
	@$(BIN)/python -m bench.accuracy

detection: setup ## measure how soon evaders are found in five simulated years (half an hour on two cores)
	@$(BIN)/python -m bench.detection

torture: setup ## run the tests that take minutes: random crashes and large stores
	@$(BIN)/python -m pytest -m torture

lock: ## write requirements*.txt again from pyproject.toml (minutes; needs the package index and CPython 3.11)
	@mkdir -p $(TMPDIR)
	@$(PYTHON) .ci/lock.py

sbom: .cache/audit/stamp ## write down what the run-time environment is made of, as CycloneDX: .cache/flopwatch.cdx.json
	@.cache/audit/bin/python -W ignore::UserWarning -m cyclonedx_py requirements requirements.txt \
	  --pyproject pyproject.toml --output-reproducible --of JSON --output-file .cache/flopwatch.cdx.json
	@echo "Written: .cache/flopwatch.cdx.json"

audit: .cache/audit/stamp ## look up known vulnerabilities of all packages (by the index's service, SERVICE=osv, or SERVICE=FOLDER)
	@SERVICE="$(SERVICE)" .cache/audit/bin/python .ci/audit.py .cache/audit/bin/pip-audit

compose: ## show the whole product in containers, with a simulated provider (needs Docker with Compose)
	@$(PYTHON) deploy/compose/passwords.py
	@docker compose --file deploy/compose.yaml up --build --detach
	@echo "Console: https://localhost:9443, once you have made yourself an account:"
	@echo "  docker compose --file deploy/compose.yaml exec web flopwatch users add NAME --role administrator"
	@echo "Grafana: http://localhost:3000. Prometheus: http://localhost:9090. Alertmanager: http://localhost:9093."

clean: ## remove everything that these targets made
	@rm -rf .venv .cache .hypothesis build dist
	@find . -name __pycache__ -prune -exec rm -rf {} +

setup: $(VENV)/dev.stamp ## make the virtual environment for development

# Apart from what it looks at.
.cache/audit/stamp: requirements-audit.txt
	@mkdir -p $(TMPDIR)
	@$(PYTHON) -m venv .cache/audit
	@.cache/audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
	  --no-deps --requirement requirements-audit.txt
	@touch $@

.cache/fuzz/stamp: .ci/fuzz.txt $(VENV)/dev.stamp
	@mkdir -p $(TMPDIR)
	@echo "Adding a fuzzer, beside the environment ..."
	@$(LOCKED) --upgrade --target .cache/fuzz --requirement .ci/fuzz.txt
	@touch $@

$(VENV)/runtime.stamp: requirements.txt requirements-build.txt pyproject.toml
	@mkdir -p $(TMPDIR)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Flopwatch needs Python 3.11 or newer as $(PYTHON): install it, or name another with make PYTHON=python3.12." >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: install that part of it (Debian: apt-get install python3-venv)." >&2; \
	  exit 1; }
	@echo "Setting up .venv, once, for up to a few minutes ..."
	@$(PYTHON) -m venv $(VENV)
	@$(LOCKED) --requirement requirements.txt --requirement requirements-build.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/runtime.stamp requirements-dev.txt
	@echo "Adding what the tests need ..."
	@$(LOCKED) --requirement requirements-dev.txt
	@touch $@
