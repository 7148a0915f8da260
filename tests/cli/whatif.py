#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `pagus replay` promises of --defrag, --huge and --closed-loop.

Usage: whatif.py PAGUS TRACE.pgt MANPAGE.scd
TRACE is 7.2-frag1, whose memory is short and fragmented.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

PAGUS, TRACE, MANPAGE = (os.path.abspath(a) for a in sys.argv[1:4])
POLICIES = ["linux", "pcpbuddy", "pcpbuddy-bitmap", "linux-6.1"]
PAGE_BYTES = 4096


def pagus(*args):
    return subprocess.run([PAGUS, "replay", *args], capture_output=True, text=True)


def replay_json(*args, policies=POLICIES, trace=TRACE):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.json")
        done = pagus(trace, "--policy", ",".join(policies), *args, "--json", path)
        assert done.returncode == 0, done.stderr
        with open(path) as f:
            return json.load(f), done.stdout


def without_timing(result):
    for policy in result["policies"]:
        del policy["timing"]
    return result


def in_use(policy):
    """
    Pages handed out and not given back, on top of those that were in use at the start. A page that
    moves is freed, and its target was not handed out to a request.
    """
    counters = policy["counters"]
    return counters["pgalloc"] - counters["pgfree"] + counters["pgmigrate_success"]


class Asked(unittest.TestCase):
    """Results of one set of options; what holds for all of them."""

    options = ()
    whatif = None
    trace, names = TRACE, POLICIES

    @classmethod
    def setUpClass(cls):
        if not cls.options:
            raise unittest.SkipTest("for those derived from it")
        cls.result, cls.out = replay_json(*cls.options, policies=cls.names, trace=cls.trace)
        cls.policies = cls.result["policies"]

    def test_what_was_asked_is_in_the_json(self):
        whatif = dict(self.result["whatif"])
        assumptions = whatif.pop("assumptions")
        self.assertEqual(whatif, {"ready": 0, **self.whatif})
        self.assertEqual(bool(assumptions), whatif["closed_loop"])

    def test_figures_are_there_where_they_were_asked_for(self):
        for p in self.policies:
            self.assertEqual(p["huge"] is not None, self.whatif["huge"] is not None)
            if p["huge"]:
                self.assertEqual(p["huge"]["all_copied_bytes_per_granted"],
                                 p["moves"]["copied_bytes"] // max(1, p["huge"]["granted"]))
            self.assertEqual(p["reclaim"] is not None, self.whatif["closed_loop"])
            self.assertEqual(p["moves"]["copied_bytes"], p["moves"]["moved_pages"] * PAGE_BYTES)

    def test_pages_are_conserved(self):
        """Where pages are in maps, some were freed and are not counted as free yet."""
        lists = [p for p in self.policies if p["policy"] not in ("pcpbuddy-bitmap", "superpageblock")]
        held = {p["free_pages"] + p["pcp_pages"] + in_use(p) for p in lists}
        self.assertEqual(len(held), 1 if lists else 0)

    def test_every_key_is_documented(self):
        with open(MANPAGE) as f:
            words = set(re.findall(r"\w+", f.read().replace("\\_", "_")))
            words |= {w.strip("_") for w in words}
        p = self.policies[0]
        parts = [self.result["whatif"], self.result["whatif"]["huge"] or {}, p["moves"],
                 p["huge"] or {}, p["reclaim"] or {}, p["series"]]
        parts += [p["moves"]["compactions"], p["moves"]["evacuations"]]
        keys = {k for part in parts for k in part}
        keys |= {row["key"] for row in p["ledger"]}
        self.assertEqual(sorted(k for k in keys if k not in words), [])

    def test_the_series_end_with_the_figures(self):
        for p in self.policies:
            series = p["series"]
            for key in ("copied_bytes", "huge_granted"):
                self.assertEqual(series[key], sorted(series[key]))
                self.assertEqual(len(series[key]), len(series["event"]))
            self.assertEqual(series["copied_bytes"][-1], p["moves"]["copied_bytes"])
            self.assertEqual(series["huge_granted"][-1], p["huge"]["granted"] if p["huge"] else 0)

    def test_twice_is_the_same(self):
        again, _ = replay_json(*self.options, policies=self.names, trace=self.trace)
        self.assertEqual(without_timing(again), without_timing(json.loads(json.dumps(self.result))))

    def row(self, name):
        found = re.search(rf"^  {re.escape(name)} +([\d,.% ]+)$", self.out, re.M)
        self.assertIsNotNone(found, name)
        return [int(c.replace(",", "")) for c in found.group(1).split()]


class Nothing(unittest.TestCase):
    def test_nothing_asked_is_the_replay_as_ever(self):
        plain, out = replay_json()
        none, _ = replay_json("--defrag", "none")
        self.assertEqual(plain["whatif"], {"defrag": "none", "ready": 0, "huge": None, "closed_loop": False,
                                           "assumptions": []})
        self.assertEqual(without_timing(plain), without_timing(none))
        for p in plain["policies"]:
            self.assertEqual((p["huge"], p["reclaim"], p["moves"]["moved_pages"]), (None, None, 0))
            self.assertEqual(p["counters"]["kswapd_wake"], 0)
        for word in ("Huge pages", "Pages moved", "Reclaim", "loop is closed"):
            self.assertNotIn(word, out)


class Huge(Asked):
    options = ("--huge", "every=0.5,order=9,count=20")
    whatif = {"defrag": "none", "closed_loop": False,
              "huge": {"every_s": 0.5, "order": 9, "count": 20, "hold_s": 0.5}}

    def test_every_page_is_granted_or_has_a_reason(self):
        for p in self.policies:
            huge = p["huge"]
            self.assertEqual(huge["asked"], huge["rounds"] * 20)
            self.assertEqual(huge["granted"] + huge["failed"], huge["asked"])
            self.assertEqual(sum(huge["failed_by"].values()), huge["failed"])
            self.assertGreater(huge["granted"], 0)

    def test_rounds_are_as_many_as_the_time_has(self):
        last = self.policies[0]["series"]["time_ns"][-1]
        for p in self.policies:
            self.assertEqual(p["huge"]["rounds"], last // 500_000_000)

    def test_no_more_is_held_than_one_round(self):
        for p in self.policies:
            self.assertLessEqual(p["huge"]["held_at_end"], 20)

    def test_nothing_moves(self):
        for p in self.policies:
            self.assertEqual((p["moves"]["moved_pages"], p["huge"]["copied_bytes"]), (0, 0))

    def test_the_table_shows_the_json(self):
        for name, key in (("asked for", "asked"), ("granted", "granted"), ("failed", "failed"),
                          ("held at the end", "held_at_end")):
            self.assertEqual(self.row(name), [p["huge"][key] for p in self.policies])

    def test_hold(self):
        """Held to the end, at once free again, and for two rounds."""
        kept, _ = replay_json("--huge", "every=0.5,count=3,hold=1000", policies=["linux"])
        probe, _ = replay_json("--huge", "every=0.5,count=3,hold=0", policies=["linux"])
        two, _ = replay_json("--huge", "every=0.5,count=3,hold=1", policies=["linux"])
        kept, probe, two = (r["policies"][0] for r in (kept, probe, two))
        self.assertEqual(kept["huge"]["held_at_end"], kept["huge"]["granted"])
        self.assertEqual(probe["huge"]["held_at_end"], 0)
        self.assertGreater(probe["huge"]["granted"], kept["huge"]["granted"])
        self.assertEqual(two["huge"]["held_at_end"], 6)
        self.assertEqual(kept["free_pages"] + kept["pcp_pages"] + in_use(kept),
                         probe["free_pages"] + probe["pcp_pages"] + in_use(probe))


class Scan(Asked):
    """Compaction, with requests that need it."""

    options = ("--defrag", "scan", "--huge", "every=0.5,count=60,hold=0.25")
    whatif = {"defrag": "scan", "closed_loop": False,
              "huge": {"every_s": 0.5, "order": 9, "count": 60, "hold_s": 0.25}}

    def test_pages_move(self):
        for p in self.policies:
            moves = p["moves"]
            self.assertGreater(moves["moved_pages"], 0)
            self.assertEqual(moves["moved_pages"], p["counters"]["pgmigrate_success"])
            self.assertGreater(moves["compactions"]["success"], 0)
            self.assertLessEqual(p["huge"]["moved_pages"], moves["moved_pages"])
            self.assertEqual(p["huge"]["copied_bytes"], p["huge"]["moved_pages"] * PAGE_BYTES)
            if p["huge"]["granted"]:
                self.assertEqual(p["huge"]["copied_bytes_per_granted"],
                                 p["huge"]["copied_bytes"] // p["huge"]["granted"])

    def test_compaction_grants_more(self):
        none, _ = replay_json("--defrag", "none", *self.options[2:])
        for without, with_it in zip(none["policies"], self.policies):
            self.assertEqual(without["moves"]["moved_pages"], 0)
            self.assertGreater(with_it["huge"]["granted"], without["huge"]["granted"],
                               without["policy"])

    def test_guesses_are_counted(self):
        for p in self.policies:
            ledger = {row["key"]: row["value"] for row in p["ledger"]}
            self.assertEqual(ledger["inherited_moved"], p["moves"]["inherited_pages"])
            self.assertLessEqual(p["moves"]["inherited_pages"], p["moves"]["moved_pages"])

    def test_the_table_shows_the_json(self):
        for name, key in (("pages moved", "moved_pages"), ("bytes copied", "copied_bytes"),
                          ("stalls", "stalls"), ("runs of kcompactd", "kcompactd_runs")):
            self.assertEqual(self.row(name), [p["moves"][key] for p in self.policies])

    def test_nothing_moves_where_all_is_unmovable(self):
        without, _ = replay_json(*self.options, policies=["plain", "nogroup"])
        for p in without["policies"]:
            self.assertEqual(p["moves"]["moved_pages"], 0)


class Choice(Asked):
    """Compaction of what costs the least, with the requests of Scan."""

    options = ("--defrag", "choice", *Scan.options[2:])
    whatif = {**Scan.whatif, "defrag": "choice"}

    def test_more_are_granted(self):
        scan, _ = replay_json(*Scan.options)
        for by_scan, by_choice in zip(scan["policies"], self.policies):
            self.assertGreater(by_choice["moves"]["moved_pages"], 0)
            self.assertGreater(by_choice["huge"]["granted"], by_scan["huge"]["granted"],
                               by_choice["policy"])


class Evacuate(Asked):
    """Tainted superpageblocks that movable pages crowd: their pageblocks are emptied."""

    trace = "synth:storm,memory=1G,turnover=600,storm=20,anon=60,cache=10"
    names = ["superpageblock"]
    options = ("--defrag", "evacuate")
    whatif = {"defrag": "evacuate", "ready": 0, "closed_loop": False, "huge": None}

    def test_pageblocks_are_emptied(self):
        moves = self.policies[0]["moves"]
        self.assertGreater(moves["evacuations"]["pageblocks"], 0)
        self.assertEqual(moves["evacuations"]["superpageblocks"], 0)
        self.assertLessEqual(moves["evacuations"]["pages"], moves["moved_pages"])
        self.assertGreater(moves["compactions"]["success"], 0)

    def test_by_scan_the_worker_does_nothing(self):
        scan, _ = replay_json("--defrag", "scan", policies=self.names, trace=self.trace)
        self.assertEqual(scan["policies"][0]["moves"]["evacuations"]["pageblocks"], 0)

    def test_the_table_shows_the_json(self):
        moves = self.policies[0]["moves"]["evacuations"]
        for name, key in (("pageblocks emptied", "pageblocks"),
                          ("superpageblocks emptied", "superpageblocks")):
            self.assertEqual(self.row(name), [moves[key]])
        self.assertEqual(moves["copied_bytes"], moves["pages"] * PAGE_BYTES)


class Ready(Asked):
    """Slabs that swelled have gone, and clean superpageblocks are emptied, to be had at once."""

    trace = "synth:storm,memory=1G,turnover=600,storm=20,anon=30"
    names = ["superpageblock"]
    options = ("--defrag", "evacuate", "--ready", "2")
    whatif = {"defrag": "evacuate", "ready": 2, "closed_loop": False, "huge": None}

    def test_superpageblocks_are_emptied(self):
        without, _ = replay_json("--defrag", "evacuate", policies=self.names, trace=self.trace)
        without = without["policies"][0]
        self.assertEqual(without["moves"]["evacuations"]["superpageblocks"], 0)
        p = self.policies[0]
        self.assertGreater(p["moves"]["evacuations"]["superpageblocks"], 0)
        self.assertEqual(p["failures"], without["failures"])
        self.assertGreater(sum(p["series"]["empty_superpageblocks"]),
                           sum(without["series"]["empty_superpageblocks"]))

    def test_no_more_is_copied_than_what_is_emptied_can_hold(self):
        moves = self.policies[0]["moves"]["evacuations"]
        pages = self.policies[0]["superpageblocks"]["mib"] << 8
        self.assertLess(moves["pages"], moves["superpageblocks"] * pages)


class Gigantic(Asked):
    """Pages of 1 GiB, of which one was ready; held for two rounds."""

    trace = "synth:steady,memory=5G,turnover=30,anon=30"
    names = ["superpageblock"]
    options = ("--defrag", "scan", "--huge", "every=0.6,order=18,count=1,hold=1.2")
    whatif = {"defrag": "scan", "ready": 0, "closed_loop": False,
              "huge": {"every_s": 0.6, "order": 18, "count": 1, "hold_s": 1.2}}

    def test_when_so_many_were_held(self):
        for p in self.policies:
            times = p["huge"]["held_at_s"]
            self.assertEqual(times, sorted(times))
            self.assertTrue(1 <= len(times) <= 2, times)
            for time in times:
                self.assertEqual(round(time / 0.6), round(time / 0.6, 9))

    def test_the_table_shows_the_json(self):
        found = re.search(r"^  seconds to hold 1 +([\d. -]+)$", self.out, re.M).group(1).split()
        self.assertEqual([float(f) for f in found],
                         [int(p["huge"]["held_at_s"][0] * 10) / 10 for p in self.policies])

    def test_order_9_has_no_times(self):
        other, _ = replay_json("--huge", "every=0.5", policies=["linux"])
        self.assertIsNone(other["policies"][0]["huge"]["held_at_s"])


class All(Asked):
    """kswapd, kcompactd and the requests, one beside the other."""

    options = ("--defrag", "scan", "--closed-loop", "--huge", "every=0.5,count=60")
    whatif = {"defrag": "scan", "closed_loop": True,
              "huge": {"every_s": 0.5, "order": 9, "count": 60, "hold_s": 0.5}}

    def test_workers_work(self):
        self.assertGreater(sum(p["moves"]["kcompactd_runs"] for p in self.policies), 0)
        for p in self.policies:
            self.assertGreater(p["counters"]["pageoutrun"], 0)
            self.assertGreater(p["moves"]["moved_pages"], 0)
            self.assertGreater(p["reclaim"]["reclaimed_pages"], 0)


class ClosedLoop(Asked):
    options = ("--closed-loop",)
    whatif = {"defrag": "none", "closed_loop": True, "huge": None}

    def test_marks_are_kept_that_the_open_loop_ignores(self):
        """Reclaim serves what is granted against the marks otherwise."""
        opened, _ = replay_json()
        for before, after in zip(opened["policies"], self.policies):
            rights = [next(r["value"] for r in p["ledger"] if r["key"] == "rights_inferred")
                      for p in (before, after)]
            self.assertLess(rights[1] * 10, rights[0], before["policy"])
            self.assertLessEqual(after["failures"], before["failures"])

    def test_what_was_reclaimed_adds_up(self):
        for p in self.policies:
            r = p["reclaim"]
            self.assertEqual(r["reclaimed_pages"],
                             r["cache_pages"] + r["slab_pages"] + r["unknown_pages"])
            self.assertGreater(r["reclaimed_pages"], 0)
            steal = p["counters"]["pgsteal_kswapd"] + p["counters"]["pgsteal_direct"]
            self.assertEqual(r["reclaimed_pages"], steal)
            self.assertGreater(p["counters"]["kswapd_wake"], 0)

    def test_frees_of_what_was_taken_are_no_errors(self):
        for p in self.policies:
            self.assertGreater(p["reclaim"]["late_frees"], 0)
            self.assertEqual(p["counters"]["free_bad"], 0)

    def test_the_ledger_and_the_report_say_so(self):
        self.assertIn("The loop is closed", self.out)
        flat = " ".join(self.out.split())
        for text in self.result["whatif"]["assumptions"]:
            self.assertIn(" ".join(text.split()), flat)
        for p in self.policies:
            ledger = {row["key"]: row for row in p["ledger"]}
            self.assertEqual(ledger["reclaimed_pages"]["value"], p["reclaim"]["reclaimed_pages"])
            unknown = ledger["reclaimed_unknown"]
            self.assertEqual(unknown["level"], "warn" if unknown["value"] else "ok")

    def test_the_table_shows_the_json(self):
        self.assertEqual(self.row("pages reclaimed"),
                         [p["reclaim"]["reclaimed_pages"] for p in self.policies])


class Shortage(Asked):
    """Huge pages that are never given back: in the end there is nothing to reclaim."""

    options = ("--closed-loop", "--huge", "every=1,count=400,hold=1000")
    whatif = {"defrag": "none", "closed_loop": True,
              "huge": {"every_s": 1.0, "order": 9, "count": 400, "hold_s": 1000.0}}

    def test_somebody_is_killed(self):
        for p in self.policies:
            self.assertGreater(p["reclaim"]["oom_kills"], 0)
            self.assertGreater(p["reclaim"]["killed_pages"], 0)
            self.assertEqual(p["counters"]["oom_kill"], p["reclaim"]["oom_kills"])
            ledger = {row["key"]: row for row in p["ledger"]}
            self.assertEqual(ledger["oom_kills"]["level"], "warn")

    def test_huge_pages_take_reclaim(self):
        for p in self.policies:
            self.assertGreater(p["huge"]["reclaimed_pages"], 0)
            self.assertEqual(p["huge"]["held_at_end"], p["huge"]["granted"])
            self.assertGreater(p["huge"]["failed_by"].get("no_progress", 0), 0)


class BadInput(unittest.TestCase):
    def refused(self, *args, words=()):
        done = pagus(TRACE, *args)
        self.assertEqual(done.returncode, 1, args)
        self.assertEqual(done.stdout, "", args)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_defrag(self):
        for value in ("", "Scan", "scan,none", "all"):
            self.refused("--defrag", value, words=["--defrag", f'"{value}"', "none, scan, choice, evacuate"])

    def test_evacuate_needs_superpageblocks(self):
        for names in ("linux", "superpageblock,pcpbuddy-bitmap", "bitmap+linux"):
            without = names.split(",")[-1]
            self.refused("--policy", names, "--defrag", "evacuate",
                         words=["--defrag evacuate", f'"{without}"', "these have: superpageblock"])
        self.refused("--defrag", "evacuate", words=['"linux"', "these have: superpageblock"])

    def test_ready(self):
        for value in ("", "-1", "65537", "1.5", "two", "99999999999999999999"):
            self.refused("--policy", "superpageblock", "--defrag", "evacuate", "--ready", value,
                         words=["--ready", f'"{value}"', "0 to 65536"])
        for defrag in ("none", "scan", "choice"):
            self.refused("--policy", "superpageblock", "--defrag", defrag, "--ready", "1",
                         words=["--ready", "--defrag evacuate"])

    def test_huge(self):
        for value, *words in (
                ("", "KEY=VALUE"), ("every", "KEY=VALUE"), ("every=", '""'), ("every=1,", "KEY=VALUE"),
                (",every=1", "KEY=VALUE"), ("every=1,,count=2", "KEY=VALUE"),
                ("every=one", '"one"', "seconds"), ("every=0", '"0"'), ("every=-1", '"-1"'),
                ("every=0.0009", "0.001"), ("every=1.", '"1."'), ("every=.5", '".5"'),
                ("every=1e3", '"1e3"'), ("every= 1", '" 1"'), ("every=1s", '"1s"'),
                ("every=0.0000000001", "seconds"), ("every=1000000001", "seconds"),
                ("every=99999999999999999999", "seconds"),
                ("every=1,order=10", '"10"', "9 or 18"), ("every=1,order=", '""'),
                ("every=1,order=0x9", '"0x9"'), ("every=1,order=18446744073709551625", "9 or 18"),
                ("every=1,count=0", '"0"', "1000000"), ("every=1,count=1000001", "1000000"),
                ("every=1,count=1.5", '"1.5"'), ("every=1,hold=forever", '"forever"'),
                ("every=1,hold=-0", '"-0"'), ("count=5", "every=SECONDS is missing"),
                ("every=1,every=2", '"every"', "twice"), ("every=1,size=2M", '"size"', "every, order"),
                ("every=1,kilograms=2", "KEY=VALUE"),
                ("every=1=2", '"1=2"'), ("every=1," + "x" * 5000, "KEY=VALUE")):
            self.refused("--huge", value, words=["--huge", *words])
        self.refused("--huge", words=["usage"])

    def test_a_range_that_the_machine_does_not_have(self):
        self.refused("--huge", "every=1,order=18",
                     words=[TRACE, "order=18", "999 MiB", "2^18"])

    def test_more_rounds_than_are_sensible(self):
        """Nothing is written then."""
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "out.json")
            done = pagus(TRACE, "--policy", "plain", "--closed-loop=1", "--json", out)
            self.assertEqual(done.returncode, 1)
            self.assertIn("usage", done.stderr)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
