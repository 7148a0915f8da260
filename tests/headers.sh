#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles by itself, as C11 and as C++17, without a warning; and a C++ program links
# with the library.
#
# usage: headers.sh CC CXX LIBRARY...
set -eu

[ $# -ge 3 ] || { echo "usage: headers.sh CC CXX LIBRARY..." >&2; exit 1; }
root=$(CDPATH='' cd "$(dirname "$0")/.." && pwd)
cc=$1 cxx=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

n=0
for header in "$root"/include/pagus/*.h; do
	n=$((n + 1))
	printf '#include <pagus/%s>\nextern int some_declaration;\n' "$(basename "$header")" >"$work/one.c"
	"$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$root/include" -fsyntax-only "$work/one.c"
	"$cxx" -x c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -I"$root/include" -fsyntax-only "$work/one.c"
done
[ "$n" -gt 3 ] || { echo "headers.sh: no headers" >&2; exit 1; }

cat >"$work/main.cc" <<'END'
#include <pagus/explain.h>
#include <pagus/mempolicy.h>
#include <pagus/posix.h>
#include <pagus/sim.h>
#include <pagus/step.h>
#include <pagus/text.h>

int main()
{
	pagus_text text;
	pagus_sim sim;

	pagus_text_init(&text, nullptr, 0);
	pagus_sim_init(&sim, 1);
	return pagus_slow_row_name(0) && pagus_alloc_mpol && pagus_put_pages && pagus_step_pop &&
	       *pagus_posix_error() == '\0' && pagus_status_text(PAGUS_OK) ? 0 : 1;
}
END
# The driver for C links it: nothing of a C++ library is needed.
"$cxx" -std=c++17 -fno-exceptions -fno-rtti -I"$root/include" -c "$work/main.cc" -o "$work/main.o" -Wno-address
"$cc" "$work/main.o" "$@" -pthread -o "$work/main"
"$work/main"
