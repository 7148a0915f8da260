#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bad input to `pagus`: usage: bad_input.py PAGUS TRACE.pgt [SEED]

Truncated, damaged, random, empty and missing traces. Each must end with exit status 1, nothing on
standard output, and one line on standard error that names the file; convert must leave nothing
behind. A changed byte may also leave the content as it was (zstd ignores some bits): then `info`
must print what it prints for the intact file.
"""
import os
import random
import subprocess
import sys
import tempfile

NR_CUTS = 60
NR_FLIPS = 150
NR_RANDOM = 20


def run(pagus, *args):
    done = subprocess.run([pagus, *args], capture_output=True, check=False, timeout=120)
    return done.returncode, done.stdout, done.stderr


def check_refused(what, name, result):
    status, out, err = result
    assert status == 1, f"{what}: exit status {status}, stderr {err!r}"
    assert out == b"", f"{what}: printed {out[:80]!r}"
    assert err.count(b"\n") == 1 and err.endswith(b"\n"), f"{what}: stderr {err!r}"
    assert os.fsencode(name) in err, f"{what}: error does not name {name}: {err!r}"


def check_unreadable(pagus, what, name, path):
    """Every verb that reads a trace refuses this one."""
    check_refused(f"info: {what}", name, run(pagus, "info", path))
    check_refused(f"replay: {what}", name, run(pagus, "replay", "--policy", "plain", path))
    check_refused(f"verify: {what}", name, run(pagus, "verify", "--json", path))
    check_refused(f"proc: {what}", name, run(pagus, "proc", path, "vmstat", "--at", "end"))


def check_convert(pagus, folder, what, path):
    before = sorted(os.listdir(folder))
    check_refused(what, path, run(pagus, "convert", path, os.path.join(folder, "out.pgt")))
    assert sorted(os.listdir(folder)) == before, f"{what}: convert left something behind"


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def check_cuts(pagus, folder, good):
    path = os.path.join(folder, "cut.pgt")
    cuts = {0, 1, 7, 8, 12, 15, 16, 17, 31, 32, 33, len(good) - 1, len(good) - 8, len(good) - 40}
    cuts |= {len(good) * i // NR_CUTS for i in range(NR_CUTS)}
    for cut in sorted(cuts):
        write(path, good[:cut])
        check_unreadable(pagus, f"cut at {cut}", path, path)
    check_convert(pagus, folder, "convert of a cut file", path)
    os.unlink(path)


def check_flips(pagus, folder, good, rng):
    path = os.path.join(folder, "flip.pgt")
    write(path, good)
    status, intact, err = run(pagus, "info", path)
    assert status == 0, err
    places = list(range(0, 48)) + [rng.randrange(len(good)) for _ in range(NR_FLIPS)]
    places += [len(good) - 1 - i for i in range(0, 40, 3)]
    refused = 0
    for place in places:
        damaged = bytearray(good)
        damaged[place] ^= 1 << rng.randrange(8)
        write(path, damaged)
        result = run(pagus, "info", path)
        if result[0] == 0:
            assert result[1] == intact, f"flip at {place}: other content, no error"
            continue
        refused += 1
        check_unreadable(pagus, f"flip at {place}", path, path)
    assert refused > len(places) * 9 // 10, f"only {refused} of {len(places)} flips were noticed"
    middle = bytearray(good)
    middle[len(good) // 2] ^= 0xff
    write(path, middle)
    check_convert(pagus, folder, "convert of a damaged file", path)
    os.unlink(path)


def check_random(pagus, folder, good, rng):
    path = os.path.join(folder, "random.pgt")
    for i in range(NR_RANDOM):
        noise = rng.randbytes(rng.randrange(1, 5000))
        write(path, noise if i % 2 else good[:16] + noise)
        check_unreadable(pagus, f"random file {i}", path, path)
    os.unlink(path)


def check_folders(pagus, folder):
    path = os.path.join(folder, "case")
    os.mkdir(path)
    check_unreadable(pagus, "empty folder", path, path)
    write(os.path.join(path, "manifest.json"), b"{ not json")
    check_unreadable(pagus, "bad manifest", "manifest.json", path)
    write(os.path.join(path, "manifest.json"), b"[1]")
    check_unreadable(pagus, "manifest without object", "manifest.json", path)
    write(os.path.join(path, "manifest.json"), b'{"events": 1}')
    check_unreadable(pagus, "no events file", "events.evt.zst", path)
    write(os.path.join(path, "events.evt.zst"), b"")
    check_unreadable(pagus, "no start snapshot", "snap.start.zst", path)
    for content in (b"", b"garbage, not zstd", b"\x28\xb5\x2f\xfd\x04"):
        write(os.path.join(path, "snap.start.zst"), content)
        check_unreadable(pagus, f"snapshot {content!r}", "snap.start.zst", path)
    check_convert(pagus, folder, "convert of a bad folder", path)


def check_arguments(pagus, folder, trace):
    missing = os.path.join(folder, "missing.pgt")
    check_unreadable(pagus, "missing file", missing, missing)
    check_convert(pagus, folder, "convert of a missing file", missing)
    check_refused("device", "/dev/null", run(pagus, "info", "/dev/null"))
    newline = os.path.join(folder, "two\nlines.pgt")
    check_unreadable(pagus, "name of two lines", "two?lines.pgt", newline)
    for args in ((), ("nonsense",), ("info",), ("info", "a", "b"), ("info", "--nonsense", trace),
                 ("convert", trace), ("convert", "--level=0", trace, "x"),
                 ("convert", "--level=23", trace, "x"), ("convert", "--level=9x", trace, "x")):
        check_refused(f"arguments {args}", "pagus", run(pagus, *args))
    nowhere = os.path.join(folder, "no", "such", "out.pgt")
    check_refused("target in no folder", nowhere, run(pagus, "convert", trace, nowhere))


def check_help(pagus):
    """Who asks is answered, on standard output; for each verb that help lists."""
    status, out, err = run(pagus, "help")
    assert (status, err) == (0, b""), err
    verbs = [line.split()[0].decode() for line in out.splitlines() if line.startswith(b"  ")]
    assert "verify" in verbs and len(verbs) > 5, verbs
    for verb in verbs:
        if verb == "help":
            continue
        for args in ((verb, "--help"), ("help", verb)):
            status, out, err = run(pagus, *args)
            assert (status, err) == (0, b""), (args, err)
            assert b"\nusage: pagus " + verb.encode() + b" " in out, (args, out)
    check_refused("help of no verb", "nonsense", run(pagus, "help", "nonsense"))


def check_existing_target(pagus, folder, trace):
    target = os.path.join(folder, "target.pgt")
    write(target, b"precious")
    check_refused("existing target", target, run(pagus, "convert", "--level=1", trace, target))
    with open(target, "rb") as f:
        assert f.read() == b"precious"
    status, _, err = run(pagus, "convert", "--level=1", "--force", trace, target)
    assert status == 0, err
    assert run(pagus, "info", target)[1].split(b"\n")[1:] == \
        run(pagus, "info", trace)[1].split(b"\n")[1:]
    os.unlink(target)


def main():
    pagus, trace = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    with open(trace, "rb") as f:
        good = f.read()
    with tempfile.TemporaryDirectory() as folder:
        check_cuts(pagus, folder, good)
        check_flips(pagus, folder, good, rng)
        check_random(pagus, folder, good, rng)
        check_folders(pagus, folder)
        check_arguments(pagus, folder, trace)
        check_existing_target(pagus, folder, trace)
        check_help(pagus)
        assert os.listdir(folder) == ["case"], os.listdir(folder)
    print("ok")


if __name__ == "__main__":
    main()
