"""Runs the entries of a group, interleaved: A B C A B C. Every measurement is a fresh process, and
every exit code is looked at: a wrong result is never a figure."""

import os
import re
import subprocess
from pathlib import Path

RESULT = re.compile(r"^(-?[0-9.]+(?:e[-+]?[0-9]+)?) (\S+)((?: [A-Za-z0-9_]+=\S+)*)$")


class Unavailable(Exception):
    """Exit 3: the contender cannot do that here, and says why."""


class Failed(Exception):
    """Wrong result, failed call, crash, time limit, or a line that is none."""


def parse(line):
    """(value, unit, {key: number}) of a result line."""
    match = RESULT.match(line.strip())
    if not match:
        raise Failed(f"not a result line: {line!r}")
    extra = {}
    for pair in match.group(3).split():
        key, _, text = pair.partition("=")
        try:
            extra[key] = float(text)
        except ValueError:
            extra[key] = text
    return float(match.group(1)), match.group(2), extra


def program(folder, contender):
    return Path(folder, f"bench_{contender}")


def run_once(folder, entry, environment=None):
    """One measurement: (value, unit, extra)."""
    command = [str(program(folder, entry.contender)), *entry.command()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=entry.seconds,
                              check=False, env={**os.environ, **(environment or {})})
    except subprocess.TimeoutExpired as late:
        raise Failed(f"not done within {entry.seconds:.0f} s") from late
    except OSError as error:
        raise Failed(str(error)) from error
    message = done.stderr.strip().split("\n")[-1]
    if done.returncode == 3:
        raise Unavailable(message or "it does not say why")
    if done.returncode != 0:
        raise Failed(f"exit code {done.returncode}: {message}")
    return parse(done.stdout)


def workloads_of(folder, contender):
    """What the contender lists; None if there is no such program."""
    path = program(folder, contender)
    if not os.access(path, os.X_OK):
        return None
    try:
        done = subprocess.run([str(path), "list"], capture_output=True, text=True, timeout=20,
                              check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split() if done.returncode == 0 else []


def run_group(folder, group, offered, rounds, roles, progress=lambda text: None):
    """Measures a group. `offered` maps contenders to their workloads, `roles` contenders to
    Contender. Returns the group of a result; entries that nobody offers are left out of it."""
    out = []
    for entry in group.entries:
        if entry.workload in (offered.get(entry.contender) or []):
            known = roles(entry.contender)
            out.append((entry, {
                "label": entry.label, "contender": entry.contender, "role": known.role,
                "queues": known.queues, "workload": entry.workload, "workers": entry.workers,
                "keys": list(entry.keys), "values": [], "extra": {}}))
    unit = ""
    count = group.rounds or rounds
    for i in range(min(count, rounds) if group.rounds else rounds):
        for entry, record in out:
            value, extra = None, {}
            if "missing" not in record and "failed" not in record:
                progress(f"{group.name}: round {i + 1}, {entry.label}")
                try:
                    value, unit, extra = run_once(folder, entry)
                except Unavailable as why:
                    record["missing"] = str(why)
                except Failed as why:
                    record["failed"] = str(why)
            record["values"].append(value)
            for key in set(extra) | set(record["extra"]):
                row = record["extra"].setdefault(key, [None] * i)
                number = extra.get(key)
                row.append(number if isinstance(number, float) else None)
    return {"name": group.name, "title": group.title, "unit": unit,
            "baselines": list(group.baselines), "metrics": list(group.metrics),
            "entries": [record for _, record in out]}
