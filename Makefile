PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
# Synapse lives in an environment of its own, made once and shared by demo, tests and bench.
export POSTROOM_SYNAPSE ?= $(CURDIR)/.cache/synapse-1.163.0

.PHONY: demo test quick lint bench corpus docs screens mutants

# Fill the environment anew when what it holds is declared differently.
$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/postroom demo $(if $(ONCE),--once)$(if $(MAIL),--mail)

# Tests wait for servers more than they compute: more at a time than a small machine has cores.
# STRICT=1: a skipped test is a failure. FULL=1: every story and the sweep on both databases.
JOBS ?= 5
test: $(READY)
	$(BIN)/python -m tests.provision
	STRICT=$(STRICT) FULL=$(FULL) $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal --durations=10 $(ARGS)

# What needs no server but our own, and one story: while you write.
quick: $(READY)
	$(BIN)/python -m pytest -q -n $(JOBS) tests/chat tests/config tests/model tests/test_floors.py \
	  tests/test_docs.py tests/test_config.py tests/mail/test_parts.py tests/mail/test_reading.py \
	  "tests/stories/test_day.py" -k "not postgres"

# The pages of docs/ that are made from the code.
docs: $(READY)
	$(BIN)/python -m tests.pages

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_floors.py

bench: $(READY)
	$(BIN)/python -m tests.provision
	CHECK=$(CHECK) $(BIN)/python -m bench.reading
	CHECK=$(CHECK) $(BIN)/python -m bench.desk
	CHECK=$(CHECK) $(BIN)/python -m bench.posting
	$(BIN)/python -m bench.run

# Each defence taken out by itself: the tests of its threat must notice. make mutants T="T01 T50"
mutants: $(READY)
	$(BIN)/python -m tests.provision
	$(BIN)/python -m tests.mutants $(T)

# Any folder of mail, read as the bridge reads it: make corpus DIR=/path/to/mail
corpus: $(READY)
	$(BIN)/python -m tests.corpus "$(DIR)"

# Pictures of pages and rooms, in screens/
screens: $(READY)
	$(BIN)/python -m tests.provision
	$(BIN)/python -m tests.screens
