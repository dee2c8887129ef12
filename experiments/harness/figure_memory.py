"""Figures of memory: how large the heap grew, by share of local memory and over time."""

from harness import charts, figures, stats, summary
from harness.figures import Figure

_MIB = 1 << 20
_LARGE = "no-gc"  # reuses nothing, grows several times larger: all others would lie on the axis
_LEFT_OUT = "No-gc reuses nothing, grows several times larger and is left out."


def _names(cells):
    return [name for name in summary.configurations(cells.experiment) if name != _LARGE]


def peak(cells):
    def spread_of(metric):
        def value(point, name):
            values = cells.values(point, name, metric).values()
            return stats.spread(value / _MIB for value in values) if values else None
        return value
    names = _names(cells)
    if not names:
        return None
    panels, rows = figures.local_lines(cells, "peak heap (MiB)", spread_of("peak_heap"), figures.plain,
                                       "peak of the heap, MiB", names)
    _, local = figures.local_lines(cells, "peak local memory (MiB)", spread_of("peak_local"),
                                   figures.plain, "", names)
    if not panels:
        return None
    return Figure("heap", "Peak of the heap, by share of local memory",
                  "How large the heap grew, so what it costs in memory that garbage is found "
                  "later; a line that bends up to the right grows because local memory is short.",
                  tuple(panels), tuple(rows + local),
                  note=f"{_LEFT_OUT} The most that was local at once is in the data.")


def _samples(cells, point, name):
    """[(seconds, heap used, local)] of the earliest round; empty if it was not sampled."""
    results = cells.results(point, name)
    series = results[min(results)].get("series") if results else None
    if not isinstance(series, dict):
        return []
    return list(zip(series.get("seconds", ()), series.get("heap_used_bytes", ()),
                    series.get("local_bytes", ())))


def over_time(cells):
    """None unless runs were sampled."""
    looks, panels, rows = figures.styles(cells), [], []
    for share, group in figures.far_groups(cells)[:1]:
        for title, point in group:
            found = [(name, _samples(cells, point, name)) for name in _names(cells)]
            found = [(name, samples) for name, samples in found if len(samples) > 1]
            if not found:
                continue
            local = max(sample[2] for _, samples in found for sample in samples)
            panels.append(charts.curves(
                f"{title}, {share} local",
                [(name, looks[name], [(at, used / _MIB) for at, used, _ in samples])
                 for name, samples in found],
                figures.seconds, figures.plain, "time since the heap was made",
                "live after the last cycle, and allocated since, MiB",
                (("most that was local", local / _MIB),)))
            rows += [{**figures.place_columns(point), "configuration": name, "time (s)": at,
                      "heap used (bytes)": used, "local (bytes)": here}
                     for name, samples in found for at, used, here in samples]
    if not panels:
        return None
    return Figure("over-time", "Heap and local memory over time",
                  "What is live and what has been allocated since: it climbs as the program "
                  "allocates and drops when a cycle ends, above the part of it that may be local.",
                  tuple(panels), tuple(rows), note=f"One run of each, the first round. {_LEFT_OUT}")
