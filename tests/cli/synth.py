#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `pagus synth` promises. Usage: synth.py PAGUS MANPAGE.scd"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

PAGUS, MANPAGE = (os.path.abspath(a) for a in sys.argv[1:3])


def pagus(*args):
    return subprocess.run([PAGUS, *args], capture_output=True, text=True)


def replay(trace, *policies):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        done = pagus("replay", trace, "--policy", ",".join(policies), "--json", out)
        assert done.returncode == 0, done.stderr
        with open(out, encoding="utf-8") as file:
            return json.load(file)


class Synth(unittest.TestCase):
    def test_list_and_manual_name_the_same(self):
        done = pagus("synth")
        listed = set(re.findall(r"^  (\w+) ", done.stdout, re.M))
        with open(MANPAGE, encoding="utf-8") as page:
            described = set(re.findall(r"\*(\w+)\*", page.read().split("# MODELS")[1]))
        self.assertEqual(listed - described, set())
        self.assertIn("storm", listed)

    def test_file_and_stream_are_the_same_load(self):
        model = "steady,memory=64M,turnover=30,huge=20,storm=12,growth=2"
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "load.pgt")
            self.assertEqual(pagus("synth", model, file).returncode, 0)
            digests = [policy["digest"] for trace in (file, "synth:" + model)
                       for policy in replay(trace, "linux", "superpageblock")["policies"]]
        self.assertEqual(digests[:2], digests[2:])
        other = replay("synth:" + model + ",seed=2", "linux", "superpageblock")["policies"]
        self.assertNotEqual(digests[0], other[0]["digest"])

    def test_shares_are_those_of_the_model(self):
        """Slabs swell and go, unmovable memory grows, all of it as pages in use."""
        data = replay("synth:growth,memory=256M,turnover=60,storm=15,huge=0", "plain")
        series, pages = data["policies"][0]["series"], data["trace"]["memory_pages"]
        used = [pages - sum(free) - pcp for free, pcp in
                zip(series["free_pages_by_order"], series["pcp_pages"])]
        self.assertGreater(max(used), 0.84 * pages)     # 4 to 7, and 15 + 40 + 25 %
        self.assertLess(used[-1], 0.80 * pages)         # 10, and 2 + 40 + 25 %
        self.assertGreater(used[-1], 0.74 * pages)
        self.assertEqual(data["policies"][0]["failures"], 0)

    def test_superpageblocks_are_kept(self):
        """The picture that the policy is made for: kernel memory in as few as hold it."""
        data = replay("synth:steady,memory=512M,turnover=100", "linux", "pcpbuddy", "superpageblock")
        linux, pcpbuddy, kept = (policy["superpageblocks"] for policy in data["policies"])
        self.assertEqual({each["mib"] for each in (linux, pcpbuddy, kept)}, {64})
        self.assertEqual(kept["peak_tainted"], kept["lower_bound"])
        self.assertGreaterEqual(linux["peak_tainted"], 2 * kept["peak_tainted"])
        self.assertGreaterEqual(pcpbuddy["peak_tainted"], 2 * kept["peak_tainted"])

    def test_bad_models(self):
        for model, word in (("none", "no model"), ("", "no model"), ("steady,", "no key"),
                            ("steady,memory=5X", "suffix"), ("steady,memory=32M", "64M to 4T"),
                            ("steady,cpus=0", "1 to 256"), ("steady,anon=12.x", "percent"),
                            ("steady,anon=90", "97 %"), ("steady,seed=-1", "seed"),
                            ("steady,foo=1", "no key \"foo\""), ("x" * 300, "longer")):
            done = pagus("replay", "synth:" + model, "--policy", "plain")
            self.assertEqual(done.returncode, 1, model)
            self.assertEqual(done.stdout, "")
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(word, done.stderr)
        for arguments in (["steady"], ["steady", "a", "b"], ["--no"]):
            self.assertIn("usage", pagus("synth", *arguments).stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
