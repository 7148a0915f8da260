# SPDX-License-Identifier: MIT
# Meson builds; this file is the short way to it. Each target works from a fresh clone.
#
#   make        build/pagus, build/libpagus.a and build/libpagus_posix.a
#   make run    install what is missing, build, replay a real trace under five policies, write report.html
#   make test   install what is missing, build, run all tests
#   make nightly  what takes too long for make test, more than an hour
#   make bench  install the allocators to compare with, build, measure, write build/bench.json and bench.svg
#   make figures  the same into bench/results, and README.md's figures
#   make clean

TRACE = traces/7.2-frag1.pgt
BUILD = build

.PHONY: all run test nightly bench figures bench-build clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet
	@ln -sf tool/pagus $(BUILD)/pagus
	@ln -sf src/libpagus.a $(BUILD)/libpagus.a
	@ln -sf port/libpagus_posix.a $(BUILD)/libpagus_posix.a

$(BUILD)/build.ninja:
	@meson setup $(BUILD) > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@mv $(BUILD).log $(BUILD)/setup.log

run:
	@scripts/packages.sh build
	@$(MAKE) --no-print-directory all
	@$(BUILD)/pagus replay $(TRACE) --json $(BUILD)/report.json --html $(BUILD)/report.html
	@echo
	@echo "The report: $(BUILD)/report.html"

test:
	@scripts/packages.sh build test
	@scripts/test.sh

nightly:
	@scripts/packages.sh build test
	@scripts/nightly.sh

bench: bench-build
	@bench/bench.py $(BUILD) $(BENCH)

figures: bench-build
	@bench/bench.py $(BUILD) --figures $(BENCH)

# An allocator that cannot be installed is left out of the comparison. build/ may be older than they are.
bench-build:
	@scripts/packages.sh build
	@scripts/packages.sh bench || echo "bench: not all allocators to compare with can be installed"
	@for peer in mempool jemalloc mimalloc tcmalloc; do [ -e $(BUILD)/bench/peer_$$peer.so ] || missing=yes; done; \
		[ ! "$$missing" ] || [ ! -e $(BUILD)/build.ninja ] || meson setup --reconfigure $(BUILD) > /dev/null
	@$(MAKE) --no-print-directory all

clean:
	rm -rf build build-*
