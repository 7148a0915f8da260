#!/bin/sh
# SPDX-License-Identifier: MIT
# Take docs/report.png, the picture in README.md: the charts and the map of a replay under four policies.
set -eu
cd "$(dirname "$0")/.."
profile=$(mktemp -d)
build/pagus replay traces/7.2-frag1.pgt --policy linux,linux-6.1,nogroup,plain --html "$profile/whole.html" >/dev/null
# The picture shows the charts and the map alone, over the whole width.
sed 's|</head>|<style>section[aria-labelledby=h-fidelity],section[aria-labelledby=h-comparison],section[aria-labelledby=h-glossary],footer,#report>header{display:none}</style></head>|' \
	"$profile/whole.html" >"$profile/report.html"
trap 'rm -rf "$profile"' EXIT
chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
	--disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$profile" \
	--host-resolver-rules='MAP * ~NOTFOUND' --virtual-time-budget=8000 --window-size=1400,1290 \
	--screenshot="$PWD/docs/report.png" "file://$profile/report.html" 2>"$profile/log" ||
	{ cat "$profile/log" >&2; exit 1; }
echo "docs/report.png"
