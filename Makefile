# SPDX-License-Identifier: LGPL-2.1-or-later
# Each target installs what it needs the first time; CONTRIBUTING.md says where. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MATRIX ?= 1.0 1.1
export LC_ALL := C.UTF-8
python := .venv/bin/python

.PHONY: help demo demo-live test test-versions test-matrix bench faults mutants lint format compatibility roots clean
help: ## list the targets
	@grep -hE '^[a-z%-]+:.*##' Makefile | sed -E 's/^([a-z%-]+):.*## (.*)/\1\t\2/; s/%/NAME/' | expand -t 16

demo: .venv/ready ## analyze a real panel, mend its feeds, post it before and after: build/demo
	@.ci/system freecad
	@examples/demo

demo-live: .venv/ready ## run a job on LinuxCNC, record it through a broker, compare: build/demo-live
	@.ci/system freecad controller broker
	@.venv/bin/camtwin demo --live

test: .venv/ready ## all tests: without FreeCAD, and inside this machine's FreeCAD, headless and windowed
	@.ci/system freecad controller store broker certificates
	@.ci/peers >/dev/null
	@.ci/test

test-versions: .venv/ready ## the tests over other people's libraries, with their lowest and newest versions
	@.ci/system broker certificates store
	@.ci/peers >/dev/null
	@.ci/versions

test-matrix: .venv/ready ## the tests inside the other FreeCADs, headless and windowed (MATRIX="1.0 1.1")
	@.ci/test $(MATRIX)

bench: .venv/ready ## every benchmark, each with its table and its build/bench/NAME.json
	@.ci/system freecad controller broker certificates
	@$(python) tests/bench/run.py

bench-%: .venv/ready ## one benchmark: tests/bench/NAME.py
	@.ci/system freecad controller broker certificates
	@$(python) tests/bench/run.py $*

lint: .venv/ready ## formatting, style, types (also as on Windows and macOS) and the layers
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/ruff check --preview --select PLW1514 .  # a text file without its encoding: a rule that ruff previews
	@.venv/bin/mypy
	@.venv/bin/mypy --platform win32 --cache-dir .mypy_cache/win32
	@.venv/bin/mypy --platform darwin --cache-dir .mypy_cache/darwin
	@PYTHONPATH=.:kernels .venv/bin/lint-imports

format: .venv/ready ## format the code and mend what ruff can mend
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

faults: .venv/ready ## every fault of network, machine and computer, done to a recorder: what was lost, and why
	@.ci/system broker
	@PYTHONPATH=.:kernels:tests $(python) -m faults.run

mutants: .venv/ready ## one change at a time in a sample of the code: how many does no test notice? build/mutants.json
	@.ci/system freecad controller store broker certificates
	@.ci/peers >/dev/null
	@PYTHONPATH=.:kernels:tests $(python) -m mutants.run

compatibility: .venv/ready ## every document at hand in FreeCAD 0.20, 1.0 and 1.1: docs/compatibility.md
	@.ci/system freecad
	@for version in $(MATRIX); do .ci/root $$version; done
	@$(python) tests/compatibility.py

roots: ## FreeCAD 1.0 and 1.1 beside this machine's own, in Debian roots under ~/.cache/camtwin
	@for version in $(MATRIX); do .ci/root $$version; done

clean: ## remove what was built here (.venv and ~/.cache/camtwin stay)
	@rm -rf build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.venv/ready: pyproject.toml .ci/venv
	@.ci/venv
