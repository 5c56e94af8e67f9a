"""The goals of docs/performance.md and what a result says of each: met, or how far off.

A goal is a list of conditions. Where a condition is a ratio, it is the median of the paired ratios of
the rounds. A figure in ns, us or bytes that depends on the machine is `orientation`: it is shown and
does not decide.
"""

from dataclasses import dataclass

import figures
from figures import BEST_PEER
from table import number

POINTER = "serial by pointer"
EIGHT = "floor, ring by eights"
FUTEX = "floor, bare futex"


@dataclass(frozen=True)
class Condition:
    group: str
    entry: str
    limit: float
    against: str = ""  # a label of the group, or BEST_PEER; empty: the figure itself
    metric: str = "value"
    at_least: bool = False
    orientation: bool = False
    low: float = None  # with `limit`, a range

    def measured(self, result):
        """(median, minimum, maximum), or None where the result does not say."""
        group = next((g for g in result["groups"] if g["name"] == self.group), None)
        entry = figures.find(group, self.entry) if group else None
        if entry is None:
            return None
        if self.against:
            return figures.ratio(group, self.entry, self.against, self.metric)
        return figures.summary(figures.series(entry, self.metric))

    def met(self, middle):
        if self.at_least:
            return middle >= self.limit
        return middle <= self.limit and (self.low is None or middle >= self.low)


def flat(group, labels, against):
    return [Condition(group, label, 1.1, against, low=0.9) for label in labels]


GOALS = [
    ("Fork/join, fast form", [
        Condition("fib", "numaperf, 1", 1.2, POINTER),
        Condition("fib", "numaperf, 2", 0.52, "numaperf, 1")]),
    ("Fork/join, plain form", [
        Condition("fib", "numaperf plain form, 1", 2.5, POINTER),
        Condition("fib", "numaperf plain form, 1", 0.2, BEST_PEER),
        Condition("fib", "numaperf plain form, 2", 0.2, BEST_PEER)]),
    ("Trees and queens", [
        Condition(group, f"numaperf, {workers}", limit, POINTER)
        for group in ("uts-t1", "uts-t3", "nqueens") for workers, limit in ((1, 1.1), (2, 0.55))]),
    ("One submitter", [
        *[Condition(f"submit-1-{w}", "numaperf", 0.25, BEST_PEER) for w in (1, 2)],
        *[Condition(f"submit-1-{w}", "numaperf", 25, orientation=True) for w in (1, 2)]]),
    ("Two submitters", [
        Condition("submit-2-2", "numaperf", 0.32, BEST_PEER),
        Condition("submit-2-2", "numaperf, two nodes", 1.0, "numaperf, unbound"),
        Condition("submit-2-2", "numaperf", 30, orientation=True)]),
    ("Batches", [
        *[Condition(f"batch-{w}", "numaperf, batches of 64", 0.67, EIGHT) for w in (1, 2)],
        *[Condition(f"batch-{w}", "numaperf, batches of 64", 8, orientation=True)
          for w in (1, 2)]]),
    ("Waking an idle pool", [
        *[Condition(f"wake-{v}", "numaperf", limit, FUTEX, metric)
          for v in ("cpu-1", "cpu-2", "node-1", "node-2", "node-2-pinned")
          for metric, limit in (("value", 1.05), ("p99", 1.2))],
        Condition("wake-cpu-1", "numaperf, busy poll", 0.6, orientation=True),
        *[Condition("wake-node-1", "numaperf", limit, metric=metric, orientation=True)
          for metric, limit in (("value", 5), ("p99", 20))]]),
    ("Being idle", [
        Condition("idle", "numaperf, 2", 0, metric="switches"),
        Condition("idle", "numaperf, 2", 0.005),
        *[Condition(f"wake-{v}", "numaperf", 2, FUTEX, "cpu_us_per_wake")
          for v in ("cpu-1", "node-1")]]),
    ("Parallel loops", [
        Condition("for-tiny", "numaperf, 2", 0.38, "floor, 2"),
        Condition("for-tiny", "numaperf, 2", 0.2, orientation=True),
        Condition("for-medium", "numaperf, 2", 1.05, "floor, 2"),
        Condition("triad", "numaperf, 2", 0.97, "floor, 2", at_least=True)]),
    ("Memory", [
        Condition("memory", "numaperf, 1", 32),
        Condition("memory", "numaperf, 64", 64, metric="idle_kib_per_worker"),
        Condition("soak", "1,000,000,000 tasks", 64, metric="grown_kib")]),
    ("Growth", [
        *flat("growth-tasks", [f"{10 ** k:,} tasks" for k in (3, 4, 5, 7, 8)], "1,000,000 tasks"),
        *flat("growth-nodes", [f"{n} virtual nodes" for n in (2, 4, 16, 64)], "1 virtual node"),
        *[Condition("growth-workers", f"{n} workers", 1.2, "2 workers") for n in (16, 64, 256)],
        Condition("create", "numaperf, 256", 30, orientation=True)]),
]


def words(condition):
    what = {"value": "", "p99": " p99", "switches": " context switches",
            "cpu_us_per_wake": " CPU per wake", "grown_kib": " KiB grown",
            "idle_kib_per_worker": " KiB per worker"}[condition.metric]
    return f"{condition.group}: {condition.entry}{what}"


def demand(condition):
    if condition.low is not None:
        text = f"{number(condition.low)} .. {number(condition.limit)}"
    else:
        text = f"{'>=' if condition.at_least else '<='} {condition.limit:g}"
    return text + (f" x {condition.against}" if condition.against else "")


def judge(condition, result):
    """(line, outcome): outcome True, False, or None where it does not decide."""
    measured = condition.measured(result)
    if measured is None:
        return f"    ?     {words(condition)}: not in this result", None
    middle, low, high = measured
    met = condition.met(middle)
    mark = "(" + ("met" if met else "not") + ")" if condition.orientation else "met" if met else "NOT"
    line = (f"    {mark:6}{words(condition)}\n"
            f"          {number(middle)} ({number(low)} .. {number(high)}), {demand(condition)}")
    if condition.orientation:
        line += ": for orientation"
    elif not met and condition.limit:
        if middle > condition.limit or condition.at_least:
            line += f", off {max(middle, condition.limit) / min(middle, condition.limit):.2f} x"
    return line, None if condition.orientation else met


def render(result):
    """Verdict and conditions of every goal that the result has something of."""
    yield ""
    yield "== goals (docs/performance.md): medians of paired ratios, with their range"
    for name, conditions in GOALS:
        judged = [judge(c, result) for c in conditions]
        outcomes = [met for _, met in judged if met is not None]
        if all(c.measured(result) is None for c in conditions):
            continue
        open_ones = sum(c.measured(result) is None for c in conditions)
        whole = outcomes and all(outcomes) and not open_ones
        yield f"{name}: " + ("met" if whole else f"{sum(outcomes)} of {len(outcomes)} met") + (
            f", {open_ones} not measured" if open_ones else "")
        for line, _ in judged:
            yield line
