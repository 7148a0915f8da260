#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `pagus proc` promises on its command line. Usage: proc.py PAGUS TRACE.pgt MANPAGE.scd"""
import os
import re
import stat
import subprocess
import sys
import tempfile
import unittest

PAGUS, TRACE, MANPAGE = (os.path.abspath(a) for a in sys.argv[1:4])
PROC_FILES = ["buddyinfo", "pagetypeinfo", "vmstat", "zoneinfo"]


def proc(*args):
    return subprocess.run([PAGUS, "proc", *args], capture_output=True, text=True, check=False)


class Proc(unittest.TestCase):
    def refused(self, *args):
        done = proc(*args)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"\Apagus: [^\n]+\n\Z")
        return done.stderr

    def test_an_unknown_name_is_answered_with_those_known(self):
        names = re.search(r'no text "slabinfo"; there are (.*)\n', self.refused(TRACE, "buddyinfo", "slabinfo"))
        names = names[1].split(", ")
        self.assertTrue(set(PROC_FILES) < set(names))
        with open(MANPAGE, encoding="utf-8") as f:
            manual = f.read()
        for name in names:
            self.assertEqual(proc(TRACE, name).returncode, 0)
            self.assertIn(f"*{name}*", manual)

    def test_arguments_without_sense_are_refused(self):
        self.assertIn("usage: pagus proc", self.refused())
        self.assertIn("usage: pagus proc", self.refused(TRACE))
        self.assertIn("usage: pagus proc", self.refused(TRACE, "buddyinfo", "--all"))
        self.assertIn("neither start nor end", self.refused(TRACE, "buddyinfo", "--at", "middle"))
        self.assertIn('no policy "best"', self.refused(TRACE, "buddyinfo", "--policy", "best"))
        self.assertIn("/dev/null/x", self.refused(TRACE, "--dir", "/dev/null/x"))

    def test_names_are_printed_in_their_order(self):
        one, two = proc(TRACE, "buddyinfo").stdout, proc(TRACE, "extfrag_index").stdout
        self.assertEqual(proc(TRACE, "extfrag_index", "buddyinfo").stdout, two + one)
        self.assertEqual(proc("--at", "start", TRACE, "buddyinfo", "extfrag_index").stdout, one + two)

    def test_a_folder_gets_the_files_of_proc(self):
        with tempfile.TemporaryDirectory() as top:
            folder = os.path.join(top, "new")
            done = proc(TRACE, "--dir", folder, "--at", "end")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            self.assertEqual(sorted(os.listdir(folder)), PROC_FILES)
            for name in PROC_FILES:
                with open(os.path.join(folder, name), encoding="ascii") as f:
                    self.assertEqual(f.read(), proc(TRACE, name, "--at", "end").stdout)

    def test_what_is_no_regular_file_is_not_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            pipe = os.path.join(folder, "vmstat")
            os.mkfifo(pipe)
            self.assertIn(f"{pipe}: not a regular file", self.refused(TRACE, "buddyinfo", "--dir", folder))
            self.assertTrue(stat.S_ISFIFO(os.lstat(pipe).st_mode))

    def test_the_end_is_that_of_the_policy(self):
        texts = {proc(TRACE, "buddyinfo", *options).stdout
                 for options in ([], ["--at", "end"], ["--at", "end", "--policy", "plain"])}
        self.assertEqual(len(texts), 3)
        self.assertIn("\nnr_bounce ", proc(TRACE, "vmstat", "--policy", "linux-6.1").stdout)
        self.assertNotIn("\nnr_bounce ", proc(TRACE, "vmstat").stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
