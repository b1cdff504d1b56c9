# make help         this list
# make repro        install the environment, run the pipeline, print the three tables (also plain `make`)
# make ui           browse the runs in MLflow at 127.0.0.1:5000
# make compare      compare all experiments of this commit; METHOD=bsn_ik for another method than BSN
# make sync         copy finished runs to MLFLOW_TRACKING_URI, and log experiments for which no stage ran
# make sweep        run experiments on Dask workers: SCHEDULER=tcp://host:8786 POINTS='-S kernel.width=5,10,15 -S seed=1,2'
# make verify       run the last commit again from nothing in a clone, and compare its numbers
# make test         run all tests
# make lint         check style and types
# make gpu-check    check that this machine's GPUs train the paper's networks correctly and fast enough
.DEFAULT_GOAL := repro
PYTHON ?= python3
BIN := .venv/bin
# DVC runs its stages through a shell, where `python` must be this environment's.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Containers often set it. Each of the study's processes would then compile torch anew, for ten seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help repro test ui sync compare sweep verify lint gpu-check
help:
	@sed -n 's/^# make/make/p' $(MAKEFILE_LIST)

repro: .venv/installed
	python -m experiments.repro
	@python -m experiments.sync || true # a server that is down must not hide the tables
	@cat reports/table1.md reports/table2.md reports/table3.md
	@python -m stages.timings
	@echo "page:  $(CURDIR)/reports/index.html"
	@echo "runs:  make ui"
	@echo "next:  dvc exp run -S kernel.width=15, then make compare"

test: .venv/installed
	python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --durations 12

ui: sync
	@case "$$MLFLOW_TRACKING_URI" in \
	  http*) echo "the runs are at $$MLFLOW_TRACKING_URI" ;; \
	  *) MLFLOW_DISABLE_TELEMETRY=true python -m mlflow ui --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}" ;; \
	esac

sync: .venv/installed
	@python -m experiments.sync

METHOD ?= bsn
compare: .venv/installed
	@python -m experiments.compare $(METHOD)

sweep: .venv/installed
	@python -m experiments.sweep --scheduler $(SCHEDULER) $(POINTS)

verify: .venv/installed
	python -m experiments.verify

gpu-check: .venv/installed
	@python -m benchmarks.gpu_check

lint: .venv/installed
	python -m ruff check .
	python -m ruff format --check .
	lint-imports --no-logo --no-cache
	python -m basedpyright

# Python compiles a module when it is first imported; pip would compile all 23,000, which takes over a minute.
.venv/installed: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and f"Python {sys.version.split()[0]} is too old; name 3.11.4 or newer: make PYTHON=/path/to/python")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --no-compile --requirement requirements.txt --constraint constraints.txt
	touch $@
