# The front door.  Each goal does its own set-up: packages, configuration,
# build, run.  CMake and its presets do the work (CMakePresets.json).

SCENARIO ?= paradox
SEED ?= 1
OUT ?= plumb-demo
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

RELEASE := build/release
PLUMB := $(RELEASE)/plumb
SOURCES = $(shell git ls-files '*.c' '*.h')

.PHONY: help build demo story check check-mpi check-arm64 check-plain exam real real-quick real-full bench \
	bench-growth bench-parts bench-scenarios acceptance install uninstall \
	dist distcheck deb format tidy fuzz clean

help:
	@echo 'make demo             build, run the whole loop, diagnose it'
	@echo 'make story            the demo, both changes that its diagnosis asks for'
	@echo '                      over 3 seeds, and docs/essay.md of their numbers'
	@echo 'make check            build release and sanitizer trees, run every fast test'
	@echo 'make check-mpi        the tests on several ranks alone (docs/cluster.md)'
	@echo 'make check-arm64      the fast tests, built for arm64, in an emulator'
	@echo 'make check-plain      the same on an emulated x86-64 without extensions'
	@echo '                      (docs/install.md; neither is part of check)'
	@echo 'make exam             plant every fault, diagnose blind, grade (docs/exam.md;'
	@echo '                      EXAM=--quick, --calibrate, --grade)'
	@echo 'make real             the same on a real model and real data (DATA=DIR;'
	@echo '                      about an hour; real-quick, real-full)'
	@echo 'make build            $(PLUMB)'
	@echo 'make bench            Plumb and other programs in turn, as ratios, into'
	@echo '                      build/bench.json (docs/benchmarks.md; ROWS=..., hours)'
	@echo 'make bench-growth     how time and memory grow, as exponents and pictures'
	@echo 'make bench-parts      kernels, the profile of a PPO iteration, scanner, store'
	@echo 'make bench-scenarios  the three scenarios over seeds 1 to 5, as a table'
	@echo 'make acceptance       published results in small, each with its figure and'
	@echo '                      its criterion (docs/acceptance.md; an hour)'
	@echo 'make install          program, C library, manual, to $(PREFIX)'
	@echo '                      (PREFIX=..., DESTDIR=...; uninstall takes it away)'
	@echo 'make dist             tarballs of source and binaries, in build/dist'
	@echo '                      (distcheck builds the former)'
	@echo 'make deb              Debian packages, in build/deb'
	@echo 'make format tidy fuzz clean'

build:
	@tools/setup.sh build
	@cmake --preset release --log-level=WARNING > /dev/null
	@cmake --build --preset release --target plumb -j $(JOBS)

demo: build
	$(PLUMB) demo --scenario $(SCENARIO) --seed $(SEED) --out $(OUT) --overwrite

# Stopped anywhere, it goes on when called again.
story: build
	@tools/setup.sh check
	SCENARIO=$(SCENARIO) SEED=$(SEED) \
		tools/story.sh $(PLUMB) $(OUT) docs/essay.md

# The same story on real input: recipes/support-smollm2/README.md.
real: build
	@tools/setup.sh check
	PLUMB=$(PLUMB) recipes/support-smollm2/run.sh
real-quick: build
	@tools/setup.sh check
	PLUMB=$(PLUMB) recipes/support-smollm2/run.sh quick
real-full: build
	@tools/setup.sh check
	PLUMB=$(PLUMB) recipes/support-smollm2/run.sh full

check:
	@tools/setup.sh check
	@tools/setup.sh count || \
	    echo 'check: without valgrind, whose test is skipped'
	@tools/get-smollm2.sh > /dev/null || \
	    echo 'check: without SmolLM2, whose tests are skipped'
	@cmake --preset release --log-level=WARNING > /dev/null
	@cmake --build --preset release -j $(JOBS)
	@cmake --preset dev --log-level=WARNING > /dev/null
	@cmake --build --preset dev -j $(JOBS)
	ctest --preset release -j $(JOBS) -LE slow
	ctest --preset dev -j $(JOBS) -LE 'slow|release'
	@$(MAKE) --no-print-directory check-mpi

# The same program on several ranks; without MPI there is nothing to test.
check-mpi:
	@if tools/setup.sh mpi; then \
	    cmake --preset mpi --log-level=WARNING > /dev/null && \
	    cmake --build --preset mpi --target plumb test_comm test_optimizer \
	        -j $(JOBS) && \
	    ctest --preset mpi -L mpi; \
	else \
	    echo 'check: without MPI, whose tests are skipped'; \
	fi

# On processors that this one is not: docs/install.md.
check-arm64:
	@tools/setup.sh arm64
	@tools/arm64-root.sh build/arm64-root
	@cmake --preset arm64 --log-level=WARNING > /dev/null
	@cmake --build --preset arm64 -j $(JOBS)
	ctest --preset arm64 -j $(JOBS)
check-plain:
	@tools/setup.sh plain
	@cmake --preset plain --log-level=WARNING > /dev/null
	@cmake --build --preset plain -j $(JOBS)
	ctest --preset plain -j $(JOBS)

# Every explanation planted and diagnosed blind: docs/exam.md.
exam: build
	@tools/setup.sh check
	@cmake --build --preset release --target exam_grade -j $(JOBS)
	PLUMB=$(PLUMB) tests/exam/exam.sh $(EXAM)

bench: build
	@tools/setup.sh bench || \
	    echo 'bench: rows that want these packages will say so'
	@cmake --build --preset release --target versus bench_step bench_limit \
		bench_generate make_traces -j $(JOBS)
	@if tools/setup.sh mpi; then \
	    cmake --preset mpi --log-level=WARNING > /dev/null && \
	    cmake --build --preset mpi --target plumb versus bench_comm wire \
	        scaling -j $(JOBS); \
	fi
	bench/run.sh $(RELEASE)

bench-growth: build
	@cmake --build --preset release --target cost growth make_traces \
		-j $(JOBS)
	bench/growth.sh $(RELEASE)

bench-parts:
	@tools/setup.sh build
	@cmake --preset release --log-level=WARNING > /dev/null
	@cmake --build --preset release --target bench_nn bench_model \
		bench_tokenizer bench_scan bench_store bench_label profile_ppo plumb \
		-j $(JOBS)
	$(RELEASE)/bench/bench_nn
	$(RELEASE)/bench/bench_model
	bench/profile.sh $(RELEASE)
	$(RELEASE)/bench/bench_tokenizer
	$(RELEASE)/bench/bench_scan
	$(RELEASE)/bench/bench_store $(RELEASE)
	$(RELEASE)/bench/bench_label $(RELEASE)

bench-scenarios: build
	@tools/setup.sh check
	bench/scenarios.sh $(PLUMB)

acceptance:
	@tools/setup.sh check
	@cmake --preset release --log-level=WARNING > /dev/null
	@cmake --build --preset release -j $(JOBS)
	bench/acceptance/run.sh $(RELEASE)

# DESTDIR, which is not part of any path that is written into a file, stands
# before PREFIX: docs/install.md.
install: build
	@cmake --build --preset release --target pack -j $(JOBS)
	DESTDIR=$(DESTDIR) cmake --install $(RELEASE) --strip --prefix $(PREFIX)

# A release: docs/install.md.
dist: build
	@cmake --build --preset release --target pack -j $(JOBS)
	@tools/dist.sh source
	@tools/dist.sh binary $(RELEASE)
distcheck:
	@tools/setup.sh build
	@JOBS=$(JOBS) tools/dist.sh check
deb:
	@tools/deb.sh $(JOBS)

uninstall:
	@cmake -DBUILD=$(RELEASE) -DPREFIX=$(PREFIX) -DDESTDIR=$(DESTDIR) \
		-P cmake/uninstall.cmake

format:
	@tools/setup.sh check
	clang-format -i $(SOURCES)

tidy:
	@tools/setup.sh tidy
	@cmake --preset release --log-level=WARNING > /dev/null
	tools/tidy.sh $(RELEASE) $(JOBS)

fuzz:
	@tools/setup.sh tidy
	tools/fuzz.sh

clean:
	rm -rf build
