#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `pagus explain` promises. Usage: explain.py PAGUS TRACES_FOLDER MANPAGE.scd"""
import os
import re
import subprocess
import sys
import unittest

PAGUS, TRACES, MANPAGE = (os.path.abspath(a) for a in sys.argv[1:4])
FRAG, GCCBUILD = (os.path.join(TRACES, name + ".pgt") for name in ("7.2-frag1", "6.1-gccbuild2"))


def explain(trace, *args):
    return subprocess.run([PAGUS, "explain", trace, *args], capture_output=True, text=True)


class Explain(unittest.TestCase):
    def test_choices_are_the_same(self):
        """A sample of each trace: what pagus chooses is what the kernel chose, or is about to."""
        for name, events in (("7.2-frag1", 1825117), ("7.2-forkexec1", 272188), ("6.1-gccbuild2", 588581)):
            trace, compared = os.path.join(TRACES, name + ".pgt"), 0
            for n in range(12):
                number = events * n // 12 + 7 * n
                done = explain(trace, "--event", str(number))
                if done.returncode:
                    self.assertIn("decides nothing", done.stderr)
                    continue
                self.assertNotIn("another", done.stdout, (name, number))
                compared += bool(re.search(r"^kernel +pfn .*(the same|block \d+ of)", done.stdout, re.M))
            self.assertGreater(compared, 1, name)

    def test_a_steal_is_told_zone_by_zone_and_row_by_row(self):
        done = explain(FRAG, "--event", "723972")
        self.assertEqual(done.returncode, 0)
        want = [
            "decided   at event 723374, pcp_refill",
            "request   order 0, 0x2820 (GFP_ATOMIC|__GFP_NOWARN)",
            "zone      Node 0 Normal, WMARK_LOW|NOFRAGMENT|KSWAPD",
            "  pass    steal        ALLOC_NOFRAGMENT forbids mixing types inside a pageblock",
            "zone      Node 0 DMA, WMARK_LOW|NOFRAGMENT|KSWAPD",
            "          the watermark forbids it",
            "zone      Node 0 Normal, WMARK_LOW|KSWAPD",
            "  pass    claim-part   too little of the pageblock is free or alike",
            "          block 595, which the event names:",
            "  pass    claim-part   an earlier take of this hold found nothing up to here",
            "  pass    steal        it serves the request: pfn 0x1187dd; "
            "take one block and leave its pageblock to its owner",
            "  refill  992 blocks asked for, 992 brought",
            "pagus     pfn 0x110314",
            "kernel    pfn 0x1187dd: block 595 of what pagus takes here",
        ]
        lines = iter(done.stdout.splitlines())
        for line in want:
            self.assertTrue(any(line == got for got in lines), line)

    def test_a_block_of_a_refill_is_told_by_itself(self):
        """Not only why the first block was taken, but why the one that the event names fell back."""
        done = explain(FRAG, "--event", "214879")
        rows = done.stdout.split("block 945, which the event names:\n")[1].split("  refill")[0].splitlines()
        self.assertEqual([row.split()[1] for row in rows], ["highatomic", "cma-balance", "own", "cma", "claim-block"])
        self.assertIn("no such block is free", rows[2])
        self.assertIn("it serves the request: pfn 0x8c00", rows[4])
        self.assertIn(" 1 further block of the refill by claim-block\n", done.stdout)

    def test_who_may_not_wait_is_asked_for_as_such(self):
        """alloc_pages_nolock walks at the min mark, once; as any other request it would get another page."""
        done = explain(FRAG, "--event", "1439732")
        self.assertIn("(__GFP_ZERO|__GFP_NOWARN|__GFP_COMP|__GFP_NOMEMALLOC), by alloc_pages_nolock\n", done.stdout)
        self.assertIn(" reserve 0 pages\n          it serves the request, pfn 0x10fa26\n", done.stdout)
        self.assertIn("\nkernel    pfn 0x10fa26: the same\n", done.stdout)
        self.assertTrue(done.stdout.endswith("the kernel's flags were WMARK_MIN|TRYLOCK\n"))

    def test_no_line_ends_in_blanks(self):
        for trace, event in ((FRAG, "214879"), (FRAG, "723972"), (GCCBUILD, "536582"),
                             (FRAG, "600000"), (FRAG, "1000010")):
            self.assertNotRegex(explain(trace, "--event", event).stdout, r"(?m) $")

    def test_a_drained_page_is_told_by_its_drain(self):
        done = explain(FRAG, "--event", "1123826")
        self.assertEqual(done.stdout.splitlines()[1:], [
            "decided   at event 1123498, pcp_overflow",
            "begun     by event 1117539, pcp_drain_remote: the pcp is emptied",
            "pcp       CPU 0: count 1063, high 11728 (5826 to 11728), batch 31, free_count 36",
            "drain     992 pages, from the tail of list 0 on",
            "pagus     992 blocks, the last pfn 0x4aaa",
            "kernel    pfn 0x15018 order 0, to the lists of Movable: block 328 of what pagus drains here",
        ])
        for number in (57360, 125838, 506638):
            done = explain(GCCBUILD, "--event", str(number))
            self.assertRegex(done.stdout, r"\nbegun .*: a free filled the pcp over its limit\n")
            self.assertRegex(done.stdout, r": block \d+ of what pagus drains here\n$")

    def test_a_free_names_the_list(self):
        self.assertIn("\npagus     onto list 1 (order 0, Movable); nothing is drained\n",
                      explain(FRAG, "--event", "600000").stdout)

    def test_the_arithmetic_adds_up(self):
        done = explain(FRAG, "--event", "723972")
        marks = re.findall(r"free (\d+) - unusable (\d+) (<=|>) min (\d+) \(of mark (\d+)\) \+ reserve (\d+) pages",
                           done.stdout)
        self.assertGreater(len(marks), 2)
        for free, unusable, sign, low, _, reserve in marks:
            self.assertEqual(int(free) - int(unusable) > int(low) + int(reserve), sign == ">")

    def test_bad_input_is_one_line(self):
        for args, text in (
                ([FRAG], "usage"), ([FRAG, "--event"], "usage"), ([FRAG, "--event", "-1"], '"-1"'),
                ([FRAG, "--event", "1x"], '"1x"'), ([FRAG, "--event", "1825117"], "there are 1825117"),
                ([FRAG, "--event", "0"], "decides nothing"), (["none.pgt", "--event", "1"], "none.pgt"),
                ([FRAG, FRAG, "--event", "1"], "usage")):
            done = explain(*args)
            self.assertEqual((done.returncode, done.stdout), (1, ""), args)
            self.assertEqual(done.stderr.count("\n"), 1, args)
            self.assertIn(text, done.stderr)

    def test_every_label_is_in_the_manual(self):
        with open(MANPAGE) as f:
            manual = f.read()
        for number in ("723972", "1123826", "600000"):
            done = explain(FRAG, "--event", number)
            for label in {line.split()[0] for line in done.stdout.splitlines() if not line.startswith("    ")}:
                self.assertIn(f"*{label}*", manual)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
