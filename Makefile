# Everything is installed into .venv beside this file; a finished install leaves a stamp there, so the next run is quick.
# Works with GNU make 3.81 (macOS) and newer.

# The first Python that is new enough, or yours: make chat PYTHON=/path/to/python3
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PORT ?= 7860

# Who writes: standard is fetched first, once for all checkouts; packaged, none or a .gguf file is taken as it is.
WRITER ?= standard

# On Linux, PyPI's torch is a CUDA build of gigabytes; this needs none of it. The CPU build is marked +cpu; it is taken
# from wherever your pip already looks (a mirror, wheels on disk), else from PyTorch's own index.
# For the CUDA build all the same: make chat TORCH=torch==$(TORCH_VERSION)
TORCH_VERSION := $(shell sed -n 's/.*"torch==\([0-9.]*\)".*/\1/p' pyproject.toml)
TORCH ?= torch==$(TORCH_VERSION)$(if $(filter Linux,$(shell uname -s)),+cpu)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# A finished install that was moved elsewhere, or whose Python was removed since, is made anew.
USABLE := $(shell grep -qxF '$(CURDIR)' .venv/installed 2>/dev/null && $(BIN)/python -c 'print("yes")' 2>/dev/null)

.PHONY: help chat test lint bench bench-quick lock clean always

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

chat: .venv/chat ## install and fetch what is needed, then chat in your browser (PORT=7860, WRITER=packaged: fetch no model)
	$(if $(filter standard,$(WRITER)),@$(BIN)/article-chat download standard >/dev/null || :)
	@exec $(BIN)/article-chat serve --port $(PORT) $(if $(filter-out standard,$(WRITER)),--llm '$(WRITER)')

test: lint ## run every check: format, lint, types, tests (WRITER=packaged: fetch no model, and leave its tests out)
	@sh install/browser.sh $(BIN)/python
	$(if $(filter standard,$(WRITER)),@$(BIN)/article-chat download standard >/dev/null || :)
	$(BIN)/python -m coverage run -m pytest --timeout=300
	$(BIN)/python -m coverage report

lint: .venv/test ## check format, lint and types only; those of scripts and styles need Node.js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@sh install/scripts.sh

# With names of options in capitals: make bench DATA=/a/folder EVERY=2 LIMIT=20 SYSTEMS=article-chat,langchain OUT=/a/folder
PEERS := langchain llama_index
OPTIONS = $(foreach name,data every limit systems threads out,$(call option,$(name),$(shell echo $(name) | tr a-z A-Z)))
option = $(if $($(2)),--$(1) '$($(2))')
bench: .venv/test $(PEERS:%=benchmarks/.venvs/%/installed) ## put article-chat beside LangChain and others, see benchmarks/README.md (DATA=, LIMIT=)
	@$(BIN)/article-chat download standard >/dev/null
	@HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks $(OPTIONS)

bench-quick: .venv/test ## is what stands here worse or slower than the last commit? (AGAINST=REVISION)
	@HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks.quick $(foreach name,against data every threads llm,$(call option,$(name),$(shell echo $(name) | tr a-z A-Z)))

# What is pinned for a peer goes into an environment of its own, which for all else (torch, llama-cpp-python) looks into .venv.
benchmarks/.venvs/%/installed: benchmarks/requirements/%.txt .venv/installed
	$(BIN)/python -m venv --clear $(@D)
	$(@D)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r $<
	@$(BIN)/python -c 'import sys, sysconfig; print(sysconfig.get_path("purelib"), \
		file=open(sys.argv[1] + "/lib/python%d.%d/site-packages/shared.pth" % sys.version_info[:2], "w"))' $(@D)
	@touch $@

LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
lock: ## write the exact versions to install/*.lock anew (UV_FLAGS=--upgrade takes newer ones)
	@sh install/check.sh "$(PYTHON)"
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile pyproject.toml $(LOCK) --no-emit-package torch --no-emit-package pip \
		--output-file install/chat.lock $(UV_FLAGS)
	.venv-lock/bin/python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		print(*project["optional-dependencies"]["test"], \
		*(name for name in project["dependencies"] if name.startswith("torch==")), sep="\n")' | \
	.venv-lock/bin/uv pip compile - $(LOCK) --no-emit-package torch --no-emit-package pip --constraint install/chat.lock --output-file install/test.lock $(UV_FLAGS)

clean: ## remove the install and all caches; indexes stay
	rm -rf .venv .venv-lock benchmarks/.venvs ui/node_modules *.egg-info build dist .mypy_cache .pytest_cache .ruff_cache .coverage
	find rag ui benchmarks tests -name __pycache__ -prune -exec rm -rf {} +

# Byte code is made by the trial import, for what is imported, and not by pip, for everything: half a minute, 0.4 GB.
QUICKLY := --no-deps --no-compile
INSTALL = CMAKE_BUILD_PARALLEL_LEVEL=$$(getconf _NPROCESSORS_ONLN) \
	CMAKE_ARGS="-DCMAKE_PROJECT_llama_cpp_INCLUDE='$(CURDIR)/install/llama.cmake' $(CMAKE_ARGS)" \
	$(PIP) install $(QUICKLY) --require-hashes -r install/chat.lock
TRIAL = PYTHONDONTWRITEBYTECODE= $(BIN)/python -c 'import sys, faiss, gradio, llama_cpp, sentence_transformers; \
	sys.exit(b"AMX_INT8 = 1" in llama_cpp.llama_print_system_info())'

# The stamp is written last, and whatever an interrupted install left is cleared: pip's cache makes that cheap.
# Where that cache holds a llama-cpp-python built for something else, with AMX (see install/llama.cmake), it is built again.
.venv/installed: install/chat.lock install/llama.cmake $(if $(USABLE),,always)
	@sh install/check.sh "$(PYTHON)"
	@echo "Installing into .venv; the first time this takes a few minutes."
	$(PYTHON) -m venv --clear .venv
	$(PIP) install $(QUICKLY) "$(TORCH)" 2>/dev/null || $(PIP) install $(QUICKLY) --index-url $(TORCH_INDEX) "$(TORCH)" || \
	{ echo "article-chat: no $(TORCH) to be had; name another Python, or take another build: see TORCH in Makefile" >&2; exit 1; }
	$(INSTALL)
	$(TRIAL) || { $(PIP) uninstall --yes llama-cpp-python; $(PIP) cache remove llama_cpp_python; $(INSTALL); $(TRIAL); }
	@echo '$(CURDIR)' >$@

.venv/chat: .venv/installed pyproject.toml
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/test: .venv/chat install/test.lock
	$(PIP) install --quiet --no-deps --require-hashes -r install/test.lock
	@touch $@
