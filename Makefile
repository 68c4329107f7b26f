# sambertd: `make` lists what there is to do.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help say test check check-trt test-systemd bench bench-live bench-text fuzz soak report voice coverage install uninstall wheelhouse deb sbom audit lock clean

TEXT ?= 今天天气真好，阳光洒在窗台上，我泡了一杯咖啡，准备开始一天的工作。
OUT ?=
DATA ?=
ARGS ?=
PYTHON ?=
PIP_ARGS ?=
EXTRAS ?=
ALSO ?=
VENV_ARGS ?=
HASHES ?=
WHEELHOUSE ?=
PURGE ?=
MINUTES ?= 10
START ?=

# What a user typed goes to the recipes through the environment and as it is: no $, quote or # of it
# is read by make or by the shell.
override TEXT := $(value TEXT)
override OUT := $(value OUT)
override DATA := $(value DATA)
export TEXT OUT DATA PYTHON PIP_ARGS EXTRAS ALSO VENV_ARGS WHEELHOUSE HASHES PURGE MINUTES START

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run-ready
DEV := $(VENV)/.dev-ready
CI := $(VENV)/.ci-ready

define OPTIONS
'  PYTHON=python3.12   the Python of a new .venv, 3.10 to 3.13; else the newest found' \
'  PIP_ARGS="..."      for pip; name PyTorch'"'"'s CPU builds here (--extra-index-url), as PyPI'"'"'s torch' \
'                      brings 3 GB of CUDA libraries to `make test`. `make say` needs no torch.' \
'  EXTRAS=build        for `make install` and `make wheelhouse`: what builds INT8 engines on the box' \
'  WHEELHOUSE=DIR      `make install` takes the packages from there, without the network' \
'  ARGS="..."          for pytest, the benchmarks or the training'
endef

help:  ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 20
	printf '%s\n' '' $(OPTIONS)

say: $(RUN)  ## speak: TEXT="..." on the speaker (without one: speech.wav), or into OUT=file.wav
	@to=(--fallback speech.wav)
	if [[ -n $$OUT ]]; then to=(--out "$$OUT"); fi
	$(BIN)/sambertctl say --autostart "$${to[@]}" -- "$$TEXT"

test: $(DEV)  ## all tests; no GPU and no sound card needed
	@$(BIN)/python -m pytest $(ARGS)

check: $(DEV)  ## ruff, mypy --strict, import-linter; all at once
	@$(BIN)/mypy & types=$$!
	$(BIN)/lint-imports >$(VENV)/imports.log & imports=$$!
	$(BIN)/ruff check && $(BIN)/ruff format --check && good=1 || good=
	wait $$imports || { cat $(VENV)/imports.log; good=; }
	wait $$types || good=
	[[ -n $$good ]]

check-trt: $(DEV)  ## all graphs in the builder of TensorRT-RTX, from PyPI (148 MB); needs no GPU
	@$(BIN)/python -m trt_build check --fetch voices/yue
	SAMBERTD_TENSORRT=1 $(BIN)/python -m pytest -m tensorrt $(ARGS)

test-systemd: $(DEV)  ## install, kill, hang, upgrade in a throw-away systemd; needs root
	@WHEELHOUSE=$${WHEELHOUSE:-dist/wheelhouse}
	if [[ $$(id -u) == 0 && ! $$WHEELHOUSE/.ready -nt requirements.hashes ]]; then
	  WHEELHOUSE=$$WHEELHOUSE systemd/install wheelhouse && touch $$WHEELHOUSE/.ready
	fi
	SAMBERTD_SYSTEMD=$$(realpath -m "$$WHEELHOUSE") $(BIN)/python -m pytest -m systemd -s $(ARGS) tests/systemd

bench: $(DEV)  ## this machine: engines against PyTorch (a table, bench.json), then text and bench-live
	@$(BIN)/python -m benchmarks.speed --json bench.json $(ARGS)
	@$(BIN)/python -m benchmarks.text_speed
	$(BIN)/python -m benchmarks.latency

bench-live: $(DEV)  ## first audio, cancel, streams at once, round trip: docs/LATENCY.md; ARGS="cancel" for one
	@$(BIN)/python -m benchmarks.latency $(ARGS)

bench-text: $(DEV)  ## how well text is read: tables of cases; ARGS="--cpp DIR" for CPP too, see docs/TEXT.md
	@$(BIN)/python -m benchmarks.text $(ARGS)
	@$(BIN)/python -m benchmarks.text_speed

fuzz: $(DEV)  ## 100,000 hostile messages to a live daemon (a quarter of a minute)
	@$(BIN)/python -m benchmarks.fuzz $(ARGS)

soak: $(DEV)  ## eight clients, garbage and a speaker for MINUTES=10: a table, soak.json and soak.png
	@$(BIN)/python -m benchmarks.soak --minutes "$$MINUTES" --json soak.json --plot soak.png $(ARGS)

report: $(DEV)  ## build INT8 engines, measure them against PyTorch: docs/RESULTS.md (takes an hour)
	@$(BIN)/python -m benchmarks.report $(ARGS)

voice: $(DEV)  ## train the built-in voice from the recordings in DATA=DIR (into OUT=training-run)
	@if [[ -z $$DATA ]]; then echo 'say where the recordings are: make voice DATA=DIR' >&2; exit 2; fi
	$(BIN)/python -m training --data "$$DATA" --out "$${OUT:-training-run}" $(ARGS)

coverage: $(CI)  ## which lines and branches the tests reach; ARGS="tests/client tests/daemon" for a part
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

install:  ## sudo make install: into /opt/sambertd, as a service; again for an upgrade
	@systemd/install install

uninstall:  ## sudo make uninstall: settings, voices and engines stay unless PURGE=1
	@systemd/install uninstall

wheelhouse:  ## what install needs, into WHEELHOUSE=DIR; ARGS="--python 3.12 --arch arm64" for other boxes
	@if [[ -z "$(ARGS)" ]]; then systemd/install wheelhouse; exit; fi
	[[ -n $$WHEELHOUSE ]] || { echo "say where to: make wheelhouse WHEELHOUSE=folder" >&2; exit 1; }
	$(MAKE) --no-print-directory $(RUN)
	$(BIN)/python -m release.pins $(ARGS) --extras "$$EXTRAS" "$$WHEELHOUSE"

deb: $(RUN)  ## the Debian package, into dist; ARGS="--python 3.12 --arch arm64" for other boxes
	@$(BIN)/python -m release.deb $(if $(WHEELHOUSE),--wheels "$$WHEELHOUSE") $(if $(EXTRAS),--extras "$$EXTRAS") $(ARGS)

sbom: $(RUN)  ## the bill of materials (CycloneDX) of what is installed, into dist
	@$(BIN)/python -m release.sbom $(ARGS)

audit: $(CI)  ## known holes in the pinned packages, by pip-audit; needs the internet
	@$(BIN)/python -m release.audit $(ARGS)

lock: $(DEV)  ## pin the newest releases that fit pyproject.toml, for Python 3.10 to 3.13
	@$(call compile,requirements-dev.lock,--extra dev)
	$(call compile,requirements.lock,--extra cpu -c requirements-dev.lock)
	echo "Asking for the SHA-256 of each file"
	{ echo "# Made by 'make lock': requirements.lock, and the SHA-256 of every file that may be installed."
	  $(BIN)/uv pip compile --quiet requirements.lock --no-deps --universal --python-version 3.10 \
	    --generate-hashes --no-annotate --no-header
	} >$(VENV)/new.lock
	mv $(VENV)/new.lock requirements.hashes

clean:  ## remove .venv, caches and what say and bench wrote
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist build \
	  speech.wav bench.json soak.json soak.png .coverage .coverage.*
	find . -name __pycache__ -prune -exec rm -rf {} +

# --- set-up: a stamp is touched only when all before it went well

$(RUN): requirements.hashes pyproject.toml client/pyproject.toml
	@$(make_venv)
	echo "Installing the run-time packages into $(VENV)"
	$(call pip_install,-r requirements.hashes)
	echo "Installing sambertd"
	$(call pip_install,--no-deps --no-build-isolation -e ./client -e .)
	touch $@

$(DEV): $(RUN) requirements-dev.lock
	@echo "Installing the development packages into $(VENV) (PyTorch takes its time)"
	$(call pip_install,-r requirements-dev.lock)
	tests/packages sound shells
	touch $@

$(CI): $(DEV)
	@echo "Installing pip-audit, coverage and pre-commit"
	$(call pip_install,--no-build-isolation -c requirements-dev.lock -e '.[ci]')
	touch $@

# A .venv with a working pip stays. Debian has the module venv in a package of its own.
define make_venv
fits() { "$$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then
  found= bare=
  for python in $${PYTHON:-python3.13 python3.12 python3.11 python3.10 python3 python}; do
    fits "$$python" || continue
    if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then found=$$python; break; fi
    bare=$${bare:-$$python}
  done
  if [[ -z $$found && -n $$bare ]]; then
    echo "$$bare has no module venv; run: sudo apt install $${bare##*/}-venv" >&2; exit 1
  elif [[ -z $$found ]]; then
    echo "no $${PYTHON:-python3} of 3.10 to 3.13 here; run: sudo apt install python3 python3-venv" >&2
    echo "or name one with PYTHON=/path/to/python3" >&2; exit 1
  fi
  echo "Making $(VENV) with $$("$$found" --version)"
  "$$found" -m venv --clear $(VENV)
fi
endef

# One line for each download; pip's warnings are shown only if it fails.
define pip_install
if ! $(BIN)/python -m pip install --disable-pip-version-check --no-input $(PIP_ARGS) $(1) 2>$(VENV)/pip.log \
  | sed -unE '/\.metadata( |$$)/d; s/^ *(Downloading|Using cached) ([^ -]+)-([^ -]+)-[^ ]+ (\(.*\))/  \2 \3 \4/p; s/^(Installing) collected.*/  \1 .../p'
then cat $(VENV)/pip.log >&2; echo "The set-up failed; call make again once the cause is gone." >&2; exit 1; fi
endef

# The CUDA libraries are left to torch, which names their exact versions; its CPU builds need none.
define compile
echo "Resolving $(1)"
{ echo "# Made by 'make lock' from pyproject.toml."
  $(BIN)/uv pip compile --quiet pyproject.toml $(2) --group build --universal --python-version 3.10 \
    --no-emit-package sambertd --no-emit-package sambertd-client --no-annotate --no-header \
  | sed -E "/^(nvidia|cuda|triton)/d; $(call always,sys_platform == 'linux'); $(call always,python_full_version < '3\.14')"
} >$(VENV)/new.lock
mv $(VENV)/new.lock $(1)
endef

# For sed: drop a condition that always holds.
always = s/ and $(1)//; s/ ; $(1) and / ; /; s/ ; $(1)$$//
