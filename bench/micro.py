# SPDX-License-Identifier: MIT
"""Run workloads on allocators, round by round, each run a process of its own."""
import json
import os
import statistics
import subprocess
import sys

from instructions import POLICIES

# Adapter as bench takes it; what it is.
ADAPTERS = tuple(("pagus:" + policy, "pagus, policy %s" % policy) for policy in POLICIES) + (
    ("mempool", "DPDK rte_mempool with its cache"),
    ("jemalloc", "jemalloc, aligned blocks"),
    ("mimalloc", "mimalloc, aligned blocks"),
    ("tcmalloc", "tcmalloc (gperftools), aligned blocks"),
    ("kernel:mmap", "Linux, mmap populated and munmap"),
    ("kernel:madvise", "Linux, MADV_POPULATE_WRITE and MADV_DONTNEED"),
    ("stack", "floor: an array stack for each thread"),
    ("stack:cas", "floor: the same with one compare-and-swap a call"),
)
# Workload, orders, least threads.
WORKLOADS = (
    ("pair", (0, 3, 9), 1),
    ("batch", (0,), 1),
    ("bulk", (0, 3, 9), 1),
    ("random", (0,), 1),
    ("churn", (0,), 1),
    ("cross", (0,), 2),
    ("exit", (0,), 1),
    ("mixed", (0,), 1),
)
RUN_SECONDS = 120


def thread_counts(most):
    """1, 2, 4 ... and all."""
    counts, n = [], 1
    while n < most:
        counts.append(n)
        n *= 2
    return counts + [most]


def jobs(threads, workloads=None):
    for nr in threads:
        for workload, orders, least in WORKLOADS:
            if nr >= least and (not workloads or workload in workloads):
                for order in orders:
                    yield workload, order, nr


def run(program, adapter, workload, order, threads, ms, mib):
    done = subprocess.run([program, "--adapter", adapter, "--workload", workload, "--order", str(order),
                           "--threads", str(threads), "--ms", str(ms), "--mib", str(mib)],
                          capture_output=True, text=True, timeout=RUN_SECONDS)
    if done.returncode != 0:
        sys.exit("bench: %s, %s: %s" % (adapter, workload, done.stderr.strip() or "ended by signal %d"
                                        % -done.returncode))
    return json.loads(done.stdout)


def present(program, adapters, mib):
    """Those that are there, with their check; and those that are not, with the reason."""
    there, missing = [], []
    for adapter, about in adapters:
        name = adapter.split(":")[0]
        if "/" not in name and not os.path.exists(os.path.join(os.path.dirname(program), "peer_%s.so" % name)):
            missing.append({"adapter": adapter, "about": about, "reason": "its package is not installed"})
            continue
        check = run(program, adapter, "check", 0, 1, 1, mib)
        if "failure" in check:
            missing.append({"adapter": adapter, "about": about, "reason": check["failure"]})
        else:
            there.append({"adapter": adapter, "about": about, "blocks": check["blocks"], "mib": check["mib"],
                          "touched_pages": check["touched_pages"],
                          "metadata_bytes": check["metadata_bytes"] or None,
                          "resident_metadata_bytes": check["resident_metadata_bytes"]})
    return there, missing


def spread(values):
    values = sorted(values)
    if len(values) < 2:
        return {"median": values[0], "q1": values[0], "q3": values[0]}
    q1, _, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": statistics.median(values), "q1": q1, "q3": q3}


def measure(program, adapters, todo, rounds, ms, mib, progress):
    """All jobs of all adapters in each round: results by adapter and job. What failed once is not run again."""
    results = {}
    for number in range(rounds):
        progress(number)
        for job in todo:
            for adapter in adapters:
                key = (adapter, *job)
                if "failure" in results.get(key, [{}])[-1]:
                    continue
                results.setdefault(key, []).append(run(program, adapter, *job, ms, mib))
    return results


def rows(results):
    """One row a phase, in nanoseconds and in compare-and-swaps of the same process; and what was not served."""
    measured, refused = [], []
    for (adapter, workload, order, threads), runs in results.items():
        place = {"adapter": adapter, "workload": workload, "order": order, "threads": threads}
        failures = [r["failure"] for r in runs if "failure" in r]
        if failures:
            refused.append({**place, "reason": failures[0]})
            continue
        for phase in runs[0]["phases"]:
            ns = [r["phases"][phase]["ns"] for r in runs]
            row = {**place, "phase": phase, "rounds": len(runs), "mib": runs[0]["mib"], "ns": spread(ns),
                   "cas": spread([n / r["cas_ns"] for n, r in zip(ns, runs)])}
            for name in ("ranges_2mib_free", "ranges_2mib_used", "ranges_1gib_free", "ranges_1gib_used"):
                if name in runs[0]:
                    row[name] = statistics.median(r[name] for r in runs)
            measured.append(row)
    return measured, refused


def unit(results):
    return spread([r["cas_ns"] for runs in results.values() for r in runs])
