#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `pagus verify` promises on its command line. Usage: verify.py PAGUS TRACE.pgt MANPAGE.scd"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

PAGUS, TRACE, MANPAGE = (os.path.abspath(a) for a in sys.argv[1:4])


def verify(*args):
    return subprocess.run([PAGUS, "verify", *args], capture_output=True, text=True)


class Verify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.table = verify(TRACE)
        cls.done = verify("--json", TRACE)
        cls.result, = json.loads(cls.done.stdout)

    def test_json_shows_what_the_exit_status_says(self):
        end = self.result["end"]
        self.assertEqual((self.table.returncode, self.done.returncode), (0, 0))
        self.assertEqual(end["lists_in_order"], end["lists"])
        self.assertEqual(end["pcps_equal"], end["pcps"])
        self.assertGreater(end["pcps"], 0)
        self.assertEqual(self.result["broken_invariant"], 0)
        self.assertEqual(self.result["unexplained"], 0)

    def test_table_shows_the_json(self):
        rows = re.findall(r"^(\w+) +(\d+) +(\d+)  100\.0000 %", self.table.stdout, re.M)
        self.assertGreater(len(rows), 3)
        for kind, predicted, exact in rows:
            self.assertEqual(self.result[kind], {"predicted": int(predicted), "exact": int(exact)})

    def test_every_key_is_in_the_manual(self):
        with open(MANPAGE) as f:
            manual = f.read()
        for key in list(self.result) + list(self.result["end"]):
            self.assertIn(key, manual)

    def test_table_says_by_which_policy(self):
        self.assertIn("\n  policy linux\n", self.table.stdout)
        table = verify("--standard-events", "--release", "6.18", TRACE)
        self.assertIn("\n  policy linux-6.18, the six stock kmem events alone\n", table.stdout)

    def test_nothing_is_printed_of_what_cannot_be_read(self):
        done = verify("none.pgt", "none.pgt")
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 2))

    def test_stock_events_alone(self):
        done = verify("--standard-events", "--json", TRACE)
        result, = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0)
        self.assertLess(result["events"], self.result["events"])
        for kind in ("pcp_alloc", "zone_take", "fallback", "drain"):
            self.assertGreaterEqual(result[kind]["exact"], 0.995 * result[kind]["predicted"])
        self.assertGreater(result["pcp_alloc"]["predicted"], 10000)
        self.assertGreater(sum(result["resync"].values()), 0)
        table = verify("--standard-events", TRACE)
        self.assertEqual(table.returncode, 0)
        for rule, count in result["resync"].items():
            row = re.search(rf"^{rule} +(\d+)  ", table.stdout, re.M)
            self.assertEqual(int(row[1]) if row else 0, count)
        with open(MANPAGE) as f:
            manual = f.read()
        for rule in result["resync"]:
            self.assertIn(f"\n*{rule}*\n", manual)

    def test_release(self):
        self.assertEqual((self.result["release"], self.result["policy"]), ("7.2", "linux"))
        other = verify("--release", "6.1", "--standard-events", "--json", TRACE)
        result, = json.loads(other.stdout)
        self.assertEqual((result["release"], result["policy"]), ("7.2", "linux-6.1"))
        bad = verify("--release", "5.4", TRACE)
        self.assertEqual((bad.returncode, bad.stdout), (1, ""))
        self.assertEqual(bad.stderr, "pagus: release 5.4 is not known; known are 6.1, 6.12, 6.18, 7.2\n")

    def test_an_unreadable_trace_does_not_hide_the_others(self):
        with tempfile.TemporaryDirectory() as folder:
            missing = os.path.join(folder, "missing.pgt")
            done = verify("--json", missing, TRACE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(missing, done.stderr)
        self.assertEqual(json.loads(done.stdout), [self.result])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
