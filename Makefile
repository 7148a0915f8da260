# SPDX-License-Identifier: MIT
# Meson builds; this file is the short way to it. Each target works from a fresh clone.
#
#   make        build/pagus, build/libpagus.a and build/libpagus_posix.a
#   make run    install what is missing, build, replay a real trace under five policies, write report.html
#   make test   install what is missing, build, run all tests
#   make nightly  what takes too long for make test, more than an hour
#   make bench  measure
#   make clean

TRACE = traces/7.2-frag1.pgt
BUILD = build

.PHONY: all run test nightly bench clean

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

bench: all
	@bench/bench.py $(BUILD)

clean:
	rm -rf build build-*
