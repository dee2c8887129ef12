"""Metrics: numbers taken from the JSON of one run. None: the command did not count that.

A name is one of METRICS, or a path into the JSON such as `counters.fetch.rescues`.
"""

from harness.errors import UsageError

# Pages that a prefetch brought and that a mutator then found in place.
_HITS = ("prefetch.hits", "fetch.prefetch.hits")


def _counter(*names):
    def read(result):
        return next((result["counters"][n] for n in names if n in result["counters"]), None)
    return read


def _memory(name):
    return lambda result: result.get("memory", {}).get(name)


def _ratio(top, bottom):
    def read(result):
        over, under = top(result), bottom(result)
        return over / under if over is not None and under else None
    return read


def _sum(*parts):
    def read(result):
        values = [part(result) for part in parts]
        return None if None in values else sum(values)
    return read


def _scaled(part, factor):
    def read(result):
        value = part(result)
        return None if value is None else value * factor
    return read


def _seconds(*phases):
    """The counters of a run count its building as well: so must what they are divided by."""
    return lambda result: sum(result["seconds"].get(phase, 0.0) for phase in phases)


_hits = _counter(*_HITS)
_demand = _sum(_counter("fetch.demand.mutator"), _counter("fetch.demand.collector"))
_mark_s = _scaled(_counter("gc.mark_ns"), 1e-9)

METRICS = {
    "time": lambda result: result["seconds"].get("measured"),
    "build_time": lambda result: result["seconds"].get("build"),
    "mutator_fetches": _counter("fetch.demand.mutator"),
    "collector_fetches": _counter("fetch.demand.collector"),
    "prefetches": _counter("fetch.prefetch"),
    "prefetch_hits": _hits,
    "coverage": _ratio(_hits, _sum(_hits, _demand)),
    "accuracy": _ratio(_hits, _counter("fetch.prefetch")),
    "writebacks": _counter("evict.writeback"),
    "cycles": _counter("gc.cycles"),
    "cycle_time": _ratio(_scaled(_sum(_counter("gc.mark_ns"), _counter("gc.sweep_ns")), 1e-9),
                         _counter("gc.cycles")),
    "cycle_p50": _scaled(_counter("gc.cycle.p50_ns"), 1e-9),
    "cycle_max": _scaled(_counter("gc.cycle.max_ns"), 1e-9),
    "marking_share": _ratio(_mark_s, _seconds("build", "measured")),
    "marked_per_second": _ratio(_counter("gc.objects_marked"), _mark_s),
    "stalls": _counter("gc.stall.count"),
    "stall_max": _scaled(_counter("gc.stall.max_ns"), 1e-9),
    "pause_max": _scaled(_counter("gc.pause_max_ns"), 1e-9),
    "major_faults": _counter("os.major_faults"),
    "peak_process": _memory("process_peak_bytes"),
    "peak_heap": _memory("footprint_bytes"),
    "peak_local": _memory("local_peak_bytes"),
}


def check(name):
    if name not in METRICS and name.partition(".")[0] not in ("counters", "seconds", "memory"):
        raise UsageError(f"no metric is called '{name}'; valid are {', '.join(METRICS)}, and "
                         "counters.NAME, seconds.NAME, memory.NAME")


def measure(name, result):
    if name in METRICS:
        return METRICS[name](result)
    section, _, rest = name.partition(".")
    return result.get(section, {}).get(rest)
