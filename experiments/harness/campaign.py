"""Campaign: makes the runs that are not in the results yet, and says which went wrong."""

import dataclasses
import datetime
import os

from harness import command, sizes
from harness.calibration import Calibration
from harness.errors import RunError
from harness.peer import Peer
from harness.results import run_key
from harness.server import Server, offers


def unknown_names(experiment, known):
    """{configuration: why}, {workload: why} of what `tandem list` does not know.

    Asked before anything is run: hours later would be a bad time to learn of a misspelling.
    """
    def missing(option, section, options):
        value, names = options.get(option), known.get(section, set())
        name = str(value).split(",")[0]  # behind it are options of its own: lineup,window=8
        if value is None or name in names:
            return None
        return f"the command has no {option} '{name}' (it has {', '.join(sorted(names))})"

    configurations = {}
    for configuration in experiment.configurations:
        for option, section in (("order", "orders"), ("prefetcher", "prefetchers"),
                                ("replacement", "replacements")):
            why = missing(option, section, configuration.options)
            if why:
                configurations.setdefault(configuration.name, why)
    workloads = {}
    for workload in experiment.workloads:
        why = missing("workload", "workloads", {"workload": workload.name})
        if why:
            workloads[workload.label] = why
    return configurations, workloads


def missing_fabrics(experiment, tandem):
    """{configuration: why} of those over fabrics that this machine lacks."""
    if not any(c.provider() for c in experiment.configurations):
        return {}
    found = offers(tandem.fabrics())
    return {c.name: found.get(c.provider(), f"the command has no fabric {c.provider()}")
            for c in experiment.configurations
            if c.provider() and found.get(c.provider(), "unknown") is not None}


class Campaign:
    def __init__(self, experiment, tandem, results, retry=False):
        self._experiment = experiment
        self._tandem = tandem
        self._results = results
        self._retry = retry
        self._calibration = Calibration(tandem, results, experiment.time_limit_s, retry)
        self._refused = {}

    def left(self, planned):
        return [run for run in planned if not self._is_there(run)]

    def _is_there(self, run):
        line = self._results.find(run_key(run, self._tandem.commit))
        return line is not None and (line["status"] == "ok" or not self._retry)

    def run(self, planned, progress):
        left = self.left(planned)
        for place, run in enumerate(left):
            progress.begin(f"round {run.round} of {self._experiment.rounds}: {run.title()}",
                           [later.kind() for later in left[place:]])
            line = self._line(run)
            self._results.append(line)
            was_run = line["status"] == "ok"
            progress.end(run.kind() if was_run else None, line["wall_s"])
            if not was_run:
                progress.say(f"{run.title()}: {line['message']}")

    def _line(self, run):
        """Makes one run. A run that fails is a line as well."""
        line = {"key": run_key(run, self._tandem.commit), "experiment": self._experiment.name,
                "workload": run.point.workload.label, "configuration": run.configuration.name,
                "axes": run.point.axes, "fabric": run.options().get("fabric"),
                "round": run.round, "status": "failed", "wall_s": 0.0,
                "load_before": os.getloadavg()[0], "result": None,
                "started": datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds")}
        if run.kind() in self._refused:  # it would be again
            return {**line, "message": self._refused[run.kind()]}
        try:
            expected = self._calibration.checksum(run.point)
            line["arguments"], outcome = self._make(run)
        except RunError as error:
            return {**line, "message": str(error)}
        line.update(wall_s=outcome.wall_s, result=outcome.result, message=outcome.message)
        if outcome.refused:
            line["message"] = f"refused by the command: {outcome.message}"
            self._refused[run.kind()] = line["message"]
        elif outcome.result and outcome.result["checksum"] != expected:
            line.update(status="wrong checksum",
                        message=f"wrong checksum: {outcome.result['checksum']}, the all-local "
                                f"run had {expected}")
        elif outcome.result and self._collected_unasked(run, outcome.result):
            line["message"] = "it collected, although it was to run without collection"
        elif not outcome.message:
            line["status"] = "ok"
        return line

    def _make(self, run):
        """(arguments, Outcome)."""
        heap, local = self._calibration.sizes_of(run.point, run.configuration)
        if run.configuration.program:
            peer = Peer(run, self._tandem, self._results, self._experiment, self._retry)
            return peer.make(heap, local)
        options = self._options(run, heap, local)
        if run.configuration.server:
            return self._make_over_server(run, options)
        if run.configuration.fitted_to:
            options["fabric"] = self._calibration.preset(run.configuration.fitted_to)
        return self._make_with(run, options)

    def _make_over_server(self, run, options):
        with Server(self._tandem, run.configuration.server) as server:
            arguments, outcome = self._make_with(run, {**options, "fabric": server.url},
                                                 server.environment)
            if outcome.message and server.complaint():
                outcome = dataclasses.replace(
                    outcome, message=f"{outcome.message}; {server.complaint()}")
            return arguments, outcome

    def _make_with(self, run, options, environment=None):
        return (command.arguments(run.point.workload.name, options),
                self._tandem.run(run.point.workload.name, options, self._experiment.time_limit_s,
                                 environment))

    @staticmethod
    def _options(run, heap, local):
        options = {**run.options(), "heap": heap, "local": sizes.ALL if local is None else local}
        if run.options()["heap"] == sizes.NO_GC:
            options["only-when-full"] = True
        return options

    @staticmethod
    def _collected_unasked(run, result):
        return run.options()["heap"] == sizes.NO_GC and result["counters"].get("gc.cycles", 0) > 0
