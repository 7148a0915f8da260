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
PAGE_RECORDS = (
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
     "pcp/giveback.c", "(owner = pg_owner(st, i)) != 0;", "(owner = 0) != 0;", ()),
    ("a pageblock that is whole in the zone stays owned",
     "zone/owner.c", "if (order >= c->st->pageblock_order) {", "if (0) {", ()),
    ("leases end while pages lie on the owner's lists",
     "pcp/giveback.c", "if (own->nr_free) {", "if (0) {", ()),
    ("a free waits for the owner's pcp",
     "pcp/pageblock.c", "if (!pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE))",
     "if (pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_FREE), 0)", ()),
)

MAPS = (
    ("a freer does not look at the owner again",
     "zone/remote.c", "if (stack_of(st, m) != stack)", "if (0)", ()),
    ("who changes the owner does not look at the stack",
     "zone/remote.c", "if (pg_atomic_load_ordered(&m->waiting) != PG_MAP_ALONE)", "if (0)", ()),
    ("a pageblock leaves the stack after its bits are taken",
     "zone/remote.c", "chain = leave_chain(m);\n\t\tgrown(st, pcp, m, pg_remote_absorb_map(st, m));",
     "uint32_t pages = pg_remote_absorb_map(st, m);\n\t\tchain = leave_chain(m);\n\t\tgrown(st, pcp, m, pages);", ()),
    ("the zone's pageblocks leave the stack after their bits are taken",
     "zone/remote.c", "chain = leave_chain(m);\n\t\tfree_map(c, z, m);",
     "free_map(c, z, m);\n\t\tchain = leave_chain(m);", ()),
    ("the push onto a stack is a store",
     "zone/remote.c", "while (!pg_atomic_replace(stack, &first, pg_map_block(st, m) + 1));",
     "while (pg_atomic_store(stack, pg_map_block(st, m) + 1), 0);", ()),
    ("a stack is read, then emptied",
     "zone/remote.c", "chain = pg_atomic_exchange(&pcp->remote, PG_NONE);",
     "chain = pg_atomic_load(&pcp->remote);\n\tpg_atomic_store(&pcp->remote, PG_NONE);", ()),
    ("two freers set their bits by stores",
     "mem/map.c", "uint64_t before = pg_word_or(&m->remote[w], mask);",
     "uint64_t before = pg_word_load(&m->remote[w]);\n\n\t\tpg_word_store(&m->remote[w], before | mask);", ()),
    ("the bits of a word are read, then cleared",
     "mem/map.c", "pages = pg_word_exchange(&m->remote[word], 0);", "pg_word_store(&m->remote[word], 0);", ()),
    ("a CPU frees to itself what it has just lost",
     "pcp/maps.c", "if (pg_map_owner(m) != c->cpu + 1) {", "if (0) {", ()),
    ("two freers of many set their bits by stores",
     "zone/remote.c", "uint64_t before = pg_word_or(&m->remote[word], pages);",
     "uint64_t before = pg_word_load(&m->remote[word]);\n\n\tpg_word_store(&m->remote[word], before | pages);", ()),
    ("many are freed to a CPU that has just lost their pageblock",
     "pcp/maps_many.c", "if (held && owner == held->cpu + 1 && m->zone == held->zone) {", "if (held) {", ()),
    ("a cache opens where pcps are off",
     "pcp/cache.c", "return pcp->high_max > 0 &&", "return", ()),
    ("an isolated pageblock stays owned",
     "pcp/maps_giveback.c", "if (pg_map_owner(m) == owner)\n\t\tdisown", "if (0)\n\t\tdisown", ()),
    ("a retired pcp's CPU stays owner",
     "pcp/maps_giveback.c", "pg_map_owner(pg_map_at(st, b)) == pcp->cpu + 1)", "0)", ()),
    ("a pageblock is given away with its place in the queue",
     "pcp/maps_giveback.c", "\tpg_keep_remove(st, pcp, m);\n", "\tm->queue = 0;\n", ()),
    ("a pageblock that is whole again stays among those in part free",
     "pcp/keep.c", "if (queue == m->queue)", "if (queue && m->queue)", ()),
    ("a neighbour in the queue is not told",
     "pcp/keep.c", "*(m->next ? &at(st, m->next)->prev : &keep->last[queue]) = m->prev;\n", "", ()),
)

MUTANTS = [("pcpbuddy", mutant) for mutant in PAGE_RECORDS] + [("pcpbuddy-bitmap", mutant) for mutant in MAPS]


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
    for policy, mutant in MUTANTS:
        with tempfile.TemporaryDirectory() as folder:
            program = build(root, cc, archives, mutant, pathlib.Path(folder))
            if not program:
                print(f"{mutant[1]}: not once there: {mutant[2]!r}")
                missed += 1
                continue
            run = subprocess.run([str(program), "--policy", policy, "--schedules", schedules, "--shorten", "no"],
                                 capture_output=True, text=True)
        failures = [line for line in run.stdout.splitlines() if line.startswith("FAILED: PAGUS_SEED=")]
        missed += not failures
        print(f"{policy}: {mutant[0]}: {len(failures)} scenarios fail" + ("" if failures else ": MISSED"))
        for line in failures[:1]:
            print(f"    {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
