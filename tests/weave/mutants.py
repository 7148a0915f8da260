#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Break the ownership protocol in one place at a time, and see that the interleavings notice.

usage: mutants.py ROOT CC SCHEDULES ARCHIVE...    the archives: what runs interleavings, then the core

A mutant is a text of a source file that is replaced, and the sources that have to be compiled anew. They are
linked before the core's archive, which then has only the other files to give. A mutant whose text is no longer
there is an error: the row is to follow the source.
"""

import pathlib
import subprocess
import sys
import tempfile

STACK_USERS = ("pcp/pageblock.c", "pcp/giveback.c", "alloc/free.c", "alloc/nolock.c")

# What is broken, the file, its text, the text instead, what is compiled besides the file.
MUTANTS = (
    ("a freer does not look at the owner again",
     "pcp/pageblock.c", "if (pg_owner(st, i) != owner) {", "if (0) {", ()),
    ("a closed stack takes pushes",
     "mem/stack.h", "if (first == PG_STACK_CLOSED) {", "if (0) {", STACK_USERS),
    ("a retired pcp leaves its stack open",
     "pcp/giveback.c", "pg_owned_gather_all(c, pcp, PG_STACK_CLOSED);", "pg_owned_gather(c, pcp);", ()),
    ("a retired pcp's CPU stays owner",
     "pcp/giveback.c", "\tdisown_all(c, z, pcp);\n", "\t(void)disown_all;\n", ()),
    ("the push onto a stack is a store",
     "mem/stack.h", "while (!pg_atomic_replace(stack, &first, i));", "while (pg_atomic_store(stack, i), 0);",
     STACK_USERS),
    ("a stack is read, then emptied",
     "mem/stack.h", "uint32_t first = pg_atomic_exchange(stack, left);",
     "uint32_t first = pg_atomic_load(stack);\n\n\tpg_atomic_store(stack, left);", STACK_USERS),
    ("more than a pageblock is deferred",
     "pcp/pageblock.c", "if (waiting + pages > block_pages(c->st) ||", "if (", ()),
    ("deferred pages that are gathered stay counted",
     "pcp/pageblock.c", "\tpg_atomic_sub(&pcp->remote_pages, pages);\n}", "}", ()),
    ("a gathered page is not asked for its pageblock's type",
     "pcp/pageblock.c", "if (pg_block_type(c->st, i) != PAGUS_ISOLATE) {", "if (1) {", ()),
    ("an isolated pageblock stays owned",
     "pcp/giveback.c", "if (pg_own(st, record)->owner)\n", "if (0)\n", ()),
    ("a pageblock that is whole in the zone stays owned",
     "zone/owner.c", "if (order >= c->st->pageblock_order) {", "if (0) {", ()),
    ("leases end while pages lie on the owner's lists",
     "pcp/giveback.c", "if (own->nr_free) {", "if (0) {", ()),
    ("a free waits for the owner's pcp",
     "pcp/pageblock.c", "if (!pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE))",
     "if (pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_FREE), 0)", ()),
    ("a drain gathers what is deferred meanwhile",
     "pcp/giveback.c", "struct chosen chosen = choose_blocks(c, pcp, pages);",
     "pg_owned_gather(c, pcp);\n\tstruct chosen chosen = choose_blocks(c, pcp, pages);", ()),
)


def build(root, cc, archives, mutant, work):
    """The interleavings over the mutant; None where its text is not there once."""
    _, name, old, new, others = mutant
    text = (root / "src" / name).read_text(encoding="utf-8")
    if text.count(old) != 1:
        return None
    changed = work / name
    changed.parent.mkdir(parents=True)
    changed.write_text(text.replace(old, new), encoding="utf-8")
    sources = [changed] if name.endswith(".c") else []
    sources += [root / "src" / other for other in others]
    program = work / "weave"
    subprocess.run([*cc.split(), "-std=c11", "-O1", "-DPAGUS_WEAVE", f"-I{work}", f"-I{root / 'include'}",
                    f"-I{root / 'src'}", *map(str, sources), "-Wl,--whole-archive", archives[0],
                    "-Wl,--no-whole-archive", *archives[1:], "-o", str(program)], check=True)
    return program


def main():
    if len(sys.argv) < 6:
        print(__doc__.split("\n\n")[1].splitlines()[0], file=sys.stderr)
        return 1
    root, cc, schedules, archives = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    missed = 0
    for mutant in MUTANTS:
        with tempfile.TemporaryDirectory() as folder:
            program = build(root, cc, archives, mutant, pathlib.Path(folder))
            if not program:
                print(f"{mutant[1]}: not once there: {mutant[2]!r}")
                missed += 1
                continue
            run = subprocess.run([str(program), "--policy", "pcpbuddy", "--schedules", schedules, "--shorten", "no"],
                                 capture_output=True, text=True)
        failures = [line for line in run.stdout.splitlines() if line.startswith("FAILED: PAGUS_SEED=")]
        missed += not failures
        print(f"{mutant[0]}: {len(failures)} scenarios fail" + ("" if failures else ": MISSED"))
        for line in failures[:1]:
            print(f"    {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
