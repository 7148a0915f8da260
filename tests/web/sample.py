#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write plausible results of a replay as JSON, for work on the report and for its tests.

The figures come from a toy model of pageblocks, not from the allocator. The relations between the figures
are those of real results: sums agree, and the map, the series and the table show one state.
"""

import argparse
import json
import random

ORDERS = 11
PAGEBLOCK_ORDER = 9
BLOCK = 1 << PAGEBLOCK_ORDER
PAGE_BYTES = 4096
GIB_BLOCKS = 512
STEPS = 240
KINDS = ("unmovable", "reclaimable", "movable")

# name, what it is, how readily a foreign page enters a pageblock, share of requests that the pcp serves
POLICIES = (
    ("linux", "pcp lists in batches, fallback by claim and steal", 0.42, 0.9423),
    ("pcpbuddy", "each CPU owns whole pageblocks", 0.26, 0.9871),
    ("superpageblock", "1 GiB groups of pageblocks keep unmovable pages together", 0.05, 0.9866),
    ("none+plain", "one list an order, no pcp lists, types ignored", 0.7, 0.0),
    ("pageblock+superpageblock", "pcp of pcpbuddy, placement of superpageblock", 0.025, 0.9884),
    ("none+linux", "no pcp lists, placement of linux", 0.21, 0.0),
)


def demand(step):
    """Share of memory that each kind wants at a step: fill, punch holes, two waves, release."""
    at = step / STEPS
    movable = 0.10 + 0.48 * min(1, at / 0.15)
    if at > 0.20:
        movable -= 0.16 * min(1, (at - 0.20) / 0.08)
    unmovable = 0.04 + 0.04 * at
    for begin, end, height in ((0.34, 0.55, 0.14), (0.62, 0.82, 0.20)):
        if begin <= at < end:
            unmovable += height * min(1, (at - begin) / 0.06)
    if at > 0.88:
        movable -= 0.20 * min(1, (at - 0.88) / 0.06)
    return {"unmovable": unmovable, "reclaimable": 0.03 + 0.04 * at, "movable": movable}


class Memory:
    """Pageblocks with counts of used pages a kind."""

    def __init__(self, rng, nr_blocks, mixing):
        self.rng, self.mixing = rng, mixing
        self.used = [{kind: 0 for kind in KINDS} for _ in range(nr_blocks)]
        self.fallbacks = 0
        self.blocks_of = {kind: [] for kind in KINDS}

    def room(self, at):
        return BLOCK - sum(self.used[at].values())

    def pick(self, kind, backwards):
        """A pageblock with room for the kind, and whether taking it is a fallback."""
        home = self.blocks_of[kind]
        for _ in range(4):
            if home:
                at = self.rng.choice(home)
                if self.room(at):
                    return at, False
        nr = len(self.used)
        if self.rng.random() < self.mixing:
            return self.rng.randrange(nr), True
        start = self.rng.randrange(max(1, nr // 8))
        for i in range(start, nr):
            at = nr - 1 - i if backwards else i
            if self.room(at) == BLOCK:
                home.append(at)
                return at, False
        return self.rng.randrange(nr), True

    def move_to(self, kind, wanted):
        have = sum(block[kind] for block in self.used)
        for _ in range(40 * len(self.used)):
            if abs(wanted - have) < BLOCK // 4:
                return
            if wanted > have:
                at, fallback = self.pick(kind, kind == "movable")
                most = 96 if fallback else BLOCK
                part = min(self.room(at), self.rng.randrange(32, most + 1), wanted - have)
                self.fallbacks += fallback
                self.used[at][kind] += part
                have += part
            else:
                at = self.rng.randrange(len(self.used))
                part = min(self.used[at][kind], self.rng.randrange(16, 256), have - wanted)
                self.used[at][kind] -= part
                have -= part

    def cells(self):
        return "".join(cell(block) for block in self.used)

    def mixed(self):
        return sum(cell(block) in "MNOP" for block in self.used)

    def free_pages_by_order(self):
        """Whole free pageblocks are of order 10 or 9; the rest of the free pages lies in pieces."""
        pages = [0] * ORDERS
        whole = 0
        for at in range(len(self.used)):
            room = self.room(at)
            if room == BLOCK:
                whole += 1
                continue
            order = 8
            while room and order >= 0:
                share = room if order == 0 else room * (9 - order) // 24 >> order << order
                pages[order] += share
                room -= share
                order -= 1
        pages[10] = whole // 3 * 2 * BLOCK
        pages[9] = whole * BLOCK - pages[10]
        return pages


def cell(block):
    used = sum(block.values())
    if used == 0:
        return "."
    if block["movable"] and used > block["movable"]:
        group = 3
    elif block["movable"]:
        group = 2
    else:
        group = 1 if block["reclaimable"] else 0
    return chr(ord("A") + 4 * group + min(3, (4 * used - 1) // BLOCK))


def delta(before, after):
    skip, cells, last = [], [], -1
    for i, (old, new) in enumerate(zip(before, after)):
        if old != new:
            skip.append(i - last - 1)
            cells.append(new)
            last = i
    return {"skip": skip, "cells": "".join(cells)}


def zones(nr_cells):
    """DMA, DMA32 and Normal as on x86-64, cut at 16 MiB and 4 GiB."""
    out, first = [], 0
    for name, end in (("DMA", 8), ("DMA32", 2048), ("Normal", nr_cells)):
        end = min(end, nr_cells)
        if end > first:
            out.append({"node": 0, "name": name, "first_pfn": first * BLOCK, "first_cell": first,
                        "nr_cells": end - first})
            first = end
    return out


def clock(rng, span_ns, events):
    """Times and event numbers of the samples: bursts of events between quiet stretches."""
    weights = [rng.expovariate(1) ** 3 + 0.02 for _ in range(STEPS)]
    gaps = [rng.expovariate(1) + 0.1 for _ in range(STEPS)]
    times, counts, time, count = [0], [0], 0.0, 0.0
    for weight, gap in zip(weights, gaps):
        time, count = time + gap / sum(gaps), count + weight / sum(weights)
        times.append(int(time * span_ns))
        counts.append(int(count * events))
    times[-1], counts[-1] = span_ns, events
    return times, counts


def run(rng, row, args, times, events):
    """One policy's series and slices of the map. The model is of one GiB; more repeats it."""
    memory = Memory(rng, GIB_BLOCKS - 1, row[2])
    series = {"time_ns": times, "event": events, "free_pages_by_order": [], "pcp_pages": [],
              "mixed_pageblocks": []}
    slices, last, every = [], None, max(1, STEPS // args.slices)
    for step in range(STEPS + 1):
        for kind, share in demand(step).items():
            memory.move_to(kind, int(share * len(memory.used) * BLOCK))
        series["free_pages_by_order"].append(
            [count * args.gib for count in memory.free_pages_by_order()])
        series["pcp_pages"].append(rng.randrange(400, 900) if row[3] else 0)
        series["mixed_pageblocks"].append(memory.mixed() * args.gib)
        if step % every == 0 or step == STEPS:
            cells = (" " + memory.cells()) * args.gib
            part = {"time_ns": times[step], "event": events[step]}
            part.update({"cells": cells} if last is None else delta(last, cells))
            slices.append(part)
            last = cells
    return memory, series, {"zones": zones(args.gib * GIB_BLOCKS), "slices": slices}


def policy(rng, row, args, times, events):
    name, about, _, hit_rate = row
    memory, series, cells = run(rng, row, args, times, events)
    pages = series["free_pages_by_order"][-1]
    blocks = [count >> order for order, count in enumerate(pages)]
    allocations, frees = int(events[-1] * 0.14), int(events[-1] * 0.153)
    locks = int((allocations + frees) * (1 - hit_rate) * 0.31) + 1
    index = {str(order): round(1 - sum(pages[order:]) / sum(pages), 3) for order in (3, 9)}
    foreign = memory.fallbacks
    seconds = round(rng.uniform(0.3, 0.6), 2)
    return {
        "policy": name, "about": about, "cpus": 1, "digest": f"{rng.getrandbits(64):016x}",
        "allocations": allocations, "failures": 0 if hit_rate else 3, "frees": frees,
        "pcp_hit_rate": hit_rate, "zone_lock_acquisitions": locks,
        "zone_lock_per_1000": round(locks * 1000 / (allocations + frees), 1),
        "zone_lock_work_per_hold": round(rng.uniform(2, 60), 1),
        "fallbacks": {"cma": 0, "claim_block": foreign // 9, "claim_part": foreign // 5,
                      "claim_refused": foreign // 40, "steal": foreign},
        "free_blocks": blocks, "free_pages": sum(pages), "pcp_pages": series["pcp_pages"][-1],
        "unusable_index": index, "mixed_pageblocks": series["mixed_pageblocks"][-1],
        "free_2mib_blocks": blocks[9] + 2 * blocks[10],
        "superpageblocks": superpageblocks(args, memory),
        "ledger": policy_ledger(rng, name),
        "timing": {"seconds": seconds, "events_per_second": int(events[-1] / seconds)},
        "series": series, "map": cells,
    }


def superpageblocks(args, memory):
    """Eighths of the memory; the figures only have to be shown as they are."""
    tainted = min(8, 1 + memory.mixed() // 16)
    return {"mib": args.gib << 7, "whole": 7, "tainted": tainted, "peak_tainted": tainted + 1, "lower_bound": 2,
            "tau": (tainted + 1) / 2, "taints": tainted + 3,
            "taints_by": {"start": 1, "unmovable": tainted, "reclaimable": 2, "unmovable_higher_order": 0,
                          "reclaimable_higher_order": 0}, "packing": 0.731, "empty": 8 - tainted,
            "obtainable": 8 - tainted, "obtainable_copied_bytes": tainted << 20, "upper_bound": 7}


def policy_ledger(rng, name):
    same = 1.0 if name == "linux" else round(rng.uniform(0.01, 0.2), 4)
    return [
        {"key": "same_page", "value": same, "level": "ok" if same == 1 else "note",
         "text": "share of requests that got the page that the recorded kernel gave"},
        {"key": "inferred_rights", "value": 412, "level": "note",
         "text": "requests whose rights on the reserves are inferred, not recorded"},
        {"key": "failed_here_only", "value": 3 if name == "none+plain" else 0,
         "level": "warn" if name == "none+plain" else "ok",
         "text": "requests that failed here and were granted by the recorded kernel"},
    ]


def ledger():
    rows = (
        ("lost_events", 0, "ok", "events that the recorder lost"),
        ("frees_of_unknown_birth", 0, "ok", "frees of pages that no event and no snapshot handed out"),
        ("births_over_live_page", 0, "ok", "allocations of a page that was still in use"),
        ("bulk_pages", 384, "note", "pages handed out by the bulk allocator, without mm_page_alloc"),
        ("moved_by_compaction", 5210, "warn",
         "pages that the recorded kernel's own compaction moved; the replay frees and allocates them"),
        ("end_state", "equal", "ok", "free lists of policy linux against the recorded end state"),
    )
    return [dict(zip(("key", "value", "level", "text"), row)) for row in rows]


def sample(args):
    rng = random.Random(args.seed)
    span_ns, nr_events = 20392917000, 1825117
    times, events = clock(rng, span_ns, nr_events)
    workload = "frag" if not args.hostile else "</script><script>alert(1)</script><!--<script>&amp;"
    return {
        "format": "pagus-replay", "version": 1, "pagus": "0.1.0",
        "trace": {
            "path": "7.2-frag1.pgt", "release": "7.2",
            "kernel": "Linux version 7.2.13+deb14-amd64 (x86_64-linux-gnu-gcc-16) "
                      "#1 SMP PREEMPT_DYNAMIC Debian 7.2.13-1 (2026-10-28)",
            "workload": workload, "machine": f"{args.gib} GiB, 1 CPU", "cpus": 1, "nodes": 1,
            "pageblock_order": PAGEBLOCK_ORDER, "page_bytes": PAGE_BYTES,
            "memory_pages": args.gib * (GIB_BLOCKS - 1) * BLOCK, "events": nr_events,
            "span_ns": span_ns, "lost_events": 0,
        },
        "ledger": ledger(),
        "policies": [policy(rng, row, args, times, events) for row in POLICIES[:args.policies]],
    }


def steps(rng, most):
    """A sum over time that ends at `most`."""
    parts = [rng.random() ** 4 for _ in range(STEPS)]
    return [0] + [int(most * sum(parts[:n + 1]) / sum(parts)) for n in range(STEPS)]


def add_asked(rng, data, asked):
    """Figures as if huge pages, compaction, a closed loop had been asked for."""
    defrag = "evacuate" if "evacuate" in asked else "scan" if "moves" in asked else "none"
    data["whatif"] = {"defrag": defrag, "ready": 2 if "evacuate" in asked else 0, "closed_loop": "reclaim" in asked,
                      "huge": {"every_s": 0.5, "order": 18 if "evacuate" in asked else 9, "count": 20, "hold_s": 2.0}
                      if "huge" in asked else None,
                      "assumptions": ["All page cache is clean."] if "reclaim" in asked else []}
    for at, row in enumerate(data["policies"]):
        moved, granted = rng.randrange(10000, 200000), rng.randrange(500, 800)
        row["huge"] = row["reclaim"] = None
        results = dict.fromkeys(("success", "complete", "partial_skipped", "contended", "needless",
                                 "skipped", "deferred", "refused"), 0)
        row["moves"] = {"moved_pages": 0, "copied_bytes": 0, "inherited_pages": 0, "failed_pages": 0,
                        "compactions": results, "kcompactd_runs": 0, "stalls": 0, "stalls_served": 0}
        row["series"]["copied_bytes"] = row["series"]["huge_granted"] = [0] * (STEPS + 1)
        if "evacuate" in asked:
            row["moves"]["evacuations"] = {"pages": moved, "copied_bytes": moved * PAGE_BYTES, "pageblocks": at,
                                           "superpageblocks": 2 * at}
        if "moves" in asked:
            row["moves"].update(moved_pages=moved, copied_bytes=moved * PAGE_BYTES,
                                inherited_pages=moved // 3, failed_pages=moved // 50,
                                stalls=moved // 200, stalls_served=moved // 300)
            row["moves"]["compactions"].update(success=moved // 900, complete=at, contended=3)
            row["series"]["copied_bytes"] = steps(rng, moved * PAGE_BYTES)
        if "huge" in asked:
            row["huge"] = {"rounds": 40, "asked": 800, "granted": granted, "failed": 800 - granted,
                           "failed_by": {"no_progress" if at % 2 else "deferred": 800 - granted},
                           "held_at_end": 20, "moved_pages": moved // 2,
                           "copied_bytes": moved // 2 * PAGE_BYTES,
                           "copied_bytes_per_granted": moved // 2 * PAGE_BYTES // granted,
                           "all_copied_bytes_per_granted": moved * PAGE_BYTES // granted,
                           "held_at_s": [0.5 * n for n in range(1, 4 + at)] if "evacuate" in asked else None,
                           "reclaimed_pages": 0, "stalls": 100}
            row["series"]["huge_granted"] = steps(rng, granted)
        if "reclaim" in asked:
            row["reclaim"] = {"reclaimed_pages": moved, "cache_pages": moved // 2,
                              "slab_pages": moved // 4, "unknown_pages": moved - moved // 2 - moved // 4,
                              "oom_kills": at, "killed_pages": 1000 * at, "unasked_requests": 0, "late_frees": moved // 5}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, choices=range(1, len(POLICIES) + 1), default=3)
    parser.add_argument("--gib", type=int, default=1, help="memory in GiB")
    parser.add_argument("--slices", type=int, default=60, help="slices of the map")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hostile", action="store_true", help="put HTML into a text of the trace")
    parser.add_argument("--asked", help="what was asked beyond the recording: huge, moves, evacuate, reclaim")
    args = parser.parse_args()
    data = sample(args)
    if args.asked:
        add_asked(random.Random(args.seed + 1000), data, args.asked.split(","))
    print(json.dumps(data, separators=(",", ":")))


if __name__ == "__main__":
    main()
