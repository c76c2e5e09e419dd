# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST_ARGS ?= --numprocesses 2 --dist loadfile --max-worker-restart 0

.PHONY: demo test faults fuzz check bench soak docs screenshots lock clean debian

demo: $(STAMP)
	$(BIN)/stalwart-exporter demo

test: debian check
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

# Every fault of docs/faults.md, the slow ones included, on the running exporter.
faults: debian $(STAMP)
	$(BIN)/python -m pytest -m fault $(PYTEST_ARGS)

# Spoilt input for every decoder: `make fuzz FUZZ_ARGS="100000 --seed 1"` for less of it, or the same again.
FUZZ_ARGS ?= 1000000
fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.template_names > $(VENV)/template_names.py
	$(BIN)/vulture exporter alerts dashboards benchmarks $(wildcard tools) $(VENV)/template_names.py
	$(BIN)/python -m tools.command_pages --check
	$(BIN)/python -m tests.support.faults --check
	$(BIN)/python -m tools.settings_page --check
	$(BIN)/python -m alerts --check
	$(BIN)/python -m dashboards.build --check

bench: debian $(STAMP)
	$(BIN)/python -m benchmarks

# Two compressed days: memory, descriptors, threads and tasks do not grow.
soak: $(STAMP)
	$(BIN)/python -m benchmarks.soak

# What is generated from the code: reference pages, rules and dashboards.
docs: $(STAMP)
	$(BIN)/python -m tools.command_pages --write
	$(BIN)/python -m tests.support.faults --write
	$(BIN)/python -m tools.settings_page --write
	$(BIN)/python -m alerts --write
	$(BIN)/python -m dashboards.build --write

# Pictures of the demo's day in docs/images, which takes five minutes.
screenshots: debian $(STAMP)
	$(BIN)/python -m tools.screenshots

# Prometheus, Alertmanager, Pushgateway (the Go peer of the benchmarks) and Chromium, which tests run for real.
debian:
	@sh tests/install-debian.sh

# The lock carries versions and hashes; where packages come from is the installing machine's own setting, so the
# index's address is replaced. Installation goes by name and hash: `uv export` needs no address.
$(STAMP): pyproject.toml uv.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "uv>=0.5"
	$(BIN)/uv export --quiet --frozen --no-emit-project --all-groups --output-file $(VENV)/requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement $(VENV)/requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $(STAMP)

lock: $(STAMP)
	$(BIN)/uv lock
	sed -E -i 's#https://[^/"]+/simple"#https://registry.invalid/simple"#; s#"https://[^/"]+/packages/#"https://registry.invalid/packages/#' uv.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
