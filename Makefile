# make run     from nothing to the main job: the embedded model answers the embedded benchmark
# make curate  from clips of the embedded world, described by avere-nano, to preferences, an adapter and a table
# make test    from nothing to all tests passed
# make check   lint, types, lock, unit and golden tests: for every change
# make docs    the documentation site, in build/site
# make lock    the newest versions that pyproject.toml allows, written to locks/
# make test-newest   both commands on the newest of everything, without the lock
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c '$(FITS)' 2> /dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
RUNS := results/runs
# the benchmark, and its two floors: text alone, and another clip's media
TASKS := emorealm_mini,emorealm_mini_blind,emorealm_mini_shuffled
# a base with the paper's weaknesses, after the paper's preference training, after ours
SHOWN := avere_nano_2 avere_nano_2_dpo avere_nano_2_plus
EXTRAS := train test judge gemini docs survey curate ray faces
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
COMMA := ,
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)
SHELL := /bin/bash
# tests of one file share their fixtures, so a file stays with one worker; the workers share the cores
WORKERS ?= 2
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# REPORT=FOLDER: leave JUnit XML and coverage there
REPORT ?=
COVERAGE = --cov --cov-report=json:$(REPORT)/coverage.json --cov-report=markdown:$(REPORT)/coverage.md
REPORTING = $(if $(REPORT),--junit-xml $(REPORT)/junit.xml $(COVERAGE))
export HF_HUB_OFFLINE ?= 1
# bytecode is written where it is missing: without it each start of lmms-eval takes twice as long
unexport PYTHONDONTWRITEBYTECODE

# types and lint are of the locked versions: other checkers find other things
.PHONY: run curate test pytest check lint types docs install lock lock-check dist test-newest clean

run: $(VENV)/.installed
	$(BIN)/emorealm-mini build --if-missing
	for model in $(SHOWN); do $(BIN)/emorealm eval --tasks $(TASKS) --model avere --model_args pretrained=$$model --batch_size 32 --output_path $(RUNS)/$$model --log_samples || exit; done
	$(BIN)/emorealm table $(addprefix $(RUNS)/,$(SHOWN))

# one thread: the captioner's small tensors are many times slower on several
curate: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/emorealm curate study out=build/curation folder=build/curation captions=[avere] noise=[0.0] trained=[0.0] clips=100 answered=100 training.optimiser.steps=40

# types are checked while tests wait for servers and processes
test: lint
	$(MAKE) --no-print-directory --jobs 2 types pytest

pytest: $(VENV)/.installed
	$(PYTEST) $(REPORTING)

check: lint types
	$(PYTEST) -m "not slow" tests/unit tests/golden $(REPORTING)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy --num-workers $(WORKERS)

# the variable: the theme would announce its end, in May 2027
docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

install: $(VENV)/.installed

# exactly what locks/ says, whatever day it is; our own code in place, built by the locked build backend
$(VENV)/.installed: pyproject.toml locks/dev.txt locks/build.txt | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --build-constraints locks/build.txt -r locks/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --build-constraints locks/build.txt -e .
	$(BIN)/python -c "import avem_train.dpo.train, model_adapters.avere.adapter"  # writes the bytecode that every start reads
	touch $@

$(UV): locks/uv.txt
	@test -n "$(PYTHON)" || { echo "emorealm needs Python 3.11, 3.12 or 3.13: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt
	touch $@

# LOCK= (nothing) keeps every pin that still fits pyproject.toml
LOCK ?= --upgrade
lock: $(UV)
	$(COMPILE) $(LOCK) --prerelease disallow $(EXTRAS:%=--extra %) pyproject.toml -o locks/dev.txt
	$(COMPILE) $(LOCK) --extra vllm pyproject.toml -o locks/vllm.txt
	echo "setuptools>=77" | $(COMPILE) $(LOCK) - -o locks/build.txt
	echo "uv>=0.13" | $(COMPILE) $(LOCK) - -o locks/uv.txt

# what is published: source distribution and wheel, checked
dist: $(VENV)/.installed
	rm -rf dist
	$(UV) build --require-hashes --build-constraints locks/build.txt --out-dir dist
	$(BIN)/twine check --strict dist/*

# asks the registry whether the locks still follow from pyproject.toml, and whether each platform finds wheels for them;
# tests/unit/project/test_locks.py asks the first without the registry
LINUX := x86_64-manylinux_2_28
PYTHONS := 3.11 3.12 3.13
WANTED := $(foreach python,$(PYTHONS),dev:$(python):$(LINUX) dev:$(python):aarch64-manylinux_2_28 \
  dev:$(python):aarch64-apple-darwin vllm:$(python):$(LINUX))
lock-check: $(UV)
	$(MAKE) --no-print-directory lock LOCK=
	git diff --exit-code -- locks
	@mkdir -p build
	@for wanted in $(WANTED); do \
	  IFS=: read -r lock python platform <<< "$$wanted"; \
	  MACOSX_DEPLOYMENT_TARGET=14.0 $(UV) pip install --dry-run --target build/none --python-version $$python \
	    --python-platform $$platform --require-hashes --build-constraints locks/build.txt -r locks/$$lock.txt \
	    > build/lock_check.txt 2>&1 || { echo "$$wanted"; cat build/lock_check.txt; exit 1; }; \
	  echo "$$wanted: $$(grep Would build/lock_check.txt | tail -n 1)"; \
	done

# what someone gets who installs without the lock today: newest of everything, then both commands
NEWEST := build/newest
test-newest:
	rm -rf $(NEWEST)
	$(MAKE) VENV=$(NEWEST) $(NEWEST)/bin/uv
	$(NEWEST)/bin/uv pip install --quiet --python $(NEWEST)/bin/python -e '.[$(subst $(SPACE),$(COMMA),$(EXTRAS))]'
	touch $(NEWEST)/.installed
	$(NEWEST)/bin/uv pip freeze --quiet --python $(NEWEST)/bin/python > $(NEWEST)/versions.txt
	$(MAKE) VENV=$(NEWEST) RUNS=$(NEWEST)/runs run
	$(MAKE) VENV=$(NEWEST) pytest

clean:
	rm -rf $(VENV) build dist results/runs
