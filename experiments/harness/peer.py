"""Peer: another program that runs the same workloads, its memory limited by a wrapper.

It is called as `tandem` is, without what only `tandem` understands. All local it runs without the
wrapper; with less, its limit is the bytes that Tandem's heap gets there, and on top what the
process had in memory before its heap held anything, since Tandem's limit is for its heap alone.
"""

import pathlib

from harness import command
from harness.errors import RunError
from harness.plan import canonical

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Options of a point that are about Tandem's heap.
_ONLY_TANDEM = ("local", "fabric", "order", "tracers", "prefetcher", "replacement")
_SETTING_UP_S = 5  # what a wrapper may take


class Peer:
    def __init__(self, run, tandem, results, experiment, retry):
        self._run = run
        self._commit = tandem.commit
        self._results = results
        self._experiment = experiment
        self._retry = retry
        # A name is one in the folder where `tandem` was built.
        self._program = str(pathlib.Path(tandem.program).absolute().parent.parent
                            / run.configuration.program)

    def arguments(self, heap):
        own = {k: v for k, v in self._run.options().items() if k not in _ONLY_TANDEM}
        own["heap"] = heap
        return command.arguments(self._run.point.workload.name, own)

    def make(self, heap, local):
        """(command line, Outcome) of one run. RunError: it cannot even run all local."""
        line = [self._program, *self.arguments(heap)]
        if local is None:
            return line, command.run(line, self._experiment.time_limit_s)
        alone = self._all_local(line)
        wrapper = self._run.configuration.wrapper
        first = ROOT / wrapper[0] if "/" in wrapper[0] else wrapper[0]
        line = [str(first), *wrapper[1:], "--limit", str(local + alone["outside_bytes"]), "--",
                *line]
        limit_s, times = self._experiment.time_limit_s, self._experiment.give_up
        patience_s = (times or 0) * alone["wall_s"] + _SETTING_UP_S
        if times is None or patience_s >= limit_s:
            return line, command.run(line, limit_s)
        outcome = command.run(line, patience_s)
        if outcome.message.startswith("stopped after"):
            message = f"given up: more than {times:g} times the {alone['wall_s']:.1f} s of all local"
            outcome = command.Outcome(None, message, False, outcome.wall_s)
        return line, outcome

    def _all_local(self, line):
        key = {"line": "calibration", "what": "peer", "workload": self._run.point.workload.name,
               "options": canonical(line), "commit": self._commit}
        found = self._results.find(key)
        if found is None or (found["status"] != "ok" and self._retry):
            found = {"key": key, "status": "ok", "message": "", "values": None}
            outcome = command.run(line, self._experiment.time_limit_s)
            if outcome.message:
                found.update(status="failed", message=outcome.message)
            else:
                found["values"] = {"wall_s": outcome.wall_s,
                                   "outside_bytes": outcome.result["memory"]["outside_bytes"]}
            self._results.append(found)
        if found["status"] != "ok":
            raise RunError(f"not even all local: {found['message']}")
        return found["values"]
