# `make help` lists what a person runs. Everything else that these targets need, they install.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := operator

# Images for a cluster of your own: make images push REGISTRY=registry.example.com/infra TAG=0.1.0 [BASE=IMAGE]
REGISTRY ?= localhost
TAG ?= dev
ENGINE ?= $(firstword $(foreach tool,podman docker buildah,$(if $(shell command -v $(tool)),$(tool))))
NAMES := operator dataplane
# Another version may resolve, or write, the same dependencies in another way.
UV := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help
help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: lab ## the main job, step by step, on a real cluster on this machine (first time about 20 min)
	$(BIN)/python -m lab images
	$(BIN)/python -m lab up
	$(BIN)/python -m lab load
	$(BIN)/python -m lab.demo

.PHONY: test
test: lint lab ## all tests (first time about 40 min, then about 20)
	$(BIN)/python -m lab images
	$(BIN)/pytest -n 2 $(ARGS)

.PHONY: lint
lint: $(VENV)/ready ## format, style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p rackrelay -p lab -p tests
	$(BIN)/lint-imports

.PHONY: unit
unit: $(VENV)/ready ## the tests that need no cluster and no daemon
	$(BIN)/pytest tests/unit $(ARGS)

.PHONY: api dataplane e2e
api dataplane e2e: lab ## api, dataplane, e2e: one kind of test (ARGS="-k name" for one of them)
	$(if $(filter api,$@),,$(BIN)/python -m lab images)
	$(BIN)/pytest tests/$@ $(ARGS)

.PHONY: bench
bench: lab ## figures, as ratios where there is something to compare with: build/bench.json
	$(BIN)/python -m lab images
	$(BIN)/python -m tests.bench

.PHONY: golden
golden: lab ## write the golden files anew, to be read with git diff
	$(BIN)/pytest tests/golden tests/api/chart --update-golden

.PHONY: lab
lab: $(VENV)/ready ## what the lab needs: Debian packages, a built cluster, root file systems
	$(BIN)/python -m lab build

.PHONY: images push
images: ## both images for a registry: REGISTRY=... TAG=... [BASE=...] [ENGINE=podman|docker|buildah]
	$(foreach name,$(NAMES),$(ENGINE) build $(if $(BASE),--build-arg BASE=$(BASE)) --target $(name) --tag $(REGISTRY)/rackrelay/$(name):$(TAG) . &&) true

push: ## push what `make images` built
	$(foreach name,$(NAMES),$(ENGINE) push $(REGISTRY)/rackrelay/$(name):$(TAG) &&) true

.PHONY: lock
lock: $(VENV)/ready ## resolve the dependencies anew into requirements/
	$(PYTHON) -m venv build/uv && build/uv/bin/pip -q install uv==$(UV)
	for set in "dataplane" "operator --extra operator -c requirements/dataplane.txt" \
	    "dev --extra operator --extra dev -c requirements/operator.txt"; do \
	  read -r name options <<<"$$set"; \
	  build/uv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --upgrade pyproject.toml $$options -o requirements/$$name.txt; \
	done

$(VENV)/ready: requirements/dev.txt
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@# `python -m tests.bench` in a shell finds rackrelay as well.
	echo $(CURDIR)/operator >"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/rackrelay.pth"
	touch $@
