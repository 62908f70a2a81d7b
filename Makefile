# SPDX-License-Identifier: Apache-2.0
# A short front for people; Meson does the building. `make help` lists the targets.
BUILD ?= build
NUNCHI = $(BUILD)/nunchi
DESTDIR ?=
FUZZ_SECONDS ?= 60
SEED ?= 1
QUERIES ?= 50000

.PHONY: help run build test lint fuzz bench install clean conformance soak-kill soak-disk
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile

build: ## install what the build needs, then build build/nunchi
	@tools/install-packages build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --prefix=/usr
	@ninja -C $(BUILD) --quiet

run: build ## build, then start the server with no configuration
	@exec $(NUNCHI) server

test: ## install what tests need, build with both compilers, run every test
	@tools/install-packages build test
	@tools/run-tests

lint: ## warnings as errors with both compilers, format, layers, types
	@tools/install-packages build test
	@tools/lint

fuzz: ## every fuzz target for FUZZ_SECONDS (60) under sanitizers
	@tools/install-packages build test
	@tools/fuzz $(FUZZ_SECONDS)

bench: build ## measure, side by side with what is installed of the peers
	@tools/install-packages bench
	@ninja -C $(BUILD) --quiet bench-metrics
	@NUNCHI=$(abspath $(NUNCHI)) bench/run

conformance: build ## QUERIES (50000) random queries from SEED (1), compared with Prometheus
	@tools/install-packages build test
	@NUNCHI=$(abspath $(NUNCHI)) tests/conformance/differential.py --seed $(SEED) --queries $(QUERIES)

soak-kill: build ## 1,000 random kill -9 under load: no acknowledged sample may be lost
	@tests/flow/kill_ledger_test.py --kills 1000 --requests 20000

soak-disk: ## hours of power cuts, and every bit and length of a store damaged
	@tools/install-packages build test
	@test -f $(BUILD)-soak/build.ninja || meson setup $(BUILD)-soak -Dtests=enabled -Dui=disabled
	@ninja -C $(BUILD)-soak --quiet
	@for t in crash damage; do NUNCHI_TEST_SIZE=large $(BUILD)-soak/test-tsdb-$$t || exit 1; done

install: build ## install program, man pages, systemd unit and user below DESTDIR
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --quiet

clean: ## remove what was built
	rm -rf build build-*
