# SPDX-License-Identifier: MIT
"""A result as text for a terminal, and as Markdown between the marks of a document."""
import machine

BEGIN, END = "<!-- figures: written by make figures -->\n", "<!-- end of figures -->\n"


def cells(lines):
    """Columns of equal width; the first to the left."""
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    for line in lines:
        yield "  ".join("%-*s" % (widths[n], cell) if n == 0 else "%*s" % (widths[n], cell)
                        for n, cell in enumerate(line)).rstrip()


def markdown(lines):
    yield "| " + " | ".join(lines[0]) + " |"
    yield "|---|" + "---:|" * (len(lines[0]) - 1)
    for line in lines[1:]:
        yield "| " + " | ".join(line) + " |"


def number(value):
    if value is None:
        return "-"
    return "%.2f" % value if value < 10 else "%.1f" % value if value < 100 else "%.0f" % value


def with_spread(value):
    return "%s ±%s" % (number(value["median"]), number((value["q3"] - value["q1"]) / 2))


def by_place(result, threads):
    """Adapters, and {(workload, order, phase): {adapter: row}} in the order of measurement."""
    rows = [r for r in result["measurements"] if r["threads"] == threads]
    places = {}
    for row in rows:
        places.setdefault((row["workload"], row["order"], row["phase"]), {})[row["adapter"]] = row
    return [a["adapter"] for a in result["adapters"]], places


def matrix(result, threads, cell):
    adapters, places = by_place(result, threads)
    yield ["workload, order, what is timed"] + adapters
    for (workload, order, phase), rows in places.items():
        name = workload if workload == "mixed" else "%s %d" % (workload, order)
        yield ["%s %s" % (name, phase) if phase != workload else name] + [
            cell(rows[a]) if a in rows else "-" for a in adapters]


def goal_cell(goal):
    if goal["value"] is None:
        return "not measured"
    value = number(goal["value"]) if goal["unit"] != "percent" else "%.3f %%" % goal["value"]
    if goal["where"]:
        value += " (%s)" % goal["where"]
    if goal["met"]:
        return value
    if goal["met"] is None:
        return value + ", nothing to compare with"
    return "%s, missed by %s" % (value, number(goal["missed_by"]) if goal["unit"] != "percent"
                                 else "%.3f" % goal["missed_by"])


def limit_cell(goal):
    if goal["limit"] is None:
        return "-"
    return "%.2f %%" % goal["limit"] if goal["unit"] == "percent" else number(goal["limit"])


def goal_lines(result):
    """One line a goal, one column a policy."""
    policies = list(result["goals"])
    lines = {}
    for policy in policies:
        for goal in result["goals"][policy]:
            line = lines.setdefault(goal["goal"], {"limit": limit_cell(goal)})
            line[policy] = goal_cell(goal)
    yield ["in compare-and-swaps, unless it is a ratio or a share", "at most"] + policies
    for text, line in lines.items():
        yield [text, line["limit"]] + [line.get(policy, "") for policy in policies]


def memory_lines(result):
    yield ["memory", "touched pages of %d MiB" % result["mib"], "metadata, KiB a GiB", "resident besides, KiB a GiB"]
    for a in result["adapters"]:
        known = a["metadata_bytes"] and a["metadata_bytes"] / a["mib"]
        yield [a["adapter"], "%d" % a["touched_pages"] + ("" if a["mib"] == result["mib"] else " of %d MiB" % a["mib"]),
               "%.0f" % known if known else "not known", "%.0f" % (a["resident_metadata_bytes"] / a["mib"])]


def range_lines(result):
    yield ["mixed orders, 90 % in use", "threads", "free 2 MiB ranges", "free 1 GiB ranges"]
    for row in result["measurements"]:
        if "ranges_2mib_free" in row:
            yield [row["adapter"], "%d" % row["threads"],
                   "%d of %d" % (row["ranges_2mib_free"], row["mib"] // 2),
                   "%d of %d" % (row["ranges_1gib_free"], row["mib"] // 1024)]


def replay_lines(result):
    rows = result["replay"]
    yield ["replay, million events a second"] + (list(rows[0]["events_per_second"]) if rows else [])
    for row in rows:
        yield [row["trace"]] + ["%.1f" % (r["median"] / 1e6) for r in row["events_per_second"].values()]


def peak_lines(result):
    yield ["peak resident memory of replay, MB", "is", "1.3 x metadata + 200"]
    for row in result["replay"]:
        yield [row["trace"], "%.1f" % (row["peak_resident_bytes"] / 1e6), "%.1f" % (row["limit_bytes"] / 1e6)]


def state_lines(result):
    yield ["state of the library", "KiB a GiB", "%"]
    for row in result["metadata"]:
        yield ["%s, %d GiB, %d CPUs" % (row["policy"], row["gib"], row["cpus"]),
               "%.0f" % (row["bytes_per_gib"] / 1024), "%.3f" % row["percent"]]


def instruction_lines(result):
    yield ["instructions, served by the CPU's own list", "alloc", "free"]
    for policy, calls in (result["instructions"] or {}).get("instructions_per_call", {}).items():
        yield [policy, "%.0f" % calls["alloc"], "%.0f" % calls["free"]]


def pair_lines(result):
    yield ["instructions, repeat pair of order 0 with its calls; under callgrind pagus has no caches", "a pair"]
    for adapter, value in result["pair_instructions"].items():
        yield [adapter, "not countable" if value is None else "%.0f" % value]


def whole_lines(result):
    yield ["instructions, whole workloads, policy linux", "a page"]
    for text, value in result["whole_instructions"].items():
        yield [text, number(value)]


def heading(result):
    yield "machine: " + machine.text(result["machine"])
    yield "%d MiB, median of %d rounds ± half the interquartile range; one compare-and-swap: %s ns" % (
        result["mib"], result["rounds"], with_spread(result["cas_ns"]))


def text(result):
    """All of it, in lines."""
    yield from heading(result)
    for adapter in result["missing"]:
        yield "left out: %(adapter)s (%(about)s): %(reason)s" % adapter
    for threads in result["threads"]:
        for unit, cell in (("compare-and-swaps", lambda row: with_spread(row["cas"])),
                           ("nanoseconds", lambda row: number(row["ns"]["median"]))):
            lines = list(matrix(result, threads, cell))
            lines[0][0] = "%s, %d thread%s" % (unit, threads, "s" if threads > 1 else "")
            yield from ["", *cells(lines)]
    for table in (range_lines, memory_lines, state_lines, instruction_lines, pair_lines, whole_lines, replay_lines,
                  peak_lines, goal_lines):
        lines = list(table(result))
        if len(lines) > 1:
            yield from ["", *cells(lines)]


def peer_lines(result):
    """One thread; and what needs two."""
    def cell(row):
        return number(row["cas"]["median"])
    alone = list(matrix(result, 1, cell))
    names = {line[0] for line in alone}
    return alone + [line for line in matrix(result, 2, cell) if line[0] not in names]


def document(result):
    """The part of README.md between the marks."""
    yield "Measured on %s by `make figures`: %s. Median of %d rounds." % (
        result["date"][:10], machine.text(result["machine"]), result["rounds"])
    if max(result["machine"][when][0] for when in ("load_average_before", "load_average_after")) > 1 + \
            result["machine"]["cpus"]:
        yield "The machine was shared with other work, which times with two threads suffer from most."
    yield "The unit is one uncontended compare-and-swap on a cached line, %s ns in this run." % number(
        result["cas_ns"]["median"])
    yield ""
    yield from markdown(list(goal_lines(result)))
    yield ""
    yield "Times in compare-and-swaps, one thread (`cross`: two); `-`: the allocator does not serve it."
    for table in (peer_lines, memory_lines, range_lines, instruction_lines, pair_lines):
        lines = list(table(result))
        if len(lines) > 1:
            yield from ["", *markdown(lines)]


def replace_figures(old, result):
    """The document's text with new figures between its marks."""
    begin, end = old.index(BEGIN) + len(BEGIN), old.index(END)
    return old[:begin] + "\n" + "\n".join(document(result)) + "\n\n" + old[end:]
