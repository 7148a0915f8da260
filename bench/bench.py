#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure the allocators, the program and the library in one run: tables, JSON and a plot.

bench.py BUILD [TRACE...] [--quick] [--adapter SPEC]... [--only SPEC,...] [--workload NAME,...] [--threads N,...]
         [--rounds N] [--ms N] [--mib N] [--micro] [--label NAME] [--figures] [--result FILE]
         [--json FILE] [--svg FILE]

docs/bench.md says how to read what it prints and writes.
"""
import argparse
import datetime
import glob
import json
import os
import sys

import goals
import instructions
import machine
import micro
import plot
import replay
import table

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VERSION = 1
WHOLE = (("allocation and free of one page", "pairs"), ("allocation, later free, of each of many pages", "bulk"))


def numbers(text):
    return [int(part) for part in text.split(",")]


def read_options(arguments):
    known = [workload for workload, _, _ in micro.WORKLOADS]
    parser = argparse.ArgumentParser(prog="bench.py", description=__doc__.split("\n")[0])
    parser.add_argument("build", help="build folder")
    parser.add_argument("traces", nargs="*", help="to replay; default all of traces/")
    parser.add_argument("--quick", action="store_true", help="one round of 1 ms on 64 MiB: a trial, not a measurement")
    parser.add_argument("--adapter", action="append", default=[], metavar="SPEC",
                        help="one more: FILE.so[:ARGUMENT] or NAME[:ARGUMENT]; several times")
    parser.add_argument("--only", metavar="SPEC,...", help="of the adapters, these")
    parser.add_argument("--workload", type=lambda t: t.split(","), metavar="NAME,...", help=", ".join(known))
    parser.add_argument("--threads", type=numbers, metavar="N,...", help="1, 2, 4 ... all CPUs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--ms", type=int, default=20, help="milliseconds for which each is measured, at least")
    parser.add_argument("--mib", type=int, default=1024, help="memory that each allocator manages")
    parser.add_argument("--micro", action="store_true", help="allocators alone, no replay, no instructions")
    parser.add_argument("--label", help="write bench/results/LABEL.json and .svg")
    parser.add_argument("--figures", action="store_true", help="as --label figures, and README.md's table")
    parser.add_argument("--result", metavar="FILE", help="do not measure: print, plot and write what this file has")
    parser.add_argument("--json", help="default BUILD/bench.json")
    parser.add_argument("--svg", help="default BUILD/bench.svg")
    options = parser.parse_args(arguments)
    for name in options.workload or ():
        if name not in known:
            parser.error("--workload %s: none of %s" % (name, ", ".join(known)))
    if options.rounds < 1 or any(n < 1 for n in options.threads or ()):
        parser.error("--rounds and --threads are at least 1")
    if options.quick:
        options.rounds, options.ms, options.mib = 1, 1, 64
    if options.figures:
        options.label = "figures"
    base = os.path.join(ROOT, "bench", "results", options.label) if options.label else os.path.join(
        options.build, "bench")
    options.json, options.svg = options.json or base + ".json", options.svg or base + ".svg"
    return options


def measure_allocators(options, result):
    program = os.path.join(options.build, "bench", "bench")
    adapters = micro.ADAPTERS + tuple((spec, "given by --adapter") for spec in options.adapter)
    if options.only:
        adapters = tuple(a for a in adapters if a[0] in options.only.split(",") + options.adapter)
    result["adapters"], result["missing"] = micro.present(program, adapters, options.mib)
    if not result["adapters"]:
        sys.exit("bench: no adapter is there")
    todo = list(micro.jobs(result["threads"], options.workload))

    def progress(number):
        print("round %d of %d" % (number + 1, options.rounds), file=sys.stderr, flush=True)
    runs = micro.measure(program, [a["adapter"] for a in result["adapters"]], todo, options.rounds, options.ms,
                         options.mib, progress)
    result["measurements"], result["not_served"] = micro.rows(runs)
    result["cas_ns"] = micro.unit(runs)


def measure_program(options, result):
    store = os.path.join(options.build, "bench", "store")
    result["metadata"] = list(replay.metadata(store, micro.POLICIES))
    result["replay"], result["instructions"] = [], None
    result["pair_instructions"], result["whole_instructions"] = {}, {}
    if options.micro or options.quick:
        return
    traces = options.traces or sorted(glob.glob(os.path.join(ROOT, "traces", "*.pgt")))
    result["replay"] = list(replay.replay(os.path.join(options.build, "tool", "pagus"), traces, options.rounds))
    if instructions.tools_missing() is not None:
        return
    print("counting instructions", file=sys.stderr, flush=True)
    program = os.path.join(options.build, "bench", "bench")
    result["instructions"] = {"compiler_version": instructions.compiler_version(),
                              "instructions_per_call": instructions.count()}
    # What the kernel executes is not counted.
    result["pair_instructions"] = {a["adapter"]: instructions.pair(program, a["adapter"])
                                   for a in result["adapters"] if not a["adapter"].startswith("kernel")}
    result["whole_instructions"] = {text: replay.instructions(store, what) for text, what in WHOLE}


def write(path, content):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(content)


def measure(options):
    result = {"version": VERSION, "date": datetime.datetime.now().isoformat(timespec="seconds"),
              "quick": options.quick, "rounds": options.rounds, "ms": options.ms, "mib": options.mib,
              "threads": options.threads or micro.thread_counts(len(os.sched_getaffinity(0))),
              "machine": machine.describe()}
    measure_allocators(options, result)
    measure_program(options, result)
    result["machine"]["load_average_after"] = os.getloadavg()
    return result


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            result = json.load(f)
    except (OSError, ValueError) as error:
        sys.exit("bench: %s: %s" % (path, error))
    if not isinstance(result, dict) or result.get("version") != VERSION:
        sys.exit("bench: %s: not a result of version %d" % (path, VERSION))
    return result


def main():
    options = read_options(sys.argv[1:])
    result = load(options.result) if options.result else measure(options)
    result["goals"] = goals.judge_all(result["measurements"], result["metadata"], result["adapters"])
    print("\n".join(table.text(result)))
    write(options.json, json.dumps(result, indent=1) + "\n")
    write(options.svg, "\n".join(plot.svg(result)) + "\n")
    print("\n%s, %s" % (options.json, options.svg))
    if options.figures:
        path = os.path.join(ROOT, "README.md")
        with open(path, encoding="utf-8") as f:
            old = f.read()
        write(path, table.replace_figures(old, result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
