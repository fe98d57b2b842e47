# make score   score a wiring          make test    the tests (make slow: the few slow ones)
# make check   format, lint, types, tests          make reports   every receipt, and the tables from them

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WIRING := checkpoints/mnv1_582M.pt

.PHONY: score test slow check lint reports clean

score: $(VENV)/.installed $(WIRING)
	$(BIN)/micronet score $(WIRING)

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

slow: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m slow

check: lint test

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

reports: $(VENV)/.installed-dev $(WIRING)
	$(BIN)/micronet score $(WIRING) --save
	$(BIN)/micronet score resnet50_dnw_10 --save
	$(BIN)/micronet score efficientnet_lite0 --save
	$(BIN)/micronet audit --recount --save > /dev/null; test $$? -le 1
	$(BIN)/micronet report --figures

clean:
	rm -rf $(VENV) build dist

checkpoints/%.pt: checkpoints/%.toml | $(VENV)/.installed
	$(BIN)/micronet build $* --out $@

# The stamps are older than pyproject.toml only when there is something to install again.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@ $(VENV)/.installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "micronet needs Python 3.11 or later; '$(PYTHON)' is not. Try: make PYTHON=python3.11 …" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
