# `make demo` and `make test` are the two commands that matter; `make help` lists the rest.
# The same steps as plain commands, for machines without make, stand in README.md.
#
# Variables:
#   PYTHON=...       interpreter for .venv (default: the first of python3.11, python3.12, ... that is 3.11 or newer)
#   PYTHON312=...    interpreter for .venv312 (default: python3.12, or one of pyenv's)
#   TORCH_INDEX=...  package index to take the CPU build of torch from, where PyPI's own carries CUDA (Linux):
#                    make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu

# runs a command with each interpreter of a list until one is new enough and can make environments; echoes that one
first_python = $(shell for python in $(1); do "$$python" -c 'import sys, venv, ensurepip; sys.exit(not ($(2)))' \
	2>/dev/null && { echo "$$python"; break; }; done)

PYTHON ?= $(call first_python,python3.11 python3.12 python3.13 python3.14 python3 python,sys.version_info >= (3, 11))
PYTHON312 ?= $(call first_python,python3.12 $(wildcard $(shell pyenv root 2>/dev/null)/versions/3.12*/bin/python),\
	sys.version_info[:2] == (3, 12))

BIN := .venv/bin
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --constraint constraints.txt \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
PINS := pyproject.toml constraints.txt
# slicer-core has wheels for Linux and Windows on x86-64 and for macOS on arm64
NO_SLICER := !! slicer-core or PySide6 could not be installed: the tests of the Slicer modules will be skipped.

.PHONY: help demo test check unit unit312 lists bench bench-full docs-figures clean
.DELETE_ON_ERROR:

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s%s\n", $$1, $$2 }' Makefile

demo: .venv/installed  ## phantom, segmentation, measurements and report, in the folder demo/
	@$(BIN)/implantseg demo demo

test: check unit unit312  ## lint, types, import contracts and all tests

check: .venv/installed-dev  ## lint, types and import contracts only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: .venv/installed-dev  ## the tests alone
	$(BIN)/python -m pytest

unit312:  ## the tests that need no torch, on Slicer's Python 3.12 where that interpreter is found
ifeq ($(strip $(PYTHON312)),)
	@echo '!! No Python 3.12 was found (python3.12, pyenv): NOTHING was tested on the Python of 3D Slicer.' >&2
	@echo '!! Install it, or name it: make test PYTHON312=/path/to/python3.12' >&2
else
	@$(MAKE) --no-print-directory .venv312/installed-dev
	.venv312/bin/python -m pytest
endif

lists: .venv/installed-dev  ## write the files that Slicer packages into the CMakeLists.txt of each module
	$(BIN)/python Testing/cmake_lists.py

bench: .venv/installed-dev  ## time and peak memory against the naive way, as ratios
	@for script in $(filter-out %/bench_full_size.py,$(wildcard Testing/bench/bench_*.py)); do \
		echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

bench-full: .venv/installed-dev  ## quantify a label volume of 8.8 GB in at most 4 GiB of memory
	$(BIN)/python Testing/bench/bench_full_size.py work/full-size

docs-figures: .venv/installed-dev  ## make the figures of docs/ again
	$(BIN)/python Testing/bench/difficulty.py work/difficulty docs/images
	@for script in docs/figures/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

clean:  ## delete environments, caches, build folders, demo/ and work/
	rm -rf .venv .venv312 build dist demo work *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(strip $(PYTHON))" || { echo 'No Python of version 3.11 or newer with the modules venv and ensurepip' \
		'was found (Debian: apt install python3-venv); name one: make PYTHON=/path/to/python3' >&2; exit 1; }
	@echo "making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv

.venv/installed: $(PINS) | .venv/bin/python
	@echo "installing implantseg into .venv (some minutes the first time)"
	@$(BIN)/python $(PIP_INSTALL) --editable .
	@touch $@

.venv/installed-dev: $(PINS) | .venv/bin/python
	@echo "installing implantseg and its development tools into .venv (some minutes the first time)"
	@$(BIN)/python $(PIP_INSTALL) --editable '.[train,cluster,dev]'
	@$(BIN)/python $(PIP_INSTALL) --editable '.[slicer-test]' || echo '$(NO_SLICER)' >&2
	@touch $@ .venv/installed

.venv312/installed-dev: $(PINS) Testing/torchless.py
	@echo "installing what the tests without torch need into .venv312, made with $(PYTHON312)"
	@test -x .venv312/bin/python || $(PYTHON312) -m venv .venv312
	@.venv312/bin/python Testing/torchless.py | .venv312/bin/python $(PIP_INSTALL) --requirement /dev/stdin
	@.venv312/bin/python $(PIP_INSTALL) --no-deps --editable .
	@.venv312/bin/python Testing/torchless.py slicer-test | .venv312/bin/python $(PIP_INSTALL) \
		--requirement /dev/stdin || echo '$(NO_SLICER)' >&2
	@touch $@
