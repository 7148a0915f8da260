#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check every #include of src/, port/, examples/, tool/ and bench/ against the layers that ARCHITECTURE.md draws.

usage: layers.py [ROOT]    ROOT: the top of the source tree, else the parent of this file's folder
"""

import pathlib
import re
import sys

# What each folder of src/ may include, besides itself and the public headers.
LAYERS = {
    "base": (),
    "mem": ("base",),
    "watch": ("base", "mem"),  # of check.c and info.c, which look at everything: see EXCEPTIONS
    "store": ("base", "mem"),
    "zone": ("base", "mem", "store"),
    "place": ("base", "mem", "store", "zone"),
    "pcp": ("base", "mem", "store", "zone", "place"),
    "reclaim": ("base", "mem", "store", "zone", "place", "pcp"),
    "alloc": ("base", "mem", "store", "zone", "place", "pcp", "reclaim"),
    "contig": ("base", "mem", "store", "zone", "place", "pcp", "reclaim", "alloc"),
}
ALL = tuple(LAYERS)
# Headers that folders above mem may include although the table does not give them the folder.
SHARED = {"watch/event.h": ("store", "zone", "place", "pcp", "reclaim", "alloc", "contig")}
# Files above the layers, and some that only read the state.
EXCEPTIONS = {
    "pagus.c": ALL + ("policy.h",),
    "pagus_cma.c": ALL,
    "pagus_contig.c": ALL,
    "policy.c": ALL + ("policy.h",),
    "repair.c": ALL,
    "step.c": ALL,
    "policy.h": ("mem",),
    "watch/check.c": ALL,
    "watch/check_map.c": ALL,
    "watch/check_owner.c": ALL,
    "watch/check_superpageblock.c": ALL,
    "watch/explain.c": ALL,
    "watch/info.c": ALL,
    "watch/proc.c": ALL,
    "watch/report.c": ALL,
    "watch/zoneinfo.c": ALL,
}
CORE_SYSTEM = {"stdint.h", "stddef.h", "stdbool.h", "stdatomic.h", "limits.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]*)>|"([^"]*)"|(\S.*))')


def includes(path):
    """Yield (line number, system header or None, own header or None)."""
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1], match[2] if match[2] else match[3]


def source_files(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".c", ".h", ".def"))


def may_include(name, header):
    """May the file `name` of src/ include the header of src/?"""
    layer = header.split("/")[0]
    if name in EXCEPTIONS:
        return layer in EXCEPTIONS[name]
    own = name.split("/")[0]
    if own not in LAYERS:
        return False
    return layer == own or layer in LAYERS[own] or own in SHARED.get(header, ())


def check_core(src):
    for path in source_files(src):
        name = path.relative_to(src).as_posix()
        for line, system, own in includes(path):
            where = f"{path}:{line}"
            if system and not system.startswith("pagus/") and system not in CORE_SYSTEM:
                yield f"{where}: the core includes <{system}>"
            if own and not (src / own).is_file():
                yield f"{where}: \"{own}\" is not a header of src/, written from there"
            elif own and not may_include(name, own):
                yield f"{where}: {name} may not include {own}"


def check_outside(root, folder, bases):
    """port/, examples/, tool/ and bench/: public headers, their own, and the system's."""
    core = {p.relative_to(root / "src").as_posix() for p in source_files(root / "src")}
    for path in source_files(root / folder):
        for line, system, own in includes(path):
            where = f"{path}:{line}"
            if system and system in core:
                yield f"{where}: <{system}> is a header of src/"
            if own and (own in core or "src/" in own):
                yield f"{where}: \"{own}\" is a header of src/"
            # A header that the build generates is not there; it has a name of its own folder.
            elif own and not any((base / own).is_file() for base in (path.parent, *bases)):
                if own.split("/")[0] not in {p.name for base in bases for p in base.iterdir()}:
                    yield f"{where}: \"{own}\" is not a header of {folder}/"


def main():
    here = pathlib.Path(__file__).resolve().parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent
    if not (root / "src").is_dir() or not source_files(root / "src"):
        print(f"layers.py: no sources in {root / 'src'}", file=sys.stderr)
        return 1
    wrong = list(check_core(root / "src"))
    # One of the folders with cs.h is chosen for the processor.
    posix = root / "port" / "posix"
    wrong += check_outside(root, "port", (root / "port", posix, posix / "none"))
    wrong += check_outside(root, "examples", (root / "examples",))
    wrong += check_outside(root, "tool", (root / "tool",))
    wrong += check_outside(root, "bench", (root / "bench",))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
