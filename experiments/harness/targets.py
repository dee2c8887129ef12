"""Targets: what an experiment is to show, as PASS or MISSED, with the number that decides."""

from harness import plan, stats


def _points(cells, target):
    found = []
    for point in plan.points(cells.experiment):
        values = {**point.axes, "workload": point.workload.label}
        if all(values[axis] in chosen for axis, chosen in target.where.items()):
            found.append(point)
    return found


def _rival(cells, target, point):
    """Of `against` the one that is better here: all metrics are better when lower."""
    medians = [(cells.median(point, name, target.metric), name) for name in target.against]
    medians = [pair for pair in medians if pair[0] is not None]
    # Half of two rivals would be an easier target than the one that was set.
    return min(medians)[1] if len(medians) == len(target.against) else None


def _value(cells, target, point, rival):
    """The ratio at a point, or the metric itself; None if it was not measured."""
    if target.kind == "value":
        return cells.median(point, target.of, target.metric)
    pair = [(point, target.of), (point, rival)]
    if target.kind == "speedup":
        pair.reverse()
    spread = cells.ratio(target.metric, *pair)
    return spread["median"] if spread else None


def _total(cells, target, points):
    """Of the medians of all points: for counts, of which some points have next to none."""
    of = sum(cells.median(point, target.of, target.metric) for point, _ in points)
    if target.kind == "value":
        return of
    against = sum(cells.median(point, rival, target.metric) for point, rival in points)
    top, bottom = (against, of) if target.kind == "speedup" else (of, against)
    return top / bottom if bottom else None


def _is_met(target, value):
    if target.at_least is not None:
        return value >= target.at_least
    return value <= target.at_most


def evaluate(cells, target):
    """{name, verdict, value, limit, detail}. `detail` says over what, and what was left out."""
    limit = (f"at least {target.at_least:g}" if target.at_least is not None
             else f"at most {target.at_most:g}")
    row = {"name": target.name, "metric": target.metric, "kind": target.kind, "limit": limit,
           "value": None, "verdict": "NOT MEASURED", "points": [], "detail": ""}
    taken, unmeasured, idle = [], [], []
    for point in _points(cells, target):
        label = f"{point.workload.label} {point.axes['local']}"
        rival = _rival(cells, target, point) if target.against else None
        if (target.against and rival is None) or \
                cells.median(point, target.of, target.metric) is None:
            unmeasured.append(label)
            continue
        share = cells.median(point, rival or target.of, "marking_share")
        if target.marking_share_at_least and (share or 0) < target.marking_share_at_least:
            idle.append(label)
            continue
        value = _value(cells, target, point, rival)
        if value is None and target.over != "total":
            unmeasured.append(label)  # nothing to divide by
            continue
        taken.append((point, rival))
        row["points"].append({"workload": point.workload.label, "axes": point.axes,
                              "against": rival, "value": value})
    notes = []
    if idle:
        notes.append(f"left out, the collector marks less than "
                     f"{100 * target.marking_share_at_least:g} % of the time: {', '.join(idle)}")
    if unmeasured:
        notes.append(f"not measured: {', '.join(unmeasured)}")
    if taken:
        values = [entry["value"] for entry in row["points"]]
        if target.over == "geomean":
            value = stats.geometric_mean(values)
        elif target.over == "every":
            value = min(values) if target.at_least is not None else max(values)
            worst = row["points"][values.index(value)]
            notes.insert(0, f"worst: {worst['workload']} {worst['axes']['local']}")
        else:
            value = _total(cells, target, taken)
        row["value"] = value
        if value is not None:
            row["verdict"] = "PASS" if _is_met(target, value) else "MISSED"
            # A pass over a part is not one: what is missing may be what is slow.
            if row["verdict"] == "PASS" and unmeasured:
                row["verdict"] = "NOT MEASURED"
    row["detail"] = "; ".join(notes)
    return row
