# make run      a server on 127.0.0.1:12345 and you in its room `lobby`
# make test     all tests but the long ones
# make check    what CI runs: format, lint, types, tests, every branch of the pure ranks
# make faults   kills, simulation and load, at CI size;  make campaign: at the size of a release
# make bench    speed beside a raw C copier, Redis, NATS and others; about 9 minutes
# make screenshots   the pictures of README and docs
# make clean    remove what make made

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

# The ranks without sockets, clocks and disks: every branch of theirs is shown by a test.
COMMA := ,
PURE := src/sendall/protocol/*,src/sendall/crypto/*,src/sendall/steward/*,src/sendall/commands/grammar.py,$(subst $() ,$(COMMA),$(strip \
    $(patsubst %,src/sendall/log/%.py,tape roomlog batch grants retention memory) \
    $(patsubst %,src/sendall/server/%.py,admission authority connection delivery framing granting hosts kept_grants open_room \
        patience peers presence private_room reading reception relay room rooms seats session wants wire) \
    $(patsubst %,src/sendall/client/%.py,acts address author backoff beginning chronicle custody duties events following foyer handshake \
        history items keys names origin outbox pacing people private_following private_room reading ring room session signals standing \
        tidings verifying conversation/*)))

# Two processes, each with whole files: what a file sets up is set up once.
SHARED := -n 2 --dist loadfile

.PHONY: run test check faults campaign bench screenshots clean
.SILENT:

run: $(READY)
	$(BIN)/sendall up

test: $(READY)
	$(BIN)/pytest -q $(SHARED)

check: $(READY)
	$(BIN)/ruff format --check --quiet . || { echo "hint: $(BIN)/ruff format ."; exit 1; }
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/pytest -q $(SHARED) --cov --cov-report=
	$(BIN)/coverage report --show-missing --skip-covered --fail-under=100 --include='$(PURE)'

faults: $(READY)
	$(BIN)/pytest -q -m faults

campaign: $(READY)
	SENDALL_CAMPAIGN=1 $(BIN)/pytest -q -m faults --timeout=0

bench: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-bench.txt || \
	    echo "warning: not all of requirements-bench.txt could be installed; what needs it is skipped" >&2
	$(BIN)/python -m bench

screenshots: $(READY)
	$(BIN)/python -m tests.tools.screenshots

clean:
	rm -rf .venv .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis src/sendall.egg-info
	find src tests bench -name __pycache__ -prune -exec rm -rf {} +

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "error: sendall needs Python 3.11 or newer, and $(PYTHON) is `$(PYTHON) --version 2>/dev/null || echo not here`"; \
	    echo "hint: install one, then: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; } >&2
	echo "setting up .venv ..." >&2
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)
