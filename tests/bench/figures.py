#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The figures of README.md and docs/superpageblock.md are those of bench/results, and goals are judged as they should be.

Usage: figures.py SOURCE_ROOT BUILD
"""
import json
import os
import sys

ROOT = sys.argv[1]
sys.path.insert(0, os.path.join(ROOT, "bench"))
import goals  # noqa: E402
import instructions  # noqa: E402
import superpageblock  # noqa: E402
import table  # noqa: E402


def row(adapter, workload, phase, cas, threads=1):
    return {"adapter": adapter, "workload": workload, "order": 0, "threads": threads, "phase": phase,
            "cas": {"median": cas}}


def check_goals():
    rows = [row("pagus:linux", "pair", "pair", 1.5), row("pagus:linux", "pair", "pair", 1.8, 2),
            row("pagus:linux", "bulk", "get", 1.0), row("pagus:linux", "bulk", "get", 0.9, 2),
            row("pagus:linux", "cross", "block", 9.0, 2), row("mempool", "pair", "pair", 1.6)]
    judged = {g["goal"]: g for g in goals.judge(rows, [], [], "linux")}
    pair = judged["repeat pair, order 0"]
    assert not pair["met"] and pair["missed_by"] == 0.5, pair
    assert judged["bulk get, order 0, a page"]["met"]
    assert judged["bulk put, order 0, a page"]["met"] is None
    assert judged["repeat pair, order 0, against rte_mempool's cached get and put"]["met"]
    scaling = judged["ratio of a thread's time, two threads to one, the worst workload without sharing"]
    assert abs(scaling["value"] - 1.2) < 1e-9 and scaling["where"] == "pair 0", scaling
    both = list(goals.judge([row("pagus:linux", "pair", "pair", 1.8, 2)], [], [], "linux"))
    assert all(g["value"] is None and g["met"] is None for g in both), both
    store = [{"policy": "pcpbuddy-bitmap", "gib": 16, "cpus": 8, "percent": 0.025}]
    whole = [{"adapter": "pagus:pcpbuddy-bitmap", "mib": 1, "metadata_bytes": 1 << 10}]
    metadata, process = list(goals.judge(rows, store, whole, "pcpbuddy-bitmap"))[-2:]
    assert not metadata["met"] and abs(metadata["missed_by"] - 0.005) < 1e-9, metadata
    assert not process["met"] and abs(process["value"] - 0.09765625) < 1e-9, process


def check_instructions():
    recorded = {"linux": {"alloc": 100.0, "free": 100.0}}
    assert not list(instructions.compare(recorded, {"linux": {"alloc": 105.0, "free": 20.0}}))
    assert len(list(instructions.compare(recorded, {"linux": {"alloc": 105.1, "free": 100.0}}))) == 1
    assert len(list(instructions.compare(recorded, {}))) == 2
    assert len(list(instructions.compare({}, recorded))) == 2


def check_readme():
    readme = open(os.path.join(ROOT, "README.md"), encoding="utf-8").read()
    result = json.load(open(os.path.join(ROOT, "bench", "results", "figures.json"), encoding="utf-8"))
    assert not result["quick"] and result["rounds"] >= 7, "README.md's figures are not of a whole run"
    assert table.replace_figures(readme, result) == readme, "README.md's figures are not those of figures.json"


def check_superpageblock():
    with open(superpageblock.DOCUMENT, encoding="utf-8") as document, open(superpageblock.RESULT, encoding="utf-8") as result:
        old = document.read()
        assert superpageblock.replace_figures(old, json.load(result)) == old, "docs/superpageblock.md has other figures"


check_goals()
check_superpageblock()
check_instructions()
check_readme()
print("README.md's figures are bench/results/figures.json's")
