# streamssl: `make demo` and `make test` do all their own set-up.
PYTHON ?= python3
UV_VERSION := 0.13.9
DURATION ?=
FORM ?= long
STAGE ?=
PARTS ?=
EVENTS ?=
BASE ?=
BIN := .venv/bin
# The fault suite waits more than it works: the other tests run beside it.
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup test test-fast lint bits versus demo chaos bench-quality bench-speed peers lock lock-peers clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# Without Java or Maven set-up goes on: the demo then runs in memory, the tests on Kafka say why.
define FETCH_KAFKA
from streamssl.devkit.broker.jars import BrokerUnavailableError, fetch_jars, find_java
try:
    find_java()
    fetch_jars()
except BrokerUnavailableError as error:
    print(f"note: no Kafka broker here: {error}\n  (make demo will run in memory)")
endef
export FETCH_KAFKA

setup: .venv/.ready .venv/.native ## Make .venv with the pinned dependencies, and fetch Apache Kafka's jars
	@$(BIN)/python -c "$$FETCH_KAFKA"

# uv itself comes from PyPI; everything else from the hashed lock file.
.venv/.ready: pyproject.toml requirements.lock Makefile
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# A change of the sources is compiled anew; without a compiler NumPy does the work.
.venv/.native: streamssl/native/build.py $(wildcard streamssl/native/source/*) | .venv/.ready
	$(BIN)/python -m streamssl.native.build
	touch $@

lint: setup ## Style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## Every test, those on a real Kafka included
	$(PYTEST)

test-fast: setup ## The tests that need no Kafka
	$(PYTEST) -m "not kafka"

bits: setup ## Do another revision's bits and this one's agree, on this machine (BASE=v0.1)
	$(BIN)/python -m benchmarks.bits --base $(or $(BASE),$(error say BASE=REVISION))

versus: setup ## Speed of another revision and this one, in alternating rounds (BASE=v0.1)
	$(BIN)/python -m benchmarks.speed.versus --base $(or $(BASE),$(error say BASE=REVISION))

demo: setup ## A live stream with injected faults, learned from and scored (DURATION=30s ends by itself)
	$(BIN)/streamssl demo $(if $(DURATION),--duration $(DURATION))

chaos: setup ## Faults on a real Kafka, hours of them; goes on where it ended (STAGE=kills, FORM=short)
	$(BIN)/python -m benchmarks.chaos --form $(FORM) $(if $(STAGE),--stage $(STAGE))

bench-quality: setup ## Quality of scores and embeddings beside their peers -> docs/quality.md (STREAMSSL_BENCH_DATA=FOLDER)
	$(BIN)/streamssl bench quality
	$(BIN)/streamssl bench quality --suite embeddings

bench-speed: setup peers ## Speed beside its floors and peers -> docs/performance.md (PARTS=kafka EVENTS=20000)
	$(BIN)/streamssl bench speed $(if $(PARTS),--parts $(PARTS)) $(if $(EVENTS),--events $(EVENTS))

peers: .venv-peers/.ready ## Make .venv-peers with Quix Streams, river, rrcf and deep-river

.venv-peers/.ready: benchmarks/speed/peers.lock | .venv/.ready
	$(PYTHON) -m venv .venv-peers
	VIRTUAL_ENV=.venv-peers $(BIN)/uv pip install --quiet --require-hashes -r benchmarks/speed/peers.lock
	touch $@

lock: ## Renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	  --constraint constraints.txt --all-extras --group dev --no-header --no-annotate \
	  pyproject.toml -o requirements.lock

lock-peers: ## Renew benchmarks/speed/peers.lock from the group `peers`
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	  --no-header --no-annotate --group pyproject.toml:peers -o benchmarks/speed/peers.lock

clean: ## Remove the virtual environments and the tools' caches
	rm -rf .venv .venv-peers streamssl/native/kernels-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
