# `make demo` and `make test` do all of their own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests marked cluster, faults or bench take minutes and have their own targets.
USUAL := not cluster and not faults and not bench
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: demo test test-fast test-slow test-faults test-cluster slurm lint audit bench schemas docs clean fashion-mnist browser

demo: $(STAMP) fashion-mnist
	@snakemake --cores all -- results/tables/table3.csv results/figures/figure2.png
	@fdsl show-table results/tables/table3.csv
	@echo "Tables:  results/tables/table3.{csv,md,html}"
	@echo "Figures: results/figures/figure2.{png,pdf}"
	@echo "Logs:    logs/   Records: results/laptop/finetune/*/record.json"

test: $(STAMP) lint browser
	pytest -n 2 --dist worksteal -m "$(USUAL)"

test-fast: $(STAMP)
	pytest -n 2 --dist worksteal -m "not slow and $(USUAL)"

test-slow: $(STAMP)
	pytest -n 2 --dist worksteal -m "slow and $(USUAL)"

# Kills, full disks, damaged files, two instances, another processor. Takes half an hour; full disks need the right to mount.
# The results replace the tables in docs/reliability.md.
test-faults: $(STAMP)
	mkdir -p build
	FAULTS_SUMMARY=build/reliability.json pytest -m faults
	PYTHONPATH=tests python tests/faults/summary.py

# Starts two SLURM nodes on this machine and runs the workflow on them, with faults. Takes minutes; needs root.
test-cluster: $(STAMP) slurm
	pytest -m cluster tests/cluster

lint: $(STAMP)
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/rules
	mypy

# Known vulnerabilities of the pinned versions. Needs the Internet, so it is not part of `make test`.
audit: $(STAMP)
	pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

bench: $(STAMP)
	pytest benchmarks --benchmark-enable --benchmark-only -o python_files='bench_*.py'
	pytest -m bench

schemas: $(STAMP)
	fdsl schemas workflow/schemas

# The generated pages.
docs: $(STAMP)
	python docs/generate_cli.py docs/cli.md
	fdsl deviations --into docs/deviations.md

# Fashion-MNIST from Debian's package if apt can install it; otherwise the workflow downloads it when needed.
fashion-mnist:
	@if [ -d data/FashionMNIST ] || [ -d /usr/share/datasets/fashion-mnist ]; then :; \
	elif command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "Installing Debian's package dataset-fashion-mnist"; \
	    apt-get install --yes --quiet=2 --no-install-recommends dataset-fashion-mnist \
	    || { apt-get update --quiet=2 && apt-get install --yes --quiet=2 --no-install-recommends dataset-fashion-mnist; } \
	    || echo "apt-get could not install it; the workflow tries a download instead"; \
	fi

# Chromium for the tests of results/index.html, if apt can install it; otherwise those tests are skipped with a reason.
browser:
	@if command -v chromium > /dev/null || command -v google-chrome > /dev/null; then :; \
	elif command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "Installing Debian's package chromium"; \
	    apt-get install --yes --quiet=2 --no-install-recommends chromium \
	    || { apt-get update --quiet=2 && apt-get install --yes --quiet=2 --no-install-recommends chromium; } \
	    || echo "apt-get could not install it"; \
	fi

# SLURM, if apt can install it; otherwise its tests are skipped with a reason.
slurm:
	@if [ -x /usr/sbin/slurmctld ] && [ -x /usr/sbin/munged ]; then :; \
	elif command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "Installing Debian's packages slurm-wlm and munge"; \
	    apt-get install --yes --quiet=2 --no-install-recommends slurm-wlm munge \
	    || { apt-get update --quiet=2 && apt-get install --yes --quiet=2 --no-install-recommends slurm-wlm munge; } \
	    || echo "apt-get could not install them"; \
	fi

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:
	rm -rf results/laptop results/tables results/figures logs .snakemake
