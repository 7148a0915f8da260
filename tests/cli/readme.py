#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compile and run each C block of README.md, and check that the paths and commands it names exist.

Usage: readme.py SOURCE_ROOT LIBRARY.a...    each library before those that it needs
"""
import os
import re
import subprocess
import sys
import tempfile

root, *libraries = sys.argv[1:]
text = open(os.path.join(root, "README.md")).read()
blocks = re.findall(r"^```c\n(.*?)^```", text, re.M | re.S)
assert blocks, "README.md shows no C"
with tempfile.TemporaryDirectory() as folder:
    for n, block in enumerate(blocks):
        source, program = os.path.join(folder, "b%d.c" % n), os.path.join(folder, "b%d" % n)
        with open(source, "w") as f:
            f.write(block)
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Werror",
                        "-Wno-missing-field-initializers", "-I", os.path.join(root, "include"), source,
                        *libraries, "-pthread", "-o", program], check=True)
        out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
        shown = re.search(r"^```c\n%s^```\n+It prints:\n+```\n(.*?)^```" % re.escape(block), text, re.M | re.S)
        assert shown and shown.group(1) == out, "README.md shows another output than: %s" % out
for path in re.findall(r"\]\(([^)#:]+)\)", text):
    assert os.path.exists(os.path.join(root, path)), "README.md links %s, which is not there" % path
print("README.md: %d C block(s) compiled and run" % len(blocks))
