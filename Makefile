# Everything there is to do here. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Where DuckDB, MySQL and the build output are kept: outside the checkout, so that a fresh clone
# builds quickly. scripts/env.sh says the same to the scripts.
export TRIBUTARY_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tributary
export DUCKDB_LIB_DIR ?= $(TRIBUTARY_CACHE)/lib
export CARGO_TARGET_DIR ?= $(TRIBUTARY_CACHE)/target
export LD_LIBRARY_PATH := $(DUCKDB_LIB_DIR)$(if $(LD_LIBRARY_PATH),:$(LD_LIBRARY_PATH))

.PHONY: help setup build demo test lint fmt deny bench huge soak services env

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is missing: MariaDB, MySQL and DuckDB for builds and tests
	@scripts/setup.sh

build: ## Build the program
	@scripts/setup.sh build
	cargo build -p tributary

demo: ## Move a small shop from MariaDB to DuckDB, and watch
	@scripts/demo.sh

test: setup ## Run all tests, on private servers
	cargo test --workspace

lint: setup ## Check format and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null || [ -x "$(TRIBUTARY_CACHE)/bin/cargo-deny" ]; then $(MAKE) --no-print-directory deny; fi

fmt: ## Format the code
	cargo fmt --all

deny: ## Check licenses and sources of dependencies (builds cargo-deny the first time)
	@command -v cargo-deny >/dev/null || [ -x "$(TRIBUTARY_CACHE)/bin/cargo-deny" ] || cargo install --locked --root "$(TRIBUTARY_CACHE)" cargo-deny
	PATH="$$PATH:$(TRIBUTARY_CACHE)/bin" cargo deny check licenses bans sources

bench: setup ## Measure, in a release build; takes minutes (OPTIONS=--help lists what can be chosen)
	cargo build --release -p tributary -p tributary-testkit --bin tributary --bin bench
	"$$CARGO_TARGET_DIR/release/bench" $(OPTIONS)

huge: setup ## Move a transaction of 5,000,000 rows, and watch the memory
	cargo test -p tributary --test tests -- --ignored --nocapture g6_five_million_rows

MINUTES ?= 10
soak: setup ## Run a daemon under load and faults, and watch it (MINUTES=10)
	cargo build -p tributary -p tributary-testkit --bin tributary --bin soak
	"$$CARGO_TARGET_DIR/debug/soak" $(MINUTES)

services: setup ## Start a private MariaDB and MySQL with the shop in them, until Ctrl-C
	@cargo run --quiet -p tributary-testkit --bin services

env: ## Print what cargo needs as shell exports, to be evaluated
	@for name in TRIBUTARY_CACHE DUCKDB_LIB_DIR CARGO_TARGET_DIR LD_LIBRARY_PATH; do printf 'export %s=%q\n' "$$name" "$${!name}"; done
