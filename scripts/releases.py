#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write docs/releases.md: how the kernels that policy linux imitates differ, from the tables that say so.

usage: releases.py [--check]    --check: say whether docs/releases.md is what this would write
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "releases.md"

HEAD = """# Releases

<!-- Written by scripts/releases.py from src/mem/release.h, src/mem/release.c and src/policy.c. -->

A policy imitates one release of the kernel:

{policies}

Where kernels differ in what they try, the placements' tables differ (`src/place/linux.c`, from 6.15 on and as
backported to Debian's 6.12; `src/place/convert.c`, up to 6.9). Where they differ in how pcps are limited, the files
do (`src/pcp/linux.c`, from 6.7 on; `src/pcp/fixed.c`). The slow path is one table, `src/alloc/slow_table.c`, whose
rows ask for facts of the release. The formats of texts are tables of spans of releases (`src/watch`). All else is a
field of a row in `src/mem/release.c`:

{fields}
"""


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def struct_fields():
    """(name, what its comment says) of each field of struct pg_release but its name."""
    body = re.search(r"struct pg_release \{(.*?)\n\};", read("src/mem/release.h"), re.S)[1]
    for comment, name in re.findall(r"/\*(.*?)\*/\s*(?:bool|uint32_t) (\w+);", body, re.S):
        yield name, " ".join(line.strip().lstrip("*").strip() for line in comment.splitlines()).strip()


def releases():
    """(name, the value of each field that is set) of each row."""
    text = read("src/mem/release.c")
    for body in re.findall(r"\[PG_RELEASE_\w+\] = \{(.*?)\n\t\},", text, re.S):
        name = re.search(r'\.name = "([^"]+)"', body)[1]
        values = dict(re.findall(r"\.(\w+) = (true|\d+)", body))
        yield name, {field: "yes" if value == "true" else value for field, value in values.items()}


def policies():
    """(policy, about, pcp, placement, release) of each named policy that imitates a kernel."""
    text = re.search(r"\} policies\[\] = \{(.*?)\n\};", read("src/policy.c"), re.S)[1]
    for name, pcp, place, about, row in re.findall(
            r'\{ "([^"]+)", "([^"]+)", "([^"]+)", "([^"]+)",\s*PG_RELEASE_(\w+) \}', text):
        if name == "linux" or name.startswith("linux-"):
            yield name, about, pcp, place, row.replace("_", ".")


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def page():
    rows = sorted(releases(), key=lambda r: [int(n) for n in r[0].split(".")])
    names = [name for name, _ in rows]
    fields = list(struct_fields())
    unknown = set().union(*(values for _, values in rows)) - {name for name, _ in fields}
    if unknown:
        sys.exit(f"releases.py: no comment for {sorted(unknown)}")
    return HEAD.format(
        policies="\n".join(table(
            ["policy", "is", "pcp", "placement"],
            ([f"`{name}`", about, f"`{pcp}`", f"`{place}`"] for name, about, pcp, place, _ in
             sorted(policies(), key=lambda p: names.index(p[4]))))),
        fields="\n".join(table(
            ["field", *names],
            ([f"`{name}`: {text}", *(values.get(name, "") for _, values in rows)]
             for name, text in fields))))


def main():
    text = page()
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text(encoding="utf-8") != text:
            print("docs/releases.md is not what scripts/releases.py writes", file=sys.stderr)
            return 1
        return 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
