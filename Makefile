# Every target sets itself up on a machine with Python 3.11+ and make, and is quick the second time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AXE := tests/browser/node_modules/axe-core/axe.min.js
LINTERS := tests/clients/node_modules
CLIENT := clients/typescript
DEMO_DATABASE_URL ?= sqlite:///demo.sqlite3
SHELL := /bin/sh
.DEFAULT_GOAL := help

## run: serve on AI_MESSAGE_HOST:AI_MESSAGE_PORT (0.0.0.0:8000), over SQLite or DATABASE_URL
run: .env $(VENV)/.run
	@echo "Preparing the database and static files ..."
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py collectstatic --noinput --verbosity 0
	@echo "Serving; Ctrl-C stops. A first superuser: $(BIN)/python manage.py createsuperuser"
	@exec $(BIN)/gunicorn

## demo: fill a database of its own with people, conversations and reports; DEMO_DATABASE_URL names another
demo: export DATABASE_URL = $(DEMO_DATABASE_URL)
demo: .env $(VENV)/.run
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py load_demo $(ARGS)
	@echo "To serve it:  DATABASE_URL='$(DEMO_DATABASE_URL)' AI_MESSAGE_PORT=8001 make run"

## test: install what tests need and run the tests; TEST_DATABASE_URL names a PostgreSQL to run on
test: $(VENV)/.dev
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

## test-browser: whole stories in headless Chromium, against the server that `make run` starts
test-browser: $(VENV)/.dev $(AXE) $(CLIENT)/node_modules/.package-lock.json
	@$(BIN)/python -m pytest -m browser tests/browser $(ARGS)

### fuzz: 20,000 generated requests and 2,000 random histories on each database (an hour and a half)
fuzz: $(VENV)/.dev
	@bash -c 'source .ci/postgres && for url in "" "$$TEST_DATABASE_URL"; do TEST_DATABASE_URL=$$url \
		FUZZ_AT_LEAST=20000 FUZZ_EXAMPLES=174 HISTORIES=2000 \
		$(BIN)/python -m pytest -n auto --dist worksteal tests/fuzzing tests/histories $(ARGS) || exit 1; done'

## coverage: the suite with every line and branch counted; TEST_DATABASE_URL adds what PostgreSQL alone runs
coverage: $(VENV)/.dev
	@$(BIN)/python -m tools.covered

### faults: kill, freeze and flood servers and a PostgreSQL of its own, and count what is lost (half an hour)
faults: $(VENV)/.dev
	@$(BIN)/python -m pytest -m faults -p no:randomly -v --no-header tests/faults $(ARGS)

### import-drill: move 10,000 accounts and 1,000,000 messages in, and compare every row
import-drill: $(VENV)/.dev
	@$(BIN)/python -m operations.legacy_import.tests.drill

## lint: style, types, the order of imports, missing and unsafe migrations, the API's description, deployment settings
lint: $(VENV)/.dev $(LINTERS)/.package-lock.json $(CLIENT)/node_modules/.package-lock.json
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@PYTHONPATH=. $(BIN)/lint-imports --no-logo --no-cache
	@$(MANAGE) makemigrations --check --dry-run
	@for url in sqlite://:memory: $$TEST_DATABASE_URL; do \
		DATABASE_URL=$$url $(MANAGE) lintmigrations --settings aimessage.linting --quiet ok ignore || exit 1; \
	done
	@$(MANAGE) spectacular --validate --fail-on-warn --format openapi-json --file .make-openapi.json
	@REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(LINTERS)/.bin/redocly lint \
		--config tests/clients/redocly.yaml .make-openapi.json
	@$(LINTERS)/.bin/spectral lint --fail-severity hint --ruleset tests/clients/spectral.yaml .make-openapi.json
	@$(TYPES) --check || { echo "$(CLIENT)/src/api.ts is not what the description says: make client"; exit 1; }
	@$(CLIENT)/node_modules/.bin/tsc --project $(CLIENT) --noEmit
	@$(MANAGE) check --deploy --fail-level WARNING

### client: make the types of the TypeScript client anew from the API's description, and compile it
client: $(VENV)/.dev $(CLIENT)/node_modules/.package-lock.json
	@$(MANAGE) spectacular --validate --fail-on-warn --format openapi-json --file .make-openapi.json
	@$(TYPES)
	@$(CLIENT)/node_modules/.bin/tsc --project $(CLIENT)

TYPES = $(CLIENT)/node_modules/.bin/openapi-typescript .make-openapi.json --output $(CLIENT)/src/api.ts \
	--root-types --root-types-no-schema-prefix

### check-pins: ask PyPI or OSV, and npm, whether anything that is pinned has a known weakness
check-pins: $(VENV)/.dev
	@.ci/pins

# As in production, and whatever the developer's own .env says.
MANAGE = AI_MESSAGE_ENV_FILE=/dev/null AI_MESSAGE_HTTPS=1 \
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))') \
	$(BIN)/python manage.py

### drill: nginx in front of two instances: restarts, a sudden death, an upgrade, all under load
drill: $(VENV)/.dev
	@tools/drill/run

### container-drill: build deploy/Dockerfile and bring deploy/compose.yaml up with podman, as root (ten minutes)
container-drill:
	@tools/drill/containers

## format: let ruff put the code in order
format: $(VENV)/.dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

## bench: measure speed beside floors and a peer; SIZE=10k|100k|1m|10m ONLY=me,send QUICK=1
bench: $(VENV)/.run $(VENV)-bench/.bench
	@$(BIN)/python -m tools.benchmarks run --size $(or $(SIZE),1m) --port $(or $(PORT),8180) \
		$(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) \
		$(if $(FOLDER),--folder $(FOLDER)) $(if $(APP),--app $(APP)) $(ARGS)
	@$(if $(QUICK),,$(VENV)-bench/bin/python -m tools.benchmarks.report)

### bench-compare: CPU of each request in this checkout beside another, which APP names; minutes, on a busy machine, too
bench-compare: $(VENV)/.run
	@$(BIN)/python -m tools.benchmarks compare --size $(or $(SIZE),100k) $(if $(APP),--app $(APP)) \
		$(if $(ONLY),--only $(ONLY)) $(if $(FOLDER),--folder $(FOLDER)) $(ARGS)

### bench-growth: what lists and counts cost from 10k to 10m messages, side by side
bench-growth: $(VENV)/.run $(VENV)-bench/.bench
	@$(BIN)/python -m tools.benchmarks growth --port $(or $(PORT),8180) $(if $(FOLDER),--folder $(FOLDER)) $(ARGS)
	@$(VENV)-bench/bin/python -m tools.benchmarks.report

### bench-report: tools/benchmarks/report.md and its plots, from the raw results
bench-report: $(VENV)-bench/.bench
	@$(VENV)-bench/bin/python -m tools.benchmarks.report

### lock: write requirements*.txt anew from requirements*.in
lock: $(VENV)/.dev
	@for name in requirements requirements-dev tools/benchmarks/requirements tools/benchmarks/peer/requirements; do \
		$(BIN)/pip-compile --quiet --upgrade --generate-hashes --no-strip-extras --allow-unsafe \
			--no-emit-index-url --no-emit-find-links --output-file $$name.txt $$name.in || exit 1; \
	done

## clean: remove what the other targets made, but neither .env nor the database
clean:
	rm -rf $(VENV) $(VENV)-bench staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage test-artifacts tests/browser/node_modules $(LINTERS) \
		$(CLIENT)/node_modules $(CLIENT)/dist $(CLIENT)/test/built

## help: this list
help:
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' Makefile | expand -t 18
	@printf '\nFor contributors:\n'
	@sed -n 's/^### \([a-z-]*\): /\1\t/p' Makefile | expand -t 18

.env:
	@echo "Writing .env with a fresh SECRET_KEY ..."
	@umask 077 && $(PYTHON) -c 'import secrets; print("SECRET_KEY=" + secrets.token_urlsafe(50))' > $@
	@sed '/^SECRET_KEY=/d' .env.example >> $@

$(VENV)/bin/python:
	@command -v $(PYTHON) > /dev/null || { \
		echo "There is no $(PYTHON). Install Python 3.11 or newer (Debian: apt install python3 python3-venv)," \
			"or name one: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$$($(PYTHON) --version) is too old; Python 3.11 or newer is needed. Name one:" \
			"make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || { \
		echo "This Python cannot make virtual environments. On Debian and Ubuntu:" \
			"apt install python3-venv"; exit 1; }
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	@echo "Installing what the server needs ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.txt
	@touch $@

# What looks for faults of accessibility; npm compares it with the digest in package-lock.json.
$(AXE): tests/browser/package-lock.json
	@command -v npm > /dev/null || { echo "npm is missing. On Debian: apt install npm"; exit 1; }
	@npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# What lints the API's description, and what makes the TypeScript client. Make takes the folders for their files.
$(LINTERS): $(LINTERS)/.package-lock.json
$(CLIENT)/node_modules: $(CLIENT)/node_modules/.package-lock.json

%/node_modules/.package-lock.json: %/package-lock.json
	@command -v npm > /dev/null || { echo "npm is missing. On Debian: apt install npm"; exit 1; }
	@npm ci --prefix $* --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "Installing what tests and lint need ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements-dev.txt
	@touch $@

# Apart from the others: what it is measured against is none of the server's business.
$(VENV)-bench/.bench: tools/benchmarks/requirements.txt tools/benchmarks/peer/requirements.txt | $(VENV)/bin/python
	@echo "Installing what the benchmark needs ..."
	@$(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes \
		-r tools/benchmarks/requirements.txt -r tools/benchmarks/peer/requirements.txt
	@touch $@

.PHONY: run demo test test-browser fuzz coverage faults bench bench-compare bench-growth bench-report drill container-drill import-drill lint client check-pins format lock clean help
