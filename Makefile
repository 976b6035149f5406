# Every target sets up what it needs on a machine that has only Python 3.11 or newer and make.
#
#   make demo     the tasks example: a server with sample data and a page where two windows follow each other
#   make cluster  PostgreSQL, three nodes, a balancer and the chat; its page says which node a window is on
#   make test     every check: style, types, layers, tests with the real clients
#   make test-all the tests on every Python and Node.js that we promise, as far as they are to be had
#   make test-cli-versions  every minor version of the official command line that is still in use
#   make test-components  apps with every component from npm that we promise; `make test` takes the ten most used
#   make chaos    a thousand faults of servers, PostgreSQL and networks under the official clients (FAULTS=40: fewer)
#   make test-js  the unit tests of the TypeScript host alone
#   make lint     style, types and layers alone
#   make coverage what each module's own tests reach, and whether that has fallen
#   make dashboard the dashboard at /dashboard; packages bring it along, a checkout builds it
#   make docs     the site of the documentation, in site/; warnings are errors
#   make bench    one report of measurements
#   make clean    remove what the other targets made

PYTHON ?= python3
VENV ?= .venv
PORT ?= 3210
SITE_PORT ?= 3211
WORKERS ?= 3
FAULTS ?= 1000

BIN := $(VENV)/bin
SETUP := $(BIN)/python tools/setup.py

.PHONY: demo cluster dashboard test chaos test-all test-cli-versions test-components test-js coverage lint docs bench clean
.DEFAULT_GOAL := demo

demo: dashboard
	@$(SETUP) npm examples/tasks
	@$(BIN)/parabola codegen --project examples/tasks --quiet
	@$(SETUP) run examples/tasks build
	@cd examples/tasks && exec "$(abspath $(BIN))/parabola" dev --port $(PORT) --site-port $(SITE_PORT) --public web/dist --run sample:load

cluster: $(VENV)/.installed-dev
	@$(SETUP) npm examples/chat-web
	@$(SETUP) postgres
	@PORT=$(PORT) $(BIN)/python tools/cluster.py

dashboard: $(VENV)/.installed
	@$(SETUP) npm ui
	@echo "  · building the dashboard"
	@$(SETUP) run ui build

test: lint dashboard
	@$(SETUP) run ui test
	@$(SETUP) npm tests/e2e
	@$(SETUP) command-lines oldest
	@$(SETUP) chromium
	@$(SETUP) postgres
	$(BIN)/python tools/run_tests.py -n $(WORKERS) --dist worksteal

test-all: $(VENV)/.installed-dev
	@$(SETUP) npm tests/e2e
	@$(SETUP) chromium
	@$(SETUP) postgres
	@$(BIN)/python tools/test_all.py

test-cli-versions: $(VENV)/.installed-dev
	@$(SETUP) npm tests/e2e
	@$(SETUP) command-lines all
	PARABOLA_CLI_VERSIONS=all $(BIN)/python -m pytest -q -n $(WORKERS) tests/e2e/test_cli_versions.py

test-components: $(VENV)/.installed-dev
	@$(SETUP) npm tests/e2e
	@$(SETUP) npm tests/e2e/npm_components
	@$(SETUP) chromium
	PARABOLA_TEST_COMPONENTS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile \
		tests/e2e/test_npm_components.py tests/e2e/npm_components

chaos: $(VENV)/.installed-dev
	@$(SETUP) npm tests/e2e
	@$(SETUP) postgres
	cd tests && $(abspath $(BIN))/python -m chaos $(FAULTS)

test-js: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q tests/hosts_node/test_units.py

coverage: $(VENV)/.installed-dev
	@$(SETUP) postgres
	@$(BIN)/python tools/cover.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/rooms.py --check
	@$(SETUP) npm tools/javascript
	$(SETUP) run tools/javascript check-format
	$(SETUP) run tools/javascript lint
	$(SETUP) run tools/javascript check-types
	@$(SETUP) npm ui
	$(SETUP) run ui check-types

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "  · site/ is a site: $(PYTHON) -m http.server --directory site"

bench: $(VENV)/.installed-dev
	@$(SETUP) npm tests/e2e
	@$(SETUP) npm benchmarks/assistants
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) site src/parabola/dashboard ui/node_modules .test-all .cli-versions examples/*/node_modules examples/*/web/dist examples/*/.parabola tests/e2e/node_modules \
		tests/e2e/npm_components/node_modules tools/javascript/node_modules benchmarks/assistants/node_modules

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "  · installing Parabola into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@$(BIN)/python -m compileall -q src/parabola  # servers start sooner; some environments forbid Python to keep this itself
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml
	@echo "  · installing Parabola and its development tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,docs]"
	@$(BIN)/python -m compileall -q src/parabola  # servers start sooner; some environments forbid Python to keep this itself
	@touch $@ $(VENV)/.installed $(VENV)/.installed-docs

$(VENV)/.installed-docs: $(VENV)/bin/python pyproject.toml
	@echo "  · installing Parabola and what makes its documentation into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	@touch $@ $(VENV)/.installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Parabola needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12")'
	@echo "  · making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
