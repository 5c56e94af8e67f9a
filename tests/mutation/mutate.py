#!/usr/bin/env python3
"""Plants known bugs, one at a time, and demands that the tests find each of them.

A checker proves itself by what it catches. Every entry of the lists beside this file changes a few
lines of the sources into something that is known to be wrong. The change is made in a throw-away
copy, never in the tree itself; only the program that must catch it is built there and run, and it
must fail: by its exit code, by a crash, or by hanging until its time is over. Before that the same
program must pass with the sources as they are.

The format of a list (README.md beside this file has an example):

    mutation NAME           begins an entry
    why TEXT                what is wrong with it, or which published bug it is; several lines
    file PATH               what is changed; file, old and new may be repeated
    old                     followed by lines that begin with '|': text that occurs exactly once
    new                     the same: what stands there instead
    by TOOL PROGRAM ARGS    who must catch it; several lines, each of them must
    survives REASON         instead of `by`: nothing can catch it, and why. With `by` lines as well
                            these programs are run and must pass: the reason is still true
    runs N                  chance is involved: run it up to N times
    timeout SECONDS         for one run; default 60, and 600 for model and sim, which do not hang
    quick                   belongs to the small fraction that `make test` runs

Tools: unit, model, sim (one ordinary build with all assertions), tsan and asan (their sanitizers).
"""

import argparse
import fcntl
import fnmatch
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

PLAIN = ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DNP_ASSERT_LEVEL=3"]
SANITIZED = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O1 -g",
             "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g", "-DNP_TEST_CAMPAIGNS=OFF"]
# tool: (scratch build, how it is configured, how its programs are started)
TOOLS = {
    "unit": ("plain", PLAIN, []),
    "model": ("plain", PLAIN, []),
    "sim": ("plain", PLAIN, []),
    "tsan": ("tsan", SANITIZED + ["-DCMAKE_C_COMPILER=clang", "-DCMAKE_CXX_COMPILER=clang++",
                                  "-DNP_SANITIZE=thread"], ["setarch", "-R"]),
    "asan": ("asan", SANITIZED + ["-DNP_SANITIZE=address,undefined"], ["setarch", "-R"]),
}
COMMON = ["-G", "Ninja", "-DNP_BUILD_TESTS=ON", "-DNP_BUILD_EXAMPLES=OFF", "-DNP_BUILD_TOOL=OFF",
          "-DNP_TEST_GUEST=OFF"]


class Broken(Exception):
    """The list, the build or the baseline is not what it should be."""


# --- the lists ----------------------------------------------------------------------------------

class Entry:
    def __init__(self, name, place):
        self.name = name
        self.place = place
        self.why = ""
        self.changes = []  # (file, old, new)
        self.by = []       # (tool, program, [arguments])
        self.survives = ""
        self.runs = 1
        self.timeout = 0
        self.quick = False

    def check(self):
        if not self.why or not self.changes:
            raise Broken(f"{self.place}: {self.name} needs why, file, old and new")
        for file, old, new in self.changes:
            if not old or new is None or old == new:
                raise Broken(f"{self.place}: {self.name} changes nothing in {file}")
        if not self.by and not self.survives:
            raise Broken(f"{self.place}: {self.name}: nobody has to catch it")


def parse_by(text, place):
    words = shlex.split(text)
    if len(words) < 2 or words[0] not in TOOLS:
        raise Broken(f"{place}: expected a tool ({', '.join(TOOLS)}) and a program: {text!r}")
    return words[0], words[1], words[2:]


def parse(path):
    entries, entry, block, change = [], None, None, None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        place = f"{path.name}:{number}"
        if line.startswith("|"):
            if block is None:
                raise Broken(f"{place}: text outside old and new")
            change[block].append(line[1:])
            continue
        block = None
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if not word or word.startswith("#"):
            continue
        if word == "mutation":
            entry = Entry(rest, place)
            entries.append(entry)
        elif entry is None:
            raise Broken(f"{place}: {word} before the first mutation")
        elif word == "file":
            change = [rest, None, None]
            entry.changes.append(change)
        elif word in ("old", "new"):
            if change is None:
                raise Broken(f"{place}: {word} before a file")
            block = 1 if word == "old" else 2
            change[block] = []
        elif word == "why":
            entry.why = (entry.why + " " + rest).strip()
        elif word == "by":
            entry.by.append(parse_by(rest, place))
        elif word == "survives":
            entry.survives = (entry.survives + " " + rest).strip()
        elif word in ("runs", "timeout"):
            setattr(entry, word, int(rest))
        elif word == "quick":
            entry.quick = True
        else:
            raise Broken(f"{place}: unknown word {word!r}")
    for one in entries:
        one.check()
        one.changes = [(file, "\n".join(old), "\n".join(new)) for file, old, new in one.changes]
    return entries


def read_lists(paths):
    entries = [entry for path in paths for entry in parse(path)]
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise Broken(f"{name} is listed twice")
    return entries


# --- the copy -----------------------------------------------------------------------------------

def files_of(source):
    """What git knows or would know; without git everything but build folders."""
    try:
        listed = subprocess.run(
            ["git", "-C", source, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True).stdout.decode().split("\0")
        names = [name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        names = []
    if not names:
        for path in Path(source).rglob("*"):
            name = path.relative_to(source)
            if path.is_file() and not name.parts[0].startswith((".", "build")):
                names.append(str(name))
    return [name for name in names if Path(source, name).is_file()]


def copy_tree(source, tree):
    """Only what differs is written, so that a later run need not build everything again."""
    wanted = set(files_of(source))
    for name in wanted:
        target = Path(tree, name)
        content = Path(source, name).read_bytes()
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(Path(source, name).stat().st_mode)
    for target in Path(tree).rglob("*"):
        if target.is_file() and str(target.relative_to(tree)) not in wanted:
            target.unlink()


class Planted:
    """The copy with one entry's changes in it, until the end of a with statement."""

    def __init__(self, tree, entry):
        self.tree, self.entry, self.before = tree, entry, {}

    def __enter__(self):
        after = {}
        for file, old, new in self.entry.changes:
            path = Path(self.tree, file)
            if not path.is_file():
                raise Broken(f"stale: there is no {file}")
            text = after.get(path) or path.read_text()
            self.before.setdefault(path, text)
            count = text.count(old)
            if count != 1:
                raise Broken(f"stale: its text occurs {count} times in {file}")
            after[path] = text.replace(old, new)
        for path, text in after.items():
            path.write_text(text)

    def __exit__(self, *_):
        for path, text in self.before.items():
            path.write_text(text)


# --- building and running -----------------------------------------------------------------------

class Scratch:
    """One configured build of the copy."""

    def __init__(self, work, tree, name, arguments, jobs):
        self.tree, self.folder, self.jobs = tree, Path(work, name), jobs
        self.log = Path(work, "log")
        # Each time: a folder of tests may have come or gone since the last one.
        self.call(["cmake", "-S", tree, "-B", self.folder, *COMMON, *arguments], "configure")
        listed = subprocess.run(["ninja", "-C", self.folder, "-t", "targets", "all"],
                                capture_output=True, text=True, check=True).stdout
        self.targets = {line.split(":")[0] for line in listed.splitlines()}

    def call(self, command, what):
        log = Path(self.log, f"{self.folder.name}-{what}.log")
        with open(log, "w") as out:
            if subprocess.run([str(word) for word in command], stdout=out, stderr=out).returncode:
                tail = "\n".join(log.read_text().splitlines()[-20:])
                raise Broken(f"{what} fails (log: {log})\n{tail}")

    def has(self, program):
        return program in self.targets

    def build(self, program):
        self.call(["cmake", "--build", self.folder, "-j", self.jobs, "--target", program], "build")
        for path in self.folder.rglob(program):
            if path.is_file() and os.access(path, os.X_OK):
                return path
        raise Broken(f"{program} was built but is not found in {self.folder}")


def environment(tree):
    env = dict(os.environ)
    env["TSAN_OPTIONS"] = f"halt_on_error=1:suppressions={tree}/cmake/tsan.supp"
    env["ASAN_OPTIONS"] = "detect_leaks=1:detect_stack_use_after_return=1"
    env["UBSAN_OPTIONS"] = "halt_on_error=1"
    return env


def run_once(command, tree, timeout):
    """(how it failed or None, output)"""
    process = subprocess.Popen([str(word) for word in command], cwd=tree, env=environment(tree),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output = process.communicate(timeout=timeout)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return f"hangs ({timeout} s)", process.communicate()[0]
    code = process.returncode
    if code == 0:
        return None, output
    if code == 77:
        raise Broken("the program skips itself here")
    return (signal.Signals(-code).name if code < 0 else f"exit {code}"), output


def limit_of(tool, entry):
    return entry.timeout or (600 if tool in ("model", "sim") else 60)


# The model: in which execution of the case.
AFTER = re.compile(rb"failed after (\d+)|^FAILED: .*, execution (\d+);", re.MULTILINE)
# The simulation counts the schedules of each case, and says in which run of the last one it failed.
WHOLE_CASES = re.compile(rb"^counted: sim \| schedules of [^|]*\| (\d+)", re.MULTILINE)
LAST_CASE = re.compile(rb"^failed: .* seed (\d+) \(run (\d+)\)", re.MULTILINE)


def after_how_many(output):
    found = AFTER.search(output)
    if found:
        return int(found.group(1) or found.group(2))
    found = LAST_CASE.search(output)
    if found:
        last = int(found.group(2)) or int(found.group(1)) # a crash does not know its run
        return last + sum(int(number) for number in WHOLE_CASES.findall(output))
    return None


class Runner:
    def __init__(self, options):
        self.options = options
        self.work = Path(options.work).resolve()
        self.tree = Path(self.work, "tree")
        self.scratch, self.passed, self.rows, self.problems = {}, set(), [], []

    def prepare(self, tool):
        name, arguments, _ = TOOLS[tool]
        if name not in self.scratch:
            self.scratch[name] = Scratch(self.work, self.tree, name, arguments, self.options.jobs)
        return self.scratch[name]

    def attempt(self, by, entry, label, timeout):
        """Builds and runs. (how it failed or None, after how many, seconds it ran)"""
        tool, program, arguments = by
        path = self.prepare(tool).build(program)
        begun = time.monotonic()
        how, output = None, b""
        run = 0
        while how is None and run < entry.runs:
            run += 1
            how, output = run_once(TOOLS[tool][2] + [path] + arguments, self.tree, timeout)
        seconds = time.monotonic() - begun
        Path(self.work, "log", label.replace("/", "-") + ".log").write_bytes(output)
        after = after_how_many(output)
        if after is None and entry.runs > 1:
            after = run
        return how, after, seconds

    def baseline(self, by, entry):
        key = (by[0], by[1], tuple(by[2]))
        if key in self.passed:
            return
        # A busy machine must not look like a test that hangs.
        how, _, _ = self.attempt(by, entry, "baseline-" + by[1], max(300, limit_of(by[0], entry)))
        if how is not None:
            raise Broken(f"{by[0]} {by[1]} fails without any mutation: {how}")
        self.passed.add(key)

    def one(self, entry, by):
        with Planted(self.tree, entry):
            label = f"{entry.name}-{by[0]}-{by[1]}"
            how, after, seconds = self.attempt(by, entry, label, limit_of(by[0], entry))
        if entry.survives:
            if how is not None:
                raise Broken(f"is said to survive, but {by[1]} finds it: {how}")
            return "survives", None, seconds
        if how is None:
            raise Broken(f"NOT CAUGHT by {by[0]} {' '.join([by[1]] + by[2])}")
        return how, after, seconds

    def row(self, entry, tool, program, how, after, seconds):
        self.rows.append((entry, tool, program, how, after, seconds))
        count = "" if after is None else f"after {after}"
        print(f"{entry.name:44} {tool:6} {program:26} {how:16} {count:14} {seconds:6.1f} s",
              flush=True)

    def problem(self, entry, text):
        self.problems.append((entry.name, text))
        print(f"{entry.name:44} FAILED: {entry.place}: {text}", flush=True)

    def entry(self, entry):
        if entry.survives and not entry.by:
            try:
                with Planted(self.tree, entry):
                    pass
                self.row(entry, "-", "-", "survives", None, 0.0)
            except Broken as error:
                self.problem(entry, str(error))
        for by in entry.by:
            try:
                if not self.prepare(by[0]).has(by[1]):
                    self.row(entry, by[0], by[1], "skipped", None, 0.0)
                    continue
                self.baseline(by, entry)
                self.row(entry, by[0], by[1], *self.one(entry, by))
            except Broken as error:
                self.problem(entry, str(error))

    def run(self, entries):
        Path(self.work, "log").mkdir(parents=True, exist_ok=True)
        with open(Path(self.work, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            copy_tree(self.options.source, self.tree)
            for entry in entries:
                self.entry(entry)


# --- what came of it ----------------------------------------------------------------------------

def names(rows, how):
    return {row[0].name for row in rows if how(row[3])}


def summary(runner, entries):
    failed = {name for name, _ in runner.problems}
    caught = names(runner.rows, lambda how: how not in ("survives", "skipped")) - failed
    survived = names(runner.rows, lambda how: how == "survives") - failed
    skipped = names(runner.rows, lambda how: how == "skipped") - failed - caught
    return [("planted", len(entries)), ("caught", len(caught)),
            ("survive for a stated reason", len(survived)), ("skipped", len(skipped)),
            ("not caught or stale", len(failed))]


def cell(text):
    return text.replace("|", "\\|")


def write_results(path, runner, counts):
    lines = ["# Planted bugs and who catches them", "",
             "Written by `make mutations`; the lists are beside `tests/mutation/mutate.py`. `after`:",
             "how many schedules, seeds or runs it took, where the program says so.", ""]
    lines += [f"- {what}: {number}" for what, number in counts]
    lines += ["", "| mutation | file | caught by | how | after | s |", "| --- | --- | --- | --- | ---: | ---: |"]
    for entry, tool, program, how, after, seconds in runner.rows:
        files = ", ".join(dict.fromkeys(change[0] for change in entry.changes))
        lines.append(f"| {entry.name} | {files} | {tool} {program} | {how} | "
                     f"{'' if after is None else after} | {seconds:.1f} |")
    lines += ["", "## What each one is", ""]
    lines += [f"- **{entry.name}**: {cell(entry.why)}" +
              (f" *Survives:* {cell(entry.survives)}" if entry.survives else "")
              for entry in dict.fromkeys(row[0] for row in runner.rows)]
    Path(path).write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default=str(HERE.parent.parent), help="the tree to copy")
    parser.add_argument("--work", default=str(HERE.parent.parent / "build" / "mutation"))
    parser.add_argument("--list", action="append", help="a list (default: all beside this file)")
    parser.add_argument("--only", default="*", help="names that match this pattern")
    parser.add_argument("--tool", help="only what this tool must catch")
    parser.add_argument("--quick", action="store_true", help="only the entries marked quick")
    parser.add_argument("--results", help="where to write the table as Markdown")
    parser.add_argument("--jobs", default=str(os.cpu_count() or 2))
    options = parser.parse_args()
    try:
        lists = [Path(path) for path in options.list or sorted(HERE.glob("*.list"))]
        entries = [entry for entry in read_lists(lists)
                   if fnmatch.fnmatch(entry.name, options.only)
                   and (entry.quick or not options.quick)
                   and (not options.tool or any(by[0] == options.tool for by in entry.by))]
        if not entries:
            raise Broken("no entry is selected")
        runner = Runner(options)
        runner.run(entries)
    except Broken as error:
        print(f"mutate: {error}", file=sys.stderr)
        return 1
    counts = summary(runner, entries)
    for what, number in counts:
        print(f"counted: mutation | {what} | {number}")
    if options.results:
        write_results(options.results, runner, counts)
    for name in sorted({f"{row[1]} {row[2]}" for row in runner.rows if row[3] == "skipped"}):
        print(f"SKIPPED: there is no program {name} in this configuration")
    if runner.problems:
        print(f"{len(runner.problems)} mutations were not caught or are stale: logs in "
              f"{runner.work}/log")
        return 1
    return 77 if all(row[3] == "skipped" for row in runner.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
