"""Plan: the runs of an experiment, in the order in which they are to be made.

A *point* is a workload with one value of each axis. At a point all configurations are compared, so
they follow each other; a round is all points; rounds follow each other (A B C A B C ...). What the
machine does meanwhile then hits all alike.
"""

import dataclasses
import itertools
import json

from harness import sizes

# Options that change how the work is done, not what is done.
_STRATEGY = ("local", "heap", "fabric", "order", "tracers", "prefetcher", "no-move")


@dataclasses.dataclass(frozen=True)
class Point:
    workload: object
    axes: dict

    @property
    def seed(self):
        return self.axes["seed"]

    def base_options(self):
        """What an all-local run of this point is made with: the size of the work, no strategy."""
        return {**self.workload.options,
                **{k: v for k, v in self.axes.items() if k not in _STRATEGY}}

    def all_local(self):
        return Point(self.workload, {**self.axes, "local": sizes.ALL})


@dataclasses.dataclass(frozen=True)
class Run:
    point: Point
    configuration: object
    round: int

    def options(self):
        """All options of `tandem run`, sizes still as the experiment writes them."""
        return {**self.point.workload.options, **self.point.axes, **self.configuration.options}

    def kind(self):
        """Names what is repeated in every round. Labels are not part of it: a configuration
        may be renamed, and what was measured stands."""
        peer = {"program": self.configuration.program, "wrapper": self.configuration.wrapper}
        return canonical({"workload": self.point.workload.name, "axes": self.point.axes,
                          "live": self.point.workload.live, "options": self.options(),
                          **(peer if self.configuration.program else {})})

    def title(self):
        axes = " ".join(str(value) for value in self.point.axes.values())
        return f"{self.point.workload.label} {axes} {self.configuration.name}"


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def points(experiment):
    found = []
    for workload in experiment.workloads:
        for values in itertools.product(*experiment.axes.values()):
            found.append(Point(workload, dict(zip(experiment.axes, values))))
    return found


def runs(experiment):
    """Every run once. The reference's all-local run is part of each round, asked for or not:
    slowdowns are taken against it."""
    reference = next(c for c in experiment.configurations if c.name == experiment.reference)
    one_round, seen = [], set()
    for point in points(experiment):
        candidates = [Run(point.all_local(), reference, 0)]
        candidates += [Run(point, c, 0) for c in experiment.configurations
                       if c.has(point.workload)]
        for run in candidates:
            if (run.kind(), run.configuration.name) not in seen:
                seen.add((run.kind(), run.configuration.name))
                one_round.append(run)
    return [dataclasses.replace(run, round=number)
            for number in range(1, experiment.rounds + 1) for run in one_round]
