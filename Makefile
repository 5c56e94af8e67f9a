# The everyday commands; CMake does the work. `make help` lists them.
#
# Variables: PREFIX, DESTDIR (install); JOBS (parallel jobs); FILES (demo); PRESET (build);
# RECORD (bench, mutations), RESULT (goals), PERCENT (soak).
SHELL   := /bin/sh
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX  ?= /usr/local
DESTDIR ?=
PRESET  ?= product
FILES   ?=
PERCENT ?= 100
WERROR  := $(or $(NP_WERROR),OFF)

# Each recipe is parallel inside; two of them at once would work in the same build folder.
.NOTPARALLEL:

product := build/product
tool    := $(product)/tools/numaperf/numaperf

.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-quick soak mutations coverage bench counts counts-update install format format-check lint clean

help: ## this list
	@echo "numaperf: runs work next to its data on NUMA machines"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) JOBS=$(JOBS) PRESET=$(PRESET)"

setup: ## install the Debian packages that are missing, for everything
	@scripts/setup build test guest lint

build: ## build the library and the tool (PRESET=debug, asan, … for another configuration)
	@scripts/setup build $(if $(filter product minimal,$(PRESET)),,test)
	@cmake --preset $(PRESET) -DNP_WERROR=$(WERROR)
	@cmake --build --preset $(PRESET) -j $(JOBS)

demo: ## build, process real files on every NUMA node, show where the work ran (FILES="a b")
	@scripts/setup build
	@scripts/quietly build/product.log sh -c \
	    'cmake --preset product && cmake --build --preset product -j $(JOBS)'
	@$(tool) demo $(FILES)

test: ## everything: all tests, guests, sanitizers, clang, checks
	@JOBS=$(JOBS) NP_WERROR=$(WERROR) scripts/run-tests all

test-quick: ## the release build's tests, without guests
	@JOBS=$(JOBS) NP_WERROR=$(WERROR) scripts/run-tests quick

soak: ## the campaigns in full, then every mutation; hours, or less of each (PERCENT=10)
	@JOBS=$(JOBS) NP_WERROR=$(WERROR) SOAK_PERCENT=$(PERCENT) scripts/run-tests soak

mutations: ## plant every known bug and demand that the tests find it (RECORD=file.md keeps the table)
	@scripts/setup build test
	@tests/mutation/mutate.py --jobs $(JOBS) --results $(or $(RECORD),build/mutation/results.md)

coverage: ## which lines and branches of src the tests reach, with limits
	@scripts/setup build test
	@JOBS=$(JOBS) scripts/coverage

bench-build: ## build the benchmark's contenders, and say which peers are missing
	@scripts/setup build bench
	@scripts/quietly build/bench-configure.log cmake --preset bench
	@sed -n 's/^-- peers/peers/p' build/bench-configure.log
	@scripts/quietly build/bench.log cmake --build --preset bench -j $(JOBS)

bench: bench-build ## every benchmark beside its peers, about 15 minutes; RECORD=name keeps the result
	@bench/run $(if $(RECORD),--out bench/results --name $(RECORD),--out build/bench/results)

bench-quick: bench-build ## the same in two minutes, with smaller sizes and 3 rounds
	@bench/run --quick --out build/bench/results --name quick

goals: ## what a result says of the goals (RESULT=file.json, else the newest of record)
	@bench/run goals $(or $(RESULT),$(lastword $(sort $(wildcard bench/results/*.json))))

counts: ## what a step of each hot path costs (counts-update: the new limits and page)
counts counts-update:
	@scripts/setup build test
	@scripts/quietly build/release.log cmake --preset release
	@cmake --build --preset release -j $(JOBS) --target $@

install: ## install under PREFIX (default /usr/local), staged under DESTDIR if that is set
	@scripts/setup build
	@cmake --preset product -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@cmake --build --preset product -j $(JOBS)
	@DESTDIR=$(DESTDIR) cmake --install $(product)
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

format: ## rewrite the C sources in the project's format
	@scripts/setup lint
	@scripts/format

format-check: ## fail if any C source is not in the project's format
	@scripts/setup lint
	@scripts/format --check

lint: ## clang-tidy, cppcheck, layers, format
	@scripts/setup build test lint
	@JOBS=$(JOBS) scripts/lint

clean: ## remove everything that was built
	rm -rf build
