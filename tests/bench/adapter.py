#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The adapter of docs/bench.md compiles and serves, and the check finds what is wrong with bad ones.

Usage: adapter.py SOURCE_ROOT BUILD
"""
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT, BUILD = sys.argv[1:3]
BENCH = os.path.join(BUILD, "bench", "bench")


def build_adapter(folder, name, source):
    path = os.path.join(folder, name)
    with open(path + ".c", "w", encoding="utf-8") as out:
        out.write(source)
    subprocess.run([os.environ.get("CC", "cc"), "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-I",
                    os.path.join(ROOT, "bench"), "-o", path + ".so", path + ".c", "-lpthread"], check=True)
    return path + ".so"


def run(*arguments):
    return subprocess.run([BENCH, *arguments], capture_output=True, text=True)


def outcome(adapter, *arguments):
    done = run("--adapter", adapter, "--mib", "32", "--ms", "1", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_example(adapter):
    for threads in ("1", "2"):
        for order, blocks in (("0", 8192), ("3", 1024), ("9", 16)):
            result = outcome(adapter, "--threads", threads, "--order", order)
            assert "failure" not in result and result["blocks"] == blocks, result
            assert result["touched_pages"] == 0, result
    for workload in ("pair", "batch", "bulk", "random", "churn", "cross", "exit"):
        result = outcome(adapter, "--threads", "2", "--workload", workload)
        assert all(phase["ns"] > 0 for phase in result["phases"].values()), result
    assert outcome(adapter, "--workload", "mixed")["failure"] == "one size only"


def check_bad(folder, source):
    """Each change of the example makes it break one promise."""
    step = "m->next += BENCH_PAGE_BYTES << order;"
    for name, old, new, failure in (
            ("twice", step, "static int odd;\n\tif ((odd ^= 1) == 0)\n\t\t" + step, "two blocks share a page"),
            ("aligned", step, "m->next += 64u << order;", "a block is not aligned to its size"),
            ("empty", "m->next < m->end", "m->next > m->end", "no block to be had"),
            ("closed", "(void)thread;\n\treturn allocator;", "(void)thread;\n\t(void)allocator;\n\treturn NULL;",
             "the adapter does not let a thread in")):
        assert old in source
        result = outcome(build_adapter(folder, name, source.replace(old, new)), "--threads", "2")
        assert result.get("failure") == failure, (name, result)


def check_bad_input(folder):
    nothing = build_adapter(folder, "nothing", "int nothing(void);\nint nothing(void) { return 0; }\n")
    for arguments, complaint in (
            (("--adapter", "nosuch"), "nosuch"), (("--adapter", "/nosuch/file.so"), "/nosuch/file.so"),
            (("--adapter", nothing), "does not define bench_adapter"),
            (("--adapter", "stack", "--workload", "nosuch"), "nosuch: no such workload"),
            (("--adapter", "stack", "--order", "10"), "--order 10: not a number from 0 to 9"),
            (("--adapter", "stack", "--threads", "x"), "--threads x: not a number"),
            (("--adapter", "stack", "--workload", "cross"), "cross: the workload needs more --threads"),
            (("--workload",), "usage:"), ((), "usage:")):
        done = run(*arguments)
        assert done.returncode == 1 and complaint in done.stderr and not done.stdout, (arguments, done)
        assert len(done.stderr.splitlines()) == 1, done.stderr


text = open(os.path.join(ROOT, "docs", "bench.md"), encoding="utf-8").read()
sources = re.findall(r"^```c\n(.*?)^```", text, re.M | re.S)
assert len(sources) == 1, "docs/bench.md does not show one adapter"
with tempfile.TemporaryDirectory() as scratch:
    check_example(build_adapter(scratch, "example", sources[0]))
    check_bad(scratch, sources[0])
    check_bad_input(scratch)
print("the adapter of docs/bench.md serves")
