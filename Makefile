# What a contributor runs.  Needed beforehand: a Rust toolchain, CPython 3.11 and pip; every target
# sets up the rest in .venv* and target/, and repeats only what has changed.
#
#   make demo      load a pickle, refuse another, on files that nobody here wrote
#   make test      the Rust rooms without Python, then pytest on every interpreter found
#   make test-debug  leaks, re-entrancy, threads and limits on a debug interpreter (python3.11-dbg)
#   make lint      rustfmt, clippy, ruff, mypy, stubtest
#   make bench     the tables of speeds against pickle.loads, on every interpreter found
#   make publish   put what they found into docs/: the table, the plot, the cost curves
#   make baseline  count instructions anew: what tests/test_baseline.py compares with
#   make fuzz      mutants of the test corpus, for TIME seconds (60)
#   make develop   .venv with the extension built in place, for working on it
#   make clean     remove all of the above
#
# The interpreters are looked for; name them to override:  make test PYTHONS="python3.11 python3.14"

PYTHON  ?= python3
PYTHONS ?= $(shell $(PYTHON) .ci/find_interpreters.py)

comma := ,

# The oldest supported version is the reference: it gets the release build and the tools.
REFERENCE := python3.11
VERSIONS  := $(notdir $(PYTHONS))
MAIN      := $(firstword $(filter %$(REFERENCE),$(PYTHONS)))
SOURCES   := $(shell find src python -type f -not -name '*.so' -not -name '*.pyc') \
             Cargo.toml Cargo.lock pyproject.toml README.md
BUILDER   := 'maturin>=1.9,<2'
LINTED    := python tests benches demo .ci
# In CI the libraries whose objects the preflight's table holds are all there; elsewhere their rows skip, visibly.
EXTRAS    := test$(if $(CI),$(comma)test-extra)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: develop demo test test-rust test-debug lint bench publish baseline fuzz clean
.DEFAULT_GOAL := test
.DELETE_ON_ERROR:

ifeq ($(MAIN),)
develop demo test test-debug lint bench publish baseline fuzz:
	@echo "$(REFERENCE) was not found (only: $(or $(VERSIONS),none)); install it or pass PYTHONS=" >&2; exit 1
else

# --- the working copy: .venv, extension in python/picklist ---------------------------------------

develop: .venv/built

# The stamps live in the environments, so deleting one makes it anew.
.venv/created:
	$(MAIN) -m venv .venv
	.venv/bin/python -m pip install --quiet $(BUILDER)
	@touch $@

.venv/built: .venv/created $(SOURCES)
	VIRTUAL_ENV=$(CURDIR)/.venv CARGO_TARGET_DIR=target/$(REFERENCE) \
	    .venv/bin/maturin develop --locked --profile quick --extras test,lint,demo
	@touch $@

demo: .venv/built
	@.venv/bin/python demo/demo.py
	@.venv/bin/python demo/preflight.py

# --- tests: an installed wheel per interpreter, each with its own build directory ----------------
# PyO3 is rebuilt whenever the interpreter changes, so sharing one directory would rebuild always.

# $(1) version name, $(2) interpreter, $(3) cargo profile
define INTERPRETER
.PHONY: test-$(1)
.venv-$(1)/created:
	$(2) -m venv .venv-$(1)
	.venv-$(1)/bin/python -m pip install --quiet $(BUILDER)
	@touch $$@

.venv-$(1)/installed: .venv-$(1)/created $(SOURCES)
	rm -rf target/$(1)/wheels
	CARGO_TARGET_DIR=target/$(1) .venv-$(1)/bin/maturin build --locked --profile $(3) \
	    --features testing --interpreter .venv-$(1)/bin/python --out target/$(1)/wheels
	.venv-$(1)/bin/python -m pip install --quiet --force-reinstall --no-deps target/$(1)/wheels/*.whl
	.venv-$(1)/bin/python -m pip install --quiet "$$$$(echo target/$(1)/wheels/*.whl)[$(EXTRAS)]"
	@touch $$@

test-$(1): .venv-$(1)/installed
	.venv-$(1)/bin/python -m pytest
endef

$(foreach path,$(PYTHONS),$(eval $(call INTERPRETER,$(notdir $(path)),$(path),$(if $(filter $(path),$(MAIN)),release,quick))))

# The ways that know how an interpreter keeps its objects are closed, and the constructors are called instead.
SLOWED := $(wildcard tests/test_attacks_*.py tests/test_limits*.py) $(addsuffix .py,$(addprefix tests/test_, \
              class_hooks collector corpus direct_calls exceptions faithful fast_paths fuzz numpy numpy_contracts \
              numpy_records numpy_scalars ordered_dicts pages pickletester reentrancy short_ways stock_types tables \
              text threads user_classes))

.PHONY: test-slow
test-slow: .venv-$(REFERENCE)/installed
	PICKLIST_SLOW=1 .venv-$(REFERENCE)/bin/python -m pytest $(SLOWED)

test-rust:
	CARGO_TARGET_DIR=target/pure cargo test --locked --no-default-features

test: test-rust $(addprefix test-,$(VERSIONS)) test-slow
	@echo "tests passed on: $(VERSIONS)"

# --- a debug interpreter counts references, poisons what is freed and asserts what it is told ---------

DEBUG_PYTHON ?= $(shell .ci/debug_interpreter)
# The rest of the suite passes there too, in a quarter of an hour:  make test-debug DEBUG_TESTS=tests
DEBUG_TESTS  ?= tests/test_leaks.py tests/test_reentrancy.py tests/test_threads.py \
                tests/test_limits.py tests/test_limits_path.py tests/test_hash_agreement.py

.venv-debug/created:
	@test -n "$(DEBUG_PYTHON)" || { echo "no debug interpreter: apt-get install python3.11-dbg" >&2; exit 1; }
	$(DEBUG_PYTHON) -m venv .venv-debug
	.venv-debug/bin/python -m pip install --quiet $(BUILDER)
	@touch $@

.venv-debug/installed: .venv-debug/created $(SOURCES)
	rm -rf target/debug-python/wheels
	CARGO_TARGET_DIR=target/debug-python .venv-debug/bin/maturin build --locked --profile quick \
	    --interpreter .venv-debug/bin/python --out target/debug-python/wheels
	.venv-debug/bin/python -m pip install --quiet --force-reinstall --no-deps target/debug-python/wheels/*.whl
	.venv-debug/bin/python -m pip install --quiet 'pytest>=8,<10' 'hypothesis>=6.100,<7'
	@touch $@

test-debug: .venv-debug/installed
	@# Some of the other extras are compiled for a debug interpreter when they are installed.
	$(if $(filter tests,$(DEBUG_TESTS)),.venv-debug/bin/python -m pip install --quiet \
	    "$$(echo target/debug-python/wheels/*.whl)[test]")
	.venv-debug/bin/python -c "import sys; sys.gettotalrefcount()"
	.venv-debug/bin/python -m pytest $(DEBUG_TESTS)

# --- style and types -----------------------------------------------------------------------------

lint: .venv/built
	cargo fmt --check
	CARGO_TARGET_DIR=target/pure cargo clippy --locked --all-targets --no-default-features -- -D warnings
	PYO3_PYTHON=$(CURDIR)/.venv/bin/python CARGO_TARGET_DIR=target/$(REFERENCE) \
	    cargo clippy --locked --all-targets -- -D warnings
	.venv/bin/ruff check $(LINTED)
	.venv/bin/ruff format --check $(LINTED)
	.venv/bin/mypy
	.venv/bin/python -m mypy.stubtest --concise picklist

# --- speed: the release wheel as it is shipped, on every interpreter --------------------------------
# With options in BENCH, as in BENCH="--only tiny json", nothing is saved: what is published is whole.

BENCH  ?=
ROUNDS ?= 11

# $(1) version name, $(2) interpreter
define BENCHED
.PHONY: bench-$(1)
.venv-bench-$(1)/installed: $(SOURCES)
	$(2) -m venv .venv-bench-$(1)
	.venv-bench-$(1)/bin/python -m pip install --quiet $(BUILDER)
	rm -rf target/bench-$(1)/wheels
	CARGO_TARGET_DIR=target/bench-$(1) .venv-bench-$(1)/bin/maturin build --locked --release \
	    --interpreter .venv-bench-$(1)/bin/python --out target/bench-$(1)/wheels
	.venv-bench-$(1)/bin/python -m pip install --quiet --force-reinstall --no-deps target/bench-$(1)/wheels/*.whl
	.venv-bench-$(1)/bin/python -m pip install --quiet "$$$$(echo target/bench-$(1)/wheels/*.whl)[bench]"
	@touch $$@

bench-$(1): .venv-bench-$(1)/installed
	.venv-bench-$(1)/bin/python benches/run.py --rounds $(ROUNDS) $(or $(BENCH),--save benches/out)
endef

$(foreach path,$(PYTHONS),$(eval $(call BENCHED,$(notdir $(path)),$(path))))

# The share of the inspection is counted in the wheel of the tests; beside it is what the command line needs.
bench: $(addprefix bench-,$(VERSIONS)) .venv-$(REFERENCE)/installed
	.venv-$(REFERENCE)/bin/python -m pip install --quiet "$$(echo target/$(REFERENCE)/wheels/*.whl)[bench]"
	.venv-$(REFERENCE)/bin/python benches/share.py | tee benches/out/share.txt
	.venv-$(REFERENCE)/bin/python benches/look.py | tee benches/out/look.txt
	.venv-bench-$(REFERENCE)/bin/python benches/preflight.py | tee benches/out/preflight.txt
	.venv-bench-$(REFERENCE)/bin/python benches/curves.py --save benches/out
	.venv-bench-$(REFERENCE)/bin/python benches/plot.py benches/out/bench-*.json --to benches/out/speed.svg

# What README and docs show: the last `make bench`.
publish:
	.venv-bench-$(REFERENCE)/bin/python benches/publish.py benches/out docs

baseline: .venv-$(REFERENCE)/installed
	.venv-$(REFERENCE)/bin/python benches/counts.py --write

# --- hostile input: mutants against pickle and the inspector, then libFuzzer where it is installed -------

TIME ?= 60
fuzz: .venv/built
	PYTHONPATH=tests .venv/bin/python tests/fuzz_differential.py --time $(TIME) --keep fuzz/found
	@if cargo fuzz --version >/dev/null 2>&1; then \
	    for target in inspect pieces oracle; do \
	        RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $$target -- -max_total_time=$(TIME) -max_len=4096 || exit 1; \
	    done; \
	else echo "cargo fuzz is not installed: the libFuzzer targets were not run"; fi

endif

clean:
	rm -rf target fuzz/target fuzz/corpus fuzz/artifacts .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis benches/out
	rm -f python/picklist/_picklist*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
