# make help lists the targets. Everything happens in .venv, made on first use.

VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/ready
NOTEBOOKS := notebooks
GOLDEN := tests/notebooks/golden
OUTPUT ?= runs
KATEX := 0.19.1
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test test-classroom test-site colab stress golden regress refresh links lab handouts slides site replicate bench lint clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv with everything in it

# The first Python from 3.11 to 3.13 on the PATH, or the one in PYTHON.
$(READY): pyproject.toml constraints.txt
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	    2>/dev/null && break; python=; \
	done; \
	if [ -z "$$python" ]; then echo "no Python from 3.11 to 3.13 found$(if $(PYTHON), in PYTHON=$(PYTHON)): install one, or name it in PYTHON=" >&2; exit 1; fi; \
	echo "Setting up $(VENV) with $$($$python --version); this takes some minutes, once."; \
	$$python -m venv $(VENV) || { echo "$$python cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@# Importing TensorFlow takes 7 s with compiled bytecode and 20 s without it.
	@$(RUN) -m compileall -q -j 0 $(VENV)/lib aehelpers >/dev/null || true
	@touch $@

run: $(READY)  ## run every notebook on the full data, into runs/
	@$(VENV)/bin/aehelpers run --jobs auto --output $(OUTPUT) $(ARGS)

test: $(READY)  ## unit tests, then the small golden notebooks, re-run by nbval
	$(RUN) -m pytest tests -n 2 --dist worksteal $(ARGS)
	$(RUN) -m pytest -n 2 --dist loadfile --nbval-lax --nbval-current-env -p no:cacheprovider $(GOLDEN)

stress: $(READY)  ## batches of hundreds of runs, killed in the middle; a cluster (15 min)
	$(RUN) -m pytest tests -m stress $(ARGS)

golden: $(READY)  ## make the golden notebooks anew from notebooks/
	$(RUN) tests/notebooks/make_golden.py

regress: $(READY)  ## re-run the notebooks with their own settings on the full data, by nbval, two at a time
	@$(VENV)/bin/aehelpers data --check; \
	case $$? in \
	  0) ;; \
	  3) $(VENV)/bin/aehelpers data --fetch >/dev/null || { \
	       echo "SKIPPED make regress: the full data sets are not here and cannot be fetched"; \
	       exit 0; } ;; \
	  *) exit 1 ;; \
	esac; \
	TF_NUM_INTRAOP_THREADS=1 OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist loadfile \
	  --nbval-lax --nbval-current-env -p no:cacheprovider $(NOTEBOOKS)

refresh: $(READY)  ## run the notebooks, store their outputs in place and their models in docs/
	$(VENV)/bin/aehelpers run --in-place --models build/models $(ARGS)
	$(RUN) -m docs.export_models build/models docs/models
	$(RUN) tests/notebooks/make_golden.py

links: $(READY)  ## write the launch links anew, from the address in pyproject.toml
	$(RUN) docs/launch.py

handouts: $(READY)  ## students' and instructors' versions and an nbgrader course, into handouts/
	@PYTHONPATH=. $(RUN) docs/handouts.py handouts

slides: $(VENV)/docs-ready build/node_modules/katex  ## a deck of slides for each lesson, into build/slides
	@$(RUN) -m docs.slides build/slides

site: $(VENV)/docs-ready build/node_modules/katex  ## the web site from the executed notebooks, into build/site/html
	@$(RUN) -m docs.site build/site

$(VENV)/docs-ready: $(READY)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,docs,browser]'
	@touch $@

replicate: $(READY)  ## every notebook with five seeds, on the full data (two hours; goes on where it stopped)
	@$(VENV)/bin/aehelpers sweep -g seed=0:5 --jobs auto --output runs/replication $(ARGS)
	@$(RUN) -m docs.replication runs/replication docs/measured/replication.csv

# KaTeX makes HTML of formulas; it runs in Node.
build/node_modules/katex:
	@command -v npm >/dev/null || { echo "formulas need Node and npm; on Debian: apt install nodejs npm" >&2; exit 1; }
	@mkdir -p build && npm install --silent --no-save --no-package-lock --prefix build katex@$(KATEX)

test-site: $(VENV)/docs-ready  ## the web site, the slides and the live controls in a real browser
	@$(MAKE) --no-print-directory build/node_modules/katex || echo "SKIPPED: what needs formulas"
	$(RUN) -m pytest tests/browser -m browser -rs $(ARGS)

colab: $(READY)  ## every notebook in small with the versions that Colab has (8 min)
	$(RUN) -m pytest tests/colab -m colab -rs $(ARGS)

test-classroom: $(READY)  ## a course through nbgrader, with a right and an empty submission
	@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,grading]'
	$(RUN) -m pytest tests/classroom -m "classroom and not stress" $(ARGS)

lab: $(READY)  ## JupyterLab on the series
	$(VENV)/bin/jupyter lab --notebook-dir $(NOTEBOOKS)

bench: $(READY)  ## the measurements, beside their peers
	@$(RUN) -m tests.benchmarks $(ARGS)

lint: $(READY)  ## ruff over code and notebooks; the workflows against their schema
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

clean:  ## remove .venv, runs/ and everything else that was made here
	rm -rf $(VENV) runs build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
