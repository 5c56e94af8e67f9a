"""Two results beside each other. Absolute figures of two runs on a shared machine say little, so
what is compared first is the paired ratio to the baseline: what the machine did to both cancels."""

import textwrap

import figures
from table import number, times


def verdict(old, new):
    """Words only where the ranges do not overlap."""
    if new[1] > old[2]:
        return "HIGHER"
    if new[2] < old[1]:
        return "lower"
    return ""


def render(old, new):
    yield f"old: {old['date']}, commit {old['machine']['commit']}"
    yield f"new: {new['date']}, commit {new['machine']['commit']}"
    if old["machine"]["cpu"] != new["machine"]["cpu"]:
        yield "NOT THE SAME MACHINE: only ratios say anything"
    for group in new["groups"]:
        before = next((g for g in old["groups"] if g["name"] == group["name"]), None)
        if before is None:
            continue
        bases = [b for b in group["baselines"] if b != figures.BEST_PEER]
        yield ""
        yield from textwrap.wrap(f"== {group['name']}: {group['title']}", 79)
        yield f"{'':27}{'old':>8} {'new':>8}" + (f"  x {bases[0]}" if bases else "")
        for entry in group["entries"]:
            other = figures.find(before, entry["label"])
            middle = figures.summary(entry["values"])
            earlier = figures.summary(other["values"]) if other else None
            if middle is None or earlier is None:
                continue
            text = f"{entry['label'][:27]:27}{number(earlier[0]):>8} {number(middle[0]):>8}  "
            pair = [figures.ratio(g, entry["label"], bases[0]) if bases else None
                    for g in (before, group)]
            if all(pair):
                yield text + times(pair[0])
                yield f"{'':43}> {times(pair[1])} {verdict(*pair)}".rstrip()
            else:
                yield (text + verdict(earlier, middle)).rstrip()
