.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

run: $(VENV)/installed ## the service on http://127.0.0.1:8080, with a PostgreSQL of its own
	@exec $(BIN)/koshel serve

test: check tools ## lint, types, import contracts, every test
	$(BIN)/pytest -n 2 --cov --cov-report=term

check: $(VENV)/developing ## lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tools: # what the tests need beyond Python packages; nearly every machine has it, but for PgBouncer and Prometheus
	@for tool in curl:curl git:git pgrep:procps; do \
		command -v $${tool%%:*} >/dev/null || { apt-get update -q && apt-get install -y -q $${tool##*:}; } \
		|| { echo "the tests need $${tool%%:*}: install it"; exit 1; }; \
	done
	@PATH="$$PATH:/usr/sbin"; command -v pgbouncer >/dev/null \
		|| { apt-get update -q && apt-get install -y -q --no-install-recommends pgbouncer; } \
		|| { echo "the tests need pgbouncer: install it"; exit 1; }
	@command -v promtool >/dev/null \
		|| { apt-get update -q && apt-get install -y -q --no-install-recommends prometheus; } \
		|| { echo "the tests need promtool: install prometheus"; exit 1; }

bench: $(VENV)/developing ## the numbers, as ratios in one run; writes bench/RESULTS.md
	@command -v wrk >/dev/null || { apt-get update -q && apt-get install -y -q wrk; } || { echo "bench needs wrk: install it"; exit 1; }
	$(BIN)/python -m bench --million

bench-large: $(VENV)/developing ## books of a million accounts and ten million transactions; writes bench/RESULTS-large.md
	$(BIN)/python -m bench.large

migrate: $(VENV)/installed ## bring the database's schema up to date
	$(BIN)/koshel migrate

docs: $(VENV)/developing ## write what is generated: docs/openapi.json, docs/metrics.md, the schema and the currencies in src/koshel
	$(BIN)/python -m tests.support.generate

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@$(BIN)/python -m compileall -q src # as pip does with what is not editable: the first start need not
	@touch $@

$(VENV)/developing: pyproject.toml constraints.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

.PHONY: help run test check tools bench bench-large migrate docs
