"""Results as text that fits 80 columns."""

import textwrap

import figures
import machine

METRICS = {
    "p99": "99th percentile, us",
    "call_us": "the submit call itself, us",
    "cpu_us_per_wake": "CPU of the pool per wake, us",
    "switches": "context switches",
    "grown_kib": "KiB that the process has grown",
    "idle_kib_per_worker": "KiB per worker of an idle executor",
}


def number(value):
    """Four characters that count, at most eight in all."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 100000:
        return f"{value:.2e}"
    if size >= 1000:
        return f"{value:.0f}"
    if size >= 100:
        return f"{value:.1f}"
    if size >= 10 or size == 0:
        return f"{value:.2f}"
    if size >= 0.01:
        return f"{value:.3f}"
    return f"{value:.5f}"


def times(ratio):
    """A ratio with its range."""
    if ratio is None:
        return ""
    return f"{number(ratio[0])} ({number(ratio[1])} .. {number(ratio[2])})"


def metric_table(group, metric):
    """One table: an entry a line, the first baseline's ratios beside it; further baselines follow."""
    rows = [(e, figures.summary(figures.series(e, metric))) for e in group["entries"]]
    rows = [(e, s) for e, s in rows if s is not None]
    if not rows:
        return
    for position, base in enumerate(group["baselines"] or [None]):
        ratios = {e["label"]: figures.ratio(group, e["label"], base, metric) if base else None
                  for e, _ in rows}
        if base and not any(ratios.values()):
            continue
        if position == 0:
            head = "" if base is None else f"x {base}"
            yield f"{'':27}{'median':>8} {'min':>8} {'max':>8}  {head}".rstrip()
            for entry, (middle, low, high) in rows:
                yield (f"{entry['label'][:26]:27}{number(middle):>8} {number(low):>8} "
                       f"{number(high):>8}  {times(ratios[entry['label']])}").rstrip()
        else:
            yield f"  x {base}" + (" of the round" if base == figures.BEST_PEER else "") + ":"
            for entry, _ in rows:
                if entry["role"] == "ours" and ratios[entry["label"]]:
                    yield f"    {entry['label'][:27]:27}{times(ratios[entry['label']])}"


def group_lines(group):
    """A group: its title, a table for each metric, what is missing or failed."""
    yield ""
    yield from textwrap.wrap(f"== {group['name']}: {group['title']}", 79)
    for metric in group["metrics"]:
        lines = list(metric_table(group, metric))
        if lines and metric != "value":
            yield f"-- {METRICS.get(metric, metric)}"
        yield from lines
    for entry in group["entries"]:
        for kind in ("missing", "failed"):
            if kind in entry:
                yield f"{entry['label']}: {kind.upper()}: {entry[kind]}"[:200]


def header(result):
    """Date, command, machine, and who is missing."""
    for line in facts(result):
        yield from textwrap.wrap(line, 77, initial_indent="# ", subsequent_indent="#   ")


def facts(result):
    yield f"{result['date']}, {result['rounds']} interleaved rounds, {result['command']}"
    yield from machine.lines(result["machine"])
    before, after = result["load_before"], result.get("load_after")
    yield f"load before {before[0]:.2f}" + (
        f", after {after[0]:.2f} (the benchmark's own)" if after else "")
    yield "median, minimum and maximum of the rounds; ratios are taken round by round"
    for name, why in result["missing"].items():
        yield f"missing: {name}: {why}"


def render(result):
    yield from header(result)
    for group in result["groups"]:
        yield from group_lines(group)
    yield ""
