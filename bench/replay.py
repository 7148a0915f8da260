# SPDX-License-Identifier: MIT
"""Replay speed and memory of the program, metadata of the library, instructions of whole workloads."""
import json
import os
import statistics
import subprocess
import sys
import tempfile

from instructions import total

POLICIES = "linux,pcpbuddy,pcpbuddy-bitmap,nopcp,nogroup,plain,linux-6.1"


def replay_once(pagus, trace):
    """Events per second by policy, the peak resident bytes of the process, and the trace's facts."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        pid = os.posix_spawn(pagus, [pagus, "replay", trace, "--policy", POLICIES, "--json", out.name],
                             os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
        _, status, usage = os.wait4(pid, 0)
        if status != 0:
            sys.exit("bench: replay of %s failed" % trace)
        result = json.load(open(out.name, encoding="utf-8"))
    rates = {p["policy"]: p["timing"]["events_per_second"] for p in result["policies"]}
    return rates, usage.ru_maxrss * 1024, result["trace"]


def replay(pagus, traces, rounds):
    runs = {trace: [] for trace in traces}
    for _ in range(rounds):
        for trace in traces:
            runs[trace].append(replay_once(pagus, trace))
    for trace, results in runs.items():
        facts = results[0][2]
        rates = {policy: [r[0][policy] for r in results] for policy in POLICIES.split(",")}
        yield {"trace": os.path.basename(trace.rstrip("/")), "events": facts["events"],
               "memory_pages": facts["memory_pages"], "peak_resident_bytes": max(r[1] for r in results),
               "limit_bytes": int(1.3 * 18 * facts["memory_pages"] + 200e6),
               "events_per_second": {policy: {"median": statistics.median(r), "least": min(r), "most": max(r)}
                                     for policy, r in rates.items()}}


def metadata(store, policies):
    """Bytes of state by policy and size of machine."""
    for policy in policies:
        done = subprocess.run([store, "size", policy], capture_output=True, text=True)
        for line in done.stdout.splitlines() if done.returncode == 0 else ():
            gib, cpus, size, pages = map(int, line.split())
            yield {"policy": policy, "gib": gib, "cpus": cpus, "bytes": size, "bytes_per_page": size / pages,
                   "bytes_per_gib": size / gib, "percent": 100 * size / (pages * 4096)}


def instructions(store, what, rounds=20000):
    """Instructions a round: the difference of two runs, so that start and end do not count."""
    more, less = (total([store, what, str(n)]) for n in (3 * rounds, rounds))
    return None if more is None or less is None else (more - less) / (2 * rounds)
