# One command for everything. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The newest Python from 3.11 on that can make an environment.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 3

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

# A stamp for each set of packages: made anew when pyproject.toml changes, so that a second start is fast.
$(VENV)/.run-stamp $(VENV)/.cluster-stamp $(VENV)/.test-stamp $(VENV)/.audit-stamp: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Zvonok needs Python 3.11 or newer with venv and pip: on Debian, apt install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making the environment in $(VENV) (once)..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing packages (once)..."
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@touch $@
$(VENV)/.run-stamp: EXTRAS := demo
$(VENV)/.cluster-stamp: EXTRAS := demo,cluster,engine
$(VENV)/.test-stamp: EXTRAS := demo,cluster,engine,test
$(VENV)/.audit-stamp: EXTRAS := audit

.PHONY: run
run: $(VENV)/.$(if $(CLUSTER),cluster,run)-stamp ## see it live: all of Zvonok, with stand-ins for what .env does not name (CLUSTER=1)
	@ZVONOK_DEMO_CLUSTER=$(CLUSTER) exec $(BIN)/python -m demo.run

.PHONY: test
test: $(VENV)/.test-stamp ## every test there is: real PostgreSQL, Asterisk, Chromium, systemd
	@tests/run $(BIN)/python

.PHONY: scenarios
scenarios: $(VENV)/.test-stamp ## every call scenario on real Asterisk 22 and 16.28; writes the table in docs/scenarios.md
	@$(BIN)/python -m tests.asterisk.matrix

.PHONY: bench
bench: $(VENV)/.test-stamp ## how fast it is here, against targets and peers (ONLY="agi calls", SIZE=small, DOCS=1)
	@$(BIN)/python -m tests.benchmarks $(ONLY) --size $(or $(SIZE),medium) $(if $(DOCS),--docs)

.PHONY: fuzz
fuzz: $(VENV)/.test-stamp ## hostile inputs for every parser, MINUTES=10 (TARGET=name: one of them); keeps what it finds
	@$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10) $(if $(TARGET),--target $(TARGET))

.PHONY: faults
faults: $(VENV)/.test-stamp ## every fault in every phase of a call, a cluster's too, with a table of how fast each card was right again
	@$(BIN)/python -m pytest -q tests/faults/test_matrix.py tests/cluster/test_faults.py

.PHONY: soak
soak: $(VENV)/.test-stamp ## MINUTES=10 of 50 calls a second while everything breaks; what was lost, doubled, told to others
	@$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),10) --rate $(or $(RATE),50) $(if $(SEED),--seed $(SEED))

.PHONY: test-tools
test-tools: ## install what the tests use beside Python (Debian, as root)
	@tests/install-tools

.PHONY: lint
lint: $(VENV)/.test-stamp ## lint, types and import rules
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && echo "ruff: ok"
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# WHEELS=1 puts every dependency in as well: for a PBX without a way to a package registry.
.PHONY: archive
archive: $(VENV)/.run-stamp ## dist/zvonok-VERSION.tar.gz, to install on a PBX host without this repository
	@install/build-archive $(BIN)/python dist $(if $(WHEELS),--wheels)

.PHONY: install
install: ## install on this PBX host, or upgrade it (as root; DRY_RUN=1 only tells)
	@install/from-repository $(if $(PYTHON),$(PYTHON),python3) $(if $(DRY_RUN),--dry-run)

.PHONY: uninstall
uninstall: ## remove it from this PBX host; data and settings stay (as root; DRY_RUN=1 only tells)
	@install/install.sh --uninstall $(if $(DRY_RUN),--dry-run)

.PHONY: lock
lock: $(VENV)/.test-stamp ## requirements.lock and requirements-cluster.lock: every dependency with its hashes
	@install/lock $(BIN)/python

# A package that the service does not know is a failure (--strict): silence would look like "nothing found".
.PHONY: audit
audit: $(VENV)/.audit-stamp ## known vulnerabilities in what the lock files name (SERVICE=pypi, which is the default, or osv)
	@$(BIN)/python -m pip_audit --requirement requirements.lock --requirement requirements-cluster.lock --require-hashes \
		--disable-pip --strict \
		--vulnerability-service $(or $(SERVICE),pypi) --progress-spinner off

.PHONY: client-types
client-types: ## the browser client's shipped .d.ts files, from its sources
	@cd tests/browser && { test -d node_modules || npm ci --no-progress; } && rm -rf ../../notifier/client/types && \
		node node_modules/typescript/bin/tsc --project tsconfig.types.json

.PHONY: shots
shots: $(VENV)/.test-stamp ## docs/screenshots: every state of the card and the page, both themes, two widths
	@$(BIN)/python -m tests.browser.screenshots docs/screenshots

.PHONY: protocol
protocol: $(VENV)/.test-stamp ## docs/protocol.schema.json, from notifier/messages.py
	@$(BIN)/python -c 'import json, notifier.messages as m; print(json.dumps(m.schema(), indent=2, ensure_ascii=False))' \
		> docs/protocol.schema.json

.PHONY: clean
clean: ## remove the environment and everything that the demo keeps
	rm -rf $(VENV) .state .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
