# Every target installs what it needs. On a fresh Debian machine: make demo, make test.
.DEFAULT_GOAL := help
PYTHON ?= python3
NAME ?= demo
BIN := .venv/bin
WITH_ENGINE := NSELF_TEST_ENGINE=$${NSELF_TEST_ENGINE:-install}
# What one process compiled the others need not.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo demo-down test suite test-fast proofs lint style mypy pyright tools format bench docs clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One at a time, so that two makes at once do not install into each other.
$(BIN)/.ready: pyproject.toml
	@./.ci/install $(PYTHON) .venv

demo: $(BIN)/.ready ## Bring the quickstart stack up on the local engine and show that it works (NAME=demo)
	@$(BIN)/python tests/demo.py up $(NAME)

demo-down: $(BIN)/.ready ## Stop the demo; its data stays (NAME=demo)
	@$(BIN)/python tests/demo.py down $(NAME)

test: $(BIN)/.ready ## All checks and tests; installs and starts a Docker engine where there is none
	@$(MAKE) --no-print-directory -j style mypy pyright suite

# Beside the checks of style and types: it waits for containers most of the time.
suite: $(BIN)/.ready tools
	$(WITH_ENGINE) $(BIN)/pytest -m "not long" -q -n 3 --dist loadfile --no-loadscope-reorder

test-fast: $(BIN)/.ready ## The tests that need no engine: seconds
	$(BIN)/pytest -m "not docker and not slow" -q -n 2 --dist worksteal

proofs: $(BIN)/.ready ## What takes minutes: every fault at every phase, many deploys, ten thousand requests, three times over
	$(WITH_ENGINE) $(BIN)/pytest -m long --timeout 3600

lint: $(BIN)/.ready ## Style and types
	@$(MAKE) --no-print-directory -j style mypy pyright

style: $(BIN)/.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check

mypy pyright: $(BIN)/.ready
	$(BIN)/$@

tools: $(BIN)/.ready
	@$(BIN)/python tests/rig tools

format: $(BIN)/.ready ## Put the source into its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(BIN)/.ready ## Speed, as ratios against something real in the same run
	$(BIN)/python tests/bench/compose.py
	$(BIN)/python -m tests.bench

docs: $(BIN)/.ready ## The documentation as a site, in site/
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[docs]'
	$(BIN)/python tests/compose/reference.py docs/compose-reference.md
	$(BIN)/mkdocs build --strict

clean: ## Remove what the targets made, except the demo's data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache site dist
