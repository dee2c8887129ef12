"""Summary: medians, ranges and ratios of all that was measured. What summary.json holds.

A *cell* is a point and a configuration: the results of its rounds. Ratios are taken round by round
(see stats.pair_ratios), then their median is.
"""

from harness import metrics, plan, stats
from harness.results import run_key


class Cells:
    """{round: result} of every cell that was measured right, for one commit."""

    def __init__(self, experiment, planned, results, commit):
        self.experiment = experiment
        self.commit = commit
        self._cells = {}
        self.failed = []  # lines of runs that are no data points
        self.missing = 0  # runs that were not made
        for run in planned:
            line = results.find(run_key(run, commit))
            if line is None:
                self.missing += 1
            else:
                self._take(line, self._index(run.point, run.configuration.name), run.round)

    @classmethod
    def of_lines(cls, experiment, lines, commit):
        """Of runs as they were recorded, whatever was planned."""
        cells = cls(experiment, [], None, commit)
        for line in lines:
            index = plan.canonical([line["workload"], line["axes"]]), line["configuration"]
            cells._take(line, index, line["key"]["round"])
        return cells

    def _take(self, line, index, number):
        if line["status"] != "ok":
            self.failed.append(line)
        else:
            self._cells.setdefault(index, {})[number] = line["result"]

    @staticmethod
    def _index(point, name):
        return plan.canonical([point.workload.label, point.axes]), name

    def results(self, point, name):
        return self._cells.get(self._index(point, name), {})

    def any_result(self):
        return next((r for cell in self._cells.values() for r in cell.values()), None)

    def values(self, point, name, metric):
        """{round: value}; empty if it was not measured or not counted."""
        found = {number: metrics.measure(metric, result)
                 for number, result in self.results(point, name).items()}
        return {number: value for number, value in found.items() if value is not None}

    def median(self, point, name, metric):
        values = self.values(point, name, metric).values()
        return stats.spread(values)["median"] if values else None

    def ratio(self, metric, top, bottom):
        """Spread of the ratios of two (point, name)s, or None."""
        ratios = stats.pair_ratios(self.values(*top, metric), self.values(*bottom, metric))
        return stats.spread(ratios.values()) if ratios else None

    def slowdown(self, point, name):
        """Against the reference's all-local run of the same round."""
        return self.ratio("time", (point, name), (point.all_local(), self.experiment.reference))


def panels(cells):
    """{title: [(value of plot_by, point)]} in the order of the plan: what is drawn together."""
    experiment, found = cells.experiment, {}
    by = experiment.plot_by
    for point in plan.points(experiment):
        others = [f"{name} {value}" for name, value in point.axes.items()
                  if name != by and len(experiment.axes[name]) > 1]
        title = "\n".join([point.workload.label, *([", ".join(others)] if others else [])])
        found.setdefault(title, []).append((str(point.axes[by]), point))
    return found


def configurations(experiment):
    return [configuration.name for configuration in experiment.configurations]


def rows(cells):
    """One a cell, in the order of the plan."""
    experiment, found = cells.experiment, []
    points = plan.points(experiment)
    known = {plan.canonical([p.workload.label, p.axes]) for p in points}
    for point in plan.points(experiment):
        extra = point.all_local()  # measured for reference although no axis has it
        if plan.canonical([extra.workload.label, extra.axes]) not in known:
            known.add(plan.canonical([extra.workload.label, extra.axes]))
            points.append(extra)
    for point in points:
        for name in configurations(experiment):
            results = cells.results(point, name)
            if not results:
                continue
            values = {metric: cells.values(point, name, metric) for metric in metrics.METRICS}
            found.append({
                "workload": point.workload.label, "axes": point.axes, "configuration": name,
                "rounds": len(results), "slowdown": cells.slowdown(point, name),
                "time_to_reference": cells.ratio("time", (point, name),
                                                 (point, experiment.reference)),
                "metrics": {metric: stats.spread(v.values()) for metric, v in values.items() if v},
            })
    return found


def means(cells, marking_share):
    """Geometric means over workloads, a row for each combination of axes and configuration.

    With a share: only over workloads in which the reference marks for that share of the time there.
    All configurations of a combination are averaged over the same workloads.
    """
    experiment, found, by_axes = cells.experiment, [], {}
    for point in plan.points(experiment):
        by_axes.setdefault(plan.canonical(point.axes), []).append(point)
    for points in by_axes.values():
        names = [name for name in configurations(experiment)
                 if any(cells.slowdown(point, name) for point in points)]
        common = [p for p in points if all(cells.slowdown(p, name) for name in names)
                  and _marks(cells, p, marking_share)]
        if not common:
            continue
        for name in names:
            to_reference = [cells.ratio("time", (p, name), (p, experiment.reference))
                            for p in common]
            found.append({
                "axes": points[0].axes, "configuration": name,
                "workloads": [p.workload.label for p in common],
                "slowdown": stats.geometric_mean(cells.slowdown(p, name)["median"]
                                                 for p in common),
                "time_to_reference": (stats.geometric_mean(r["median"] for r in to_reference)
                                      if all(to_reference) else None),
            })
    return found


def _marks(cells, point, share):
    if not share:
        return True
    measured = cells.median(point, cells.experiment.reference, "marking_share")
    return measured is not None and measured >= share


def provenance(cells):
    """Of the first result; every line of the results has its own."""
    result = cells.any_result() or {}
    shown = cells.experiment.configurations
    fabrics = {str(c.options["fabric"]) for c in shown if "fabric" in c.options}
    if not all("fabric" in c.options for c in shown):
        fabrics |= {str(f) for f in cells.experiment.axes.get("fabric", [])}
    fabrics = sorted(fabrics)
    emulated = [f.startswith(("emulated:", "sealed:emulated:")) for f in fabrics]
    return {**result.get("provenance", {}), "fabric": ", ".join(fabrics),
            "emulated": any(emulated), "all_emulated": bool(fabrics) and all(emulated),
            "commit": cells.commit}


def fabric_words(origin):
    """The fabrics, so that nobody takes an emulated one for real. Names of the others say it."""
    return (origin["fabric"] or "none") + (" (emulated)" if origin["all_emulated"] else "")


def calibrations(results, commit):
    found = []
    for line in results.lines.values():
        if line["key"]["line"] == "calibration" and line["key"]["commit"] == commit:
            found.append({key: value for key, value in line["key"].items()
                          if key not in ("line", "commit")} | {"status": line["status"],
                                                               "values": line["values"]})
    return found
