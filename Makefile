# Two commands are the whole set-up: `make demo` plays the main job, `make test` runs the tests.
# Every target installs what it needs into .venv first; the second time that costs nothing.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
AUTH := .firebase/.ready
PORT ?= 8080

.DEFAULT_GOAL := help
.PHONY: help setup format check static auth-emulator test serve tick demo bench bench-quick proof proof-short soak stage lock audit fuzz doctor judge clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(READY): requirements-dev.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Seatlease needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $(READY)

setup: $(READY) ## Install everything into .venv

format: $(READY) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

static: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.10 client/src
	PYTHONPATH=client/src $(BIN)/lint-imports --no-logo

check: static test ## The gate: format, lint, types, rooms, tests

auth-emulator: $(AUTH) ## Install the Firebase Auth emulator, where there is npm; it is a choice

# Where npm is missing this says so and makes no file: it is asked again the next time.
$(AUTH): $(READY)
	@$(BIN)/python -m infra.local auth-emulator

test: $(READY) $(AUTH) ## Run all tests, on the emulators
	$(BIN)/python -m pytest

serve: $(READY) ## Serve the functions under /v1/ on PORT until Ctrl-C
	@$(BIN)/python -m infra.local serve --port $(PORT)

tick: $(READY) ## Call the scheduled functions of the running stack now
	@$(BIN)/python -m infra.local tick

demo: $(READY) ## Play the story of three seats and five people
	@$(BIN)/python -m infra.local demo

bench: $(READY) ## Measure throughput, latency and cold starts, in a quarter of an hour
	@$(BIN)/python -m tests.programs.bench

bench-quick: $(READY) ## Glance at throughput and latency, in less than a minute
	@$(BIN)/python -m tests.programs.bench --quick

# --universal: for every platform and Python from 3.11 on. What is in a lock already stays; without the files all is looked up anew.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"

lock: $(READY) ## Write the locks anew from requirements.txt and requirements-dev.txt
	$(LOCK) requirements.txt --output-file requirements.lock
	$(LOCK) requirements-dev.txt --output-file requirements-dev.lock

# A distribution that could not be looked up fails it: nothing is known of that one.
audit: $(READY) ## Look for known vulnerabilities in everything that is locked; it needs PyPI itself
	$(BIN)/uvx pip-audit==2.10.1 --strict --progress-spinner=off --disable-pip --require-hashes -r requirements.lock
	$(BIN)/uvx pip-audit==2.10.1 --strict --progress-spinner=off --disable-pip --require-hashes -r requirements-dev.lock

fuzz: $(READY) $(AUTH) ## Send whatever comes to mind to every function: make fuzz SEED=... MINUTES=60
	@$(BIN)/python -m tests.programs.fuzz $(if $(SEED),--seed=$(SEED)) $(if $(MINUTES),--minutes=$(MINUTES))

proof: $(READY) ## Break everything for ten minutes and judge what came of it; SEED=... does it again
	@$(BIN)/python -m tests.programs.faults $(if $(SEED),--seed=$(SEED)) $(PROOF)

proof-short: $(READY) ## The same in about a minute
	@$(BIN)/python -m tests.programs.faults --short $(if $(SEED),--seed=$(SEED)) $(PROOF)

soak: $(READY) ## Half an hour at half of what the servers can do: nothing may grow; MINUTES=...
	@$(BIN)/python -m tests.programs.soak $(if $(MINUTES),--minutes=$(MINUTES))

doctor: $(READY) ## Look at a deployed project: make doctor PROJECT=... (DOCTOR=--help for more)
	@$(BIN)/python -m infra.doctor $(if $(PROJECT),--project=$(PROJECT)) $(DOCTOR)

judge: $(READY) ## Judge whether the promises were kept: make judge PROJECT=... ORGANIZATION=... (JUDGE=--help for more)
	@$(BIN)/python -m infra.judge $(ORGANIZATION) $(if $(PROJECT),--project=$(PROJECT)) $(JUDGE)

stage: ## Stage every function below build/, as it is deployed
	@$(PYTHON) -m infra.build.stage

clean: ## Remove what make made
	rm -rf .venv .firebase .local build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
