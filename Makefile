.DEFAULT_GOAL := help
.PHONY: help setup check test demo lint types layers proto proto-check docs image interop interop-grpcio fuzz fuzz-coverage bench-fanout bench-kubernetes bench-h2spec bench-attacks soak lock fmt clean
BIN := .venv/bin
IMAGE := lbcontrol:0.1.0.dev0

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## makes .venv with everything in it; instant when nothing changed
	@scripts/setup

check: setup ## the quick gate, under 90 s: format, lint, types, layers, architecture, unit, property, protos
	@scripts/check

test: setup ## the whole suite with its coverage gate (minutes); what is not installed prints NOT RUN
	@scripts/test

demo: setup ## control plane, backends and a client on this machine, to break and to watch
	@$(BIN)/lbcontrol demo

lint: setup ## ruff: format and rules
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: setup ## mypy, strict
	@$(BIN)/mypy

layers: setup ## import-linter: who may import whom
	@$(BIN)/lint-imports

proto: setup ## generates code from protos/
	@scripts/proto

proto-check: setup ## generated code is up to date; buf lint and breaking
	@scripts/proto check

docs: setup ## writes docs/reference and the CRD from the code
	@$(BIN)/python scripts/reference.py && $(BIN)/python scripts/client_table.py && $(BIN)/python scripts/crd.py

image: setup ## builds the image with docker, and runs it as a Pod would; ARGS="--build-arg BASE=python@sha256:..."
	@docker build --tag $(IMAGE) $(ARGS) . && LBCONTROL_IMAGE=$(IMAGE) $(BIN)/pytest -q -s tests/e2e/test_container.py

interop: setup ## real clients against the real control plane; a part of it on transport grpcio too
	@$(BIN)/pytest tests/interop

interop-grpcio: setup ## all of it on transport grpcio
	@LBCONTROL_TEST_TRANSPORT=grpcio $(BIN)/pytest tests/interop

fuzz: setup ## http2 beside h2, 60 s a target; ARGS="--targets f1 f2 --seconds 600 --seed 7" or "--count 1000000"
	@$(BIN)/python -m tests.fuzz $(ARGS)

fuzz-coverage: setup ## branches of http2 that the kept inputs take alone; ARGS="--grow --count 5000" adds inputs
	@$(BIN)/python -m tests.fuzz --coverage $(ARGS)

bench-fanout: setup ## what pushes and load reports cost, beside other servers; ARGS="push-1k burst --passes 3"
	@$(BIN)/python -m benchmarks.fanout $(ARGS)

bench-kubernetes: setup ## EndpointSlice to clients, beside Istio and a Go informer; ARGS="1k 5k --servers lbcontrol informer"
	@$(BIN)/python -m benchmarks.kubernetes $(ARGS)

bench-h2spec: setup ## cases of h2spec that other servers pass; ARGS="envoy grpc-go"
	@$(BIN)/python -m benchmarks.h2spec $(ARGS)
bench-attacks: setup ## what known attacks cost the server; writes docs/reference/attacks.md
	@$(BIN)/python -m benchmarks.attacks

soak: setup ## 20 minutes of streams, changes and reconnects: nothing lost, nothing grows; ARGS="--seconds 60 --streams 1000"
	@$(BIN)/python -m benchmarks.soak $(ARGS)

lock: setup ## writes requirements/*.lock anew; make lock ARGS=--upgrade takes the newest versions
	@scripts/lock $(ARGS)

fmt: setup ## formats, and repairs what ruff can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean: ## removes .venv and caches of this checkout
	@rm -rf .venv .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
