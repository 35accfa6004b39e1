# Everything here makes its own virtual environment first; the second call starts at once.
PYTHON ?= python3
BIN := .venv/bin
IMAGE ?= kubia-pet:dev
# The base image. Unset: the Dockerfile's; a release's, by digest, is in image/base/Dockerfile.
BASE ?=
# For make package: interpreters, by path or name. Unset: this environment's, and those that pyenv has.
PYTHONS ?=

LOCK := uv pip compile --custom-compile-command 'make lock' --quiet --upgrade --universal --python-version 3.13 --generate-hashes

# Most tests wait for others, not for the processor: several at a time, each file in one process.
TOGETHER := -n 4 --dist loadfile

.PHONY: help run test coverage check browser chart package reproducible arm64 torture labs lock image container e2e bench clean

help: ## Show these lines
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

run: .venv/run ## Run three pods, their name server and the public port on this machine
	@$(BIN)/kubia-pet local --faults

test: .venv/test ## Run all tests that need neither container engine, cluster, browser nor helm
	$(BIN)/python -m pytest $(TOGETHER) -m 'not alone' tests/unit tests/api tests/durability tests/hostile tests/compatibility tests/labs
	$(BIN)/python -m pytest -m alone tests/unit tests/api tests/durability tests/hostile tests/compatibility tests/labs

coverage: .venv/test ## Run the unit and API tests and say which lines they do not reach
	$(BIN)/python -m pytest --cov --cov-report=term tests/unit tests/api

check: .venv/check ## Check style, types and workflows; for those with actionlint, which CI must have
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --quiet --offline .github
	@if command -v actionlint; then actionlint; else echo "actionlint is not installed"; test -z "$$CI"; fi

browser: .venv/test ## Test the page in a real browser; needs Chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/browser

chart: .venv/test ## Test the chart, the release scripts and the monitoring; needs helm, promtool and Prometheus
	$(BIN)/python -m pytest $(TOGETHER) tests/chart tests/release tests/monitoring

package: .venv/test ## Build the package and run it from a fresh environment of each Python in PYTHONS
	PYTHONS="$(PYTHONS)" $(BIN)/python -m pytest tests/package

torture: .venv/test ## Run the long forms of the crash, fault and load tests
	KUBIA_PET_TORTURE=1 $(BIN)/python -m pytest -s tests/durability tests/hostile

labs: .venv/test ## Type the labs as a learner would, those of the cluster too; needs what make e2e needs
	KUBIA_PET_IMAGE=$(IMAGE) $(BIN)/python -m pytest -s tests/labs tests/e2e/test_labs.py

lock: ## Lock the newest versions of what the image and a release are made of; needs uv
	$(LOCK) --extra fast pyproject.toml -o requirements.lock
	echo 'hatchling>=1.27' | $(LOCK) - -o requirements-build.lock
	printf '%s\n' build 'click>=8.4' 'hatchling>=1.27' 'pyyaml>=6' | $(LOCK) --constraint requirements-build.lock - -o requirements-release.lock

reproducible: ## Build the image twice by BuildKit and compare the layers
	image/reproducible

arm64: ## Build the image for arm64 and try it, under emulation where this is another machine
	image/arm64

image: ## Build the container image
	docker build -t $(IMAGE) $(if $(BASE),--build-arg BASE=$(BASE)) .

container: .venv/test ## Test the container image; needs a Docker engine
	$(BIN)/python -m pytest -s tests/container

e2e: .venv/test ## Test on the cluster that KUBECONFIG names; needs the image on its nodes
	@test -n "$$KUBECONFIG" || { echo "make e2e needs a cluster. With kind:"; \
	  echo "  make image && export KUBECONFIG=\$$PWD/kubeconfig && tests/e2e/kind/up"; \
	  echo "More in tests/e2e/README.md."; exit 1; }
	KUBIA_PET_IMAGE=$(IMAGE) $(BIN)/python -m pytest -n 3 --dist loadfile -m 'not alone and not policies' tests/e2e --ignore=tests/e2e/test_labs.py
	KUBIA_PET_IMAGE=$(IMAGE) $(BIN)/python -m pytest -m alone tests/e2e --ignore=tests/e2e/test_labs.py

bench: .venv/bench ## Measure, against baselines from the same run
	$(BIN)/python -m bench

clean: ## Remove what these commands made, but for the pets' values
	rm -rf .venv .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.13 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip

.venv/run: .venv/bin/pip pyproject.toml
	$(BIN)/pip install --quiet --editable '.[fast]'
	@touch $@

.venv/test .venv/check .venv/bench: .venv/run
	$(BIN)/pip install --quiet --group $(@F)
	@touch $@
