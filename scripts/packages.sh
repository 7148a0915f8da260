#!/bin/sh
# SPDX-License-Identifier: MIT
# Install what is missing of the sections of packages.txt that are named: one apt-get call, printed first.
# Usage: packages.sh SECTION...
set -eu
cd "$(dirname "$0")/.."

wanted() {
	for section; do
		sed -n "/^\[$section\]/,/^\[/p" packages.txt | grep -v -e '^\[' -e '^#' -e '^$'
	done
}

missing=
for package in $(wanted "$@"); do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
		missing="$missing $package"
done
# A tool that works is there, whoever installed it.
needed=
for package in $missing; do
	case $package in
	gcc | make | meson | clang | chromium | valgrind | scdoc | python3) command -v "$package" >/dev/null && continue ;;
	ninja-build) command -v ninja >/dev/null && continue ;;
	pkg-config) command -v pkg-config >/dev/null && continue ;;
	esac
	needed="$needed $package"
done
[ -n "$needed" ] || exit 0

if [ "$(id -u)" = 0 ]; then sudo=; else sudo="sudo "; fi
# A machine that has never asked for its lists cannot install anything.
if ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1; then update=; else update="${sudo}apt-get update && "; fi
command="$update${sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends$needed"
echo "$command"
sh -c "$command"
