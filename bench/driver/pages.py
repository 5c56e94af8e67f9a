"""A result as tables for a page in Markdown: the goals, and who takes how long for what."""

import re

import figures
import goals
from table import number


def goal_rows(result):
    """A line per condition: what, demanded, measured, verdict."""
    yield "| goal | what | demanded | measured | |"
    yield "| --- | --- | --- | --- | --- |"
    for name, conditions in goals.GOALS:
        title = name
        for condition in conditions:
            measured = condition.measured(result)
            if measured is None:
                text, mark = "–", "not measured"
            else:
                text = f"{number(measured[0])} ({number(measured[1])} – {number(measured[2])})"
                met = condition.met(measured[0])
                mark = "met" if met else "**not met**"
                if condition.orientation:
                    mark = "orientation"
            yield (f"| {title} | {goals.words(condition)} | {goals.demand(condition)} | {text} | "
                   f"{mark} |")
            title = ""


# Columns of the page: heading, groups, and how an entry's label tells the workers.
SECTIONS = [
    ("Fork and join, 1 / 2 workers", ("fib", "uts-t1", "uts-t3", "nqueens")),
    ("Submitting from outside, ns per empty task (submitters, workers)",
     ("submit-1-1", "submit-1-2", "submit-2-2", "submit-4-2", "batch-1", "batch-2")),
    ("Waking an idle pool, µs, p50 / p99", ("wake-cpu-1", "wake-cpu-2", "wake-node-1", "wake-node-2",
                                            "wake-node-2-pinned")),
    ("Loops, 1 / 2 workers", ("for-tiny", "for-medium", "triad")),
    ("Doing nothing, being there, 1 / 2 workers", ("idle", "memory", "create")),
]


def cells(result, names):
    """{contender and form: {group: [text, …]}}, in the order of the result."""
    rows = {}
    for group in result["groups"]:
        if group["name"] not in names:
            continue
        for entry in group["entries"]:
            middle = figures.summary(entry["values"])
            if middle is None:
                continue
            title = re.sub(r", \d+$", "", entry["label"])
            text = number(middle[0])
            if "p99" in group["metrics"]:
                late = figures.summary(figures.series(entry, "p99"))
                text += f" / {number(late[0])}" if late else ""
            rows.setdefault(title, {}).setdefault(group["name"], []).append(text)
    return rows


def matrix(result):
    """Medians of all contenders, a table per kind of work."""
    for heading, names in SECTIONS:
        rows = cells(result, names)
        there = [n for n in names if any(n in row for row in rows.values())]
        if not rows:
            continue
        yield ""
        yield f"**{heading}**"
        yield ""
        yield "| | " + " | ".join(there) + " |"
        yield "| --- " * (len(there) + 1) + "|"
        for title, row in rows.items():
            yield f"| {title} | " + " | ".join(" / ".join(row.get(n, ["–"])) for n in there) + " |"


def render(result):
    yield f"{result['date']}, {result['rounds']} rounds, {result['machine']['cpu']}, commit " \
          f"{result['machine']['commit']}; medians of paired ratios, with their range"
    yield ""
    yield from goal_rows(result)
    yield from matrix(result)
