#!/usr/bin/python3
"""Reports what `perf script` printed: a table of shares, folded stacks, a flame graph.

See scripts/perf.
"""

import argparse
import collections
import pathlib
import re
import sys
from xml.sax.saxutils import escape, quoteattr

# Who: by the thread's name. Threads that are not the runtime's are the application's.
ROLES = {"tandem-evict": "evictor", "tandem-collect": "collector", "tandem-trace": "collector"}
MUTATOR = "mutator"
UNKNOWN = "[unknown]"

# What for: the innermost function that one of these patterns matches decides. So eviction by a
# thread that needed a frame for a fetch is eviction, and a fabric works for its caller.
ACTIVITIES = [
    ("evict", re.compile(r"^tandem::swap::(Evictor|ClockReplacement)::")),
    ("prefetch", re.compile(r"^tandem::prefetch::")),
    ("fetch", re.compile(r"^tandem::swap::")),
    ("sweep", re.compile(r"^tandem::heap::(Sweeper|BlockSweep)")),
    ("allocate", re.compile(r"^tandem::(heap::(ThreadAllocator|BlockPool)"
                            r"|internal::MutatorImpl)::")),
    ("mark", re.compile(r"^tandem::tracer::(?!MutatorThread|Handshakes)")),
    ("handshake", re.compile(r"^tandem::tracer::")),
]
# The application's own work, and what could not be told.
OTHER = "other"
ORDER = [OTHER, "fetch", "prefetch", "evict", "mark", "sweep", "allocate", "handshake"]
COLORS = {OTHER: "#8fbf8f", "fetch": "#e4795b", "prefetch": "#e8a85c", "evict": "#6f9bd1",
          "mark": "#b58bc9", "sweep": "#d9c36a", "allocate": "#77c3c0", "handshake": "#d48bab"}

WIDTH, ROW, MARGIN = 1200, 17, 10
NARROWEST = 0.3  # pixels; what is narrower is not drawn


class ReportError(Exception):
    """What went wrong, on one line."""


def parse(lines):
    """Stacks, as (role, frames from the outermost), of `perf script -F comm,tid,ip,sym`."""
    comm, frames = None, []
    for line in [*lines, ""]:
        line = line.rstrip("\n")
        if not line.strip():
            if comm is not None:
                # Where a thread starts, libraries without frame pointers may stand.
                while len(frames) > 1 and frames[-1] == UNKNOWN:
                    frames.pop()
                yield role_of(comm), tuple(reversed(frames))
            comm, frames = None, []
        elif line[0] in " \t":
            frames.append(frame_name(line))
        elif comm is None:
            comm = line.rsplit(None, 1)[0].strip()


def frame_name(line):
    address, _, symbol = line.strip().partition(" ")
    symbol = symbol.strip() or UNKNOWN
    in_kernel = address.startswith("ffff") and len(address) == 16
    return symbol + "_[k]" if in_kernel else symbol


def role_of(comm):
    return ROLES.get(comm, MUTATOR)


def activity_of(frames):
    for frame in reversed(frames):
        for name, pattern in ACTIVITIES:
            if pattern.match(frame):
                return name
    return OTHER


def collect(lines):
    """{(role, frames): samples}."""
    stacks = collections.Counter()
    for role, frames in parse(lines):
        stacks[role, frames] += 1
    if not stacks:
        raise ReportError("perf took no samples: the run is too short, or --frequency too low")
    return stacks


def table(stacks):
    shares = collections.Counter()
    for (role, frames), count in stacks.items():
        shares[role, activity_of(frames)] += count
    total = sum(shares.values())
    columns = [a for a in ORDER if any(shares[role, a] for role, _ in stacks)]
    roles = [r for r in (MUTATOR, "evictor", "collector") if any(r == role for role, _ in stacks)]
    rows = [["% of samples", *columns, "all"]]
    for role in [*roles, "all"]:
        mine = roles if role == "all" else [role]
        counts = [sum(shares[r, a] for r in mine) for a in columns]
        rows.append([role, *(f"{100 * c / total:.1f}" if c else "-"
                             for c in [*counts, sum(counts)])])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join([row[0].ljust(widths[0]),
                        *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
             for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([*lines, f"{total:,} samples"])


def folded(stacks):
    lines = (";".join([role, *(f.replace(";", ":") for f in frames)]) + f" {count}"
             for (role, frames), count in stacks.items())
    return "\n".join(sorted(lines)) + "\n"


class Node:
    def __init__(self):
        self.count = 0
        self.activities = collections.Counter()
        self.children = {}

    def child(self, name):
        return self.children.setdefault(name, Node())

    def add(self, count, activity):
        self.count += count
        self.activities[activity] += count


def tree_of(stacks):
    root = Node()
    for (role, frames), count in stacks.items():
        activity = activity_of(frames)
        node = root
        node.add(count, activity)
        for name in (role, *frames):
            node = node.child(name)
            node.add(count, activity)
    return root


def svg(stacks, title):
    """Roots at the bottom; a box's color is what most of its samples are for."""
    root = tree_of(stacks)
    boxes, deepest = [], 0
    pending = [("all", root, 0.0, 0)]
    scale = (WIDTH - 2 * MARGIN) / root.count
    while pending:
        name, node, left, depth = pending.pop()
        if node.count * scale < NARROWEST:
            continue
        boxes.append((name, node, left, depth))
        deepest = max(deepest, depth)
        for child_name, child in sorted(node.children.items()):
            pending.append((child_name, child, left, depth + 1))
            left += child.count * scale
    head = 50
    height = head + (deepest + 1) * ROW + MARGIN
    out = ['<?xml version="1.0" encoding="UTF-8"?>',
           f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">',
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
           f'<text x="{MARGIN}" y="18" font-size="14">{escape(title)}</text>']
    x = MARGIN
    for activity in ORDER:
        if root.activities[activity]:
            label = f"{activity} {100 * root.activities[activity] / root.count:.1f} %"
            out.append(f'<rect x="{x}" y="27" width="11" height="11" fill="{COLORS[activity]}"/>'
                       f'<text x="{x + 15}" y="37">{label}</text>')
            x += 30 + 7 * len(label)
    for name, node, left, depth in boxes:
        width = node.count * scale
        top = height - MARGIN - (depth + 1) * ROW
        activity = node.activities.most_common(1)[0][0]
        tip = f"{name}: {node.count:,} samples, {100 * node.count / root.count:.2f} %"
        out.append(f'<g><title>{escape(tip)}</title><rect x="{MARGIN + left:.2f}" y="{top}" '
                   f'width="{max(width - 0.3, 0.2):.2f}" height="{ROW - 1}" '
                   f'fill={quoteattr(COLORS[activity])}/>')
        room = int((width - 6) / 6.2)
        if room >= 3:
            shown = name if len(name) <= room else name[:room - 1] + "…"
            out.append(f'<text x="{MARGIN + left + 3:.2f}" y="{top + 12}">{escape(shown)}</text>')
        out.append("</g>")
    return "\n".join([*out, "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=pathlib.Path, required=True,
                        help="what `perf script -F comm,tid,ip,sym` printed")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the results")
    parser.add_argument("--title", default="")
    options = parser.parse_args()
    try:
        with open(options.samples, encoding="utf-8", errors="replace") as lines:
            stacks = collect(lines)
        text = table(stacks)
        (options.out / "stacks.folded").write_text(folded(stacks), encoding="utf-8")
        (options.out / "flame.svg").write_text(svg(stacks, options.title), encoding="utf-8")
        (options.out / "report.txt").write_text(f"{options.title}\n\n{text}\n", encoding="utf-8")
    except (OSError, ReportError) as error:
        print(f"perf: {error}", file=sys.stderr)
        return 1
    print(f"\n{text}\n\n{options.out / 'flame.svg'}, {options.out / 'stacks.folded'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
