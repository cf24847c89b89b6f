# run    the whole exchange in one process, with bots and the web page; no Docker, no server
#        BOTS=0 starts it empty; GATEWAY_PORT, FEED_PORT and DATA_DIR say where; QUIET=1 shows no line
#        every ten seconds; each is short for the EXCHANGE_… name that the program reads
# test   every test, in WORKERS=2 processes at a time (0: in pytest's own); ARGS="-k book" is handed to pytest
# test-chaos  a minute of faults at random, and services that are wrong and must be caught
# test-unit  the tests that need no server
# test-contract  what the queues must do, on SQLite and RabbitMQ; TEST_RABBITMQ_URL and
#        TEST_RABBITMQ_MANAGEMENT_URL name a broker for it, in which virtual hosts come and go
# coverage   whether the tests reach every branch of what decides about money, shares and priority
# test-compiled  the core's tests, and 50,000 compared commands, on the core compiled as in its image
# check  formatting, lint, types, and who may import whom
# chaos  faults at random under load, after which nothing may be lost or doubled: MINUTES=15;
#        SEED=, which each run prints, repeats the faults of that run; ARGS="--help" tells more
# bench  what the exchange can take; writes benchmarks/results.json
# format rewrite the code in the house format
# lock   find the newest versions of everything and pin them, with the hashes of their files, in constraints.txt
#
# Each sets up the virtual environment .venv first. PYTHON=/path/to/python3 chooses the interpreter.

.PHONY: run test test-unit test-chaos test-contract coverage test-compiled check chaos bench format lock

MINUTES ?= 15
WORKERS ?= 2
BIN := .venv/bin
PACKAGES := shared order-entry-gateway matching-engine clearinghouse market-data-feed trading-bots migrations exchange-cli
COVERED := matching_engine clearinghouse market_data_feed
PIP := $(BIN)/python -m pip --disable-pip-version-check
PINNED := $(BIN)/python scripts/pinned.py constraints.txt
INSTALL_PINNED := $(PIP) install --require-hashes --no-deps --requirement

SHORT_NAMES := BOTS GATEWAY_PORT FEED_PORT DATA_DIR QUIET
$(foreach name,$(SHORT_NAMES),$(if $(filter-out undefined,$(origin $(name))),$(eval export EXCHANGE_$(name) := $$($(name)))))

run: .venv/.packages
	@$(BIN)/python -m exchange_cli run

test: .venv/.tools
	@scripts/install-test-servers
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

test-unit: .venv/.tools
	$(BIN)/python -m pytest tests/unit $(ARGS)

test-chaos: .venv/.tools
	@scripts/install-test-servers
	$(BIN)/python -m pytest tests/e2e -m chaos $(ARGS)

test-contract: .venv/.tools
	@test -n "$(TEST_RABBITMQ_URL)" || scripts/install-test-servers
	$(BIN)/python -m pytest tests/contract $(ARGS)

# Without the tests that draw their own examples: what those happen to reach proves nothing.
coverage: .venv/.tools
	$(BIN)/python -m coverage run -m pytest -m "not hypothesis" $(addprefix tests/unit/,$(COVERED))
	$(BIN)/python -m coverage report

test-compiled: .venv/.tools
	@scripts/test-compiled $(BIN)/python $(ARGS)

check: .venv/.tools
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: .venv/.tools
	@scripts/install-test-servers
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: .venv/.tools
	@scripts/install-test-servers
	$(BIN)/python -m benchmarks $(ARGS)

format: .venv/.tools
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

lock:
	scripts/lock constraints.txt $(PACKAGES)

.venv/pyvenv.cfg:
	@scripts/create-venv .venv

# From an index come only files whose hashes are pinned. Our packages are named by their paths and looked for nowhere.
.venv/.packages: .venv/pyvenv.cfg constraints.txt $(PACKAGES:=/pyproject.toml)
	@echo "installing into .venv, which can take some minutes where the network or the disk is slow"
	@echo "  1 of 3: the build tools"
	@$(PINNED) hatchling editables > .venv/build.txt
	@$(INSTALL_PINNED) .venv/build.txt --quiet
	@echo "  2 of 3: the libraries"
	@$(BIN)/python scripts/third_party.py $(PACKAGES) | $(PINNED) > .venv/libraries.txt
	@$(INSTALL_PINNED) .venv/libraries.txt
	@echo "  3 of 3: the packages of the exchange"
	@$(PIP) install --quiet --no-deps --no-build-isolation $(addprefix --editable ./,$(PACKAGES))
	@$(PIP) check
	@touch $@

.venv/.tools: .venv/.packages requirements-dev.txt
	@echo "installing the development tools into .venv"
	@$(PINNED) < requirements-dev.txt > .venv/tools.txt
	@$(INSTALL_PINNED) .venv/tools.txt --quiet
	@touch $@
