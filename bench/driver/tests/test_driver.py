"""The driver's arithmetic and its handling of what contenders do, by hand-made results and by programs
that misbehave. Nothing here measures time."""

import os
import stat
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import compare  # noqa: E402
import figures  # noqa: E402
import goals  # noqa: E402
import pages  # noqa: E402
import plan  # noqa: E402
import rounds  # noqa: E402
import table  # noqa: E402


def entry(label, role, values, workers=1, queues=True, **extra):
    return {"label": label, "contender": label, "role": role, "queues": queues, "workload": "submit",
            "workers": workers, "keys": [], "values": values, "extra": extra}


def group(*entries, unit="ns", name="submit-1-1", baselines=(), metrics=("value",)):
    return {"name": name, "title": "a group", "unit": unit, "baselines": list(baselines),
            "metrics": list(metrics), "entries": list(entries)}


def result(*groups):
    return {"schema": 1, "date": "2026-01-01 00:00 UTC", "command": "bench/run", "rounds": 3,
            "load_before": [0.0, 0.0, 0.0], "missing": {"oneTBB": "package libtbb-dev"},
            "groups": list(groups),
            "machine": {"cpu": "a CPU", "architecture": "x86_64", "virtual": True,
                        "cpus_online": "0-1", "cpus_allowed": [0, 1], "threads_per_core": "0",
                        "nodes": {"node0": "0-1"}, "memory_gib": 8.0, "caches": ["L1d 32K"],
                        "system": "a system", "kernel": "6.0", "governor": "none visible",
                        "quota": "none", "container": "none seen", "mitigations": {},
                        "compiler": "cc", "clang": "", "rustc": "", "commit": "abc"}}


class Figures(unittest.TestCase):
    def test_median_of_odd_and_even(self):
        self.assertEqual(figures.median([3, 1, 2]), 2)
        self.assertEqual(figures.median([4, 1, 3, 2]), 2.5)
        self.assertIsNone(figures.median([]))

    def test_summary_leaves_out_what_is_missing(self):
        self.assertEqual(figures.summary([None, 5.0, 1.0, 3.0]), (3.0, 1.0, 5.0))
        self.assertIsNone(figures.summary([None, None]))

    def test_ratio_is_taken_within_the_round(self):
        # The second round was slow for both: 10/5 = 2, 100/50 = 2, 12/4 = 3.
        # The ratio of the medians, 12/5 = 2.4, would be another number.
        g = group(entry("ours", "ours", [10, 100, 12]), entry("base", "floor", [5, 50, 4]))
        self.assertEqual(figures.ratio(g, "ours", "base"), (2, 2, 3))

    def test_ratio_leaves_out_rounds_without_a_pair(self):
        g = group(entry("ours", "ours", [10, None, 12]), entry("base", "floor", [5, 50, 0]))
        self.assertEqual(figures.ratio(g, "ours", "base"), (2, 2, 2))
        self.assertIsNone(figures.ratio(g, "nobody", "base"))
        self.assertIsNone(figures.ratio(g, "ours", "nobody"))

    def test_best_peer_is_the_best_of_the_round_that_queues(self):
        g = group(entry("ours", "ours", [1, 1]), entry("a", "peer", [10, 4]),
                  entry("b", "peer", [5, 8]), entry("cheat", "peer", [2, 2], queues=False),
                  entry("many", "peer", [1, 1], workers=2), entry("floor", "floor", [0.1, 0.1]))
        self.assertEqual(figures.best_peer(g, "value", 1), [5, 4])
        self.assertEqual(figures.ratio(g, "ours", figures.BEST_PEER), (0.225, 0.2, 0.25))

    def test_more_bandwidth_is_better(self):
        g = group(entry("a", "peer", [10]), entry("b", "peer", [20]), unit="GB/s")
        self.assertEqual(figures.best_peer(g, "value", 1), [20])

    def test_other_metrics(self):
        g = group(entry("ours", "ours", [1, 1], p99=[30, 10]), entry("f", "floor", [1, 1], p99=[10, 10]))
        self.assertEqual(figures.ratio(g, "ours", "f", "p99"), (2, 1, 3))


class ResultLines(unittest.TestCase):
    def test_value_unit_and_keys(self):
        self.assertEqual(rounds.parse("12.5 us p99=40 call_us=1.5e-05\n"),
                         (12.5, "us", {"p99": 40.0, "call_us": 1.5e-05}))
        self.assertEqual(rounds.parse("1e+06 ns"), (1e6, "ns", {}))

    def test_what_is_none(self):
        for line in ("", "12.5", "us 12.5", "12.5 us p99", "1 ns\n2 ns", "nan us"):
            with self.assertRaises(rounds.Failed, msg=repr(line)):
                rounds.parse(line)


class Programs(unittest.TestCase):
    """Contenders that are shell scripts."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def program(self, name, text):
        path = Path(self.folder.name, f"bench_{name}")
        path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        os.chmod(path, stat.S_IRWXU)

    def run_entries(self, *names, count=3):
        entries = tuple(plan.Entry(n, n, "fib", 1, ("n=3",), 60.0) for n in names)
        offered = {n: rounds.workloads_of(self.folder.name, n) for n in names}
        return rounds.run_group(self.folder.name, plan.Group("fib", "fib", entries), offered, count,
                                plan.contender)

    def test_interleaved_and_with_the_arguments(self):
        log = Path(self.folder.name, "log")
        for name in ("a", "b"):
            self.program(name, f'[ "$1" = list ] && echo fib && exit\n'
                               f'echo "{name} $*" >> {log}\necho "1 ns k=2"\n')
        measured = self.run_entries("a", "b")
        self.assertEqual(log.read_text().split("\n")[:4],
                         ["a fib 1 n=3", "b fib 1 n=3", "a fib 1 n=3", "b fib 1 n=3"])
        self.assertEqual(measured["entries"][0]["values"], [1.0, 1.0, 1.0])
        self.assertEqual(measured["entries"][0]["extra"], {"k": [2.0, 2.0, 2.0]})
        self.assertEqual(measured["unit"], "ns")

    def test_a_wrong_result_is_no_figure(self):
        self.program("bad", '[ "$1" = list ] && echo fib && exit\necho "1 ns"\n'
                            'echo "WRONG: 7" >&2\nexit 1\n')
        measured = self.run_entries("bad")["entries"][0]
        self.assertEqual(measured["values"], [None, None, None])
        self.assertIn("WRONG: 7", measured["failed"])

    def test_a_failure_in_a_later_round(self):
        mark = Path(self.folder.name, "mark")
        self.program("late", f'[ "$1" = list ] && echo fib && exit\n[ -e {mark} ] && exit 1\n'
                             f'touch {mark}\necho "1 ns k=1"\n')
        measured = self.run_entries("late")["entries"][0]
        self.assertEqual(measured["values"], [1.0, None, None])
        self.assertEqual(measured["extra"], {"k": [1.0, None, None]})
        self.assertIn("failed", measured)

    def test_not_available_is_not_failed(self):
        self.program("none", '[ "$1" = list ] && echo fib && exit\necho "no such CPU" >&2\nexit 3\n')
        measured = self.run_entries("none")["entries"][0]
        self.assertEqual(measured["missing"], "no such CPU")
        self.assertNotIn("failed", measured)

    def test_a_crash_and_a_program_that_hangs(self):
        self.program("dies", '[ "$1" = list ] && echo fib && exit\nkill -9 $$\n')
        self.assertIn("exit code -9", self.run_entries("dies")["entries"][0]["failed"])
        self.program("hangs", '[ "$1" = list ] && echo fib && exit\nexec sleep 60\n')
        entries = (plan.Entry("hangs", "hangs", "fib", 1, (), 0.2),)
        measured = rounds.run_group(self.folder.name, plan.Group("fib", "fib", entries),
                                    {"hangs": ["fib"]}, 1, plan.contender)
        self.assertIn("not done within", measured["entries"][0]["failed"])

    def test_who_is_missing_and_who_does_not_offer_it(self):
        self.assertIsNone(rounds.workloads_of(self.folder.name, "nobody"))
        self.program("other", "echo submit\n")
        self.assertEqual(self.run_entries("other")["entries"], [])


class Goals(unittest.TestCase):
    def test_met_not_met_and_how_far(self):
        fib = group(entry("serial by pointer", "serial", [2.0, 2.0]),
                    entry("numaperf, 1", "ours", [2.2, 2.2]),
                    entry("numaperf, 2", "ours", [2.2, 2.2], workers=2), name="fib")
        text = "\n".join(goals.render(result(fib)))
        self.assertIn("Fork/join, fast form: 1 of 2 met", text)
        self.assertIn("1.100 (1.100 .. 1.100), <= 1.2 x serial by pointer", text)
        self.assertIn("<= 0.52 x numaperf, 1, off 1.92 x", text)
        self.assertNotIn("Parallel loops", text)

    def test_an_absolute_figure_does_not_decide(self):
        submit = group(entry("numaperf", "ours", [100.0]), entry("p", "peer", [500.0]))
        text = "\n".join(goals.render(result(submit)))
        self.assertIn("One submitter: 1 of 1 met, 2 not measured", text)
        self.assertIn("(not) submit-1-1: numaperf", text)

    def test_a_range_has_two_ends(self):
        low = goals.flat("g", ["x"], "y")[0]
        self.assertFalse(low.met(0.8))
        self.assertTrue(low.met(1.0))
        self.assertFalse(low.met(1.2))

    def test_every_condition_names_what_the_plan_measures(self):
        groups = {g.name: g for g in plan.groups(False)}
        for name, conditions in goals.GOALS:
            for c in conditions:
                self.assertIn(c.group, groups, name)
                labels = [e.label for e in groups[c.group].entries]
                self.assertIn(c.entry, labels, name)
                if c.against and c.against != figures.BEST_PEER:
                    self.assertIn(c.against, labels, name)
                self.assertTrue(c.metric == "value" or c.metric in groups[c.group].metrics, name)


class Plan(unittest.TestCase):
    def test_labels_are_unique_and_baselines_exist(self):
        for quick in (False, True):
            for g in plan.groups(quick):
                labels = [e.label for e in g.entries]
                self.assertEqual(len(labels), len(set(labels)), g.name)
                for base in g.baselines:
                    self.assertTrue(base in labels or base == plan.BEST_PEER, (g.name, base))


class Text(unittest.TestCase):
    def test_tables_fit_80_columns(self):
        wide = group(entry("a label that is far too long for its column", "ours", [123456.789, 1e9]),
                     entry("floor", "floor", [98765.4321, 123456.0]),
                     entry("peer", "peer", [12345.678, 9876.5]),
                     baselines=("floor", figures.BEST_PEER), metrics=("value", "p99"))
        for line in table.group_lines(wide):
            self.assertLessEqual(len(line), 80, line)

    def test_missing_and_failed_are_said(self):
        one = entry("peer", "peer", [None])
        one["failed"] = "exit code 1: WRONG"
        text = "\n".join(table.render(result(group(one))))
        self.assertIn("peer: FAILED: exit code 1: WRONG", text)
        self.assertIn("missing: oneTBB: package libtbb-dev", text)

    def test_numbers(self):
        self.assertEqual([table.number(x) for x in (None, 0, 0.00123, 0.5, 12.345, 123.4, 1234.5)],
                         ["-", "0.00", "0.00123", "0.500", "12.35", "123.4", "1234"])

    def test_pages_are_tables_of_equal_width(self):
        fib = group(entry("serial by pointer", "serial", [2.0]), entry("numaperf, 1", "ours", [3.0]),
                    entry("numaperf, 2", "ours", [1.5], workers=2), name="fib")
        wake = group(entry("numaperf", "ours", [3.0], p99=[9.0]), name="wake-cpu-1", unit="us",
                     metrics=("value", "p99"))
        text = list(pages.render(result(fib, wake)))
        self.assertIn("| numaperf | 3.000 / 1.500 |", text)
        self.assertIn("| numaperf | 3.000 / 9.000 |", text)
        self.assertTrue(any("1.500 (1.500 – 1.500) | **not met** |" in line for line in text))
        self.assertEqual({line.count("|") for line in pages.goal_rows(result(fib))}, {6})

    def test_compare_says_what_moved(self):
        old = group(entry("ours", "ours", [10, 11]), entry("f", "floor", [10, 10]), baselines=("f",))
        new = group(entry("ours", "ours", [20, 21]), entry("f", "floor", [10, 10]), baselines=("f",))
        text = "\n".join(compare.render(result(old), result(new)))
        self.assertIn("1.050 (1.000 .. 1.100)\n", text)
        self.assertIn("> 2.050 (2.000 .. 2.100) HIGHER", text)
        same = "\n".join(compare.render(result(old), result(old)))
        self.assertNotIn("HIGHER", same)


if __name__ == "__main__":
    unittest.main()
