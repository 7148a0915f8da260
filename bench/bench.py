#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure replay speed, memory and instruction counts; print a table and write BUILD/bench.json.

Times are medians over interleaved rounds with the spread beside them; instruction counts come from callgrind
and do not depend on the machine's load. Usage: bench.py BUILD [CASE...]
"""
import glob
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 7
POLICIES = "linux,pcpbuddy,nopcp,nogroup,plain,linux-6.1"


def machine():
    model = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return {"cpu": model.group(1) if model else platform.machine(), "cpus": os.cpu_count(),
            "kernel": platform.release()}


def replay(pagus, trace):
    """Events per second by policy, and the peak resident bytes of the process."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        pid = os.posix_spawn(pagus, [pagus, "replay", trace, "--policy", POLICIES, "--json", out.name],
                             os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
        _, status, usage = os.wait4(pid, 0)
        if status != 0:
            sys.exit("bench: replay of %s failed" % trace)
        result = json.load(open(out.name))
    rates = {p["policy"]: p["timing"]["events_per_second"] for p in result["policies"]}
    return rates, usage.ru_maxrss * 1024, result["trace"]


def instructions(store, what, rounds):
    """Instructions a round: the difference of two runs, so that start and end do not count."""
    def count(n):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/out" % folder,
                                   store, what, str(n)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit("bench: valgrind: %s" % done.stderr)
        return int(re.search(r"Collected : (\d+)", done.stderr).group(1))
    return (count(3 * rounds) - count(rounds)) / (2 * rounds)


def main():
    build = sys.argv[1]
    traces = sys.argv[2:] or sorted(glob.glob("traces/*.pgt"))
    pagus, store = os.path.join(build, "tool/pagus"), os.path.join(build, "bench/store")
    result = {"machine": machine(), "replay": [], "metadata": [], "instructions": {}}
    print("machine: %(cpu)s, %(cpus)s CPUs, Linux %(kernel)s\n" % result["machine"])

    runs = {trace: [] for trace in traces}
    for _ in range(ROUNDS):
        for trace in traces:
            runs[trace].append(replay(pagus, trace))
    print("replay, sim port, one core: million events a second, median of %d (least - most)" % ROUNDS)
    for trace, rounds in runs.items():
        facts = rounds[0][2]
        row = {"trace": os.path.basename(trace.rstrip("/")), "events": facts["events"],
               "memory_pages": facts["memory_pages"],
               "peak_resident_bytes": max(r[1] for r in rounds), "events_per_second": {}}
        for policy in POLICIES.split(","):
            rates = [r[0][policy] for r in rounds]
            row["events_per_second"][policy] = statistics.median(rates)
            print("  %-22s %-8s %6.1f  (%.1f - %.1f)" % (row["trace"], policy, statistics.median(rates) / 1e6,
                                                        min(rates) / 1e6, max(rates) / 1e6))
        result["replay"].append(row)

    print("\npeak resident memory of these replays, against 1.3 x metadata + 200 MB")
    for row in result["replay"]:
        limit = 1.3 * 18 * row["memory_pages"] + 200e6
        print("  %-22s %6.1f MB of %.1f MB" % (row["trace"], row["peak_resident_bytes"] / 1e6, limit / 1e6))

    print("\nstate of the list store, bytes a page")
    for line in subprocess.run([store, "size"], capture_output=True, text=True, check=True).stdout.split("\n"):
        if line:
            gib, cpus, size, pages = map(int, line.split())
            result["metadata"].append({"gib": gib, "cpus": cpus, "bytes": size, "bytes_per_page": size / pages})
            print("  %5d GiB, %3d CPUs  %.3f" % (gib, cpus, size / pages))

    if shutil.which("valgrind"):
        print("\ninstructions (callgrind), order 0, movable, sim port")
        for what, text in (("pairs", "allocation and free of one page"),
                           ("bulk", "allocation, later free, of each of many pages")):
            result["instructions"][what] = instructions(store, what, 20000)
            print("  %-46s %.1f" % (text, result["instructions"][what]))
    with open(os.path.join(build, "bench.json"), "w") as out:
        json.dump(result, out, indent=1)


main()
