#!/bin/sh
# SPDX-License-Identifier: MIT
# What takes too long for make test: 10^6 seeded interleavings, the Spin model with more pages, superpageblocks on
# machines of 256 GiB and under long loads, and an hour of stress. Of superpageblocks, on one processor: 10^9 operations
# take about 6 minutes on 512 MiB, 13 on 16 GiB, and twice that or more on 256 GiB; ten times all of memory replaced on
# machines up to 256 GiB about a quarter of an hour, the RFC's host ten minutes, the other checks on 256 GiB a minute
# each. They take up to 1.3 GB. The seed is the date's, as YYYYMMDD and four zeros, unless PAGUS_SEED says otherwise.
# Usage: nightly.sh [SECONDS]    of stress, all policies together; 3600
set -eu
cd "$(dirname "$0")/.."

seconds=${1-3600}
case $seconds in '' | *[!0-9]*) echo "nightly.sh: not a number of seconds: $seconds" >&2; exit 1 ;; esac
PAGUS_SEED=${PAGUS_SEED-$(date +%Y%m%d)0000}
export PAGUS_SEED
policies='linux pcpbuddy pcpbuddy-bitmap superpageblock' nr_policies=4

make all
[ -x build/tests/weave/weave ] || { meson setup --reconfigure build && make all; }

failed=0
run() {
	"$@" || { failed=$((failed + 1)); echo "FAILED: $*"; }
}

# Pairs of a policy and a scenario, of which each gets its share, rounded up.
pairs=$(build/tests/weave/weave --schedules 1 | grep -c ' schedules passed')
run build/tests/weave/weave --schedules $(((1000000 + pairs - 1) / pairs))
# Of isolation, CPUs that go, and compaction 10^5 of each policy.
for scenario in isolate 'move, isolate' offline compact 'compact twice' 'compact, plug' anything; do
	run build/tests/weave/weave --scenario "$scenario" --schedules 100000
done
run sh tests/spin/run.sh deep
# Superpageblocks: ten times all of memory replaced, and the same checks on 256 GiB.
run build/tests/test_superpageblock_load 1000 262144
for checks in checks rules evacuate_checks plug; do
	run build/tests/test_superpageblock_$checks 262144
done
# The host of the RFC at its size, which takes 0.7 GB.
run build/tests/test_superpageblock_host 18 3
for mib in 512 16384 262144; do
	run build/tests/test_superpageblock_long 1000000000 $mib
done
for policy in $policies; do
	run build/tests/stress/stress --policy "$policy" --seconds $((seconds / nr_policies))
done
# With ThreadSanitizer a minute of moving, ranges, isolation and allocation by threads, and one of CPUs that come and go.
[ -f build-tsan/build.ninja ] || CC=gcc meson setup build-tsan -Db_sanitize=thread -Db_lundef=false
run ninja -C build-tsan tests/stress/contig tests/stress/stress
for policy in $policies; do
	for program in contig stress; do
		TSAN_OPTIONS=halt_on_error=1 run build-tsan/tests/stress/$program --policy "$policy" --seconds 60
	done
done
echo "nightly: $failed failed"
[ $failed = 0 ]
