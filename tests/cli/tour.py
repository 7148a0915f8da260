#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check docs/tour.md and docs/glossary.md against the program that they show.

    tour.py TOUR_BINARY docs/tour.md [--write]

- Each fenced block ```tour:NAME is what `TOUR_BINARY NAME` prints; each name is used exactly once.
  With --write the blocks are replaced by what the program prints now.
- Each number in the text of a "## " section also stands in one of that section's tour blocks, or in
  ALLOWED.
- Each **bold** span in the text defines a term: it is bold once, not used before, and has an entry
  in the glossary.
- The glossary, beside tour.md, is in alphabetical order, has no term that the tour does not define,
  except in its section "Beyond the tour", which is in order by itself, and each entry names a source
  file. Files named in either text exist.
"""

import pathlib
import re
import subprocess
import sys

# Numbers that the text may use anywhere: constants of the kernel, of x86-64, of formulas.
ALLOWED = {
    "0": "counting", "1": "counting", "2": "counting",
    "6.15": "kernel", "6.18": "kernel", "7.0": "kernel", "7.2": "kernel",
    "4096": "bytes of a page",
    "4": "KiB of a page; GiB below DMA32's ceiling; half of pageblock_order",
    "9": "pageblock_order",
    "512": "pages of a pageblock",
    "256": "half a pageblock; lowmem_reserve_ratio; cap in the batch formula",
    "10": "MAX_PAGE_ORDER; watermark_scale_factor",
    "3": "largest small order of a pcp list",
    "16": "MiB below DMA's ceiling; factor in min_free_kbytes",
    "11": "pageblocks a zone in min_free_kbytes",
    "128": "least min_free_kbytes; largest min of Movable",
    "262144": "largest min_free_kbytes",
    "1024": "divisor in batch and in Movable's min",
    "32": "least min of Movable; lowmem_reserve_ratio of Normal; 1 << pcp_batch_scale_max",
    "10000": "divisor of watermark_scale_factor",
    "5": "pcp_batch_scale_max; percent; an example",
    "8": "pages of order 3; share of a zone in high_max",
    "14": "pcp lists",
    "1000": "scale of the index",
}
NUMBER = re.compile(r"(?<![\w.^-])\d+(?:\.\d+)*(?![\w])")
NOT_NUMBERS = re.compile(r"x86-64|32-bit|sections?\s+\d+(?:(?: and | to |, )\d+)*|\|[ \d,]+\|$")
BOLD = re.compile(r"\*\*([^*]+)\*\*")
PATH = re.compile(r"`((?:src|include|port|docs|tests|tool)/[\w./-]+)`")


def fail_on(errors):
    for error in errors:
        print(error, file=sys.stderr)
    if errors:
        sys.exit(1)


def run(binary, *arguments):
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{binary} {' '.join(arguments)}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Part:
    """A stretch of the file: text, or a fenced block with its tag."""

    def __init__(self, line, tag=None):
        self.line = line
        self.tag = tag
        self.rows = []

    def text(self):
        return "".join(row + "\n" for row in self.rows)


def split_parts(text):
    parts = [Part(1)]
    for number, row in enumerate(text.splitlines(), 1):
        inside = parts[-1].tag is not None
        if row.startswith("```"):
            parts.append(Part(number + 1, None if inside else row[3:]))
        else:
            parts[-1].rows.append(row)
    if parts[-1].tag is not None:
        sys.exit(f"line {parts[-1].line}: fenced block without an end")
    return parts


def join_parts(parts):
    out = []
    for part in parts:
        fence = part.tag is not None
        out.append(f"```{part.tag}\n{part.text()}```\n" if fence else part.text())
    return "".join(out)


def check_blocks(parts, binary, write):
    names = run(binary, "--list").split()
    used, errors = [], []
    for part in parts:
        if not part.tag or not part.tag.startswith("tour:"):
            continue
        name = part.tag[5:]
        used.append(name)
        if name not in names:
            errors.append(f"line {part.line}: the program has no transcript '{name}'")
            continue
        rows = run(binary, name).splitlines()
        if write:
            part.rows = rows
        elif rows != part.rows:
            at = next((n for n, (a, b) in enumerate(zip(rows, part.rows)) if a != b),
                      min(len(rows), len(part.rows)))
            errors.append(f"line {part.line + at}: '{name}' differs from what the program prints")
    errors += [f"transcript '{n}' is used {used.count(n)} times"
               for n in names if used.count(n) != 1]
    return errors


def check_numbers(parts):
    """Numbers of the text, section by section: plain fenced blocks are text too."""
    errors, words, shown = [], [], set()

    def close_section():
        for line, number in words:
            if number not in shown and number not in ALLOWED:
                errors.append(f"line {line}: {number} is in no transcript of its section")
        words.clear()
        shown.clear()

    for part in parts:
        if part.tag and part.tag.startswith("tour:"):
            shown.update(re.findall(r"\d+", part.text()))
            continue
        for number, row in enumerate(part.rows, part.line):
            if part.tag is None and row.startswith("#"):
                close_section()
                continue
            words.extend((number, found) for found in NUMBER.findall(NOT_NUMBERS.sub("", row)))
    close_section()
    return errors


def used_before(text, term, at):
    plain = r"(?<![\w>])" + re.escape(term).replace(r"\ ", r"\s+") + r"(?:s|es)?(?!\w)"
    found = re.search(plain, text[:at], re.IGNORECASE)
    return found.start() if found else None


def check_terms(parts):
    """Terms that the tour defines, and errors."""
    rows = []
    for part in parts:
        rows.extend((part.line + n, "" if row.startswith("#") or part.tag is not None else row)
                    for n, row in enumerate(part.rows))
    text = "\n".join(row for _, row in rows)
    line_of = [line for line, row in rows for _ in range(len(row) + 1)]
    terms, errors = [], []
    for match in BOLD.finditer(text):
        term = re.sub(r"\s+", " ", match.group(1).replace("`", "")).lower()
        before = used_before(text.replace("`", " "), term, match.start())
        if term in terms:
            errors.append(f"line {line_of[match.start()]}: '{term}' is defined a second time")
        elif before is not None:
            errors.append(f"line {line_of[before]}: '{term}' is used before line "
                          f"{line_of[match.start()]} defines it")
        terms.append(term)
    return terms, errors


def check_glossary(path, terms):
    of_tour, _, beyond = path.read_text(encoding="utf-8").partition("\n## Beyond the tour\n")
    entries, errors = check_entries(path, of_tour)
    more, wrong = check_entries(path, beyond)
    errors += wrong
    errors += [f"{path.name}: no entry for '{t}'" for t in sorted(set(terms) - set(entries))]
    errors += [f"{path.name}: the tour does not define '{t}'"
               for t in sorted(set(entries) - set(terms))]
    errors += [f"{path.name}: '{t}' is the tour's" for t in sorted(set(more) & set(terms))]
    return errors


def check_entries(path, text):
    root = path.resolve().parent.parent
    entries, errors = [], []
    for paragraph in text.split("\n\n"):
        match = re.match(r"\*\*([^*]+)\*\*", paragraph)
        if not match:
            continue
        term = match.group(1).replace("`", "").lower()
        entries.append(term)
        if not re.search(r"Source:\s+`(?:src|port|tool)/", paragraph):
            errors.append(f"{path.name}: '{term}' names no source file")
        errors += [f"{path.name}: '{term}': no file {name}" for name in PATH.findall(paragraph)
                   if not (root / name).is_file()]
    errors += [f"{path.name}: '{b}' is not in alphabetical order behind '{a}'"
               for a, b in zip(entries, entries[1:]) if a >= b]
    return entries, errors


def main():
    arguments = [a for a in sys.argv[1:] if a != "--write"]
    if len(arguments) != 2:
        sys.exit(__doc__)
    binary, path = arguments[0], pathlib.Path(arguments[1])
    parts = split_parts(path.read_text(encoding="utf-8"))
    write = "--write" in sys.argv[1:]
    errors = check_blocks(parts, binary, write)
    if write and not errors:
        new = path.with_suffix(".md.new")
        new.write_text(join_parts(parts), encoding="utf-8")
        new.replace(path)
    errors += check_numbers(parts)
    terms, more = check_terms(parts)
    root = path.resolve().parent.parent
    more += [f"{path.name}: no file {name}" for part in parts if part.tag is None
             for name in PATH.findall(part.text()) if not (root / name).is_file()]
    fail_on(errors + more + check_glossary(path.parent / "glossary.md", terms))


if __name__ == "__main__":
    main()
