# The front door. Each target installs what it needs into .venv once, then says what it does.
#   make serve     the service on http://127.0.0.1:8000, with the models that are shipped in models/
#   make test      every behaviour, in some minutes      make test-slow  what trains, or takes a minute by itself
#   make test-all  these two, the long campaigns and the lowest versions
#   make check     linters of code, images, compose and k8s; mypy --strict
#   make train     DATA=folder of class folders SIGNALS=PTB-XL [GROUPS_CSV=records.csv] [ARCH=fusion] [FORCE=--force]
#   make train-findings  DATA=PTB-XL: the findings network alone, which make train takes up
#   make evaluate  DATA=… [GROUPS_CSV=…] [QUICK=--quick]: every network and baseline, leak-free, as the card says
#   make test-batch     archives: runners that are killed or race, a bucket, Ray
#   make test-gateway   the DICOM door beside Orthanc, dcmtk and dciodvfy
#   make test-deploy    images, compose and trainer on the Docker engine at hand (BASE_IMAGE=another base)
#   make release-check  everything that has to hold before a version is given out
#   make native    shared_preproc/*.c compiled, which each of these does where it has to
#   make wheel     dist/*.whl, compiled, for this platform and any Python
#   make install   everything, for development       make lock   renew requirements/*.txt       make clean

PYTHON ?= python3
ONNXRUNTIME ?= cpu
VENV := .venv
BIN := $(VENV)/bin
# The two ONNX Runtime packages overwrite each other, so the GPU's has an environment of its own.
SERVE_VENV := $(VENV)$(if $(filter gpu,$(ONNXRUNTIME)),-gpu)
SERVE := $(SERVE_VENV)/.installed-service
TRAIN := $(VENV)/.installed-trainer
DEV := $(VENV)/.installed-dev
# The compiled part of the preprocessing.
NATIVE := shared_preproc/libpreproc.so
# Where Zig is while it compiles that, if this machine has no C compiler.
ZIG := .cache/compiler
# In an environment of its own, because it caps what we share with it.
CHECKOV := .cache/checkov/.installed
# Without pip's cache, which would hold as much again as what is installed.
PIP := -m pip --disable-pip-version-check --no-cache-dir -q
INSTALL := $(PIP) install
# A file's tests stay in one process, as they share its fixtures.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
FLOORS := .cache/floors
SMOKE_TESTS := $(addprefix tests/service/test_,classify.py issuer_keys.py metrics.py models.py process.py spans.py tokens.py upload.py wire.py) \
  tests/shared_preproc/test_page.py tests/model_registry/test_graph.py
# In an environment of its own: 800 MB that only `ecg-batch --engine ray` needs.
RAY := .cache/ray/.installed

ARCH ?= fusion
RUNS ?= runs
DATA ?=
GROUPS_CSV ?=
SIGNALS ?=
FORCE ?=
QUICK ?=

.DEFAULT_GOAL := help
.PHONY: help native zig wheel serve test test-slow test-all test-floors test-batch test-gateway check install train train-findings evaluate lock clean test-deploy release-check

help:
	@sed -n '2,15p' Makefile

serve: $(SERVE) $(NATIVE)
	@echo "serve: http://127.0.0.1:$${ECG_PORT:-8000} (Ctrl-C stops it)"
	@exec $(SERVE_VENV)/bin/python -m service

# Whatever the files' times say.
native:
	@echo "native: shared_preproc/libpreproc*.so"
	@$(PYTHON) shared_preproc/native.py || $(MAKE) --no-print-directory zig

zig:
	@echo "native: no C compiler works here: Zig compiles (100 MB, removed afterwards)"
	@$(PYTHON) -m venv --clear $(ZIG)
	@$(ZIG)/bin/python $(INSTALL) --only-binary :all: --require-hashes -r requirements/compiler.txt
	@$(ZIG)/bin/python shared_preproc/native.py
	@rm -rf $(ZIG)

wheel: | $(BIN)/python
	@echo "wheel: dist/"
	@$(BIN)/python $(PIP) wheel --no-deps -w dist .

# Half of the time a test waits for a browser, a process or a clock: three of them share two cores.
test: $(DEV) $(NATIVE)
	@echo "test: pytest"
	@$(PYTEST) -n 3 $(PYTEST_ARGS)

test-slow: $(DEV) $(NATIVE)
	@echo "test-slow: pytest -m slow; trainings, promotions under load, axe in every state"
	@$(PYTEST) -m slow $(PYTEST_ARGS)

test-all: $(DEV) $(NATIVE) test-floors
	@echo "test-all: pytest, campaigns too"
	@$(PYTEST) --hypothesis-profile=campaign -m "not engine and not batch and not gateway" $(PYTEST_ARGS)

# The lowest versions that pyproject.toml allows, in an environment of their own.
test-floors: $(DEV) $(NATIVE)
	@echo "test-floors: pytest with the lowest versions that pyproject.toml allows"
	@$(BIN)/uv venv -q --clear --python $(BIN)/python $(FLOORS)
	@$(BIN)/uv pip install -q --python $(FLOORS) --resolution lowest-direct -r pyproject.toml --extra cpu --extra otel --group smoke
	@$(FLOORS)/bin/python -m pytest $(SMOKE_TESTS) $(PYTEST_ARGS)

test-batch: $(DEV) $(NATIVE) $(RAY)
	@echo "test-batch: pytest -m batch; kills, races, a bucket, Ray"
	@$(BIN)/python -m pytest -m batch tests/batch $(PYTEST_ARGS)

test-gateway: $(DEV) $(NATIVE)
	@echo "test-gateway: pytest -m gateway; Orthanc, dcmtk and dicom3tools on loopback"
	@for tool in Orthanc storescu storescp dciodvfy; do command -v $$tool >/dev/null || { \
	  echo "test-gateway: $$tool IS NOT INSTALLED: apt-get install orthanc orthanc-dicomweb dcmtk dicom3tools"; exit 1; }; done
	@CI=1 $(BIN)/python -m pytest -m gateway tests/gateway $(PYTEST_ARGS)

check: $(DEV) $(CHECKOV) $(NATIVE)
	@echo "check: ruff, clang-format, hadolint, yamllint, checkov, docker compose config, mypy --strict, import-linter"
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/clang-format --dry-run --Werror shared_preproc/*.c
	@$(BIN)/hadolint docker/*.Dockerfile
	@$(BIN)/yamllint --strict docker docker-compose.yml k8s
	@$(BIN)/python -m tests.deploy_static.manifests .cache/manifests
	@.cache/checkov/bin/checkov --config-file k8s/.checkov.yaml -d .cache/manifests
	@if docker compose version >/dev/null 2>&1; \
	  then docker compose -f docker-compose.yml -f docker/keys.yml --profile '*' config --quiet; \
	  else echo "check: NOT CHECKED: docker-compose.yml; docker compose is not here"; fi
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter

test-deploy: $(DEV) $(NATIVE)
	@docker info >/dev/null 2>&1 || { echo "test-deploy: no Docker engine answers (DOCKER_HOST=$$DOCKER_HOST)"; exit 1; }
	@echo "test-deploy: pytest -m engine; builds both images"
	@$(BIN)/python -m pytest -m engine tests/deploy $(PYTEST_ARGS)

release-check: check test-all test-deploy
	@$(MAKE) lock UPGRADE=
	@git diff --exit-code --stat requirements || { echo "release-check: requirements/ was not what pyproject.toml asks for"; exit 1; }
	@git diff --quiet HEAD || { echo "release-check: commit what is changed here first"; exit 1; }
	@echo "release-check: ready; next: docs/deployment/releases.md"

install: $(DEV) $(NATIVE)

train: $(TRAIN) $(NATIVE)
	@test -n "$(DATA)" || { echo "train: name the pages: make train DATA=folder-of-class-folders SIGNALS=ptb-xl [GROUPS_CSV=records.csv]"; exit 2; }
	@echo "train: $(ARCH) on $(DATA), runs in $(RUNS), bundle into models/"
	@$(BIN)/python -m trainer run "$(DATA)" --arch $(ARCH) --runs "$(RUNS)" --registry models $(FORCE) $(if $(GROUPS_CSV),--groups "$(GROUPS_CSV)") $(if $(SIGNALS),--signals "$(SIGNALS)")

train-findings: $(TRAIN) $(NATIVE)
	@test -n "$(DATA)" || { echo "train-findings: name PTB-XL's folder: make train-findings DATA=ptb-xl"; exit 2; }
	@$(BIN)/python -m trainer findings "$(DATA)" --runs "$(RUNS)"

evaluate: $(TRAIN) $(NATIVE)
	@test -n "$(DATA)" || { echo "evaluate: name the pages: make evaluate DATA=folder-of-class-folders [GROUPS_CSV=records.csv]"; exit 2; }
	@echo "evaluate: every candidate on $(DATA), in $(RUNS); hours, and resumable"
	@$(BIN)/python -m trainer evaluate "$(DATA)" --runs "$(RUNS)" $(QUICK) $(if $(GROUPS_CSV),--groups "$(GROUPS_CSV)")

UV_COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
UPGRADE ?= --upgrade
lock: $(DEV)
	@echo "lock: requirements/*.txt from pyproject.toml"
	@$(UV_COMPILE) $(UPGRADE) --extra cpu --extra trainer --extra dev pyproject.toml -o requirements/dev.txt
	@$(UV_COMPILE) $(UPGRADE) --extra cpu --extra trainer -c requirements/dev.txt pyproject.toml -o requirements/trainer.txt
	@$(UV_COMPILE) $(UPGRADE) --extra cpu --extra dicom --extra otel --extra pdf -c requirements/dev.txt pyproject.toml -o requirements/service-cpu.txt
	@$(UV_COMPILE) $(UPGRADE) --extra gpu --extra dicom --extra otel --extra pdf -c requirements/dev.txt pyproject.toml -o requirements/service-gpu.txt
	@$(UV_COMPILE) --group batch-image -c requirements/dev.txt -o requirements/batch.txt
	@$(UV_COMPILE) --group gateway-image -c requirements/dev.txt -o requirements/gateway.txt
	@$(UV_COMPILE) $(UPGRADE) --group sbom -o requirements/sbom.txt
	@$(UV_COMPILE) $(UPGRADE) --group compiler -o requirements/compiler.txt
	@$(UV_COMPILE) $(UPGRADE) --group checkov -o requirements/checkov.txt

clean:
	rm -rf shared_preproc/*.so shared_preproc/.lib* .venv .venv-gpu .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python .venv-gpu/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@echo "install: a virtual environment in $(@:/bin/python=)"
	@$(PYTHON) -m venv $(@:/bin/python=) || { rm -rf $(@:/bin/python=); exit 1; }

$(SERVE): requirements/service-$(ONNXRUNTIME).txt | $(SERVE_VENV)/bin/python
	@echo "install: the service (about half a minute, once)"
	@$(SERVE_VENV)/bin/python $(INSTALL) --no-compile --require-hashes -r $<
	@touch $@

$(TRAIN): requirements/trainer.txt | $(BIN)/python
	@echo "install: the trainer (some minutes, once)"
	@$(BIN)/python $(INSTALL) --require-hashes -r $<
	@touch $@

# Without resolving anew: pip knows no override of a cap (tool.uv in pyproject.toml), and the file is complete.
$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "install: service, trainer and development tools (some minutes, once)"
	@$(BIN)/python $(INSTALL) --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/python $(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(NATIVE): $(wildcard shared_preproc/*.c) shared_preproc/native.py requirements/compiler.txt
	@$(MAKE) --no-print-directory native

$(RAY): pyproject.toml | $(DEV)
	@echo "install: Ray (800 MB, a minute, once)"
	@$(BIN)/uv -q venv --clear --python $(BIN)/python .cache/ray
	@$(BIN)/uv -q pip install --compile-bytecode --python .cache/ray/bin/python -r pyproject.toml --extra batch --extra cpu --extra ray
	@touch $@

$(CHECKOV): requirements/checkov.txt | $(BIN)/python
	@echo "install: checkov (a minute, once)"
	@$(PYTHON) -m venv --clear .cache/checkov
	@.cache/checkov/bin/python $(INSTALL) --require-hashes -r $<
	@touch $@
