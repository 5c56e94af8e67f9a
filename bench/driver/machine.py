"""The machine a result comes from, as far as it can be read: nothing here measures anything."""

import os
import platform
import re
import subprocess
from pathlib import Path


def read(path, otherwise=""):
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return otherwise


def output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def caches(cpu="cpu0", root="/sys/devices/system/cpu"):
    """['L1d 32K', …] of one CPU, with how many CPUs share each."""
    found = []
    for index in sorted(Path(root, cpu, "cache").glob("index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(read(index / "type"), "")
        shared = read(index / "shared_cpu_list")
        found.append(f"L{read(index / 'level')}{kind} {read(index / 'size')} (CPUs {shared})")
    return found


def quota():
    """The CPU quota of the process's control group, in words."""
    path = ""
    for line in read("/proc/self/cgroup").splitlines():
        if line.startswith("0::"):
            path = line[3:]
    while True:
        text = read(f"/sys/fs/cgroup{path}/cpu.max")
        if text and not text.startswith("max"):
            used, period = text.split()
            return f"{int(used) / int(period):.2f} CPUs"
        if path in ("", "/"):
            return "none"
        path = os.path.dirname(path)


def container():
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "yes"
    kind = output("systemd-detect-virt", "--container")
    return kind if kind and kind != "none" else "none seen"


def mitigations(root="/sys/devices/system/cpu/vulnerabilities"):
    """What the kernel does about which flaw; those that do not concern this CPU are left out."""
    found = {}
    for file in sorted(Path(root).glob("*")):
        text = read(file)
        if text and text != "Not affected":
            found[file.name] = text
    return found


def load():
    return [float(x) for x in read("/proc/loadavg", "0 0 0").split()[:3]]


def describe(root):
    """Everything; `root` is the source tree."""
    cpuinfo = read("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), re.M)
    commit = output("git", "-C", str(root), "rev-parse", "--short=12", "HEAD")
    changed = output("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    nodes = sorted(Path("/sys/devices/system/node").glob("node[0-9]*"))
    governors = {read(p) for p in
                 Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")}
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "architecture": platform.machine(),
        "cpus_online": read("/sys/devices/system/cpu/online"),
        "cpus_allowed": sorted(os.sched_getaffinity(0)),
        "threads_per_core": read("/sys/devices/system/cpu/smt/active", "unknown"),
        "caches": caches(),
        "nodes": {n.name: read(n / "cpulist") for n in nodes},
        "memory_gib": round(int(memory.group(1)) / 2 ** 20, 1) if memory else None,
        "kernel": platform.release(),
        "system": re.sub(r'^PRETTY_NAME="?([^"]*)"?$', r"\1", next(
            (line for line in read("/etc/os-release").splitlines()
             if line.startswith("PRETTY_NAME")), "unknown")),
        "virtual": "hypervisor" in cpuinfo,
        "governor": ", ".join(sorted(governors)) or "none visible",
        "huge_pages": read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "container": container(),
        "quota": quota(),
        "mitigations": mitigations(),
        "compiler": output("cc", "--version").split("\n")[0],
        "clang": output("clang", "--version").split("\n")[0],
        "rustc": output("rustc", "--version"),
        "commit": commit + (" and changes" if changed else ""),
    }


def lines(machine):
    """The description for people, a line each."""
    nodes = machine["nodes"]
    smt = {"0": "off", "1": "on"}.get(machine["threads_per_core"], "unknown")
    yield f"{machine['cpu']}, {machine['architecture']}" + (
        ", a virtual machine" if machine["virtual"] else "")
    yield (f"CPUs {machine['cpus_online']} ({len(machine['cpus_allowed'])} allowed), hardware "
           f"threads {smt}, {len(nodes)} node{'s' * (len(nodes) != 1)}, "
           f"{machine['memory_gib']} GiB")
    yield "; ".join(machine["caches"]) or "caches unknown"
    yield f"{machine['system']}, kernel {machine['kernel']}"
    yield (f"governor {machine['governor']}; quota {machine['quota']}; container "
           f"{machine['container']}")
    yield "mitigations: " + ("; ".join(f"{k}: {v}" for k, v in machine["mitigations"].items())
                             or "none needed")
    yield "; ".join(x for x in (machine["compiler"], machine["clang"], machine["rustc"]) if x)
    yield f"commit {machine['commit'] or 'unknown'}"
