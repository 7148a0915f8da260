#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Open reports in headless Chromium and check that they have drawn what their data say.

test_report.py REPORT.html          checks one report, then damaged copies of it
test_report.py --writer PROGRAM     the same for reports of sample data; PROGRAM turns JSON on its
                                    standard input into a report
Exit status 77: there is no Chromium.
"""

import argparse
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SKIP = 77
FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
         "--disable-background-networking --disable-component-update --disable-sync "
         "--enable-logging=stderr --virtual-time-budget=5000 --window-size=1400,1000").split()
FLAGS.append("--host-resolver-rules=MAP * ~NOTFOUND")  # the browser's own requests go nowhere either
DATA = re.compile(r'(<script type="application/json" id="data">)(.*?)(</script>)', re.DOTALL)
SAMPLES = (["--policies=1"], ["--policies=2", "--hostile"], ["--policies=4", "--seed=2", "--asked=huge,moves"],
           ["--policies=6", "--gib=64", "--slices=20", "--asked=huge,moves,reclaim"],
           ["--policies=3", "--seed=3", "--asked=huge,moves,evacuate"],
           ["--policies=2", "--asked=reclaim"])


class Failed(Exception):
    pass


def expect(ok, what):
    if not ok:
        raise Failed(what)


class Page(html.parser.HTMLParser):
    """What the checks need of a page: attributes of <body>, cells, references, ids, text."""

    def __init__(self, text):
        super().__init__()
        self.body, self.cells, self.ledger, self.facts = {}, {}, [], {}
        self.references, self.ids, self.words = [], set(), []
        self._into, self._mute = None, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self._mute = tag in ("script", "style")
        if tag == "body":
            self.body = attrs
        self.ids.add(attrs.get("id"))
        self.references += [attrs[name] for name in ("href", "src", "srcset", "data", "action")
                            if name in attrs]
        if "data-measure" in attrs:
            self._into = (self.cells, (attrs["data-measure"], int(attrs["data-policy"])))
            expect(self._into[1] not in self.cells, f"two cells for {self._into[1]}")
        elif "data-ledger" in attrs:
            self._into = (self.ledger, attrs["data-ledger"])
        elif "data-fact" in attrs:
            self._into = (self.facts, attrs["data-fact"])
        elif tag in ("td", "dd"):
            self._into = None
        if self._into and isinstance(self._into[0], dict):
            self._into[0].setdefault(self._into[1], "")

    def handle_endtag(self, tag):
        self._mute = False
        if tag in ("td", "dd"):
            self._into = None

    def handle_data(self, data):
        if self._mute:
            return
        self.words.append(data)
        if self._into and isinstance(self._into[0], dict):
            self._into[0][self._into[1]] += data
        elif self._into:
            self._into[0].append((self._into[1], data))


def browse(path, folder):
    """The page after its script has run, the browser's messages, and the addresses that it asked for."""
    net_log = os.path.join(folder, "net.json")
    with tempfile.TemporaryDirectory(dir=folder) as profile:
        done = subprocess.run(["chromium", *FLAGS, f"--user-data-dir={profile}",
                               f"--log-net-log={net_log}", "--dump-dom", f"file://{path}#self-test"],
                              capture_output=True, text=True, timeout=120, check=False)
    expect(done.returncode == 0, f"chromium ended with status {done.returncode}: {done.stderr[-500:]}")
    with open(net_log, encoding="utf-8") as file:
        return done.stdout, done.stderr, page_requests(json.load(file))


def page_requests(net_log):
    """Addresses beyond this machine that the page asked for; the browser's own have no origin."""
    params = (event.get("params", {}) for event in net_log["events"])
    return [each["url"] for each in params
            if each.get("initiator", "not an origin") != "not an origin"
            and not each.get("url", "file:").startswith(("file:", "data:"))]


def check_offline(source, page, requests):
    """The page asked for nothing, and holds no reference to anything outside itself."""
    expect(not requests, f"requests: {requests[:3]}")
    for reference in page.references:
        expect(reference == "data:," or reference.startswith("#"), f"reference to {reference!r}")
        expect(not reference.startswith("#") or reference[1:] in page.ids,
               f"link to {reference}, which is not there")
    plain = DATA.sub("", source)
    expect("default-src 'none'" in plain, "no content security policy")
    for pattern in (r"@import", r"url\(", r"\bimport\s*\(", r"\bfetch\s*\(", r"XMLHttpRequest"):
        expect(not re.search(pattern, plain), f"{pattern} in the file")


def number(text):
    return float(text.replace(",", ""))


def look_up(policy, measure):
    value = policy
    for part in measure.split("."):
        if isinstance(value, list):
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = value.get(part)
    return value


def check_cells(page, data):
    """Every figure of the tables is the one of the data, at the precision in which it is printed."""
    policies = data["policies"]
    for (measure, at), text in page.cells.items():
        value = look_up(policies[at], measure)
        if value is None:
            expect(text == "\u2013", f"{measure}: {text!r} where there is no figure")
            continue
        where = f"{measure} of {policies[at]['policy']}: {text!r} for {value!r}"
        if isinstance(value, str):
            expect(text == value, where)
            continue
        shown, scale = number(text), 100 if measure == "pcp_hit_rate" else 1
        digits = len(text.partition(".")[2])
        expect(abs(shown - value * scale) <= 0.5000001 * 10 ** -digits, where)
        expect(isinstance(value, float) or shown == value, where)
    wanted = {"allocations", "failures", "frees", "pcp_hit_rate", "zone_lock_acquisitions",
              "zone_lock_per_1000", "zone_lock_work_per_hold", "free_pages", "pcp_pages",
              "mixed_pageblocks", "free_2mib_blocks", "digest", "timing.seconds",
              "timing.events_per_second"}
    for key in ("fallbacks", "unusable_index", "superpageblocks"):
        for part, value in policies[0][key].items():
            wanted |= {f"{key}.{part}.{by}" for by in value} if isinstance(value, dict) else {f"{key}.{part}"}
    wanted |= {f"free_blocks.{order}" for order in range(11)}
    wanted |= asked_measures(data)
    for at in range(len(policies)):
        shown = {measure for measure, policy in page.cells if policy == at}
        expect(shown == wanted, f"policy {at}: rows {sorted(shown ^ wanted)}")


def asked_measures(data):
    """Rows about what was asked beyond the recording."""
    asked = data.get("whatif", {"defrag": "none", "huge": None, "closed_loop": False})
    rows = set()
    if asked["huge"]:
        rows |= {"huge." + key for key in ("asked", "granted", "failed", "copied_bytes",
                                           "copied_bytes_per_granted", "all_copied_bytes_per_granted",
                                           "reclaimed_pages")}
        most = max(len(policy["huge"]["held_at_s"] or []) for policy in data["policies"])
        rows |= {f"huge.held_at_s.{2 ** n - 1}" for n in range(13) if 2 ** n <= most}
        rows |= {f"huge.failed_by.{why}" for policy in data["policies"]
                 for why in policy["huge"]["failed_by"]}
    if asked["defrag"] != "none":
        rows |= {"moves." + key for key in ("moved_pages", "copied_bytes", "failed_pages", "stalls",
                                            "stalls_served", "compactions.success",
                                            "compactions.complete", "compactions.partial_skipped",
                                            "compactions.contended")}
    if asked["defrag"] == "evacuate":
        rows |= {"moves.evacuations." + key for key in ("pages", "pageblocks", "superpageblocks")}
    if asked["closed_loop"]:
        rows |= {"reclaim." + key for key in ("reclaimed_pages", "unknown_pages", "oom_kills",
                                              "killed_pages")}
    return rows


def check_asked(page, data):
    """What the page says in words about what was asked, and that it is silent where nothing was."""
    asked, text = data.get("whatif"), "".join(page.words)
    for assumption in asked["assumptions"] if asked else []:
        expect(assumption in text, f"the page does not say: {assumption}")
    if asked and asked["huge"]:
        expect(f"Every {asked['huge']['every_s']:g} s" in text, "the page does not say how often")
    expect(("The loop is closed" in text) == bool(asked and asked["closed_loop"]),
           "the page does not say whether the loop was closed")


def check_ledger(page, data):
    entries = data["ledger"] + [entry for policy in data["policies"] for entry in policy["ledger"]]
    shown = sorted((key, text.replace(",", "")) for key, text in page.ledger if text != "\u2013")
    given = sorted((entry["key"], plain(entry["value"])) for entry in entries)
    expect(shown == given, f"ledger shows {shown}, data have {given}")
    text = "".join(page.words)
    for entry in entries:
        expect(entry["text"] in text, f"ledger: no explanation of {entry['key']}")
    warnings = sum(entry["level"] == "warn" for entry in entries)
    expect(f"{warnings} warning" in text, f"the number of warnings, {warnings}, is not shown")


def plain(value):
    if isinstance(value, str):
        return value
    return f"{round(value, 4):g}" if isinstance(value, float) else str(value)


def check_words(data):
    """What the page says in words about the figures holds for these data."""
    order = data["trace"]["pageblock_order"]
    for policy in data["policies"]:
        name, blocks = policy["policy"], policy["free_blocks"]
        free = sum(count << o for o, count in enumerate(blocks))
        expect(policy["free_pages"] == free, f"{name}: free_pages is not the sum of free_blocks")
        if data["trace"]["page_bytes"] << order == 2 << 20:
            two_mib = sum(count << (o - order) for o, count in enumerate(blocks) if o >= order)
            expect(policy["free_2mib_blocks"] == two_mib,
                   f"{name}: free_2mib_blocks does not count an order-10 block as two")
        for key, index in policy["unusable_index"].items():
            large = sum(count << o for o, count in enumerate(blocks) if o >= int(key))
            expect(abs(index - (1 - large / free if free else 1)) < 0.0011,
                   f"{name}: unusable index of order {key} is not that of all zones together")
        served = policy["allocations"] + policy["frees"]
        expect(abs(policy["zone_lock_per_1000"] * served
                   - policy["zone_lock_acquisitions"] * 1000) <= 0.051 * served,
               f"{name}: zone_lock_per_1000 is not per 1000 allocations and frees")


def cells_of(policy):
    """Every slice of a policy's map, in full."""
    first, *rest = policy["map"]["slices"]
    out, cells = [first["cells"]], list(first["cells"])
    for part in rest:
        at = -1
        for skip, new in zip(part["skip"], part["cells"]):
            at += skip + 1
            cells[at] = new
        out.append("".join(cells))
    return out


def in_zones(policy, cells):
    """The cells that the map shows: those of a zone; the others are not known to the reader."""
    shown = ["?"] * len(cells)
    for zone in policy["map"]["zones"]:
        part = slice(zone["first_cell"], zone["first_cell"] + zone["nr_cells"])
        shown[part] = cells[part]
    return "".join(shown)


def layer_shares(series, axis):
    """Share of each layer (order 10 to 0, then pcp) in the area of the chart of free memory."""
    xs, areas = series[axis], [0.0] * 12
    layers = [pages[::-1] + [pcp]
              for pages, pcp in zip(series["free_pages_by_order"], series["pcp_pages"])]
    for at in range(1, len(xs)):
        for layer in range(12):
            areas[layer] += (xs[at] - xs[at - 1]) * (layers[at][layer] + layers[at - 1][layer]) / 2
    total = sum(areas)
    return [area / total if total else 0 for area in areas]


def check_free(pixels, series, axis, where):
    """Painted areas follow the data; thin layers lose most to the softened edges, hence the margin."""
    total = sum(pixels)
    expect(total > 2000, f"{where}: {total} painted pixels")
    for layer, (nr, share) in enumerate(zip(pixels, layer_shares(series, axis))):
        expect(share < 0.03 or nr > 0, f"{where}: layer {layer} is not painted")
        expect(abs(nr / total - share) < 0.12, f"{where}: layer {layer} has {nr / total:.3f} of the "
               f"painted area, {share:.3f} of the data")


def check_lines(pixels, policies, key, where):
    """Each line is there, unless it runs where another one lies over it."""
    lines = [policy["series"][key] for policy in policies]
    near = max(1, max(max(line) for line in lines) / 100)
    for at, line in enumerate(lines):
        covered = any(sum(abs(a - b) <= near for a, b in zip(line, other)) > 0.9 * len(line)
                      for other in lines[:at])
        expect(covered or pixels[at] > 20, f"{where}: line of {policies[at]['policy']}: "
               f"{pixels[at]} painted pixels")


def check_paint(page, data):
    """Charts and maps show the data, at the end, at the start, and one slice before the end."""
    seen, policies = json.loads(page.body["data-seen"]), data["policies"]
    slices = max((policy["map"]["slices"] for policy in policies), key=len)
    for state, at, axis in (("end", -1, "time_ns"), ("start", 0, "event"), ("beforeEnd", -2, "event")):
        event = slices[max(at, -len(slices))]["event"]
        expect(f"event {event:,}," in seen[state]["moment"], f"{state}: {seen[state]['moment']}")
        last = max(policy["series"][axis][-1] for policy in policies)
        last = last / 1e9 if axis == "time_ns" else last
        expect(all(abs(x - last) < 1e-6 * last for x in seen[state]["lastX"]),
               f"{state}: the x axes end at {seen[state]['lastX']}, the samples at {last}")
        check_lines(seen[state]["mixed"], policies, "mixed_pageblocks", state)
        asked = data.get("whatif", {"huge": None, "defrag": "none"})
        keys = (["huge_granted"] if asked["huge"] else []) + \
            (["copied_bytes"] if asked["defrag"] != "none" else [])
        expect(len(seen[state]["asked"]) == len(keys), f"{state}: {len(seen[state]['asked'])} charts")
        for key, pixels in zip(keys, seen[state]["asked"]):
            check_lines(pixels, policies, key, f"{state}, {key}")
        for nr, policy in enumerate(policies):
            where = f"{state}, policy {policy['policy']}"
            check_free(seen[state]["free"][nr], policy["series"], axis, where)
            held = [cells for part, cells in zip(policy["map"]["slices"], cells_of(policy))
                    if part["event"] <= event]
            wanted, shown = in_zones(policy, held[-1]), seen[state]["maps"][nr]
            wrong = [i for i, (a, b) in enumerate(zip(wanted, shown)) if a != b]
            expect(len(wanted) == len(shown) and not wrong,
                   f"{where}: {len(wrong)} cells of the map are wrong, the first is {wrong[:1]}")
            expect(shown.strip(" ?") != "", f"{where}: the map is empty")


def check_console(messages):
    bad = [line for line in messages.splitlines() if "CONSOLE" in line or "Uncaught" in line]
    expect(not bad, f"console: {bad[:3]}")


def check_report(path, folder):
    """All that must hold for a report; Failed says what does not."""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    blocks = DATA.findall(source)
    expect(len(blocks) == 1, f"{len(blocks)} data elements")
    dom, messages, requests = browse(path, folder)
    page = Page(dom)
    check_offline(source, page, requests)
    check_console(messages)
    state = page.body.get("data-state")
    expect(state == "drawn", f"state {state}: {error_text(dom)}")
    data = json.loads(blocks[0][1])
    check_cells(page, data)
    check_ledger(page, data)
    check_asked(page, data)
    check_words(data)
    check_paint(page, data)
    for fact in ("path", "workload", "machine", "kernel"):
        shown = page.facts["trace" if fact == "path" else fact]
        expect(shown == data["trace"][fact], f"{fact}: {shown!r}")
    return data


def error_text(dom):
    found = re.search(r'<section id="error".*?</section>', dom, re.DOTALL)
    return re.sub(r"<[^>]*>", " ", found.group(0)) if found else ""


def damage(data):
    """Texts that are no good data, each with words that the page must use about it."""
    text = json.dumps(data)
    yield text[:len(text) // 2], "cut short"
    yield "", "no data"
    yield json.dumps({**data, "version": 99}), "version 99"
    yield json.dumps({**data, "policies": []}), "policies is empty"
    first = data["policies"][0]
    series = {**first["series"], "pcp_pages": first["series"]["pcp_pages"][1:]}
    yield json.dumps({**data, "policies": [{**first, "series": series}]}), "pcp_pages"
    slices = [{**first["map"]["slices"][0], "cells": "z" + first["map"]["slices"][0]["cells"][1:]}]
    cells = {**first["map"], "slices": slices}
    yield json.dumps({**data, "policies": [{**first, "map": cells}]}), "no cell"


def check_damaged(path, data, folder):
    """A report with bad data says so in words; and the checks above do not pass it."""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    for nr, (text, words) in enumerate(damage(data)):
        copy = os.path.join(folder, f"damaged-{nr}.html")
        inert = text.replace("<", "\\u003c")
        with open(copy, "w", encoding="utf-8") as file:
            file.write(DATA.sub(lambda part: part[1] + inert + part[3], source))
        dom, messages, _ = browse(copy, folder)
        check_console(messages)
        expect(Page(dom).body.get("data-state") == "error", f"{words}: not shown as an error")
        expect("cannot be shown" in error_text(dom) and words in error_text(dom),
               f"{words}: the page says {error_text(dom)!r}")
    expect_failure(os.path.join(folder, "damaged-0.html"), folder, "state error")


def check_leaky(path, folder):
    """The checks above see a page that asks for something from elsewhere."""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    leaky = os.path.join(folder, "leaky.html")
    with open(leaky, "w", encoding="utf-8") as file:
        file.write(re.sub("<meta http-equiv[^>]*>", "", source)
                   .replace("</main>", '<img src="http://elsewhere.invalid/"></main>'))
    expect_failure(leaky, folder, "requests: ['http://elsewhere.invalid/'")


def expect_failure(path, folder, words):
    try:
        check_report(path, folder)
    except Failed as failure:
        expect(words in str(failure), f"the checks see {failure}, not {words}")
        return
    raise Failed(f"the checks pass {os.path.basename(path)}")


def write_sample(writer, options, path):
    made = subprocess.run([sys.executable, os.path.join(HERE, "sample.py"), *options],
                          capture_output=True, check=True)
    with open(path, "wb") as file:
        subprocess.run([writer], input=made.stdout, stdout=file, check=True)


def run(args, folder):
    if args.report:
        path = os.path.abspath(args.report)
        check_damaged(path, check_report(path, folder), folder)
        check_leaky(path, folder)
        print(f"ok {args.report}")
        return
    for nr, options in enumerate(SAMPLES):
        path = os.path.join(folder, f"sample-{nr}.html")
        write_sample(os.path.abspath(args.writer), options, path)
        data = check_report(path, folder)
        if nr == 0:
            check_damaged(path, data, folder)
            check_leaky(path, folder)
        print(f"ok sample {' '.join(options)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", nargs="?")
    parser.add_argument("--writer")
    args = parser.parse_args()
    if bool(args.report) == bool(args.writer):
        parser.error("give REPORT.html or --writer PROGRAM")
    if not shutil.which("chromium"):
        print("skipped: no chromium")
        sys.exit(SKIP)
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(args, folder)
        except Failed as failure:
            sys.exit(f"test_report.py: {failure}")


if __name__ == "__main__":
    main()
