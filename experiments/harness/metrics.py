"""Metrics: numbers taken from the JSON of one run. None: the command did not count that.

A name is one of METRICS, or a path into the JSON such as `counters.fetch.rescues`.
"""

from harness.errors import UsageError

# Pages that a prefetch brought and that a mutator then found in place.
_HITS = ("prefetch.hits",)


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


def _threads(result):
    options = result.get("options", {})
    return options.get("threads") or options.get("workers") or 1


def _per_thread(part):
    """Of what is summed over the application's threads, the share of one."""
    def read(result):
        value = part(result)
        return None if value is None else value / _threads(result)
    return read


def _no_more_than(part, limit):
    def read(result):
        value = part(result)
        return None if value is None else min(value, limit(result))
    return read


def _less(part, *others):
    def read(result):
        values = [part(result), *(other(result) for other in others)]
        return None if None in values else max(values[0] - sum(values[1:]), 0.0)
    return read


_hits = _counter(*_HITS)
_all_hits = _sum(_hits, _counter("hint.hits"), _counter("lookahead.hits"))
_early = _sum(_counter("fetch.prefetch"), _counter("fetch.hint"), _counter("fetch.lookahead"))
_demand = _sum(_counter("fetch.demand.mutator"), _counter("fetch.demand.collector"))
_mark_s = _scaled(_counter("gc.mark_ns"), 1e-9)
_counted_s = _seconds("build", "measured")
_stall_s = _per_thread(_scaled(_counter("gc.stall.sum_ns"), 1e-9))
_pause_s = _per_thread(_scaled(_counter("gc.pause.sum_ns"), 1e-9))


def _fetch_wait(result):
    waited = _counter("fetch.latency.sum_ns")(result)
    return None if waited is None else waited * 1e-9 / _threads(result)


_wait_s = _no_more_than(_fetch_wait, lambda result: max(
    _counted_s(result) - (_stall_s(result) or 0) - (_pause_s(result) or 0), 0.0))

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
    "marking_share": _ratio(_mark_s, _counted_s),
    "marked_per_second": _ratio(_counter("gc.objects_marked"), _mark_s),
    "stalls": _counter("gc.stall.count"),
    "stall_max": _scaled(_counter("gc.stall.max_ns"), 1e-9),
    "pause_max": _scaled(_counter("gc.pause_max_ns"), 1e-9),
    "counted_time": _counted_s,
    "stall_time": _stall_s,
    "pause_time": _pause_s,
    "fetch_wait": _wait_s,
    "computing": _less(_counted_s, _stall_s, _pause_s, _wait_s),
    "application_time": _less(lambda result: result["seconds"].get("measured"), _stall_s, _pause_s),
    "mark_time": _mark_s,
    "hints": _counter("fetch.hint"),
    "lookahead": _counter("fetch.lookahead"),
    "trace_reads": _counter("fetch.trace"),
    "demand_fetches": _demand,
    "pages_read": _sum(_demand, _early, _counter("fetch.trace")),
    "early_reads": _early,
    "early_coverage": _ratio(_all_hits, _sum(_all_hits, _demand)),
    "early_accuracy": _ratio(_all_hits, _early),
    "from_ring": _ratio(_counter("trace.from_ring"), _sum(*(
        _counter(f"trace.from_{source}") for source in ("ring", "group", "drain", "queue")))),
    "garbage_rate": _ratio(_counter("gc.freed_bytes"), _counted_s),
    "references_an_object": _ratio(_counter("gc.references_found"), _counter("gc.objects_marked")),
    "objects_marked_per_cycle": _ratio(_counter("gc.objects_marked"), _counter("gc.cycles")),
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
