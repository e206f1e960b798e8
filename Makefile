# make run   from nothing to the main job: the embedded model answers the embedded benchmark
# make test  from nothing to all tests passed
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do $$p -c '$(FITS)' 2> /dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
RUNS := results/runs
# the benchmark, and its two floors: text alone, and another clip's media
TASKS := emorealm_mini,emorealm_mini_blind,emorealm_mini_shuffled
export HF_HUB_OFFLINE ?= 1

.PHONY: run test install clean

run: $(VENV)/.installed
	$(BIN)/emorealm-mini build --if-missing
	$(BIN)/lmms-eval --tasks $(TASKS) --model avere --batch_size 32 --output_path $(RUNS)/avere_nano --log_samples
	$(BIN)/lmms-eval --tasks $(TASKS) --model avere --model_args pretrained=avere_nano_dpo --batch_size 32 --output_path $(RUNS)/avere_nano_dpo --log_samples
	$(BIN)/emorealm table $(RUNS)/avere_nano $(RUNS)/avere_nano_dpo

test: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/python -m pytest

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "emorealm needs Python 3.11 or 3.12: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[train,test]'
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib > /dev/null 2>&1 || true  # halves the start of lmms-eval where no bytecode is written
	touch $@

clean:
	rm -rf $(VENV) results/runs
