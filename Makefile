# continuity: what to run, and what each target is for. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

SCENARIO ?= crash
SECONDS ?= 60

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: dependencies
dependencies: ## Install the system packages that are missing (apt)
	@scripts/install-dependencies

.PHONY: build
build: dependencies ## Build everything in the debug configuration
	@swift build

# Only what the demo runs: neither tests nor benchmarks.
.PHONY: demo
demo: ## Kill a real PostgreSQL primary and watch continuity move it (SCENARIO=crash|node-loss|switchover|drill)
	@scripts/install-dependencies demo
	@for program in continuity continuity-agent-guard continuity-hook-sandbox; do swift build --product $$program; done
	@.build/debug/continuity demo --scenario $(SCENARIO)

.PHONY: lint
lint: dependencies ## Check the format of the sources, the direction of the dependencies, the packs' Lua, units and claims
	@swift format lint --strict --recursive Package.swift Sources Tests Benchmarks
	@scripts/check-architecture
	@scripts/lint-lua
	@scripts/check-units
	@scripts/check-claims

.PHONY: test
test: dependencies lint ## Run everything: format, architecture, unit and integration tests
	@swift build --build-tests
	@scripts/fuzz replay
	@swift test --skip-build --filter '^(CoreTests|HTTPTests|StoreTests|ServerTests|SimulationTests)\.'
	@# One after the other: their scripts have budgets of wall time, which a busy machine uses up.
	@swift test --skip-build --no-parallel --filter '^(HooksTests|BrokerTests)\.'
	@# Alone: an agent reaps the orphans of its process, and would take other tests' children.
	@swift test --skip-build --filter '^AgentTests\.' --skip '^AgentTests\.PeerProbeTests'
	@# And these alone again: they have children of their own, a PostgreSQL's.
	@swift test --skip-build --no-parallel --filter '^AgentTests\.PeerProbeTests'
	@swift test --skip-build --no-parallel --filter '^IntegrationTests\.'
	@scripts/test-api
	@scripts/test-network
	@scripts/test-units

.PHONY: test-units
test-units: dependencies ## Run the systemd units under a systemd of their own (root, or sudo -n)
	@swift build
	@scripts/test-units

.PHONY: test-api
test-api: dependencies ## The real server against its OpenAPI document, with schemathesis (EXAMPLES=200: more)
	@swift build
	@scripts/test-api

.PHONY: test-network
test-network: dependencies ## The tests on real processes in network namespaces (root, or sudo -n), alone
	@swift build --build-tests
	@scripts/test-network

.PHONY: stall-table
stall-table: dependencies ## Stop each process for 100 ms to 20 s and show what moves (about ten minutes)
	@swift build --build-tests
	@scripts/test-network RealProcesses/StallTable

.PHONY: package
package: ## Build the Debian packages and a tarball in release, into .build/package
	@scripts/install-dependencies package
	@scripts/package

.PHONY: test-package
test-package: package ## Install the packages in a bare Debian and run them there (root, or sudo -n)
	@scripts/test-package

.PHONY: fuzz
fuzz: dependencies ## Search the hook worker for crashes with libFuzzer (SECONDS=60), and keep what it learns
	@scripts/fuzz run $(SECONDS)
	@scripts/fuzz keep

.PHONY: bench
bench: dependencies ## Build in release and run every benchmark (JSON=1 for machines)
	@swift build --configuration release >&2
	@.build/release/continuity-benchmarks

.PHONY: format
format: ## Format the sources in place
	@swift format --in-place --recursive Package.swift Sources Tests Benchmarks

.PHONY: clean
clean: ## Remove what was built
	@rm -rf .build
