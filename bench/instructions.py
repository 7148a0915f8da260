#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Count the instructions of an allocation and a free that the CPU's own list serves, with callgrind.

instructions.py            compare with bench/results/instructions.json: 5 % more fails, and superpageblocks that
                           cost 3 % more than the same store without them, for movable and unmovable pages
instructions.py --record   write that file

The flags are fixed, so that counts depend on the source and the compiler alone.
"""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RECORD = os.path.join(ROOT, "bench", "results", "instructions.json")
COMPILER = "gcc"
FLAGS = ["-std=c11", "-O2", "-DNDEBUG", "-ffreestanding", "-fno-lto"]
POLICIES = ("linux", "pcpbuddy", "pcpbuddy-bitmap")
CALLS = {"alloc": "pagus_alloc_pages", "free": "pagus_free_pages"}
LEAST_ROUNDS, MOST_ROUNDS = 1000, 3000
TOLERANCE_PERCENT = 5
STEERED, UNSTEERED, STEERING_PERCENT = "superpageblock", "pcpbuddy-bitmap", 3


def compiler_version():
    return subprocess.run([COMPILER, "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()


def build(folder):
    """The library and hit.c; returns the program."""
    def compile_one(source):
        out = os.path.join(folder, re.sub(r"\W", "_", os.path.relpath(source, ROOT)) + ".o")
        own = [f for f in FLAGS if source.startswith(os.path.join(ROOT, "src")) or f != "-ffreestanding"]
        subprocess.run([COMPILER, *own, "-I", os.path.join(ROOT, "include"), "-I", os.path.join(ROOT, "src"),
                        "-c", source, "-o", out], check=True)
        return out
    sources = sorted(glob.glob(os.path.join(ROOT, "src", "**", "*.c"), recursive=True))
    sources.append(os.path.join(ROOT, "bench", "hit.c"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, sources))
    program = os.path.join(folder, "hit")
    subprocess.run([COMPILER, *objects, "-o", program], check=True)
    return program


def total(command):
    """Instructions of a whole run; None: it cannot be run so."""
    # bench begins anew where this is not set, and callgrind does not follow.
    environment = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=65536", **os.environ}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/out" % folder, *command],
                              capture_output=True, text=True, env=environment)
    found = re.findall(r"Collected : (\d+)", done.stderr)
    return int(found[-1]) if done.returncode == 0 and found else None


def pair(program, adapter):
    """Instructions of a get and a put of one page by an adapter, with the calls of it; None: not countable."""
    counts = [total([program, "--adapter", adapter, "--workload", "count", "--mib", "32", "--operations", str(n)])
              for n in (LEAST_ROUNDS, MOST_ROUNDS)]
    return None if None in counts else (counts[1] - counts[0]) / (MOST_ROUNDS - LEAST_ROUNDS)


def known(program, policy):
    return subprocess.run([program, policy, "1", "movable"], capture_output=True).returncode == 0


def collected(program, policy, function, rounds, mobility):
    instructions = total(["--toggle-collect=" + function, program, policy, str(rounds), mobility])
    if instructions is None:
        sys.exit("instructions: valgrind does not count %s of %s" % (function, policy))
    return instructions


def per_call(program, policy, call, mobility):
    """Instructions a call: the difference of two runs, without their beginnings."""
    most, least = (collected(program, policy, CALLS[call], rounds, mobility)
                   for rounds in (MOST_ROUNDS, LEAST_ROUNDS))
    return (most - least) / (MOST_ROUNDS - LEAST_ROUNDS)


def count_with(program):
    """By policy and call."""
    return {policy: {call: per_call(program, policy, call, "movable") for call in CALLS}
            for policy in POLICIES if known(program, policy)}


def count():
    with tempfile.TemporaryDirectory() as folder:
        return count_with(build(folder))


def record():
    result = {"compiler": COMPILER, "compiler_version": compiler_version(), "flags": FLAGS,
              "instructions_per_call": count()}
    with open(RECORD, "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)
        out.write("\n")
    return result


def compare(recorded, counted):
    """Lines about calls that need more than the tolerance allows, or that one side does not have."""
    for policy in sorted(set(recorded) | set(counted)):
        for call in CALLS:
            old, new = (side.get(policy, {}).get(call) for side in (recorded, counted))
            if old is None or new is None:
                yield "%s %s: %s" % (policy, call, "not recorded" if old is None else "recorded, and not there")
            elif new > old * (1 + TOLERANCE_PERCENT / 100):
                yield "%s %s: %.1f instructions, %.1f recorded: more than %d %% up" % (
                    policy, call, new, old, TOLERANCE_PERCENT)


def compare_steering(program):
    """Lines about calls that superpageblocks make dearer than they may be."""
    for mobility in ("movable", "unmovable"):
        for call in CALLS:
            steered, plain = (per_call(program, policy, call, mobility) for policy in (STEERED, UNSTEERED))
            print("%s %s of %s pages: %.1f, %.1f without superpageblocks" % (STEERED, call, mobility, steered, plain))
            if steered > plain * (1 + STEERING_PERCENT / 100):
                yield "%s %s of %s pages: more than %d %% above %s" % (
                    STEERED, call, mobility, STEERING_PERCENT, UNSTEERED)


def tools_missing():
    for program in ("valgrind", COMPILER):
        if not shutil.which(program):
            return "%s is not there" % program
    return None


def why_skipped():
    missing = tools_missing()
    if missing:
        return missing
    major = json.load(open(RECORD, encoding="utf-8"))["compiler_version"].split(".")[0]
    if compiler_version().split(".")[0] != major:
        return "recorded with %s %s, this is %s" % (COMPILER, major, compiler_version())
    return None


def show(counts):
    for policy, calls in counts.items():
        print("%-16s %s" % (policy, "  ".join("%s %.1f" % (call, n) for call, n in calls.items())))


def main():
    if sys.argv[1:] == ["--record"]:
        show(record()["instructions_per_call"])
        return 0
    if sys.argv[1:]:
        sys.exit("usage: instructions.py [--record]")
    reason = why_skipped()
    if reason:
        print("skipped: instructions: " + reason)
        return 77
    with tempfile.TemporaryDirectory() as folder:
        program = build(folder)
        counted = count_with(program)
        show(counted)
        wrong = list(compare(json.load(open(RECORD, encoding="utf-8"))["instructions_per_call"], counted))
        wrong += compare_steering(program)
    for line in wrong:
        print("instructions: " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
