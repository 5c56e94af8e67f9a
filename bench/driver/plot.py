"""Plots of a result as SVG, by gnuplot; without it a result has none."""

import shutil
import subprocess

import figures

SETTINGS = """set terminal svg size 900,{height} font 'sans,11' background '#ffffff'
set output '{file}'
set title "{title}" noenhanced
set border 3
set tics nomirror noenhanced
set grid x linecolor '#dddddd'
unset key
"""
COLOURS = {"ours": "#1f6fb2", "floor": "#555555", "serial": "#999999", "peer": "#d08030"}


def bars(group, path):
    """Medians with their ranges, an entry a line, ours, floor, serial and peers in colours."""
    rows = [(e, figures.summary(e["values"])) for e in group["entries"]]
    rows = [(e, s) for e, s in rows if s is not None and s[0] > 0]
    if len(rows) < 2:
        return None
    spread = max(s[2] for _, s in rows) / max(min(s[1] for _, s in rows), 1e-9)
    text = SETTINGS.format(height=110 + 22 * len(rows), file=path,
                           title=group["title"].replace('"', "'"))
    labels = ", ".join(f'"{e["label"]}" {len(rows) - i}' for i, (e, _) in enumerate(rows))
    text += f"set ytics ({labels})\nset yrange [0.3:{len(rows) + 0.7}]\nset style fill solid\n"
    if spread > 30:
        low = min(s[1] for _, s in rows) / 2
        text += f"set logscale x\nset xrange [{low}:*]\n"
    else:
        low = 0
        text += "set xrange [0:*]\n"
    text += f"set xlabel '{group['unit']}' noenhanced\n"
    for i, (entry, (middle, smallest, largest)) in enumerate(rows):
        y = len(rows) - i
        text += (f"set object rectangle from {low},{y - 0.33} to {middle},{y + 0.33} fillcolor rgb "
                 f"'{COLOURS[entry['role']]}' fillstyle solid noborder\n"
                 f"set arrow from {smallest},{y} to {largest},{y} nohead linewidth 1.5 front\n")
    text += "plot NaN notitle\n"
    return text


def write(result, base):
    """A picture for every group, in the folder `base`; says what it did."""
    if shutil.which("gnuplot") is None:
        return "no plots: gnuplot is not installed (package gnuplot-nox)"
    base.mkdir(parents=True, exist_ok=True)
    count = 0
    for group in result["groups"]:
        script = bars(group, base / f"{group['name']}.svg")
        if script is None:
            continue
        done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            return f"no plots: gnuplot: {done.stderr.strip()}"
        count += 1
    return f"{count} plots in {base}"
