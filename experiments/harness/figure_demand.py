"""Figure of demand: what each program asks of a heap. It is what makes a program count."""

from harness import charts, figures, marks, plan, summary
from harness.figures import Figure

_MIB = 1 << 20
_IN_MIB = ("footprint (bytes)", "garbage (bytes/s)")
_FILL = marks.Fill("#5B7F95")


def _row(cells, point, live):
    """Of the reference's all-local run, and how much it marks where memory is short."""
    name = cells.experiment.reference
    local = point.all_local()
    footprint = cells.median(local, name, "peak_heap")
    if footprint is None:
        return None
    marked = cells.median(local, name, "objects_marked_per_cycle")
    short = next((p for _, group in figures.far_groups(cells)[:1] for _, p in group
                  if p.workload == point.workload), None)
    return {"workload": point.workload.label, "footprint (bytes)": footprint,
            "live (bytes)": live.get(point.workload.label),
            "garbage (bytes/s)": cells.median(local, name, "garbage_rate"),
            "marking share, all local": cells.median(local, name, "marking_share"),
            "marking share, memory short": cells.median(short, name, "marking_share")
            if short else None,
            "objects marked in a cycle": marked,
            "references an object": cells.median(local, name, "references_an_object"),
            "live bytes an object": live[point.workload.label] / marked
            if marked and live.get(point.workload.label) else None}


def live_bytes(recorded):
    """{workload's name: bytes} as calibrated. Labels that are no names have none."""
    return {entry["workload"]: entry["values"]["live_bytes"]
            for entry in summary.calibrations(recorded.results, recorded.cells.commit)
            if entry.get("what") == "live" and entry["values"]}


def rows(recorded):
    cells, live, found = recorded.cells, live_bytes(recorded), {}
    for point in plan.points(cells.experiment):
        if point.workload.label not in found:
            row = _row(cells, point, live)
            if row:
                found[point.workload.label] = row
    return list(found.values())


def demand(recorded):
    found = rows(recorded)
    if not found:
        return None
    share = figures.far_groups(recorded.cells)[0][0]
    quantities = (
        ("Footprint, all local", "footprint (bytes)", figures.plain, "the most it used, MiB"),
        ("Garbage found, all local", "garbage (bytes/s)", figures.plain, "MiB freed a second"),
        ("A marking cycle is active, all local", "marking share, all local", figures.percent,
         "share of the run time"),
        (f"A marking cycle is active, {share} local", "marking share, memory short",
         figures.percent, "share of the run time"),
        ("Size of a live object", "live bytes an object", figures.plain,
         "live bytes an object marked"),
        ("Reference density", "references an object", figures.plain,
         "references found in an object marked"))
    panels = []
    for title, key, show, words in quantities:
        values = [(row["workload"], row[key] / (_MIB if key in _IN_MIB else 1))
                  for row in found if row[key] is not None]
        bars = [charts.Bar(name, ((title, value, _FILL),), show(value)) for name, value in values]
        if bars:
            panels.append(charts.bars(title, bars, show, words))
    return Figure(
        "demand", "What the programs ask of the heap",
        "Programs differ in how much they keep, how fast they make garbage and how much of the "
        f"time {recorded.experiment.reference} marks: where it hardly marks, the order of tracing "
        "can change little.", tuple(panels), tuple(found),
        note="Few references an object mean long chains, in which an order has little to choose "
             "from; the smaller objects are, the more of them share a page.")
