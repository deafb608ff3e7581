# Two commands: `make demo` and `make test`. Each sets up .venv if needed, then does its job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/demo

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint slow clean help

help:
	@echo "make demo   set up and search a network on embedded molecules (a few minutes)"
	@echo "make test   set up and run the tests"
	@echo "make lint   set up and run ruff, mypy and import-linter"
	@echo "make slow   the long tests: twenty kills, a Ray cluster, exports by the hundred"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# NOTE: the stamps sit inside .venv, so that removing it is all that a clean start needs.
$(VENV)/.ready-demo: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[molecular,edge]'
	@touch $@

$(VENV)/.ready-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.ready-demo

demo: $(VENV)/.ready-demo
	$(BIN)/gnas run docs/examples/freesolv.yaml --out $(OUT)

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

slow: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -m "slow"

lint: $(VENV)/.ready-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" bash .ci/lint

clean:
	rm -rf $(VENV) runs dist build
