# Two commands: `make demo` and `make test`. Each does all of its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# these three kinds take minutes and have targets of their own
USUAL := not cluster and not faults and not bench
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: demo test test-fast test-slow test-faults test-cluster slurm lint audit bench schemas clean fashion-mnist browser

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

# Kills, full disks, damage, two at once, another processor: minutes; a full disk needs the right to mount. The counts go into docs/reliability.md.
test-faults: $(STAMP)
	FAULTS_SUMMARY=docs/reliability.json pytest -m faults
	PYTHONPATH=tests python tests/faults/summary.py

# Two SLURM nodes on this machine, and the workflow on them through faults; minutes, as root.
test-cluster: $(STAMP) slurm
	pytest -m cluster tests/cluster

lint: $(STAMP)
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/rules
	mypy

# Known vulnerabilities of the pinned versions. Asks a service on the Internet, so it is no part of `make test`.
audit: $(STAMP)
	pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

bench: $(STAMP)
	pytest benchmarks --benchmark-enable --benchmark-only -o python_files='bench_*.py'
	pytest -m bench

schemas: $(STAMP)
	fdsl schemas workflow/schemas

# Debian's package of the pictures, where apt can install it; elsewhere the workflow downloads them when it needs them.
fashion-mnist:
	@if [ -d data/FashionMNIST ] || [ -d /usr/share/datasets/fashion-mnist ]; then :; \
	elif command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "Installing Debian's package dataset-fashion-mnist"; \
	    apt-get install --yes --quiet=2 --no-install-recommends dataset-fashion-mnist \
	    || { apt-get update --quiet=2 && apt-get install --yes --quiet=2 --no-install-recommends dataset-fashion-mnist; } \
	    || echo "apt-get could not install it; the workflow tries a download instead"; \
	fi

# Debian's Chromium, where apt can install it, to look at results/index.html; elsewhere that test says what it lacks and is skipped.
browser:
	@if command -v chromium > /dev/null || command -v google-chrome > /dev/null; then :; \
	elif command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "Installing Debian's package chromium"; \
	    apt-get install --yes --quiet=2 --no-install-recommends chromium \
	    || { apt-get update --quiet=2 && apt-get install --yes --quiet=2 --no-install-recommends chromium; } \
	    || echo "apt-get could not install it"; \
	fi

# Debian's SLURM, where apt can install it; elsewhere the tests say what they lack and are skipped.
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
