"""Figures of waiting: how long pauses, stalls, fetches and operations take, by quantile."""

from harness import charts, figures, metrics, stats, summary
from harness.figures import Figure

_KINDS = (("gc.pause", "a thread is paused"), ("gc.stall", "an allocation waits: heap full"),
          ("fetch.latency", "a page is fetched on demand"), ("gc.cycle", "a cycle lasts"))
_QUANTILES = ("p50", "p99", "p999", "p9999", "max")
_LEAST_NS = 100


def _operations(cells, points):
    """Histograms of the workload's own: those with more quantiles than ours have."""
    found = {}
    for point in points:
        for name in summary.configurations(cells.experiment):
            for result in cells.results(point, name).values():
                for counter in result["counters"]:
                    if counter.endswith(".p999_ns"):
                        found[counter[:-len(".p999_ns")]] = None
    return [(name, f"{name}: an operation") for name in found]


def _quantiles(cells, point, name, histogram):
    results = cells.results(point, name).values()
    counts = [metrics.measure(f"counters.{histogram}.count", result) for result in results]
    if not counts or not any(counts):
        return ()
    found = []
    for quantile in _QUANTILES:
        values = [metrics.measure(f"counters.{histogram}.{quantile}_ns", result)
                  for result in results]
        values = [value for value in values if value is not None]
        if values:
            value = stats.spread(values)["max" if quantile == "max" else "median"]
            found.append((quantile, max(value, found[-1][1] if found else _LEAST_NS)))
    return tuple(found)


def waits(cells):
    looks, drawn, rows = figures.styles(cells), [], []
    for share, group in figures.far_groups(cells)[:1]:
        for title, point in group:
            lines = []
            for histogram, words in (*_KINDS, *_operations(cells, [point])):
                found = [(name, _quantiles(cells, point, name, histogram))
                         for name in summary.configurations(cells.experiment)]
                found = [(name, quantiles) for name, quantiles in found if quantiles]
                if not found:
                    continue
                lines.append(charts.Range(words, is_head=True))
                lines += [charts.Range(name, quantiles, style=looks[name])
                          for name, quantiles in found]
                rows += [{**figures.place_columns(point), "what": histogram, "configuration": name,
                          **{f"{quantile} (ns)": dict(quantiles).get(quantile, "")
                             for quantile in _QUANTILES}} for name, quantiles in found]
            if lines:
                drawn.append((f"{title}, {share} local", lines))
    values = [value for _, lines in drawn for line in lines for _, value in line.quantiles]
    if not values:
        return None
    panels = tuple(charts.ranges(title, lines, lambda ns: figures.seconds(ns * 1e-9),
                                 "time (log scale)", min(values) * 0.8, max(values) * 1.2)
                   for title, lines in drawn)
    return Figure(
        "waits", "Pauses and latencies",
        "How long things take: half of them no longer than the filled mark, 99 % (and 99.9 % and "
        "99.99 %, where counted) no longer than the strokes, none longer than the hollow circle.",
        panels, tuple(rows), (("half", looks[summary.configurations(cells.experiment)[0]]),
                              ("99 %, 99.9 %, 99.99 %", "stroke")),
        "Quantiles are upper bounds of buckets of 1/8 or 1/16 relative width, medians over the "
        "rounds; the longest is that of all rounds. Scales are the same in all panels.")
