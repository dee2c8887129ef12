"""Calibration: what is measured once, before the runs that need it.

Of a workload, it is what its all-local runs say about its size.
*Live data* decide the heap's limit, the *footprint* within that limit decides how much local memory
a share is, the *checksum* is what every other run must get. Each is a line of the results.

What survives a cycle includes what died while it ran, the more the larger the heap is. So live data
are measured again in a heap little larger than what was found, until that changes nothing.
"""

import pathlib
import re

from harness import sizes
from harness.errors import RunError
from harness.plan import canonical
from harness.server import Server

_TIGHT = 1.1
_TRIES = 6
_SAME = 0.98


def free_memory_bytes():
    try:
        text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
        return int(re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)[1]) << 10
    except (OSError, TypeError):
        return None


class Calibration:
    """Answers from the results or by a run. A RunError says why there is no answer."""

    def __init__(self, tandem, results, limit_s, retry=False):
        self._tandem = tandem
        self._results = results
        self._limit_s = limit_s
        self._retry = retry

    def sizes_of(self, point, configuration):
        """(heap limit in bytes, local bytes or None for all) of a run."""
        heap = configuration.options.get("heap", point.axes["heap"])
        # A share is one number of bytes for all configurations: the footprint within the heap
        # of the point, whatever limit a configuration has of its own.
        local = sizes.local_bytes(point.axes["local"], self._footprint(point)["footprint_bytes"])
        if heap == sizes.NO_GC:
            self._check_memory(self._live(point)["allocated_bytes"])
        return self._heap_bytes(point, heap), local

    def checksum(self, point):
        return self._footprint(point)["checksum"]

    def preset(self, provider):
        """The emulated fabric that is like a memory server of this machine."""
        key = {"line": "calibration", "what": "fit", "provider": provider,
               "commit": self._tandem.commit}
        return self._remembered(key, lambda: self._measure_fit(provider))["preset"]

    def live_bytes(self, point):
        return point.workload.live or self._live(point)["live_bytes"]

    def _heap_bytes(self, point, heap):
        live = self.live_bytes(point) if sizes.parse_multiple(heap) else 0
        allocated = self._live(point)["allocated_bytes"] if heap == sizes.NO_GC else 0
        return sizes.heap_bytes(heap, live, allocated)

    @staticmethod
    def _check_memory(allocated_bytes):
        free = free_memory_bytes()
        needed = int(1.3 * allocated_bytes)
        if free is not None and needed > free:
            raise RunError(f"without collection about {sizes.show(needed)} would be needed; "
                           f"{sizes.show(free)} of memory are free")

    def _footprint(self, point):
        heap = point.axes["heap"]
        key = self._key("footprint", point, heap=heap, live=point.workload.live)
        return self._remembered(key, lambda: self._measure_footprint(point, heap))

    def _live(self, point):
        return self._remembered(self._key("live", point), lambda: self._measure_live(point))

    def _key(self, what, point, **more):
        return {"line": "calibration", "what": what, "workload": point.workload.name,
                "options": canonical(point.base_options()), "commit": self._tandem.commit, **more}

    def _remembered(self, key, measure):
        line = self._results.find(key)
        if line is None or (line["status"] != "ok" and self._retry):
            try:
                line = {"key": key, "status": "ok", "message": "", "values": measure()}
            except RunError as error:
                line = {"key": key, "status": "failed", "message": str(error), "values": None}
            self._results.append(line)
        if line["status"] != "ok":
            what = "fit" if key["what"] == "fit" else "all-local run"
            raise RunError(f"no {what}: {line['message']}")
        return line["values"]

    def _measure_fit(self, provider):
        with Server(self._tandem, provider) as server:
            return self._tandem.fit(server.url, server.environment)

    def _measure_footprint(self, point, heap):
        options = {"heap": self._heap_bytes(point, heap)}
        if heap == sizes.NO_GC:
            self._check_memory(self._live(point)["allocated_bytes"])
            options["only-when-full"] = True
        result = self._run(point, options)
        return {"footprint_bytes": result["memory"]["footprint_bytes"],
                "heap_bytes": options["heap"], "checksum": result["checksum"]}

    def _measure_live(self, point):
        first = self._run(point, {})
        live = best = self._survived(first)
        for _ in range(_TRIES - 1):
            try:
                result = self._run(point, {"heap": sizes.round_up(int(_TIGHT * best))})
            except RunError:
                break  # too tight: what was found is close
            live = self._survived(result)
            if live >= _SAME * best:
                break
            best = live
        counters = first["counters"]
        return {"live_bytes": min(best, live), "checksum": first["checksum"],
                "allocated_bytes": (counters.get("gc.freed_bytes", 0)
                                    + first["memory"]["heap_used_bytes"])}

    @staticmethod
    def _survived(result):
        """The most that survived a cycle; without one, all that was allocated."""
        counters = result["counters"]
        if counters.get("gc.cycles") and counters.get("gc.live_peak_bytes"):
            return counters["gc.live_peak_bytes"]
        return result["memory"]["heap_used_bytes"]

    def _run(self, point, options):
        options = {**point.base_options(), "local": sizes.ALL, "fabric": "emulated:none",
                   **options}
        outcome = self._tandem.run(point.workload.name, options, self._limit_s)
        if outcome.message:
            raise RunError(outcome.message)
        return outcome.result
