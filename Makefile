# `make demo` and `make test` are all that a fresh machine needs; both set everything up first.

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench lint format clean

help: ## Say what there is to type
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## Create .venv, install, fetch the model files, find or install system libraries
	@sh scripts/with_python.sh scripts/setup

demo: setup ## Set up, then run a whole session on a simulated rig
	@.venv/bin/closedloop demo

test: setup ## Set up, then run every test
	@sh scripts/run_tests

bench: setup ## Set up, then list the benchmarks and how to run them
	@sed -n 's/^| `\(python -m benchmarks[^`]*\)` | \([^|]*\) |.*/  .venv\/bin\/\1  # \2/p' benchmarks/README.md

lint: setup ## Check style, types and layers
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: setup ## Put the code into its form, and mend what can be mended
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

clean: ## Remove the environment and the caches; sessions and model files stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
