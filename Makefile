# Everything that is done with this project, in one place: `make` lists it.
#
# Wants Python 3.11 or newer and make, nothing else. uv is taken from the PATH, or put
# into .tools; what it installs goes into .venv. Both can be deleted at any time.

# The release that wrote uv.lock.
UV_VERSION = 0.13.9
PYTHON ?= python3
PORT ?= 8000
# Not from the environment, where shells and compilers put other things under this name.
HOST = 127.0.0.1
# The servers of the second test run, used where they answer. The suite makes databases
# of its own there, and empties the Redis databases 1 to 15.
TEST_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/test
TEST_REDIS_URL ?= redis://127.0.0.1:6379/0
# For pytest, such as ARGS="tests/accounts -k login".
ARGS ?=
# Any value: fail where the second test run cannot take place, or measure coverage and
# fail below what pyproject.toml wants.
ENGINES ?=
COVERAGE ?=
# The order of the tests; give an old one to repeat it.
ifndef SEED
SEED := $(shell date +%s)
endif
WORKERS ?= auto

SHELL = /bin/sh
.DEFAULT_GOAL = help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

export UV_PROJECT_ENVIRONMENT = .venv
export UV_PYTHON = $(PYTHON)
export UV_PYTHON_DOWNLOADS = never
# Another active environment is not this one, and uv would say so each time.
unexport VIRTUAL_ENV

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- Installing ---------------------------------------------------------------------
# A stamp says that an installation came to its end; it is younger than what it installed
# from. Without one, or with a Python that does not start, what lies there is half-made
# and is made again from nothing.
UV := $(if $(shell uv --version 2>/dev/null),uv,.tools/bin/uv)
RUNTIME = .venv/.runtime
DEVELOPMENT = .venv/.development
SOUND = test "$$(.venv/bin/python -c 'print("sound")' 2>/dev/null)" = sound
INSTALL = $(UV) sync --quiet --frozen --all-extras

ifeq ($(UV),.tools/bin/uv)
UV_STAMP = .tools/.uv-$(UV_VERSION)
ifeq ($(shell $(UV) --version 2>/dev/null),)
.PHONY: $(UV_STAMP)
endif
$(UV_STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo "Installing uv into .tools"
	@rm -rf .tools
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@
endif

ifneq ($(shell $(SOUND) || echo broken),)
.PHONY: $(RUNTIME) $(DEVELOPMENT)
endif

$(RUNTIME): pyproject.toml uv.lock $(UV_STAMP)
	@echo "Installing what serving needs into .venv"
	@test -e $@ && $(SOUND) || rm -rf .venv
	@rm -f $@
	@$(INSTALL) --no-dev --inexact
	@touch $@

$(DEVELOPMENT): pyproject.toml uv.lock $(UV_STAMP)
	@echo "Installing what development needs into .venv"
	@test -e $(RUNTIME) && $(SOUND) || rm -rf .venv
	@rm -f $(RUNTIME) $@
	@$(INSTALL)
	@touch $(RUNTIME) $@

.PHONY: install-dev
install-dev: $(DEVELOPMENT) ## Install everything that development needs, as locked

.PHONY: sync
sync: $(UV_STAMP) ## Lock anew after a change of pyproject.toml, and install it
	@$(UV) lock
	@$(MAKE) install-dev

# --- Serving ------------------------------------------------------------------------
MANAGE = .venv/bin/python manage.py

.PHONY: run
run: $(RUNTIME) ## Install, migrate, make the first superuser and serve (PORT=8000 HOST=127.0.0.1)
	@.venv/bin/python -m config.first_run write
	@$(MANAGE) collectstatic --no-input --verbosity 0
	@$(MANAGE) migrate --no-input --verbosity 0
	@$(MANAGE) ensure_superuser
	@.venv/bin/python -m config.first_run welcome http://localhost:$(PORT)
	@exec $(MANAGE) serve --host $(HOST) --port $(PORT)

# --- Checking -----------------------------------------------------------------------
# Nobody's .env, no server, keys of the moment: what these commands find is in the code.
BARE = ENV_FILE=/dev/null SECRET_KEY="$$($(PYTHON) -c 'import secrets; print(secrets.token_hex(32))')"
AS_DEVELOPMENT = $(BARE) ENVIRONMENT=development DATABASE_URL=sqlite://:memory: REDIS_URL=
AS_PRODUCTION = $(BARE) ENVIRONMENT=production DATABASE_URL=postgres://nobody@127.0.0.1/nothing \
	REDIS_URL=redis://127.0.0.1/0 ALLOWED_HOSTS=api.example.com \
	PUBLIC_URL=https://api.example.com FRONTEND_URL=https://app.example.com EMAIL_URL=smtp://mail.example.com

.PHONY: lint
lint: $(DEVELOPMENT) ## Look for mistakes (ruff)
	.venv/bin/ruff check .

.PHONY: lint-fix
lint-fix: $(DEVELOPMENT) ## Mend the mistakes that can be mended safely
	.venv/bin/ruff check --fix .

.PHONY: format
format: $(DEVELOPMENT) ## Format the code
	.venv/bin/ruff format .

.PHONY: format-check
format-check: $(DEVELOPMENT) ## Fail where `make format` would change something
	.venv/bin/ruff format --check .

.PHONY: type-check
type-check: $(DEVELOPMENT) ## Check the types (mypy, strict)
	.venv/bin/mypy .

.PHONY: validate
validate: lint format-check type-check ## All checks but the tests: the above, imports, migrations, settings, OpenAPI, packages
	.venv/bin/lint-imports
	$(AS_DEVELOPMENT) $(MANAGE) makemigrations --check --dry-run
	$(AS_PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING
	$(AS_DEVELOPMENT) $(MANAGE) write_openapi --check
	.venv/bin/deptry . --extend-exclude '\.tools'
	$(UV) lock --check

.PHONY: openapi
openapi: $(DEVELOPMENT) ## Write docs/openapi.json anew
	$(AS_DEVELOPMENT) $(MANAGE) write_openapi

.PHONY: asyncapi
asyncapi: ## Check the document of the live events (needs npm)
	npm install --prefix .tools/asyncapi --no-save --no-audit --no-fund --silent @asyncapi/parser@3.6.6
	NODE_PATH=.tools/asyncapi/node_modules node .ci/check_asyncapi.cjs docs/asyncapi.yaml

# --- Testing ------------------------------------------------------------------------
# Why the servers of the second run cannot be used; nothing where they can.
PROBE = .venv/bin/python -c "import psycopg, redis; \
	psycopg.connect('$(TEST_DATABASE_URL)', connect_timeout=2).close(); \
	redis.Redis.from_url('$(TEST_REDIS_URL)', socket_connect_timeout=2).ping()" \
	2>&1 | tail -n 1
# The threshold of coverage counts both runs together: the second one applies it.
MEASURE = $(if $(COVERAGE),--cov --cov-fail-under=0)
MEASURE_FIRST = $(if $(COVERAGE),--cov --cov-fail-under=0 --cov-report=)
MEASURE_SECOND = $(if $(COVERAGE),--cov --cov-append)

.PHONY: test
test: ## Run the suite on SQLite, then on PostgreSQL and Redis where they answer (ARGS="...")
.PHONY: test-cov
test-cov: COVERAGE = required
test-cov: ## The same, and fail below the coverage that pyproject.toml wants

# pytest's closing line is the last one: what else is to be said comes before.
test test-cov: $(DEVELOPMENT)
	@suite() { \
		echo "== $$1 (SEED=$(SEED))"; shift; \
		.venv/bin/python -m pytest --quiet --numprocesses=$(WORKERS) --maxprocesses=8 \
			--randomly-seed=$(SEED) "$$@" $(ARGS); \
	}; \
	export DATABASE_URL= POSTGRES_HOST= REDIS_URL=; \
	reason=$$($(PROBE)); \
	if [ -n "$$reason" ]; then \
		echo "PostgreSQL and Redis cannot be used: $$reason"; \
		test -z "$(ENGINES)" || exit 1; \
		suite "SQLite alone" $(MEASURE); \
	else \
		suite "SQLite" $(MEASURE_FIRST) || exit; \
		export DATABASE_URL="$(TEST_DATABASE_URL)" REDIS_URL="$(TEST_REDIS_URL)"; \
		suite "PostgreSQL and Redis" $(MEASURE_SECOND); \
	fi

# --- Measuring ----------------------------------------------------------------------
# Seconds of one run of wrk. 1 proves that the bench works, in one round of everything.
BENCH_SECONDS ?= 10

.PHONY: bench
bench: $(RUNTIME) ## Compare with stock DRF and SimpleJWT under load (BENCH_SECONDS=10 ARGS=--write)
	@BENCH_SECONDS="$(BENCH_SECONDS)" .venv/bin/python -m benchmarks.run $(ARGS)

.PHONY: bench-live
bench-live: $(RUNTIME) ## Open two thousand sockets and tell all of them (ARGS="--sockets 500 --write")
	@.venv/bin/python -m benchmarks.live $(ARGS)

.PHONY: bench-growth
bench-growth: $(RUNTIME) ## Compare ten thousand people with a million on PostgreSQL (ARGS=--write)
	@.venv/bin/python -m benchmarks.growth $(ARGS)

.PHONY: faults
faults: $(DEVELOPMENT) ## Break a database, a Redis and servers of its own (ARGS="--only S1,S3 --write")
	@.venv/bin/python -m benchmarks.faults $(ARGS)

# --- Cleaning -----------------------------------------------------------------------
.PHONY: clean
clean: ## Delete what was installed or made here, but neither .env nor a database
	rm -rf .venv .tools staticfiles htmlcov .coverage .coverage.*
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
