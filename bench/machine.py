# SPDX-License-Identifier: MIT
"""What a run was measured on."""
import os
import platform
import re
import subprocess


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read().strip()
    except OSError:
        return None


def describe(compiler="cc"):
    model = re.search(r"^model name\s*: (.*)", read("/proc/cpuinfo") or "", re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo") or "", re.M)
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True)
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "virtual": " hypervisor" in (read("/proc/cpuinfo") or ""),
        "memory_kbytes": int(memory.group(1)) if memory else None,
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "transparent_hugepage": read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "kernel": platform.release(),
        "compiler": version.stdout.split("\n")[0] if version.returncode == 0 else None,
        "load_average_before": os.getloadavg(),
    }


def text(machine):
    parts = ["%(cpu)s, %(cpus)d CPUs" % machine]
    if machine["virtual"]:
        parts.append("a virtual machine")
    parts += ["Linux %s" % machine["kernel"], machine["compiler"] or "unknown compiler",
              "governor %s" % (machine["governor"] or "not readable"),
              "load average %.1f before and %.1f after" % (machine["load_average_before"][0],
                                                           machine["load_average_after"][0])]
    return ", ".join(parts)
