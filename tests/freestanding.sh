#!/bin/sh
# SPDX-License-Identifier: MIT
# The core links into one shared object without any library, and lacks nothing but the four memory
# functions that compilers call on their own.
#
# usage: freestanding.sh CC [FLAG...]
set -eu

[ $# -ge 1 ] || { echo "usage: freestanding.sh CC [FLAG...]" >&2; exit 1; }
root=$(CDPATH='' cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

find "$root/src" -name '*.c' | sort > "$work/sources"
[ -s "$work/sources" ] || { echo "freestanding.sh: no sources" >&2; exit 1; }

n=0
while read -r source; do
	n=$((n + 1))
	"$@" -std=c11 -O2 -ffreestanding -fno-stack-protector -fPIC -Wall -Wextra -Werror \
		-I"$root/include" -I"$root/src" -c "$source" -o "$work/$n.o"
done < "$work/sources"
"$@" -nostdlib -shared -o "$work/libpagus.so" "$work"/*.o

undefined=$(nm -D -u "$work/libpagus.so" | awk '{ print $2 }' |
	grep -v -x -E 'memcpy|memset|memmove|memcmp' || true)
if [ -n "$undefined" ]; then
	echo "the core needs symbols that nothing freestanding has:" >&2
	echo "$undefined" >&2
	exit 1
fi
nm -D --defined-only "$work/libpagus.so" | grep -q ' pagus_init$' ||
	{ echo "freestanding.sh: pagus_init is not there: nothing was checked" >&2; exit 1; }
