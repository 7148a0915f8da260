# SPDX-License-Identifier: MIT
"""The goals, and how far each policy is from them."""

# What, limit in compare-and-swaps, workload, order, threads, phase.
TIMES = (
    ("repeat pair, order 0", 1.0, "pair", 0, 1, "pair"),
    ("repeat pair, order 3", 2.0, "pair", 3, 1, "pair"),
    ("repeat pair, order 9", 3.0, "pair", 9, 1, "pair"),
    ("bulk get, order 0, a page", 1.0, "bulk", 0, 1, "get"),
    ("bulk put, order 0, a page", 1.0, "bulk", 0, 1, "put"),
    ("put in random order over 1 GiB, order 0, a page", 1.6, "random", 0, 1, "put"),
    ("one thread takes, another gives back, order 0, a page", 4.0, "cross", 0, 2, "block"),
)
SCALING_LIMIT = 1.05
SHARING = ("cross",)
METADATA_PERCENT_LIMIT = 0.02
# Metadata of a machine of this size counts: small ones have a share that is fixed.
METADATA_GIB = 16


def find(rows, adapter, workload, order, threads, phase):
    for row in rows:
        if (row["adapter"], row["workload"], row["order"], row["threads"], row["phase"]) == (
                adapter, workload, order, threads, phase):
            return row["cas"]["median"]
    return None


def worst_scaling(rows, adapter):
    """The largest ratio of a thread's time with two threads to that with one, and where it is."""
    worst = None
    for row in rows:
        if row["adapter"] != adapter or row["threads"] != 2 or row["workload"] in SHARING:
            continue
        alone = find(rows, adapter, row["workload"], row["order"], 1, row["phase"])
        if not alone:
            continue
        ratio = row["cas"]["median"] / alone
        if worst is None or ratio > worst[0]:
            name = "%s %d" % (row["workload"], row["order"])
            worst = ratio, name if row["phase"] == row["workload"] else name + " " + row["phase"]
    return worst or (None, None)


def goal(text, unit, limit, value, where=None):
    missed = None if value is None or limit is None else max(0.0, value - limit)
    return {"goal": text, "unit": unit, "limit": limit, "value": value, "missed_by": missed,
            "met": None if missed is None else missed == 0, "where": where}


def whole_metadata(adapters, adapter):
    """Per cent of the managed memory, of a process with all that goes with its instance."""
    for row in adapters:
        if row["adapter"] == adapter and row["metadata_bytes"]:
            return 100 * row["metadata_bytes"] / (row["mib"] << 20)
    return None


def judge(rows, metadata, adapters, policy):
    adapter = "pagus:" + policy
    for text, limit, *place in TIMES:
        yield goal(text, "cas", limit, find(rows, adapter, *place))
    yield goal("repeat pair, order 0, against rte_mempool's cached get and put", "cas",
               find(rows, "mempool", "pair", 0, 1, "pair"), find(rows, adapter, "pair", 0, 1, "pair"))
    ratio, where = worst_scaling(rows, adapter)
    yield goal("ratio of a thread's time, two threads to one, the worst workload without sharing", "ratio",
               SCALING_LIMIT, ratio, where)
    for row in metadata:
        if row["policy"] == policy and row["gib"] == METADATA_GIB:
            yield goal("metadata, share of %d GiB, %d CPUs; the goal is for a store of bitmaps" % (
                row["gib"], row["cpus"]), "percent", METADATA_PERCENT_LIMIT, row["percent"])
    yield goal("metadata of a process, with locks, caches and their byte for each page", "percent",
               METADATA_PERCENT_LIMIT, whole_metadata(adapters, adapter))


def judge_all(rows, metadata, adapters):
    policies = [a[len("pagus:"):] for a in dict.fromkeys(r["adapter"] for r in rows) if a.startswith("pagus:")]
    return {policy: list(judge(rows, metadata, adapters, policy)) for policy in policies}
