"""Medians, ranges and paired ratios of a result. No clock, no processes: a result goes in, numbers
come out; tests/test_figures.py checks them by hand-made results.

A result's entry has `values`, one number per round, None where the round has none, and `extra`, the
same for each key of the result line. Ratios are always taken between values of the same round, and
the median is that of the ratios, not the ratio of the medians: what disturbs a machine for a while
disturbs neighbours alike.
"""

BEST_PEER = "best peer"


def median(values):
    """The median of a list of numbers; of an even number the mean of the two in the middle."""
    ordered = sorted(values)
    if not ordered:
        return None
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) / 2


def present(values):
    return [v for v in values if v is not None]


def summary(values):
    """(median, minimum, maximum) of what is there, or None."""
    there = present(values)
    return (median(there), min(there), max(there)) if there else None


def more_is_better(unit):
    return unit == "GB/s"


def series(entry, metric):
    """The numbers of one metric, by round."""
    return entry["values"] if metric == "value" else entry["extra"].get(metric, [])


def find(group, label):
    for entry in group["entries"]:
        if entry["label"] == label:
            return entry
    return None


def best_peer(group, metric, workers=None):
    """For every round the best value of a true peer: one that is neither ours, the serial program nor
    the floor, and that queues what is submitted. `workers`: only entries with so many."""
    rows = [series(e, metric) for e in group["entries"]
            if e["role"] == "peer" and e.get("queues", True)
            and (workers is None or e["workers"] == workers)]
    pick = max if more_is_better(group["unit"]) and metric == "value" else min
    out = []
    for i in range(max((len(row) for row in rows), default=0)):
        there = present([row[i] for row in rows if i < len(row)])
        out.append(pick(there) if there else None)
    return out


def baseline(group, label, metric, workers=None):
    """The numbers of a baseline by round: an entry's, or the best peer's."""
    if label == BEST_PEER:
        return best_peer(group, metric, workers)
    entry = find(group, label)
    return series(entry, metric) if entry else []


def ratios(values, base):
    """Value by baseline for every round that has both; a baseline of zero gives none."""
    return [v / b for v, b in zip(values, base) if v is not None and b is not None and b != 0]


def ratio(group, label, against, metric="value"):
    """(median, minimum, maximum) of the paired ratios of an entry to a baseline, or None. Beside the
    best peer an entry stands with peers of as many workers."""
    entry = find(group, label)
    if entry is None:
        return None
    pairs = ratios(series(entry, metric), baseline(group, against, metric, entry["workers"]))
    return summary(pairs) if pairs else None
