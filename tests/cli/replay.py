#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `pagus replay` promises on its command line, in its table and in its JSON.

Usage: replay.py PAGUS TRACE.pgt MANPAGE.scd
"""
import json
import os
import pty
import re
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

PAGUS, TRACE, MANPAGE = (os.path.abspath(a) for a in sys.argv[1:4])
POLICIES = ["linux", "nopcp", "nogroup", "plain", "linux-6.1"]


def pagus(*args):
    return subprocess.run([PAGUS, "replay", *args], capture_output=True, text=True)


def replay_json(*args):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.json")
        done = pagus(*args, "--json", path)
        assert done.returncode == 0, done.stderr
        with open(path) as f:
            return json.load(f), done


def without_timing(result):
    for policy in result["policies"]:
        del policy["timing"]
    return result


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.result, cls.done = replay_json(TRACE)

    def test_silent_where_no_terminal_is(self):
        self.assertEqual(self.done.stderr, "")

    def test_every_named_policy_by_default(self):
        self.assertEqual([p["policy"] for p in self.result["policies"]], POLICIES)

    def test_ledger_stands_before_results(self):
        out = self.done.stdout
        self.assertLess(out.index("Fidelity of the recording"), out.index("Fidelity of the replay"))
        self.assertLess(out.index("Fidelity of the replay"), out.index("\nResults "))

    def test_table_shows_the_json(self):
        table = self.done.stdout[self.done.stdout.index("\nResults "):]
        for name, key in (("allocations", "allocations"), ("mixed pageblocks", "mixed_pageblocks"),
                          ("free pages", "free_pages"), ("2 MiB blocks free", "free_2mib_blocks")):
            row = re.search(r"^  %s +(.*)$" % re.escape(name), table, re.M).group(1).split()
            self.assertEqual([int(c.replace(",", "")) for c in row],
                             [p[key] for p in self.result["policies"]], name)
        digests = re.search(r"^  digest +(.*)$", table, re.M).group(1).split()
        self.assertEqual(digests, [p["digest"] for p in self.result["policies"]])

    def test_every_key_is_documented(self):
        with open(MANPAGE) as f:
            words = set(re.findall(r"\w+", f.read().replace("\\_", "_").replace("_,", ",")))
            words |= {w.strip("_") for w in words}
        policy = self.result["policies"][0]
        documented_elsewhere = {"counters"}
        keys = set(self.result) | set(self.result["trace"]) | set(policy)
        for name, value in policy.items():
            if isinstance(value, dict) and name not in documented_elsewhere:
                keys |= {k for k in value if not k.isdigit()}
        keys |= set(policy["superpageblocks"]["taints_by"])
        keys |= set(self.result["ledger"][0])
        keys |= {r for p in self.result["policies"] for reasons in p["locks"].values() for r in reasons}
        keys |= {k for p in self.result["policies"] for s in p["map"]["slices"] for k in s}
        self.assertEqual(sorted(k for k in keys if k not in words), [])

    def test_births_less_deaths_is_what_is_held(self):
        for p in self.result["policies"]:
            with self.subTest(p["policy"]):
                self.assertEqual(p["free_pages"], sum(n << o for o, n in enumerate(p["free_blocks"])))
                counters = p["counters"]
                self.assertEqual(counters["alloc_ok"], p["allocations"] - p["failures"])
                self.assertEqual(counters["free_ok"], p["frees"])
                self.assertEqual(counters["free_bad"], 0)

    def test_pages_are_conserved_across_policies(self):
        held = {p["free_pages"] + p["pcp_pages"] + p["counters"]["pgalloc"] - p["counters"]["pgfree"]
                for p in self.result["policies"]}
        self.assertEqual(len(held), 1)

    def test_superpageblocks_add_up(self):
        for p in self.result["policies"]:
            s = p["superpageblocks"]
            with self.subTest(p["policy"]):
                self.assertEqual(sum(s["taints_by"].values()), s["taints"])
                self.assertGreater(s["taints_by"]["start"], 0)
                self.assertLessEqual(s["obtainable"], s["upper_bound"])
                self.assertLessEqual(s["upper_bound"], s["whole"])
                self.assertLessEqual(s["obtainable_copied_bytes"], s["obtainable"] * s["mib"] << 20)

    def test_policies_differ_where_they_must(self):
        by_name = {p["policy"]: p for p in self.result["policies"]}
        for name in ("nopcp", "plain"):
            self.assertEqual(by_name[name]["pcp_hit_rate"], 0)
            # Without pcp lists each allocation and each free takes the zone lock at least once.
            self.assertGreaterEqual(by_name[name]["zone_lock_per_1000"], 1000)
        for name in ("linux", "nogroup", "linux-6.1"):
            self.assertLess(by_name[name]["zone_lock_per_1000"], 500)
        for name in ("nogroup", "plain"):
            self.assertEqual(set(by_name[name]["fallbacks"].values()), {0})
        self.assertGreater(by_name["plain"]["mixed_pageblocks"], 0)

    def test_series_and_map_are_whole(self):
        for p in self.result["policies"]:
            series, slices = p["series"], p["map"]["slices"]
            lengths = {len(v) for v in series.values()}
            self.assertEqual(len(lengths), 1)
            self.assertGreater(lengths.pop(), 50)
            self.assertEqual(series["event"], sorted(series["event"]))
            self.assertEqual(series["event"][-1], self.result["trace"]["events"])
            self.assertEqual(series["mixed_pageblocks"][-1], p["mixed_pageblocks"])
            self.assertEqual(sum(series["free_pages_by_order"][-1]), p["free_pages"])
            cells = list(slices[0]["cells"])
            self.assertEqual(len(cells), sum(z["nr_cells"] for z in p["map"]["zones"]))
            for later in slices[1:]:
                at = -1
                self.assertEqual(len(later["skip"]), len(later["cells"]))
                for skip, cell in zip(later["skip"], later["cells"]):
                    at += skip + 1
                    self.assertNotEqual(cells[at], cell)
                    cells[at] = cell
            mixed = sum(c in "MNOP" for c in cells)
            self.assertEqual(mixed, p["mixed_pageblocks"])

    def test_twice_is_the_same(self):
        again, _ = replay_json(TRACE)
        self.assertEqual(without_timing(again), without_timing(json.loads(json.dumps(self.result))))

    def test_a_policy_by_its_parts_is_the_policy(self):
        parts, _ = replay_json(TRACE, "--policy", "linux+linux,none+plain")
        self.assertEqual([p["digest"] for p in parts["policies"]],
                         [self.result["policies"][n]["digest"] for n in (0, 3)])

    def test_owned_pageblocks_need_the_zone_lock_less(self):
        owned, _ = replay_json(TRACE, "--policy", "pcpbuddy")
        owned = owned["policies"][0]
        self.assertGreater(owned["counters"]["pageblock_own"], 0)
        self.assertLess(owned["zone_lock_acquisitions"], self.result["policies"][0]["zone_lock_acquisitions"])

    def test_more_and_fewer_cpus(self):
        for cpus in (1, 3, 64):
            other, _ = replay_json(TRACE, "--policy", "linux", "--cpus", str(cpus))
            self.assertEqual(other["policies"][0]["cpus"], cpus)
            self.assertEqual(other["policies"][0]["allocations"],
                             self.result["policies"][0]["allocations"])

    def test_several_traces_make_a_set(self):
        both, _ = replay_json(TRACE, TRACE, "--policy", "plain")
        self.assertEqual(both["format"], "pagus-replay-set")
        self.assertEqual(without_timing(both["replays"][0]), without_timing(both["replays"][1]))

    def test_memory_is_bounded(self):
        pages = self.result["trace"]["memory_pages"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        pagus(TRACE, "--policy", "linux")
        peak_bytes = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024
        self.assertLessEqual(peak_bytes, 1.3 * 18 * pages + 200e6)

    def test_progress_on_a_terminal(self):
        leader, follower = pty.openpty()
        child = subprocess.Popen([PAGUS, "replay", TRACE], stdout=subprocess.DEVNULL, stderr=follower)
        os.close(follower)
        shown = b""
        try:
            while chunk := os.read(leader, 4096):
                shown += chunk
        except OSError:
            pass
        self.assertEqual(child.wait(), 0)
        self.assertRegex(shown, rb"linux \[#* *\] +\d+ %, [\d.]+ M events/s, \d+ s left")

    def refused(self, args, *words):
        done = pagus(*args)
        self.assertEqual(done.returncode, 1, args)
        self.assertEqual(done.stdout, "", args)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_bad_arguments(self):
        self.refused([], "usage")
        self.refused([TRACE, "--policy", "lynux"], "lynux", "linux, nopcp")
        self.refused([TRACE, "--policy", "linux,"], "no policy \"\"")
        self.refused([TRACE, "--policy", "linux+lynux"], "linux+lynux")
        self.refused([TRACE, "--nonsense"], "usage")
        for cpus in ("0", "-1", "1025", "two", "", "99999999999999999999"):
            self.refused([TRACE, "--cpus", cpus], "--cpus")
        self.refused([TRACE, TRACE, "--html", "x.html"], "--html")
        self.refused(["/nonexistent.pgt"], "/nonexistent.pgt")

    def test_nothing_half_written(self):
        with tempfile.TemporaryDirectory() as folder:
            cut = os.path.join(folder, "cut.pgt")
            with open(TRACE, "rb") as whole, open(cut, "wb") as part:
                part.write(whole.read()[:-5000])
            out = os.path.join(folder, "out.json")
            page = os.path.join(folder, "out.html")
            self.refused([cut, "--json", out, "--html", page], cut, "offset")
            self.assertEqual(os.listdir(folder), ["cut.pgt"])
            nowhere = os.path.join(folder, "no", "out.json")
            self.refused([TRACE, "--policy", "plain", "--json", nowhere], nowhere, "No such file")

    def test_output_replaces_regular_files_alone(self):
        """Not the trace, not a folder, not a device, not a link; and both outputs are two files."""
        with tempfile.TemporaryDirectory() as folder:
            trace, pipe, link, out = (os.path.join(folder, n) for n in ("t.pgt", "pipe", "link", "out"))
            shutil.copy(TRACE, trace)
            os.mkfifo(pipe)
            os.symlink("t.pgt", link)
            before = sorted(os.listdir(folder))
            for option in ("--json", "--html"):
                self.refused([trace, option, trace], trace, "not replaced")
                self.refused([link, option, trace], trace, "not replaced")
                for path in (pipe, folder, link):
                    self.refused([TRACE, option, path], path, "not replaced")
            self.refused([TRACE, "--json", out, "--html", out], out, "both")
            again = os.path.join(os.path.dirname(out), ".", os.path.basename(out))
            self.refused([TRACE, "--json", out, "--html", again], again, "both")
            self.assertEqual(sorted(os.listdir(folder)), before)
            self.assertTrue(stat.S_ISFIFO(os.lstat(pipe).st_mode) and os.path.islink(link))
            with open(trace, "rb") as copy, open(TRACE, "rb") as whole:
                self.assertEqual(copy.read(), whole.read())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
