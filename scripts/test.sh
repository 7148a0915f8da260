#!/bin/sh
# SPDX-License-Identifier: MIT
# All tests. Each step says what it is and how it ended; its output is kept, and shown where it failed. The
# last line counts them.
set -u
cd "$(dirname "$0")/.."

logs=build-logs
passed=0
failed=0
mkdir -p $logs

step() {
	name=$1
	shift
	log=$logs/$(echo "$name" | tr -c 'a-zA-Z0-9\n' '-').log
	start=$(date +%s)
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		printf 'ok      %-62s %4d s\n' "$name" $(($(date +%s) - start))
		sed -n 's/^skipped: /        skipped: /p' "$log"
	else
		failed=$((failed + 1))
		printf 'FAILED  %-62s %4d s\n' "$name" $(($(date +%s) - start))
		tail -n 100 "$log"
	fi
}

# A meson build folder: name, compiler, options...
build() {
	folder=$1
	compiler=$2
	shift 2
	[ -f "$folder/build.ninja" ] || CC=$compiler meson setup "$folder" "$@" && ninja -C "$folder"
}

# build/ may have been set up by make run, before the packages for tests were there.
build_default() {
	make all && { [ -x build/tests/test_model ] || { meson setup --reconfigure build && make all; }; }
}

# Suites of a build folder; no test at all is a failure too. Why a test was skipped goes into the log.
suites() {
	folder=$1
	shift
	meson test -C "$folder" --no-rebuild --print-errorlogs "$@" &&
		sed -n '/^skipped: /p' "$folder/meson-logs/testlog.txt" &&
		grep -q '^Ok: *[1-9]' "$folder/meson-logs/testlog.txt"
}

same_digests() {
	set -e
	reference=
	for compiler in gcc clang; do
		for level in -O0 -O3; do
			program=$logs/digest-$compiler$level
			$compiler -std=c11 $level -Iinclude -Isrc $(find src -name '*.c') port/sim/sim.c port/sim/owner.c \
				tests/determinism/digest_run.c -o "$program"
			"./$program" >"$program.txt"
			[ -n "$reference" ] || reference=$program.txt
			cmp "$reference" "$program.txt"
		done
	done
	cat "$reference"
}

# The program as a whole: every policy on every trace, from two compilers.
same_results() {
	set -e
	for folder in build build-clang; do
		$folder/tool/pagus replay traces/*.pgt --json $logs/$folder.json >/dev/null
		grep -v -e '"seconds":' -e '"events_per_second":' $logs/$folder.json >$logs/$folder.compared
	done
	cmp $logs/build.compared $logs/build-clang.compared
}

# Threads over the default policy of programs, and the stress programs over each; everything else of that build folder
# stays unbuilt. A child that starts threads is more than ThreadSanitizer supports, so fork is not among them.
tsan() {
	set -e
	tests='cma compact cpu handle lock memory threads worker'
	[ -f build-tsan/build.ninja ] || CC=gcc meson setup build-tsan -Db_sanitize=thread -Db_lundef=false
	ninja -C build-tsan $(printf 'tests/test_posix_%s ' $tests) tests/stress/contig tests/stress/stress
	export TSAN_OPTIONS=halt_on_error=1
	meson test -C build-tsan --no-rebuild --print-errorlogs $(printf 'posix_%s ' $tests)
	meson test -C build-tsan --no-rebuild --print-errorlogs --suite stress
}

export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

step 'build, gcc, warnings are errors' build_default
step 'build, clang, warnings are errors' build build-clang clang
step 'build, gcc, AddressSanitizer, UndefinedBehaviorSanitizer, slow checks' \
	build build-asan gcc -Db_sanitize=address,undefined -Dslow_checks=true
step 'layers' python3 tests/layers.py
step 'freestanding, gcc' sh tests/freestanding.sh gcc
step 'freestanding, clang' sh tests/freestanding.sh clang
step 'AArch64, compiled' sh tests/aarch64.sh
step 'same digests from gcc and clang at -O0 and -O3' same_digests
step 'same results from gcc and clang' same_results
step 'unit, model, sweep, traces; sanitizers' suites build-asan --suite unit --suite trace
step 'unit, model, sweep, traces' suites build --suite unit --suite trace
step 'threads, sanitizers' suites build-asan --suite posix
step 'threads' suites build --suite posix
step 'threads, ThreadSanitizer' tsan
step 'seeded interleavings; sanitizers' suites build-asan --suite weave
step 'seeded interleavings, mutants' suites build --suite weave
step 'stress; sanitizers' suites build-asan --suite stress
step 'stress' suites build --suite stress
step 'Spin model' sh tests/spin/run.sh
step 'exhaustive small worlds' suites build --suite world
step 'command line, README, tour' suites build --suite cli
step 'report in Chromium' suites build --suite web
step 'benchmarks, instructions' suites build --suite bench

echo
echo "$passed passed, $failed failed"
[ $failed = 0 ]
