#!/bin/sh
# SPDX-License-Identifier: MIT
# Check the Spin model: what it asserts holds in every state, what it claims of every run in which nobody who can
# go on waits for ever; and each rule that is broken on purpose is missed.
#
# usage: run.sh [deep]    deep: with more pages and allocations, some minutes and some GB of memory
set -eu

command -v spin >/dev/null || { echo 'skipped: Spin model: spin is not installed'; exit 0; }
model=$(CDPATH='' cd "$(dirname "$0")" && pwd)/pcpbuddy.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# The verifier for a use of the model: flags of the compiler, then what is defined.
generate() {
	flags=$1
	shift
	spin -a "$@" "$model" >spin.txt || { cat spin.txt; exit 1; }
	# shellcheck disable=SC2086
	${CC:-cc} -w -DMEMLIM=12000 $flags -o pan pan.c
}

# Run it: what it says, and success where it went through all states and found nothing.
explore() {
	./pan -m1000000 "$@" >pan.txt
	if grep -q -e 'max search depth too small' -e 'out of memory' -e 'reached -DMEMLIM' pan.txt; then
		cat pan.txt
		exit 1
	fi
	grep -q 'errors: 0' pan.txt
}

states() {
	sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.txt
}

must_hold() {
	what=$1
	shift
	explore "$@" || { echo "$what: does not hold"; cat pan.txt; exit 1; }
	echo "$what: holds, $(states) states"
}

must_break() {
	rule=$1 text=$2
	shift 2
	generate '-DSAFETY -DNOCLAIM' -DBREAK="$rule" "$@"
	if explore; then
		echo "rule $rule, $text: nothing is found"
		exit 1
	fi
	echo "rule $rule, $text: $(sed -n 's/^pan:[0-9]*: //p' pan.txt | head -n 1)"
}

if [ "${1-}" = deep ]; then
	safety='-DPAGES=3 -DALLOCS=1' liveness='-DPAGES=2 -DALLOCS=2'
else
	safety='-DPAGES=2 -DALLOCS=1' liveness='-DPAGES=2 -DALLOCS=0'
fi
for use in DRAIN OFFLINE PCPS_OFF ISOLATE; do
	# shellcheck disable=SC2086
	generate '-O1 -DSAFETY -DNOCLAIM' "-D$use" $safety
	must_hold "$use, assertions"
	# shellcheck disable=SC2086
	generate '-O1 -DNFAIR=3' "-D$use" $liveness
	must_hold "$use, what is freed arrives" -a -f -N freed_arrives
	case $use in OFFLINE | PCPS_OFF) must_hold "$use, it ends" -a -f -N retire_ends ;; esac
done

must_break 1 'all is taken off the stack in one exchange' -DOFFLINE
must_break 2 'what is gathered of an isolated pageblock goes to the zone' -DISOLATE
must_break 3 'a closed stack takes nothing' -DOFFLINE
must_break 4 'with the lock the freer looks at the owner again' -DOFFLINE
must_break 5 'a pcp that retires closes its stack' -DOFFLINE
must_break 6 'a pcp that retires owns nothing' -DOFFLINE
must_break 7 'a lease ends with no page on the lists' -DDRAIN
must_break 8 'a popped page is no buddy' -DDRAIN
must_break 9 'no zone lock is held where deferred pages are gathered' -DOFFLINE
generate '-DNFAIR=3' -DBREAK=10 -DDRAIN
if explore -a -f -N freed_arrives; then
	echo 'rule 10, the tick gathers: nothing is found'
	exit 1
fi
echo "rule 10, the tick gathers: $(sed -n 's/^pan:[0-9]*: //p' pan.txt | head -n 1)"
