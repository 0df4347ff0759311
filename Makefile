# No set-up is needed: `make demo` shows what Seatlease does, `make test` runs the tests.
# Every target first installs what it needs into .venv, and skips this the next time.

# Where Python may not keep its bytecode, each server and each test worker compiles the same files again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
AUTH := .firebase/.ready
PORTAL := infra/hosting/.sources
PORT ?= 8080

.DEFAULT_GOAL := help
.PHONY: help setup format check static auth-emulator portal test test-long mutants serve tick demo bench bench-quick proof proof-short soak stage lock audit fuzz preflight doctor judge erase resync clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

# uv installs four times as fast as pip, which installs uv itself, and does the rest where uv cannot reach pip's index.
$(READY): requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Seatlease needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@echo "Installing the dependencies into .venv, Java included: about a minute, only the first time."
	@$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/^[^ ]*==/{/^uv==/p;/^ /p;}' requirements-dev.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements-dev.lock || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $(READY)

setup: $(READY) ## Install all dependencies into .venv

format: $(READY) ## Format the code and apply ruff's automatic fixes
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

# With npm, the types of the page for organizations are checked when it is built.
static: $(READY) $(PORTAL)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.10 client/src
	PYTHONPATH=client/src $(BIN)/lint-imports --no-logo

check: static test ## Check format, lint, types and imports, then run all tests

auth-emulator: $(AUTH) ## Install the Firebase Auth emulator (optional, needs npm)

# Without npm this prints a message and makes no file, so the next run tries again.
$(AUTH): infra/local/firebase/package-lock.json | $(READY)
	@$(BIN)/python -m infra.local auth-emulator

portal: $(PORTAL) ## Build the page for organizations (needs npm)

# As above. The command itself checks the types, and does nothing when nothing has changed.
$(PORTAL): $(wildcard portal/*.* portal/src/*.ts portal/src/*/*.ts) | $(READY)
	@$(BIN)/python -m infra.local portal

test: $(READY) $(AUTH) $(PORTAL) ## Run all tests on the emulators
	$(BIN)/python -m pytest

test-long: $(READY) $(AUTH) $(PORTAL) ## Run the long tests, and more random input (30 minutes)
	$(BIN)/python -m pytest -m long --timeout=1800
	$(BIN)/python -m pytest --hypothesis-profile=long --timeout=0 tests/interleavings tests/seats/test_seat_license.py

mutants: $(READY) ## Break the code in one place at a time: a test must fail
	$(BIN)/python -m pytest -m mutant --timeout=600

serve: $(READY) $(PORTAL) ## Serve the functions locally until Ctrl-C (PORT=8080)
	@$(BIN)/python -m infra.local serve --port $(PORT)

tick: $(READY) ## Call the scheduled functions of `make serve` now
	@$(BIN)/python -m infra.local tick

demo: $(READY) ## Show five people sharing three seats, in a minute
	@$(BIN)/python -m infra.local demo

bench: $(READY) ## Measure throughput, latency, cold starts (over 20 minutes)
	@$(BIN)/python -m tests.programs.bench

bench-quick: $(READY) ## Measure throughput and latency in less than a minute
	@$(BIN)/python -m tests.programs.bench --quick

# --universal: for every platform and Python from 3.11 on. Versions in an existing lock stay. Delete the locks to update all.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"

# The same for npm, without the address of the registry that was asked.
LOCK_NPM = npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

lock: $(READY) ## Write the lock files of Python and of npm (needs npm)
	$(LOCK) requirements.txt --output-file requirements.lock
	$(LOCK) requirements-dev.txt --output-file requirements-dev.lock
	$(LOCK_NPM) --prefix infra/local/firebase
	$(LOCK_NPM) --prefix client/examples/typescript
	$(LOCK_NPM) --prefix portal

# --strict: a distribution that could not be looked up is an error.
audit: $(READY) ## Check the locked packages for vulnerabilities (needs PyPI)
	$(BIN)/pip-audit --strict --progress-spinner=off --disable-pip --require-hashes -r requirements.lock
	$(BIN)/pip-audit --strict --progress-spinner=off --disable-pip --require-hashes -r requirements-dev.lock

fuzz: $(READY) $(AUTH) ## Send random requests to all functions (SEED=, MINUTES=60)
	@$(BIN)/python -m tests.programs.fuzz $(if $(SEED),--seed=$(SEED)) $(if $(MINUTES),--minutes=$(MINUTES))

proof: $(READY) ## Inject faults for 10 minutes, then run the judge (SEED=)
	@$(BIN)/python -m tests.programs.faults $(if $(SEED),--seed=$(SEED)) $(PROOF)

proof-short: $(READY) ## Inject faults for 1 minute, then run the judge (SEED=)
	@$(BIN)/python -m tests.programs.faults --short $(if $(SEED),--seed=$(SEED)) $(PROOF)

soak: $(READY) ## Run at half load and look for growth (MINUTES=30)
	@$(BIN)/python -m tests.programs.soak $(if $(MINUTES),--minutes=$(MINUTES))

preflight: $(READY) ## Check a project before a deployment (PROJECT=)
	@$(BIN)/python -m infra.build.preflight $(if $(PROJECT),--project=$(PROJECT)) $(PREFLIGHT)

doctor: $(READY) ## Check a deployed project (PROJECT=, DOCTOR=--help)
	@$(BIN)/python -m infra.doctor $(if $(PROJECT),--project=$(PROJECT)) $(DOCTOR)

resync: $(READY) ## Review all documents after a restore (PROJECT=)
	@$(BIN)/python -m infra.admin resync $(if $(PROJECT),--project=$(PROJECT)) $(if $(ORGANIZATION),--organization='$(ORGANIZATION)') $(RESYNC)

judge: $(READY) ## Judge a deployed organization (PROJECT=, ORGANIZATION=)
	@$(BIN)/python -m infra.judge $(ORGANIZATION) $(if $(PROJECT),--project=$(PROJECT)) $(JUDGE)

erase: $(READY) ## Erase a person (PROJECT=, ORGANIZATION=, UID=, CONFIRM=yes)
	@$(BIN)/python -m infra.admin erase --organization='$(ORGANIZATION)' --user='$(UID)' $(if $(PROJECT),--project=$(PROJECT)) $(if $(filter yes,$(CONFIRM)),--apply) $(ERASE)

stage: ## Write the deployable functions into build/
	@$(PYTHON) -m infra.build.stage

clean: ## Remove everything that make created
	rm -rf .venv .firebase .typescript .local build portal/node_modules infra/hosting .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
