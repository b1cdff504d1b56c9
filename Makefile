# make help    this list
# make repro   the whole study: environment, pipeline, the three tables
# make test    the tests
# make ui      the runs, in MLflow's pages at 127.0.0.1:5000
# make sync    MLflow told of what it missed: runs of a server that was down, experiments from DVC's cache
# make compare every experiment of this commit beside the others; METHOD=bsn_ik for another method than BSN
# make sweep   experiments on Dask's workers: SCHEDULER=tcp://host:8786 POINTS='-S kernel.width=5,10,15 -S seed=1,2'
# make verify  the last commit run again from nothing in a clone, and its numbers compared
# make lint    style
# make gpu-check   whether this machine's GPUs train the paper's networks correctly and fast enough
.DEFAULT_GOAL := repro
PYTHON ?= python3
BIN := .venv/bin
# DVC runs its stages through a shell: they must find this environment's python.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help repro test ui sync compare sweep verify lint gpu-check
help:
	@sed -n 's/^# make/make/p' Makefile

repro: .venv/installed
	python -m experiments.repro
	@python -m experiments.sync || true # a server that is down must not hide the tables
	@cat reports/table1.md reports/table2.md reports/table3.md
	@python -m stages.timings
	@echo "page:  $(CURDIR)/reports/index.html"
	@echo "runs:  make ui"
	@echo "next:  dvc exp run -S kernel.width=15, then make compare"

test: .venv/installed
	python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

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

.venv/installed: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and f"Python {sys.version.split()[0]} is too old; name 3.11.4 or newer: make PYTHON=/path/to/python")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --requirement requirements.txt --constraint constraints.txt
	touch $@
