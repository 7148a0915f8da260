#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The figures of docs/superpageblock.md, from the programs that check superpageblocks on machines of up to 256 GiB.

usage: superpageblock.py BUILD [FOLDER]

Runs them, one after the other, and writes bench/results/superpageblock.json and the document's table. What
each printed is kept in FOLDER (default: BUILD/superpageblock), and what is there already is not run again.
"""
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULT = os.path.join(ROOT, "bench", "results", "superpageblock.json")
DOCUMENT = os.path.join(ROOT, "docs", "superpageblock.md")
BEGIN, END = "<!-- figures: written by bench/superpageblock.py -->\n", "<!-- end of figures -->\n"

PROGRAMS = {
    "host": ("test_superpageblock_host", "18", "3"),
    "load": ("test_superpageblock_load", "1000", "262144"),
    "long": ("test_superpageblock_long", "1000000000", "16384"),
}


def output(build, folder, name):
    path = os.path.join(folder, name + ".txt")
    if not os.path.exists(path):
        program, *args = PROGRAMS[name]
        print("superpageblock: %s %s" % (program, " ".join(args)), file=sys.stderr, flush=True)
        try:
            done = subprocess.run([os.path.join(build, "tests", program), *args], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        except OSError as error:
            sys.exit("superpageblock: %s: %s" % (error.filename, error.strerror))
        if done.returncode:
            sys.exit("superpageblock: %s failed:\n%s" % (program, done.stdout))
        with open(path, "w", encoding="utf-8") as out:
            out.write(done.stdout)
    with open(path, encoding="utf-8") as text:
        return text.read()


def numbers(pattern, text):
    """All matches, each a tuple of numbers."""
    found = [tuple(int(n) for n in re.findall(r"-?\d+", match)) for match in re.findall(pattern, text)]
    if not found:
        sys.exit("superpageblock: nothing like \"%s\"" % pattern)
    return found


def measure(text):
    """What the programs printed, as a result."""
    granted = numbers(r"\d+ whole ones granted of at most \d+; \d+ pages copied, at least \d+, and \d+ for", text["host"])
    (tainted, spbs, bound), = numbers(r"\d+ of \d+ tainted at most, \d+ would do", text["host"])
    steady = numbers(r"\d+ MiB, superpageblocks of order \d+, what cannot move of orders 0 to \d+, movable blocks of 2 "
                     r"MiB: [01]\nsteady: \d+ tainted at most, \d+ would do; \d+ blocks chosen by \d+ looks", text["load"])
    storm = numbers(r"storm: \d+ tainted at most, \d+ would do", text["load"])
    (control,), = numbers(r"control: \d+ tainted", text["load"])
    (operations, most, last, would_do, rise, _), = numbers(
        r"\d+ operations: \d+ tainted at most, \d+ at the end, \d+ would do; risen by -?\d+/1000", text["long"])
    return {
        "version": 1,
        "host": {"superpageblocks": spbs, "tainted": tainted, "bound": bound},
        "gigantic": [dict(zip(("granted", "bound", "copied", "least", "least_for_large"), row)) for row in granted],
        "steady": [dict(zip(("mib", "order", "orders_to", "huge", "tainted", "bound", "chosen", "looks"),
                            row[:2] + row[3:4] + row[5:])) for row in steady],
        "storm": [dict(zip(("tainted", "bound"), row)) for row in storm],
        "control": control,
        "long": {"operations": operations, "tainted": most, "at_the_end": last, "bound": would_do,
                 "rise_per_mille": rise},
    }


def size(mib):
    return "%d GiB" % (mib >> 10) if mib >= 1024 else "%d MiB" % mib


def blocks(row):
    """What comes and goes in a load."""
    if not row["orders_to"]:
        return "single pages"
    return "orders 0 to %d%s" % (row["orders_to"], " and movable blocks of 2 MiB" if row["huge"] else "")


def of_least(row):
    return "%.2f" % (row["copied"] / (row["least"] + row["least_for_large"]))


def lines(result):
    """Of the document's table: what, with the RFC, here, and the bound."""
    host, (loaded, single, huge), long = result["host"], result["gigantic"], result["long"]
    yield "tainted superpageblocks of %d at most" % host["superpageblocks"], "fewer than 20", host["tainted"], host["bound"]
    yield "then, 1 GiB pages one after the other, without reclaim", "50, other load", loaded["granted"], loaded["bound"]
    yield "bytes copied for these, of the least", "not told", of_least(loaded), 1
    for row, what in ((single, "single pages"), (huge, "half of it blocks of 2 MiB")):
        yield "19 tainted, three quarters full, %s: 1 GiB pages" % what, "not told", row["granted"], row["bound"]
        yield "bytes copied for these, of the least", "not told", of_least(row), 1
    for row, what in zip(result["storm"], ("16 GiB, superpageblocks of 64 MiB", "256 GiB")):
        yield "slabs grow from 1.7 to 11.7 superpageblocks, %s: tainted at most" % what, "16", row["tainted"], row["bound"]
    for row in result["steady"]:
        yield "memory replaced ten times, %s in %d superpageblocks, %s: tainted at most" % (
            size(row["mib"]), row["mib"] << 8 >> row["order"], blocks(row)), "not told", row["tainted"], row["bound"]
    yield "%.0e operations on 16 GiB: tainted at most, at the end" % long["operations"], "not told", \
        "%d, %d" % (long["tainted"], long["at_the_end"]), long["bound"]


def document(result):
    yield "| | RFC | here | bound |"
    yield "|---|---:|---:|---:|"
    for row in lines(result):
        yield "| %s | %s | %s | %s |" % row
    chosen, looks = (sum(row[what] for row in result["steady"]) for what in ("chosen", "looks"))
    yield ""
    yield "In the loads that replace memory, %d superpageblocks were looked at for %d choices. Without superpageblocks " \
        "(`pcpbuddy-bitmap`) the load of single pages and 2 MiB blocks on 16 GiB has pages that cannot move in %d " \
        "of 256." % (looks, chosen, result["control"])


def replace_figures(old, result):
    """The document's text with new figures between its marks."""
    begin, end = old.index(BEGIN) + len(BEGIN), old.index(END)
    return old[:begin] + "\n" + "\n".join(document(result)) + "\n\n" + old[end:]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.split("\n\n")[1])
    build = sys.argv[1]
    folder = sys.argv[2] if len(sys.argv) == 3 else os.path.join(build, "superpageblock")
    os.makedirs(folder, exist_ok=True)
    result = measure({name: output(build, folder, name) for name in PROGRAMS})
    with open(RESULT, "w", encoding="utf-8") as out:
        out.write(json.dumps(result, indent=1) + "\n")
    with open(DOCUMENT, encoding="utf-8") as text:
        old = text.read()
    with open(DOCUMENT, "w", encoding="utf-8") as out:
        out.write(replace_figures(old, result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
