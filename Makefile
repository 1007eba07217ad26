# Two commands do everything on a bare clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
THOR := .venv-thor-2.1
METAWORLD := .venv-metaworld
DOCS := .venv-docs
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt

.PHONY: demo test check docs clean

demo: $(VENV)/demo.stamp
	sh examples/demo.sh $(BIN)/er-bench

test: $(VENV)/dev.stamp $(THOR)/stamp $(METAWORLD)/stamp
	ER_BENCH_TEST_THOR_2_1=$(CURDIR)/$(THOR)/bin/python \
	ER_BENCH_TEST_METAWORLD=$(CURDIR)/$(METAWORLD)/bin/python $(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p er_bench

# The documentation site, build/site/index.html.
docs: $(DOCS)/stamp
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --clean

# torch goes first and alone: any other package would choose a build of its own.
$(VENV)/demo.stamp: $(SOURCES)
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable '.[hf,video]'
	touch $@

$(VENV)/dev.stamp: $(VENV)/demo.stamp
	$(PIP) --editable '.[dev]'
	touch $@

# EB-ALFRED's simulator client, which cannot share an environment with ai2thor 5.
$(THOR)/stamp:
	$(PYTHON) -m venv $(THOR)
	$(THOR)/bin/python -m pip install --quiet ai2thor==2.1.0 flask==3.1.3 werkzeug==3.1.9 numpy==2.4.6
	touch $@

# Meta-World, which takes no other MuJoCo than 3.3.0.
$(METAWORLD)/stamp:
	$(PYTHON) -m venv $(METAWORLD)
	$(METAWORLD)/bin/python -m pip install --quiet metaworld==3.1.1 packaging
	touch $@

$(DOCS)/stamp: $(SOURCES)
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) $(THOR) $(METAWORLD) $(DOCS)
