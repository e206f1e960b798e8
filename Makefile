# make run   from nothing to the main job: the embedded model answers the embedded benchmark
# make test  from nothing to all tests passed
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
RUN := results/runs/avere_nano
export HF_HUB_OFFLINE ?= 1

.PHONY: run test install clean

run: $(VENV)/.installed
	$(BIN)/emorealm-mini build --if-missing
	$(BIN)/lmms-eval --tasks emorealm_mini --model avere --batch_size 32 --output_path $(RUN) --log_samples
	$(BIN)/emorealm table $(RUN)

test: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/python -m pytest

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
	  { echo "emorealm needs Python 3.11 or 3.12: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[train,test]'
	-$(BIN)/python -m compileall -q -j 0 $(VENV)/lib > /dev/null 2>&1  # halves the start of lmms-eval where bytecode is not written
	touch $@

clean:
	rm -rf $(VENV) results/runs
