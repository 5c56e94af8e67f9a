#!/usr/bin/env python3
"""Judges what the tests reached, from gcovr's JSON, and lists what they did not.

usage: report.py GCOVR_JSON UNREACHED [--line PERCENT] [--branch PERCENT]

UNREACHED lists functions, one "PATH FUNCTION | REASON" per line: why no test reaches all of it. Fails
if a share is below its limit, if a function that is never called, or not reached in full, is not
listed, if an entry names no function of that file, or has no reason. An entry for a function that was
reached in full is no mistake: what two threads do to each other differs from run to run. Branches
inside assertions are not counted: a test that took one would have found a bug.
"""

import argparse
import json
import sys
from pathlib import Path


def read_reasons(path):
    reasons, mistakes = {}, []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        place, _, reason = line.partition("|")
        words = place.split()
        if len(words) != 2 or not reason.strip():
            mistakes.append(f"{path}:{number}: no \"PATH FUNCTION | REASON\"")
        elif tuple(words) in reasons:
            mistakes.append(f"{path}:{number}: a second entry for {words[1]}")
        else:
            reasons[tuple(words)] = reason.strip()
    return reasons, mistakes


class File:
    """One source file: which lines and branches were reached, function by function."""

    def __init__(self, record):
        self.path = record["file"]
        # A static function of a header is there once per file that includes it.
        starts = {}
        for function in record["functions"]:
            name, line = function["name"], function["lineno"]
            called = function["execution_count"] > 0
            starts[line] = (name, called or starts.get(line, (name, False))[1])
        self.starts = sorted(starts.items())
        self.lines = [line for line in record["lines"]
                      if not line["gcovr/noncode"] and not line["gcovr/excluded"]]

    def branches(self, line):
        return [b for b in line["branches"] if not b.get("gcovr/excluded")]

    def counts(self):
        branches = [b for line in self.lines for b in self.branches(line)]
        return (sum(line["count"] > 0 for line in self.lines), len(self.lines),
                sum(b["count"] > 0 for b in branches), len(branches))

    def function_of(self, number):
        name = "-"
        for start, (function, _) in self.starts:
            if start > number:
                break
            name = function
        return name

    def unreached(self):
        """{function: [line numbers that nothing reached]}"""
        found = {}
        for line in self.lines:
            if line["count"] == 0:
                found.setdefault(self.function_of(line["line_number"]), []).append(
                    line["line_number"])
        return found

    def never_called(self):
        return [name for _, (name, called) in self.starts if not called]


def ranges(numbers):
    parts, numbers = [], sorted(numbers)
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("json")
    parser.add_argument("unreached")
    parser.add_argument("--line", type=float, default=95.0)
    parser.add_argument("--branch", type=float, default=90.0)
    options = parser.parse_args()

    reasons, bad = read_reasons(options.unreached)
    files = [File(record) for record in json.loads(Path(options.json).read_text())["files"]]
    if not files:
        bad.append("nothing was measured")

    print(f"{'file':<42} {'lines':>11} {'':>6} {'branches':>11}")
    total = [0, 0, 0, 0]
    for file in files:
        counts = file.counts()
        total = [a + b for a, b in zip(total, counts)]
        print(f"{file.path:<42} {counts[0]:>5}/{counts[1]:<5} {percent(*counts[:2]):5.1f}% "
              f"{counts[2]:>5}/{counts[3]:<5} {percent(*counts[2:]):5.1f}%")

    print("\nlines that no test reached, and why:")
    known = {(file.path, name) for file in files for _, (name, _) in file.starts}
    explained = unexplained = 0
    for file in files:
        for function, numbers in file.unreached().items():
            reason = reasons.get((file.path, function))
            if reason:
                explained += len(numbers)
            else:
                unexplained += len(numbers)
                bad.append(f"{file.path}: no test reaches {ranges(numbers)} in {function}(), and "
                           f"{options.unreached} does not say why")
            print(f"    {file.path} {function} ({ranges(numbers)}): {reason or 'no reason given'}")
        for function in file.never_called():
            if (file.path, function) not in reasons:
                bad.append(f"{file.path}: no test calls {function}(), and {options.unreached} "
                           "does not say why")
    for path, function in sorted(set(reasons) - known):
        bad.append(f"{options.unreached}: {path} has no function {function}")

    line, branch = percent(*total[:2]), percent(*total[2:])
    if line < options.line:
        bad.append(f"{line:.2f} % of the lines are reached, {options.line:g} % are asked for")
    if branch < options.branch:
        bad.append(f"{branch:.2f} % of the branches are taken, {options.branch:g} % are asked for")

    print(f"\n{explained} unreached lines are explained, {unexplained} are not")
    print(f"counted: coverage | lines of src | {total[1]}")
    print(f"counted: coverage | lines of src that a test reaches | {total[0]}")
    print(f"counted: coverage | branches of src | {total[3]}")
    print(f"counted: coverage | branches of src that a test takes | {total[2]}")
    for complaint in bad:
        print("coverage: " + complaint)
    print(f"coverage: lines {line:.2f} %, branches {branch:.2f} %: "
          f"{'not enough' if bad else 'enough'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
