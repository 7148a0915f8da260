#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs that know nothing of pagus read what `pagus proc --dir` writes, and report its numbers.

usage: proc_readers.py node_exporter|sar|vmstat|libproc2 PAGUS TRACE.pgt [READ_VMSTAT]

node_exporter is pointed at the folder; the others read /proc/vmstat, over which the file is mounted in a
mount namespace of their own. Exit status 77 and a line "skipped: ..." where the program is not installed
or namespaces are not permitted. READ_VMSTAT: the program of read_vmstat.c, for libproc2.
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SKIPPED = 77
START_SECONDS = 30  # a server that does not answer by then has failed


class Skip(Exception):
    """The test cannot be made here; the text says why."""


def program(name, *elsewhere):
    for path in (shutil.which(name), *elsewhere):
        if path and os.access(path, os.X_OK):
            return path
    raise Skip(f"{name} is not installed")


def run(args, **options):
    return subprocess.run(args, check=True, capture_output=True, text=True, timeout=120, **options).stdout


def with_vmstat(path, command):
    """Run a shell command that sees the file as /proc/vmstat."""
    unshare = [program("unshare"), "-m" if os.geteuid() == 0 else "-rm", "sh", "-c"]
    probe = subprocess.run([*unshare, 'mount --bind "$1" /proc/vmstat && cmp -s "$1" /proc/vmstat', "sh", path],
                           capture_output=True, text=True, check=False)
    if probe.returncode:
        raise Skip(f"no mount namespace: {probe.stderr.strip() or 'the file is not seen'}")
    return run([*unshare, f'mount --bind "$1" /proc/vmstat && {command}', "sh", path])


# ---- our files, read here by themselves ----------------------------------------------------------

def read_vmstat(folder):
    with open(os.path.join(folder, "vmstat"), encoding="ascii") as f:
        pairs = [line.split(" ") for line in f.read().splitlines()]
    assert all(len(pair) == 2 for pair in pairs)
    return {name: int(value) for name, value in pairs}


def read_buddyinfo(folder):
    blocks = {}
    with open(os.path.join(folder, "buddyinfo"), encoding="ascii") as f:
        for line in f:
            node, zone, counts = re.fullmatch(r"Node (\d+), zone +(\w+) (.*) \n", line).groups()
            for order, count in enumerate(counts.split()):
                blocks[node, zone, str(order)] = int(count)
    return blocks


def read_zoneinfo(folder):
    """{(node, zone): {name: value}}; names as in the file, counters of NUMA and pages alike."""
    zones = {}
    with open(os.path.join(folder, "zoneinfo"), encoding="ascii") as f:
        for line in f:
            head = re.match(r"Node (\d+), zone +(\w+)", line)
            if head:
                fields = zones.setdefault(head.groups(), {})
            pair = re.fullmatch(r" +(?:pages )?(\w+) +(\d+)\n", line)
            if pair:
                fields[pair[1]] = int(pair[2])
    return zones


# ---- the readers ----------------------------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def scrape(url, server):
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=START_SECONDS) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            assert server.poll() is None, "node_exporter ended"
            assert time.monotonic() < end, "node_exporter does not answer"
            time.sleep(0.05)


def node_exporter_metrics(folder):
    """{name: {labels: value}} of node_exporter, which sees nothing but the folder."""
    port = free_port()
    server = subprocess.Popen(
        [program("prometheus-node-exporter", "/usr/bin/prometheus-node-exporter"), f"--path.procfs={folder}",
         "--collector.disable-defaults", "--collector.buddyinfo", "--collector.zoneinfo", "--collector.vmstat",
         "--collector.vmstat.fields=.*", "--web.disable-exporter-metrics", f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        text = scrape(f"http://127.0.0.1:{port}/metrics", server)
    finally:
        server.terminate()
        server.wait()
    metrics = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if match and not line.startswith("#"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            metrics.setdefault(match[1], []).append((labels, match[3]))
    return metrics


def check_node_exporter(folder):
    metrics = node_exporter_metrics(folder)
    done = {labels["collector"]: value for labels, value in metrics["node_scrape_collector_success"]}
    assert done == {"buddyinfo": "1", "zoneinfo": "1", "vmstat": "1"}, done

    blocks = {(m["node"], m["zone"], m["size"]): int(float(v)) for m, v in metrics["node_buddyinfo_blocks"]}
    assert blocks == read_buddyinfo(folder)

    counters = {name[len("node_vmstat_"):]: int(float(metrics[name][0][1]))
                for name in metrics if name.startswith("node_vmstat_")}
    assert counters == read_vmstat(folder)

    zones, nr = read_zoneinfo(folder), 0
    for name in metrics:
        match = re.fullmatch(r"node_zoneinfo_(\w+?)(?:_pages|_total)?", name)
        for labels, value in metrics[name] if match else ():
            fields = zones[labels["node"], labels["zone"]]
            ours = fields.get(match[1], fields.get(match[1] + "_pages"))
            if ours is not None:  # some names are changed, as of nr_page_table_pages
                assert int(float(value)) == ours, (name, labels, value, ours)
                nr += 1
    for name in ("min", "low", "high", "present", "spanned", "managed"):
        seen = {(labels["node"], labels["zone"]) for labels, _ in metrics[f"node_zoneinfo_{name}_pages"]}
        assert seen == set(zones), (name, seen)
    assert nr > 10 * len(zones), nr
    return f"{len(blocks)} block counts, {len(counters)} counters, {nr} numbers of zones"


def check_sar(folder):
    sadc = program("sadc", "/usr/lib/sysstat/sadc")
    data = os.path.join(folder, "sa")
    with_vmstat(os.path.join(folder, "vmstat"), f"{sadc} -F 1 2 {data}")
    raw = run([program("sadf"), "-r", data, "--", "-B"], env={**os.environ, "LC_ALL": "C"})
    ours = read_vmstat(folder)
    assert ours["pgfree"] > 0
    nr = 0
    for line in raw.splitlines():
        for name in ("pgpgin", "pgpgout", "pgfree"):
            match = re.search(rf"; {name}/s; (\d+); (\d+);", line)
            if match:
                assert match.groups() == (str(ours[name]),) * 2, line
                nr += 1
    assert nr >= 3, raw
    return f"pgfree {ours['pgfree']} as sadc recorded it"


def check_vmstat(folder):
    text = with_vmstat(os.path.join(folder, "vmstat"), f"{program('vmstat')} -s")
    ours = read_vmstat(folder)
    for name, said in (("pgpgin", "K paged in"), ("pgpgout", "K paged out"), ("pswpin", "pages swapped in"),
                       ("pswpout", "pages swapped out")):
        assert int(re.search(rf"(\d+) {said}", text)[1]) == ours[name], text
    return "4 counters"


def check_libproc2(folder, reader):
    text = with_vmstat(os.path.join(folder, "vmstat"), f"'{reader}'")
    ours, theirs = read_vmstat(folder), dict(line.split() for line in text.splitlines())
    assert theirs == {name: str(ours[name]) for name in theirs}, text
    assert len(theirs) > 10 and ours["pgfree"] > 0 and ours["nr_free_pages"] > 0
    return f"{len(theirs)} counters"


CHECKS = {"node_exporter": check_node_exporter, "sar": check_sar, "vmstat": check_vmstat,
          "libproc2": check_libproc2}


def main():
    reader, pagus, trace, *more = sys.argv[1:]
    try:
        with tempfile.TemporaryDirectory() as top:
            for when in ("start", "end"):
                folder = os.path.join(top, when)
                run([pagus, "proc", trace, "--dir", folder, "--at", when])
                if when == "end" or reader == "node_exporter":
                    print(f"{reader}, {when}: {CHECKS[reader](folder, *more)}")
    except Skip as why:
        print(f"skipped: {reader}: {why}")
        return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
