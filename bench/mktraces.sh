#!/bin/sh
# SPDX-License-Identifier: MIT
# Make traces/*.pgt and traces/manifest.json anew from the case folders.
# usage: bench/mktraces.sh CASES_DIR [PAGUS]   (PAGUS: the program, default build/tool/pagus)
set -eu

if [ $# -lt 1 ]; then
	echo "usage: $0 CASES_DIR [PAGUS]" >&2
	exit 1
fi
cases=$1
root=$(cd "$(dirname "$0")/.." && pwd)
pagus=${2:-$root/build/tool/pagus}
out=$root/traces

mkdir -p "$out"
for name in 7.2-forkexec1 7.2-frag1 6.1-gccbuild2; do
	"$pagus" convert --force --level=19 "$cases/$name" "$out/$name.pgt"
done
python3 - "$pagus" "$cases" "$out" 7.2-forkexec1 7.2-frag1 6.1-gccbuild2 <<'END'
import json, os, re, subprocess, sys
pagus, cases, out, names = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
rows = []
for name in names:
    with open(os.path.join(cases, name, "manifest.json"), encoding="utf-8") as f:
        m = json.load(f)
    loss = m["loss"]
    info = subprocess.run([pagus, "info", os.path.join(out, name + ".pgt")], check=True,
                          capture_output=True, text=True).stdout
    machine = re.search(r"^machine +(.*)$", info, re.M).group(1)
    lost = ("overrun", "commit_overrun", "dropped", "missed_flag_subbuffers", "probe_nmissed")
    rows.append({
        "file": name + ".pgt",
        "kernel": m["kernel"],
        "machine": "QEMU emulation of " + machine,
        "workload": m["workload"],
        "workload_script": m["workload_script"],
        "events": m["events"],
        "lost_events": sum(loss.get(key, 0) for key in lost),
        "bytes": os.path.getsize(os.path.join(out, name + ".pgt")),
        "licence": "CC0-1.0",
    })
with open(os.path.join(out, "manifest.json"), "w", encoding="utf-8") as f:
    json.dump({"made_by": "bench/mktraces.sh", "traces": rows}, f, indent=1)
    f.write("\n")
END
