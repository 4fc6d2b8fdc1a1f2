# Everything people do with this project. `make` alone says what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The environment belongs to this directory: a copy of it elsewhere is rebuilt.
IS_READY := $(shell test "$$(cat $(READY) 2>/dev/null)" = "$(CURDIR)" && $(BIN)/python -c '' 2>/dev/null && echo yes)

SPARK_READY := $(VENV)/.spark
# Superset lives apart: it wants other versions of what the project uses.
SUPERSET := data/superset/venv
SUPERSET_READY := $(SUPERSET)/.ready
SUPERSET_IS_HERE := $(shell test "$$(cat $(SUPERSET_READY) 2>/dev/null)" = "$(CURDIR)" && echo yes)
PORT ?= 8088
# dbt 2 lives apart, too: both bring a program called dbt.
DBT2 := data/dbt2
DBT2_READY := $(DBT2)/.ready
DBT2_IS_HERE := $(shell test "$$(cat $(DBT2_READY) 2>/dev/null)" = "$(CURDIR)" && echo yes)
HOME_OF_DAGSTER := $(if $(DAGSTER_HOME),$(DAGSTER_HOME),$(CURDIR)/data/dagster)
# The benchmark's company: s, m or l for 0.2, 2 or 10 million calls; medians of so many runs.
SCALE ?= s
REPEAT ?= 3
ENGINE ?= duckdb

# uv takes the Python that is here and fetches none; no tool reports to anybody.
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON_PREFERENCE := only-system
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DAGSTER_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false

.PHONY: help
help: ## Show the targets
	@echo "make refresh         first of all: the environment, then the demo company's marts"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(READY) ## Create the environment .venv from requirements.lock

.PHONY: refresh
refresh: $(READY) ## Build, check and publish the marts (ARGS="--raw-dir DIR")
	@$(BIN)/voronka refresh $(ARGS)

.PHONY: status
status: $(READY) ## What is published and what is wrong
	@$(BIN)/voronka status

.PHONY: dbt
dbt: $(READY) ## Run dbt by hand, while no refresh runs (ARGS="build --select kpi_daily+")
	@$(BIN)/voronka dbt $(ARGS)

# A nightly test is a further example of what a faster one proves. The tests of a file share what
# it builds; the long files come first.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/spark
PYTEST_SPARK := $(BIN)/python -m pytest tests/spark

.PHONY: test
test: $(READY) ## Run the tests but for the nightly ones (ARGS="tests/unit -k raw_zone")
	@$(PYTEST) -m "not nightly" $(ARGS)

.PHONY: test-all
test-all: $(READY) ## Run every test, as CI does each night (ARGS are pytest's, too)
	@$(PYTEST) --hypothesis-profile=nightly $(ARGS)

.PHONY: test-spark
test-spark: $(SPARK_READY) ## The same models on a Spark cluster on loopback; needs Java 17
	@$(PYTEST_SPARK) -m "not nightly" -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

# One process: a remote session cannot be where there was a Spark of this process.
.PHONY: test-spark-all
test-spark-all: $(SPARK_READY) ## With the nightly tests: batches, a killed worker, each server
	@$(PYTEST_SPARK) $(ARGS)

.PHONY: lint
lint: $(READY) ## Check style, types and SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project/models dbt_project/tests --processes 2
	@VORONKA_DATA_DIR="$(CURDIR)/data" $(BIN)/dbt --quiet parse --profiles-dir .
	$(BIN)/dbt-bouncer run --config-file dbt-bouncer.yml

.PHONY: format
format: $(READY) ## Format Python and SQL in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix dbt_project/models dbt_project/tests --processes 2

.PHONY: demo
demo: $(READY) ## Rewrite the demo company in seeds/demo/raw (ARGS are the generator's)
	$(BIN)/python -m seeds.demo $(ARGS)

.PHONY: docs
docs: $(READY) ## Write the mart index, the KPI glossary and connections.example.yml
	@$(BIN)/python -m orchestration.cli.mart_index
	@$(BIN)/python -m orchestration.cli.connections_example

.PHONY: metric-diff
metric-diff: $(READY) ## Say which figures of the demo changed since a commit (BASE=main)
	@test -n "$(BASE)" || { echo "Name a commit to compare with: make metric-diff BASE=main"; exit 2; }
	@$(BIN)/python -m orchestration.metrics.diff "$(BASE)"

# Its spinner draws into a log what only a terminal takes back: of each line the end stays.
.PHONY: validate
validate: $(READY) ## Let MetricFlow try every metric on the demo's build (after make refresh)
	@VORONKA_DATA_DIR="$(CURDIR)/data" $(BIN)/dbt --quiet parse --profiles-dir .
	@export VORONKA_DATA_DIR="$(CURDIR)/data" DBT_PROFILES_DIR=.; \
	if [ -t 1 ]; then $(BIN)/mf validate-configs; else \
		said=$$($(BIN)/mf validate-configs 2>&1); code=$$?; \
		printf '%s\n' "$$said" | sed 's/.*\r//'; exit $$code; \
	fi

.PHONY: benchmark
benchmark: $(READY) $(if $(filter spark,$(ENGINE)),$(SPARK_READY)) ## Measure the refresh, its limit and BI's reads (SCALE=s, REPEAT=3, ENGINE=spark)
	@$(BIN)/python -m tests.benchmark$(if $(filter spark,$(ENGINE)),.spark) \
		--scale "$(SCALE)" --repeat "$(REPEAT)" $(ARGS)

.PHONY: benchmark-connectors
benchmark-connectors: $(READY) ## Measure loads of a million calls and 200,000 deals, and of nothing new
	@$(BIN)/python -m tests.benchmark.connectors $(ARGS)

.PHONY: performance
performance: $(READY) ## Write README's performance section from what the benchmark found
	@$(BIN)/python -m tests.benchmark.report

.PHONY: dev
dev: $(READY) ## Open Dagster on this machine, its history in data/dagster
	@DAGSTER_HOME="$(HOME_OF_DAGSTER)" $(BIN)/python -m orchestration.history
	DAGSTER_HOME="$(HOME_OF_DAGSTER)" $(BIN)/dagster dev $(ARGS)

.PHONY: superset
superset: $(READY) $(SUPERSET_READY) ## Open Apache Superset with the sales dashboard (PORT=8088)
	@$(BIN)/python docs/bi/superset/serve.py --port $(PORT)

.PHONY: superset-check
superset-check: $(READY) $(SUPERSET_READY) ## Let a browser draw that dashboard into data/superset
	@$(BIN)/python docs/bi/superset/serve.py --port $(PORT) --check

.PHONY: spark-env
spark-env: $(SPARK_READY) ## Add Apache Spark to the environment (VORONKA_ENGINE=spark)

.PHONY: dbt2-check
dbt2-check: $(READY) $(DBT2_READY) ## Build the demo with dbt 2 and compare every table
	@VORONKA_DBT="$(CURDIR)/$(DBT2)/venv/bin/dbt" ADBC_DRIVER_PATH="$(CURDIR)/$(DBT2)/driver" \
		$(BIN)/python -m tests.dbt2

.PHONY: dbt2-lock
dbt2-lock: $(READY) ## Resolve what dbt2-check needs, tests/dbt2
	$(BIN)/uv pip compile tests/dbt2/requirements.in --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--quiet --output-file tests/dbt2/requirements.txt
	cd tests/dbt2 && npm install --package-lock-only --no-audit --no-fund \
		--omit-lockfile-registry-resolved

.PHONY: lock
lock: $(READY) ## Resolve pyproject.toml into requirements.lock and requirements-spark.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra postgres --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-header \
		--quiet --output-file requirements.lock

	$(BIN)/uv pip compile --group spark --constraint requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-header \
		--quiet --output-file requirements-spark.lock

.PHONY: superset-lock
superset-lock: $(READY) ## Resolve what Superset needs, docs/bi/superset/requirements.in
	$(BIN)/uv pip compile docs/bi/superset/requirements.in --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--quiet --output-file docs/bi/superset/requirements.txt

.PHONY: clean
clean: ## Remove the environment and caches; data/ stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache target logs
	find orchestration tests seeds -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock is complete, and leaves out what a carrier of one file would need to run: --no-deps.
# The environment is rebuilt when the lock changes, and when it is broken, half made or moved.
ifneq ($(IS_READY),yes)
.PHONY: $(READY)
endif

$(READY): requirements.lock pyproject.toml
	@python=""; \
	for candidate in "$(PYTHON)" python3 python3.13 python3.12 python3.11 python; do \
		test -n "$$candidate" || continue; \
		"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
			2>/dev/null && { python="$$candidate"; break; }; \
	done; \
	test -n "$$python" || { \
		echo "Voronka needs Python 3.11, 3.12 or 3.13, and none was found."; \
		echo "Install one, or name it: make refresh PYTHON=/path/to/python3.12"; exit 2; }; \
	echo "Creating $(VENV) with $$($$python --version) …"; \
	rm -rf $(VENV); \
	"$$python" -m venv $(VENV) || { \
		rm -rf $(VENV); \
		echo "$$python cannot make an environment; on Debian and Ubuntu: apt install python3-venv"; \
		exit 2; }
	@$(BIN)/python -c 'import re, sys; \
		text = open("requirements.lock", encoding="utf-8").read(); \
		found = re.search(r"^uv==.*?(?=^[a-z])", text, re.M | re.S); \
		open("$(VENV)/uv.lock", "w").write(found[0] if found else "uv\n")'
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/uv.lock \
		&& $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes \
			--no-deps --compile-bytecode -r requirements.lock; then :; else \
		echo "uv could not install the lock; pip does, which takes longer …"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
			--no-deps -r requirements.lock; \
	fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	@printf '%s' "$(CURDIR)" > $(READY)

# 730 MB, and no Python after 3.12: Superset keeps to a pandas that has no later builds.
ifneq ($(SUPERSET_IS_HERE),yes)
.PHONY: $(SUPERSET_READY)
endif

$(SUPERSET_READY): docs/bi/superset/requirements.txt | $(READY)
	@python=""; \
	for candidate in "$(PYTHON)" $(BIN)/python python3.12 python3.11; do \
		test -n "$$candidate" || continue; \
		"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
			2>/dev/null && { python="$$candidate"; break; }; \
	done; \
	test -n "$$python" || { \
		echo "Superset needs Python 3.11 or 3.12, and none was found."; \
		echo "Install one, or name it: make superset PYTHON=/path/to/python3.12"; exit 2; }; \
	echo "Creating $(SUPERSET) with $$($$python --version), 730 MB …"; \
	rm -rf $(SUPERSET); \
	$(BIN)/uv venv --quiet --python "$$python" $(SUPERSET)
	@$(BIN)/uv pip install --quiet --python $(SUPERSET)/bin/python --require-hashes \
		--compile-bytecode -r docs/bi/superset/requirements.txt
	@printf '%s' "$(CURDIR)" > $(SUPERSET_READY)

# Beside the rest: what both need has the same version in both locks.
$(SPARK_READY): requirements-spark.lock $(READY)
	@echo "Adding Apache Spark to $(VENV), one gigabyte …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps \
		-r requirements-spark.lock
	@touch $(SPARK_READY)

# dbt 2 loads DuckDB as a driver by its name: a manifest says where the library is.
ifneq ($(DBT2_IS_HERE),yes)
.PHONY: $(DBT2_READY)
endif

$(DBT2_READY): tests/dbt2/requirements.txt tests/dbt2/package-lock.json | $(READY)
	@command -v npm >/dev/null || { \
		echo "dbt 2 needs DuckDB's shared library, which npm installs, and there is no npm."; exit 2; }
	@test "$$(uname -sm)" = "Linux x86_64" || { \
		echo "dbt2-check names DuckDB's library for Linux on x86-64 alone."; exit 2; }
	@rm -rf $(DBT2)
	@mkdir -p $(DBT2)/driver
	@$(BIN)/uv venv --quiet --python $(BIN)/python $(DBT2)/venv
	@$(BIN)/uv pip install --quiet --python $(DBT2)/venv/bin/python --require-hashes \
		-r tests/dbt2/requirements.txt
	@cp tests/dbt2/package.json tests/dbt2/package-lock.json $(DBT2)/driver
	@cd $(DBT2)/driver && npm ci --silent --no-audit --no-fund
	@printf '%s\n' 'manifest_version = 1' 'name = "DuckDB"' '[Driver]' \
		'entrypoint = "duckdb_adbc_init"' '[Driver.shared]' \
		'linux_amd64 = "$(CURDIR)/$(DBT2)/driver/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so"' \
		> $(DBT2)/driver/duckdb.toml
	@printf '%s' "$(CURDIR)" > $(DBT2_READY)
