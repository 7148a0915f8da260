#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One short run of every workload on every allocator that is there: what it prints and writes.

Usage: run.py SOURCE_ROOT BUILD
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT, BUILD = sys.argv[1:3]
sys.path.insert(0, os.path.join(ROOT, "bench"))
import micro  # noqa: E402

MIB = 32
# Allocators with blocks of one size refuse mixed orders; a stack of each thread's own may run empty.
REFUSED = {("mempool", "mixed"), ("stack", "mixed"), ("stack:cas", "mixed")}
MAY_BE_REFUSED = {("stack", "cross"), ("stack:cas", "cross")}
NEVER_TOUCH = ("pagus:", "stack", "jemalloc")


def check_adapters(result):
    for adapter in result["adapters"]:
        least = adapter["mib"] * 256 * 15 // 16
        assert adapter["blocks"] >= least, adapter
        if adapter["adapter"].startswith(NEVER_TOUCH):
            assert adapter["touched_pages"] == 0, adapter
        if adapter["adapter"].startswith("kernel"):
            assert adapter["touched_pages"] == adapter["blocks"], adapter
        if adapter["adapter"].startswith("pagus"):
            # 16 bytes a page and more, and no more resident than they say, but for the process's own.
            assert adapter["metadata_bytes"] > 0, adapter
            assert adapter["resident_metadata_bytes"] < adapter["metadata_bytes"] + (1 << 21), adapter
    names = {a["adapter"] for a in result["adapters"]}
    assert {"pagus:linux", "pagus:pcpbuddy", "stack", "stack:cas", "kernel:mmap", "kernel:madvise"} <= names, names
    for adapter in result["missing"]:
        print("skipped: bench: %(adapter)s: %(reason)s" % adapter)


def check_measurements(result):
    refused = {(r["adapter"], r["workload"]) for r in result["not_served"]}
    names = {a["adapter"] for a in result["adapters"]}
    assert refused - MAY_BE_REFUSED == {r for r in REFUSED if r[0] in names}, refused
    done = {(r["adapter"], r["workload"], r["order"], r["threads"]) for r in result["measurements"]}
    for job in micro.jobs(result["threads"]):
        for name in names:
            assert (name, *job) in done or (name, job[0]) in refused, (name, job)
    for row in result["measurements"]:
        for unit in ("ns", "cas"):
            value = row[unit]
            assert 0 < value["q1"] <= value["median"] <= value["q3"], row
        assert row["rounds"] == 1, row
        if row["workload"] == "mixed":
            assert row["ranges_2mib_used"] > 0, row
            if row["adapter"].startswith("pagus"):
                assert row["ranges_2mib_free"] + row["ranges_2mib_used"] == row["mib"] // 2, row


def check_goals(result):
    for policy in ("linux", "pcpbuddy"):
        goals = result["goals"][policy]
        assert len(goals) == 11, goals
        # One thread alone was not measured, but what needs two was.
        assert [g["value"] is None for g in goals] == [
            not g["goal"].startswith(("one thread takes", "metadata")) for g in goals], goals
        for goal in goals:
            if goal["value"] is not None:
                assert goal["met"] == (goal["value"] <= goal["limit"]), goal
                assert abs(goal["missed_by"] - max(0, goal["value"] - goal["limit"])) < 1e-9, goal


def check_documents(result, printed, svg):
    text = "".join(xml.etree.ElementTree.fromstring(svg).itertext())
    for adapter in result["adapters"]:
        assert adapter["adapter"] in printed and adapter["adapter"] in text, adapter
    assert "goal 1.6" in text and "2 MiB" in text
    document = open(os.path.join(ROOT, "docs", "bench.md"), encoding="utf-8").read()
    for key in [*result, *result["machine"], *result["adapters"][0], *result["metadata"][0],
                *(key for row in result["measurements"] for key in row)]:
        assert "`%s`" % key in document, "docs/bench.md does not have the key %s" % key


def bench(*arguments, build=BUILD):
    return subprocess.run([os.path.join(ROOT, "bench", "bench.py"), build, *arguments], capture_output=True, text=True)


def check_left_out(folder):
    """A build folder in which one adapter alone was built."""
    os.mkdir(os.path.join(folder, "bench"))
    for name in ("bench", "store", "peer_stack.so"):
        shutil.copy(os.path.join(BUILD, "bench", name), os.path.join(folder, "bench"))
    done = bench("--quick", "--mib", str(MIB), "--workload", "pair", "--threads", "1", build=folder)
    assert done.returncode == 0, done.stderr
    result = json.load(open(os.path.join(folder, "bench.json"), encoding="utf-8"))
    assert [a["adapter"] for a in result["adapters"]] == ["stack", "stack:cas"], result["adapters"]
    assert {m["adapter"] for m in result["missing"]} >= {"pagus:linux", "mempool", "kernel:mmap"}, result["missing"]
    assert "left out: mempool (DPDK rte_mempool with its cache): its package is not installed" in done.stdout
    assert result["goals"] == {}


def check_again(folder, first):
    """A result that is read gives the same files, and what is none is refused."""
    second, plot = os.path.join(folder, "again.json"), os.path.join(folder, "again.svg")
    done = bench("--result", first, "--json", second, "--svg", plot)
    assert done.returncode == 0, done.stderr
    assert open(first, "rb").read() == open(second, "rb").read()
    for content in ("", "[]", '{"version": 0}'):
        bad = os.path.join(folder, "bad.json")
        with open(bad, "w", encoding="utf-8") as out:
            out.write(content)
        done = bench("--result", bad, "--json", second + "2", "--svg", plot)
        assert done.returncode == 1 and bad in done.stderr and len(done.stderr.splitlines()) == 1, done
        assert not os.path.exists(second + "2")
    for arguments in (("--workload", "nosuch"), ("--rounds", "0"), ("--only", "nosuch")):
        assert bench("--quick", *arguments).returncode != 0, arguments


with tempfile.TemporaryDirectory() as scratch:
    files = os.path.join(scratch, "result.json"), os.path.join(scratch, "result.svg")
    run = bench("--quick", "--mib", str(MIB), "--threads", "2", "--json", files[0], "--svg", files[1])
    assert run.returncode == 0, run.stderr
    result = json.load(open(files[0], encoding="utf-8"))
    check_documents(result, run.stdout, open(files[1], encoding="utf-8").read())
    check_again(scratch, files[0])
    check_left_out(scratch)
check_adapters(result)
check_measurements(result)
check_goals(result)
print("%d allocators, %d measurements" % (len(result["adapters"]), len(result["measurements"])))
