# Yima 一码. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run demo test lint format bench bench-server soak snapshots picture lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP)/venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Yima needs Python 3.10 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMP) && touch $@

$(STAMP)/run: requirements/run.txt requirements/device.txt pyproject.toml | $(STAMP)/venv
	$(PIP) install --require-hashes -r requirements/run.txt
	$(PIP) install --require-hashes --no-deps -r requirements/device.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(STAMP)/dev: requirements/dev.txt requirements/stubs.txt requirements/oracle.txt $(STAMP)/run
	$(PIP) install --require-hashes -r requirements/dev.txt
	rm -rf build/typings
	$(PIP) install --require-hashes --no-deps --target build/typings -r requirements/stubs.txt
	rm -rf build/oracle
	$(PIP) install --require-hashes --no-deps --target build/oracle -r requirements/oracle.txt
	touch $@

run: $(STAMP)/run ## authority + fleet server + simulated handheld, one Ctrl-C stops all
	$(BIN)/yima run

demo: $(STAMP)/run ## a scripted passenger queue, no browser; exit status 1 if anything differs
	$(BIN)/yima demo

# One worker more than the two cores of a small machine: tests at a door mostly wait.
test: lint ## lint, types and every test
	$(BIN)/pytest -n 3 --dist loadgroup

lint: $(STAMP)/dev ## ruff and mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file mypy-device.ini

format: $(STAMP)/dev ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Only counts of fuel need it: where it cannot be had, the bench says so and measures the rest.
$(STAMP)/bench: requirements/bench.txt $(STAMP)/dev
	-rm -rf build/bench && $(PIP) install --require-hashes --target build/bench -r requirements/bench.txt && touch $@

bench: $(STAMP)/dev $(STAMP)/bench ## measure; writes build/bench.json
	$(BIN)/python -m host_tools.bench

bench-server: $(STAMP)/dev ## measure the fleet server on a PostgreSQL of its own; adds to build/bench.json
	$(BIN)/python -m host_tools.bench.server

soak: $(STAMP)/dev $(STAMP)/bench ## 200,000 fuzzed inputs, 20,000 for the codecs, 10,000 signatures for each verifier, 10,000 power cuts, 1,000 faulty exchanges
	YIMA_FUZZ_CASES=200000 YIMA_ORACLE_CASES=20000 YIMA_SOAK=1 \
		$(BIN)/pytest -n 2 tests/fuzz tests/host/test_certlogic_fuzz.py tests/host/test_ecdsa_oracles.py tests/host/test_wycheproof.py
	YIMA_CUT_WINDOWS=210 $(BIN)/pytest tests/mpy/test_ring_cut.py
	YIMA_FAULTY_EXCHANGES=1000 $(BIN)/pytest tests/host/test_faulty_sync.py

snapshots: $(STAMP)/dev ## draw the stored screen pictures anew
	$(BIN)/pytest tests/sim/test_screens.py --update-snapshots

picture: $(STAMP)/dev ## take the pictures in README and docs anew (needs chromium and a Chinese font)
	YIMA_PICTURE=docs/handheld.png YIMA_PICTURES=docs/simulator $(BIN)/pytest tests/web
	$(BIN)/yima scenario --shots docs/operating

lock: ## make the pinned requirement files anew (needs uv)
	cd requirements && for f in run dev stubs bench; do uv pip compile --universal --fork-strategy fewest --python-version 3.10 --generate-hashes --no-header --no-annotate -q $$f.in -o $$f.txt || exit 1; done
	cd requirements && uv pip compile --universal --no-deps --python-version 3.10 --generate-hashes --no-header --no-annotate -q device.in -o device.txt
	cd requirements && uv pip compile --universal --no-deps --python-version 3.10 --generate-hashes --no-header --no-annotate -q oracle.in -o oracle.txt

clean: ## remove everything that was built (not .yima, the running state)
	rm -rf build $(VENV)
