# SPDX-License-Identifier: MIT
"""A result as SVG: one panel a measurement, one line an allocator, on a logarithmic scale."""
import html
import math

import goals
import machine

# What is shown: workload, order, phase, title.
PANELS = (
    ("pair", 0, "pair", "repeat pair, 4 KiB"),
    ("pair", 3, "pair", "repeat pair, 32 KiB"),
    ("pair", 9, "pair", "repeat pair, 2 MiB"),
    ("bulk", 0, "get", "bulk get, 4 KiB"),
    ("bulk", 0, "put", "bulk put in order, 4 KiB"),
    ("random", 0, "put", "put in random order, 4 KiB"),
    ("batch", 0, "block", "batch of 32, get and put a block"),
    ("churn", 0, "step", "churn, one block exchanged"),
    ("cross", 0, "block", "one thread takes, another puts"),
    ("exit", 0, "put", "mass exit, a page"),
    ("mixed", 0, "pair", "mixed orders, 90 % in use"),
    ("bulk", 9, "get", "bulk get, 2 MiB"),
)
COLUMNS = 3
NAME_WIDTH, PLOT_WIDTH, VALUE_WIDTH = 150, 250, 46
PANEL_WIDTH = NAME_WIDTH + PLOT_WIDTH + VALUE_WIDTH + 16
ROW, HEAD, FOOT, TOP = 17, 38, 34, 84
COLOURS = {"pagus": "#c2410c", "floor": "#64748b", "peer": "#1d4ed8"}


def colour(adapter):
    return COLOURS["pagus" if adapter.startswith("pagus") else "floor" if adapter.startswith("stack") else "peer"]


def limit_of(workload, order, phase):
    for _, limit, *place in goals.TIMES:
        if (place[0], place[1], place[3]) == (workload, order, phase):
            return limit
    return None


class Scale:
    """Logarithmic, from power of ten to power of ten."""

    def __init__(self, least, most):
        self.first, self.last = math.floor(math.log10(least)), math.ceil(math.log10(most))

    def x(self, value):
        return PLOT_WIDTH * (math.log10(value) - self.first) / (self.last - self.first)

    def powers(self):
        return range(self.first, self.last + 1)


def short(value):
    if value < 1:
        return "%.2f" % value
    return "%.1f" % value if value < 100 else "%.0f" % value if value < 1e4 else "%.0fk" % (value / 1e3)


def label(power):
    return "%g" % 10 ** power if power < 4 else "10<tspan dy='-4' font-size='8'>%d</tspan>" % power


def text(x, y, content, anchor="start", size=11, fill="#0f172a", weight="normal"):
    return "<text x='%.1f' y='%.1f' text-anchor='%s' font-size='%d' fill='%s' font-weight='%s'>%s</text>" % (
        x, y, anchor, size, fill, weight, content)


def line(x1, y1, x2, y2, stroke, more=""):
    return "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s' %s/>" % (x1, y1, x2, y2, stroke, more)


def mark(x, y, row, hollow):
    return "<circle cx='%.1f' cy='%.1f' r='4' fill='%s' stroke='%s' stroke-width='1.6'/>" % (
        x, y, "#ffffff" if hollow else colour(row["adapter"]), colour(row["adapter"]))


def axis(scale, height, limit):
    for power in scale.powers():
        x = NAME_WIDTH + scale.x(10 ** power)
        yield line(x, HEAD - 6, x, HEAD + height, "#e2e8f0")
        yield text(x, HEAD + height + 14, label(power), "middle", 10, "#475569")
    if limit:
        x = NAME_WIDTH + scale.x(limit)
        yield line(x, HEAD - 6, x, HEAD + height, "#15803d", "stroke-width='1.5' stroke-dasharray='5 3'")
        yield text(x, HEAD - 9, "goal %g" % limit, "middle", 10, "#15803d")


def panel(title, place, adapters, rows, scale):
    """Least and most threads: full and hollow marks, with a line from quartile to quartile."""
    workload, order, phase = place
    height = ROW * len(adapters)
    yield text(0, 12, html.escape(title), size=12, weight="bold")
    yield from axis(scale, height, limit_of(*place))
    for n, adapter in enumerate(adapters):
        y = HEAD + ROW * n + ROW / 2
        mine = sorted((r for r in rows if r["adapter"] == adapter and (r["workload"], r["order"], r["phase"]) ==
                       (workload, order, phase)), key=lambda r: r["threads"])
        yield text(NAME_WIDTH - 8, y + 4, html.escape(adapter), "end", 11, colour(adapter))
        if not mine:
            yield text(NAME_WIDTH + 4, y + 4, "not served", size=10, fill="#94a3b8")
            continue
        shown = [mine[0]] + ([mine[-1]] if len(mine) > 1 else [])
        for row in reversed(shown):
            q1, q3 = (NAME_WIDTH + scale.x(row["cas"][q]) for q in ("q1", "q3"))
            yield line(q1, y, q3, y, colour(adapter), "stroke-width='3' stroke-opacity='0.4'")
            yield mark(NAME_WIDTH + scale.x(row["cas"]["median"]), y, row, row is not mine[0])
        yield text(NAME_WIDTH + PLOT_WIDTH + 6, y + 4, short(mine[0]["cas"]["median"]), size=10, fill="#334155")


def svg(result):
    rows = result["measurements"]
    places = {(r["workload"], r["order"], r["phase"]) for r in rows}
    shown = [p for p in PANELS if p[:3] in places]
    adapters = [a["adapter"] for a in result["adapters"]]
    values = [r["cas"][q] for r in rows for q in ("median", "q1", "q3") if r["cas"][q] > 0]
    scale = Scale(min(values), max(values))
    panel_height = HEAD + ROW * len(adapters) + FOOT
    columns = min(COLUMNS, len(shown))
    width = columns * PANEL_WIDTH + 24
    height = TOP + panel_height * math.ceil(len(shown) / columns)
    yield "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d' " \
        "font-family='DejaVu Sans, Helvetica, sans-serif'>" % (width, height, width, height)
    yield "<rect width='100%' height='100%' fill='#ffffff'/>"
    yield text(14, 22, "Time of an operation in compare-and-swaps (one is %.1f ns), logarithmic: further left is faster"
               % result["cas_ns"]["median"], size=15, weight="bold")
    most = max(result["threads"])
    yield text(14, 41, "Full mark and figure: one thread (cross: two). Hollow mark: %d threads, time of each. "
               "Bar: quartiles of %d rounds. Dashed: goal for pagus." % (most, result["rounds"]), size=11)
    yield text(14, 58, html.escape(machine.text(result["machine"])), size=10, fill="#475569")
    for n, (workload, order, phase, title) in enumerate(shown):
        yield "<g transform='translate(%d %d)'>" % (14 + n % columns * PANEL_WIDTH, TOP + n // columns * panel_height)
        yield from panel(title, (workload, order, phase), adapters, rows, scale)
        yield "</g>"
    yield "</svg>"
