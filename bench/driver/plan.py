"""What is measured: the contenders that are known, and the groups of entries that run interleaved.

A group is one question with one unit. Its entries are one contender each, with a workload, a number
of workers and keys (bench/workload/README.md). Ratios are taken inside a group, round by round, to
the group's baselines. Whether a contender answers a workload it says itself (`list`).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Contender:
    name: str  # bench_<name> is the program
    role: str  # ours, serial, floor or peer
    title: str
    package: str = ""  # what to install when it is missing
    queues: bool = True  # a submit always queues; it never runs the task in the submitter


CONTENDERS = [
    Contender("serial", "serial", "serial"),
    Contender("serial_pointer", "serial", "serial by pointer"),
    Contender("floor", "floor", "floor"),
    Contender("numaperf", "ours", "numaperf"),
    Contender("numaperf_shared", "ours", "shared numaperf"),
    Contender("tbb", "peer", "oneTBB", "libtbb-dev"),
    Contender("openmp_gcc", "peer", "GCC OpenMP", "gcc", queues=False),
    Contender("openmp_llvm", "peer", "LLVM OpenMP", "clang and libomp-dev", queues=False),
    Contender("glib", "peer", "GLib", "libglib2.0-dev"),
    Contender("uv", "peer", "libuv", "libuv1-dev"),
    Contender("asio", "peer", "Boost.Asio", "libboost-dev"),
    Contender("rayon", "peer", "rayon", "rustc and librust-rayon-dev"),
    Contender("tokio", "peer", "tokio", "rustc and librust-tokio-dev"),
]


def contender(name):
    """The known contender of that name; a program that nobody listed counts as a peer."""
    for known in CONTENDERS:
        if known.name == name:
            return known
    return Contender(name, "peer", name)


PEERS = [c.name for c in CONTENDERS if c.role == "peer"]


@dataclass(frozen=True)
class Entry:
    label: str
    contender: str
    workload: str
    workers: int
    keys: tuple = ()
    seconds: float = 60.0  # time limit

    def command(self):
        return [self.workload, str(self.workers), *self.keys]


@dataclass(frozen=True)
class Group:
    name: str
    title: str
    entries: tuple
    baselines: tuple = ()  # labels; BEST_PEER is the fastest true peer of each round
    metrics: tuple = ("value",)  # the value and the keys of the result line that are tabulated
    rounds: int = 0  # 0: as many as the run has
    notes: str = ""
    expected: dict = field(default_factory=dict)


BEST_PEER = "best peer"


def named(name, workers):
    return f"{contender(name).title}, {workers}"


def entries_of(name, workload, workers, keys=(), suffix="", seconds=60.0):
    title = contender(name).title + suffix
    return [Entry(f"{title}, {w}", name, workload, w, tuple(keys), seconds) for w in workers]


def peers_of(workload, workers, keys=(), seconds=60.0):
    return [e for p in PEERS for e in entries_of(p, workload, workers, keys, seconds=seconds)]


def fork_join(quick):
    """Fork/join beside the serial version with function pointers."""
    few = 2 if quick else 0
    sizes = {
        # Programs of 1 to 3 ns per fork get a larger number than those of 50 to 300.
        "fib": (("n=%d" % (38 - few),), ("n=%d" % (36 - few),), ("n=%d" % (30 - few),)),
        "uts-t1": ((), (), ()),
        "uts-t3": ((), (), ()),
        "nqueens": (("n=%d" % (12 - few // 2),),) * 3,
    }
    titles = {
        "fib": "naive Fibonacci numbers: ns per fork",
        "uts-t1": "UTS-like geometric tree: ns per node",
        "uts-t3": "UTS-like binomial tree: ns per node",
        "nqueens": "all solutions of %d queens: ms" % (12 - few // 2),
    }
    for workload, (ours, plain, others) in sizes.items():
        entries = [
            Entry("serial", "serial", workload, 1, ours),
            Entry("serial by pointer", "serial_pointer", workload, 1, ours),
            *entries_of("numaperf", workload, (1, 2), (*ours, "form=fast")),
            *entries_of("numaperf", workload, (1, 2), (*plain, "form=plain"), " plain form"),
            *entries_of("numaperf_shared", workload, (1,), (*plain, "form=plain"), " plain"),
            *peers_of(workload, (1, 2), others),
        ]
        yield Group(workload, titles[workload], tuple(entries),
                    ("serial by pointer", BEST_PEER))


def submits(quick):
    """Empty tasks from threads outside."""
    tasks = "tasks=%d" % (200000 if quick else 1000000)
    for submitters, workers in ((1, 1), (1, 2), (2, 2), (4, 2)):
        keys = (f"submitters={submitters}", tasks)
        entries = [
            Entry("numaperf", "numaperf", "submit", workers, keys),
            # A virtual machine's workers are not bound, so it stands beside an executor without
            # binding.
            *([Entry("numaperf, unbound", "numaperf", "submit", workers, (*keys, "bind=off")),
               Entry("numaperf, two nodes", "numaperf", "submit", workers, (*keys, "nodes=2"))]
              if submitters > 1 else []),
            Entry("numaperf, in a group", "numaperf", "submit", workers, (*keys, "group=yes")),
            *([Entry("numaperf, from inside", "numaperf", "submit", workers,
                     (*keys, "from=inside"))] if submitters == 1 else []),
            *[Entry(f"floor, ring {title}", "floor", "submit", workers, (*keys, f"ring={ring}"))
              for ring, title in (("eight", "by eights"), ("each", "each"), ("shared", "shared"),
                                  ("malloc", "and malloc"))],
            *[Entry(contender(p).title, p, "submit", workers, keys) for p in PEERS],
        ]
        yield Group(f"submit-{submitters}-{workers}",
                    f"empty tasks, {submitters} submitter{'s' * (submitters > 1)}, "
                    f"{workers} worker{'s' * (workers > 1)}: ns per task",
                    tuple(entries), ("floor, ring by eights", BEST_PEER))
    for workers in (1, 2):
        entries = [
            Entry("numaperf, batches of 64", "numaperf", "batch", workers, (tasks,)),
            Entry("floor, ring by eights", "floor", "submit", workers, (tasks, "ring=eight")),
            Entry("floor, ring each", "floor", "submit", workers, (tasks, "ring=each")),
            *[Entry(contender(p).title, p, "batch", workers, (tasks,)) for p in PEERS],
        ]
        yield Group(f"batch-{workers}", f"empty tasks in batches of 64, {workers} "
                    f"worker{'s' * (workers > 1)}: ns per task",
                    tuple(entries), ("floor, ring by eights", BEST_PEER))


def wakes(quick):
    """An idle pool is woken; the floor is a bare futex with the same affinity."""
    wakes = "wakes=%d" % (200 if quick else 1000)
    variants = [
        ("cpu-1", "one CPU per thread, 1 worker", 1, ("pin=cpu",)),
        ("cpu-2", "one CPU per thread, 2 workers", 2, ("pin=cpu",)),
        ("node-1", "bound to the node, 1 worker", 1, ("pin=node",)),
        ("node-2", "bound to the node, 2 workers", 2, ("pin=node",)),
        ("node-2-pinned", "bound to the node, 2 workers, submitter on one CPU", 2,
         ("pin=node", "submitter=pinned")),
    ]
    for name, title, workers, keys in variants:
        keys = (*keys, wakes)
        entries = [
            Entry("floor, bare futex", "floor", "wake", workers, keys),
            Entry("numaperf", "numaperf", "wake", workers, keys),
            *([Entry("numaperf, busy poll", "numaperf", "wake", workers, (*keys, "spin_ns=busy"))]
              if name in ("cpu-1", "node-1") else []),
            # A peer whose threads cannot be bound says so and is left out of pin=cpu.
            *[Entry(contender(p).title, p, "wake", workers, keys) for p in PEERS],
        ]
        yield Group(f"wake-{name}", f"waking an idle pool, {title}: us from submit to start",
                    tuple(entries), ("floor, bare futex",),
                    ("value", "p99", "call_us", "cpu_us_per_wake"))


def idles(quick):
    seconds = 1 if quick else 10
    entries = [
        Entry("numaperf, 2", "numaperf", "idle", 2, (f"seconds={seconds}",)),
        Entry("numaperf, 64", "numaperf", "idle", 64, (f"seconds={min(seconds, 2)}",)),
        Entry("floor, 2", "floor", "idle", 2, (f"seconds={min(seconds, 2)}",)),
        *peers_of("idle", (2,), (f"seconds={min(seconds, 2)}",)),
    ]
    yield Group("idle", "a pool with nothing to do: % of one CPU", tuple(entries), (),
                ("value", "switches"), rounds=1 if quick else 3)


def loops(quick):
    fraction = 4 if quick else 1
    for workload, title, keys in (
            ("for-tiny", "1,024 additions: us per loop", (f"loops={100000 // fraction}",)),
            ("for-medium", "1,024 iterations, about 16 us serially: us per loop",
             (f"loops={20000 // fraction}",)),
            ("triad", "STREAM triad, 64 MiB arrays: GB/s (more is better)",
             (f"passes={40 // fraction}",))):
        entries = [
            Entry("serial", "serial", workload, 1, keys),
            *entries_of("floor", workload, (1, 2), keys),
            *entries_of("numaperf", workload, (1, 2), keys),
            *peers_of(workload, (1, 2), keys),
        ]
        if workload == "triad":
            entries += entries_of("numaperf", workload, (1, 2), (*keys, "over=array"),
                                  " over an array")
        yield Group(workload, title, tuple(entries), ("floor, 2", BEST_PEER))
    for name, elements, passes in (("small", 4096, 100000), ("large", 1048576, 2000)):
        keys = (f"elements={elements}", f"passes={passes // fraction}")
        entries = [
            Entry("serial", "serial", "reduce", 1, keys),
            *entries_of("floor", "reduce", (1, 2), keys),
            *entries_of("numaperf", "reduce", (1, 2), keys),
            *entries_of("numaperf", "reduce", (2,), (*keys, "deterministic=yes"),
                        " deterministic"),
            *entries_of("numaperf", "reduce", (2,), (*keys, "over=array"), " over an array"),
            *peers_of("reduce", (1, 2), keys),
        ]
        yield Group(f"reduce-{name}", f"the sum of {elements:,} numbers: us per reduction",
                    tuple(entries), ("floor, 2", BEST_PEER))


def channels(quick):
    """Items from threads to threads through one bounded queue of 1,024."""
    items = "items=%d" % (400000 if quick else 4000000)
    for pairs in (1, 2):
        plain = () if pairs > 1 else ("ring=no",)
        entries = [
            *entries_of("floor", "channel", (1,) if pairs == 1 else (), (items,)),
            *(entries_of("numaperf", "channel", (1,), (items,), " ring") if pairs == 1 else []),
            *entries_of("numaperf", "channel", (pairs,), (items, *plain)),
            *(entries_of("numaperf", "channel", (1,), (items, "batch=64"), " ring, by 64")
              if pairs == 1 else []),
            *entries_of("numaperf", "channel", (pairs,), (items, *plain, "batch=64"), ", by 64"),
            *peers_of("channel", (pairs,), (items,)),
        ]
        yield Group(f"channel-{pairs}",
                    f"numbers from {pairs} thread{'s' * (pairs > 1)} to {pairs}, capacity 1,024: "
                    "ns per item", tuple(entries),
                    ("floor, 1", BEST_PEER) if pairs == 1 else (BEST_PEER,))


def sizes(quick):
    """Cost per task as tasks, nodes and workers grow; memory; creation."""
    tasks = [10 ** k for k in range(3, 7 if quick else 9)]
    entries = [Entry(f"{n:,} tasks", "numaperf", "growth", 1, (f"tasks={n}",), 120.0)
               for n in tasks]
    yield Group("growth-tasks", "1 worker, so many tasks at a time: ns per task", tuple(entries),
                ("1,000,000 tasks",), ("value",), rounds=0 if quick else 3)
    few = "tasks=%d" % (100000 if quick else 1000000)
    entries = [Entry(f"{n} virtual node{'s' * (n > 1)}", "numaperf", "growth", 64,
                     (few, f"nodes={n}", "bind=off", "run=1024")) for n in (1, 2, 4, 16, 64)]
    yield Group("growth-nodes", "64 workers, 1,024 tasks to each of so many nodes in turn: ns per "
                "task",
                tuple(entries), ("1 virtual node",))
    entries = [Entry(f"{n} worker{'s' * (n > 1)}", "numaperf", "growth", n, (few,))
               for n in (1, 2, 4, 16, 64, 256)]
    yield Group("growth-workers", "one submitter, so many workers on this machine: ns per task",
                tuple(entries), ("2 workers",))
    queued = ("tasks=%d" % (200000 if quick else 1000000),)
    entries = [Entry("numaperf, 1", "numaperf", "memory", 1, queued),
               Entry("numaperf, 64", "numaperf", "memory", 64, queued),
               *peers_of("memory", (1,), queued)]
    yield Group("memory", "a queued plain task: bytes", tuple(entries), (),
                ("value", "idle_kib_per_worker"), rounds=1 if quick else 3)
    entries = [Entry("floor, 256", "floor", "create", 256),
               Entry("numaperf, 256", "numaperf", "create", 256), *peers_of("create", (256,))]
    yield Group("create", "creating and ending 256 workers: ms", tuple(entries), ("floor, 256",))
    if not quick:
        entries = [Entry("1,000,000,000 tasks", "numaperf", "growth", 1,
                         ("tasks=10000", "repeat=100000"), 600.0)]
        yield Group("soak", "10^9 tasks, ten thousand at a time: ns per task", tuple(entries), (),
                    ("value", "grown_kib"), rounds=1)


def groups(quick):
    return [*fork_join(quick), *submits(quick), *wakes(quick), *idles(quick), *loops(quick),
            *channels(quick), *sizes(quick)]
