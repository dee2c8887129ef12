"""Tables: the summary as Markdown."""

from harness import sizes


def markdown(header, lines):
    """A table. Columns as wide as they need to be, so that it reads well as plain text too; numbers
    to the right, names to the left."""
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    names = [any(line[i] and not line[i][0].isdigit() and line[i] != "-" for line in lines)
             for i in range(len(header))]

    def row(cells):
        padded = [cell.ljust(w) if name else cell.rjust(w)
                  for cell, w, name in zip(cells, widths, names)]
        return "| " + " | ".join(padded) + " |"
    rule = ["-" * w if name else "-" * (w - 1) + ":" for w, name in zip(widths, names)]
    return "\n".join([row(header), row(rule), *map(row, lines)])


def _times(spread, unit):
    if spread is None:
        return "-"
    text = f"{spread['median']:.2f}{unit}"
    if len(spread["values"]) > 1:
        text += f" ({spread['min']:.2f}-{spread['max']:.2f})"
    return text


def _median(row, metric, show):
    spread = row["metrics"].get(metric)
    return "-" if spread is None else show(spread["median"])


def _count(value):
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _percent(value):
    return f"{100 * value:.0f} %"


def _seconds(value):
    return f"{value:.3f} s" if value >= 0.1 else f"{1e3 * value:.2f} ms"


def varying(axes):
    """Names of axes with more than one value, local memory first: what tells points apart."""
    names = [name for name, values in axes.items() if len(values) > 1 or name == "local"]
    return sorted(names, key=lambda name: name != "local")


_COUNTS = (("mutator fetches", "mutator_fetches", _count),
           ("collector fetches", "collector_fetches", _count),
           ("prefetches", "prefetches", _count), ("coverage", "coverage", _percent),
           ("accuracy", "accuracy", _percent), ("write-backs", "writebacks", _count),
           ("cycles", "cycles", _count), ("cycle", "cycle_time", _seconds),
           ("marking", "marking_share", _percent), ("stalls", "stalls", _count),
           ("major faults", "major_faults", _count),
           ("longest pause", "pause_max", _seconds), ("peak heap", "peak_heap", sizes.show))


def _counted(rows):
    # A column that nobody counted says nothing.
    return [c for c in _COUNTS if any(c[1] in row["metrics"] for row in rows)]


def count_titles(rows):
    return [title for title, _, _ in _counted(rows)]


def _cells(rows, shown):
    """(where, its times, its counts) of each row, as text."""
    counted = _counted(rows)
    return [([*(str(row["axes"][name]) for name in shown), row["configuration"]],
             [str(row["rounds"]), _times(row["metrics"].get("time"), " s"),
              _times(row["slowdown"], "x"), _times(row["time_to_reference"], "x")],
             [_median(row, metric, show) for _, metric, show in counted]) for row in rows]


def result_cells(rows, shown):
    """(times, counts) of all workloads, a line each that begins with the workload."""
    found = list(zip(rows, _cells(rows, shown)))
    return ([[row["workload"], *at, *times] for row, (at, times, _) in found],
            [[row["workload"], *at, *counts] for row, (at, _, counts) in found])


def results(rows, axes):
    """Two tables a workload: times, and the counts that explain them."""
    shown, parts = varying(axes), []
    for workload in dict.fromkeys(row["workload"] for row in rows):
        mine = [row for row in rows if row["workload"] == workload]
        lines = _cells(mine, shown)
        parts.append(f"## {workload}\n")
        parts.append(markdown(
            [*shown, "configuration", "rounds", "time", "against all local", "against reference"],
            [at + times for at, times, _ in lines]) + "\n")
        parts.append(markdown([*shown, "configuration", *count_titles(mine)],
                              [at + counts for at, _, counts in lines]) + "\n")
    return "\n".join(parts)


def means(title, rows, axes):
    if not rows:
        return ""
    shown = varying(axes)
    lines = [[*(str(row["axes"][name]) for name in shown), row["configuration"],
              f"{row['slowdown']:.2f}x",
              "-" if row["time_to_reference"] is None else f"{row['time_to_reference']:.2f}x",
              ", ".join(row["workloads"])] for row in rows]
    return f"## {title}\n\n" + markdown(
        [*shown, "configuration", "against all local", "against reference", "workloads"],
        lines) + "\n"


def targets(rows):
    if not rows:
        return ""
    lines = [[row["name"], row["limit"], "-" if row["value"] is None else f"{row['value']:.3g}",
              row["verdict"], row["detail"]] for row in rows]
    return "## Targets\n\n" + markdown(["target", "wanted", "measured", "verdict", "notes"],
                                     lines) + "\n"


def failures(lines):
    if not lines:
        return ""
    return "## Not data points\n\n" + "\n".join(
        f"- {line['workload']} {' '.join(map(str, line['axes'].values()))} "
        f"{line['configuration']}, round {line['round']}: {line['message']}"
        for line in lines) + "\n"
