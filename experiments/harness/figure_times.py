"""Figures of time: speed-ups as in the paper's Table 2, slowdown by share of local memory, and
run times beside the all-local run's as in its Figures 6 and 7."""

from harness import charts, figures, marks, paper, plan, sizes, stats, summary
from harness.figures import Figure


def slowdown(cells):
    panels, rows = figures.local_lines(cells, "slowdown", cells.slowdown, figures.times,
                                       "time, relative to all local", baseline=1.0)
    if not panels:
        return None
    return Figure(
        "slowdown", "Slowdown by share of local memory",
        "Each panel is a program: how many times longer it takes as less of its heap is local, "
        "compared with the same program all local.", tuple(panels), tuple(rows),
        (("median", marks.Style("#444444", "circle")), ("least to most of the rounds", "stroke"),
         *((("× a run failed", None),) if cells.failed else ())),
        f"All-local runs are those of {cells.experiment.reference}, in the same heap and round.")


def seconds(cells):
    def time(point, name):
        values = cells.values(point, name, "time").values()
        return stats.spread(values) if values else None
    panels, rows = figures.local_lines(cells, "time", time, figures.seconds, "measured time")
    if not panels:
        return None
    return Figure("time", "Time by share of local memory",
                  "The same in seconds: what the measured phase of each program takes, without the "
                  "building of its data.", tuple(panels), tuple(rows))


_KINDS = (("all", "time", "run time"), ("application", "application_time", "application, without stalls"),
          ("collection", "cycle_time", "collection, length of a cycle"))


def speedups(cells, metric, name, group):
    """{workload title: median of reference / name, round by round}."""
    found, reference = {}, cells.experiment.reference
    for title, point in group:
        ratio = cells.ratio(metric, (point, reference), (point, name))
        if ratio and ratio["median"] > 0:
            found[title] = ratio["median"]
    return found


def speedup(cells):
    """In the shape of Table 2."""
    reference = cells.experiment.reference
    names = [n for n in summary.configurations(cells.experiment) if n != reference]
    with_paper = figures.uses_orders(cells)
    drawn, rows = [], []
    fills = {name: marks.Fill(style.colour) for name, style in figures.styles(cells).items()}
    for share, group in figures.far_groups(cells):
        group = figures.common(cells, group)
        for kind, metric, words in _KINDS:
            bars = []
            for collector in paper.COLLECTORS if with_paper and share in paper.SHARES else ():
                value = paper.SPEEDUP[kind][collector][share]
                bars.append(charts.Ratio(f"paper, {collector}", value, marks.PAPER_BAR))
                rows.append({"share": share, "what": kind, "who": f"paper, {collector}",
                             "over": "unmodified", "workload": "mean", "speedup": value})
            for name in names:
                found = speedups(cells, metric, name, group)
                if not found:
                    continue
                mean = stats.geometric_mean(found.values())
                bars.append(charts.Ratio(name, mean, fills[name], tuple(found.values())))
                rows += [{"share": share, "what": kind, "who": name, "over": reference,
                          "workload": workload, "speedup": value}
                         for workload, value in [*found.items(), ("geometric mean", mean)]]
            if any(bar.parts for bar in bars):
                drawn.append((f"{share} local: {words}", kind == "collection", bars))
    panels = []
    for title, is_collection, bars in drawn:
        # One scale for times, and one for cycles, which differ by more.
        values = [value for _, alike, others in drawn if alike == is_collection
                  for bar in others for value in (bar.value, *bar.parts)]
        panels.append(charts.ratios(title, bars, f"speed-up over {reference}",
                                    min(0.5, min(values) * 0.95), max(2.0, max(values) * 1.05)))
    if not panels:
        return None
    return Figure(
        "speedup", "Mean speed-up", f"How many times faster than {reference} each configuration "
        "is, mean over the programs" + (
            ", beside what the paper's Table 2 reports of MemLiner over the unmodified collector."
            if with_paper else "."), tuple(panels), tuple(rows),
        (*([("paper", marks.PAPER_BAR)] if with_paper else []),
         ("geometric mean, in figures at the right", marks.Fill("#555555")),
         ("one program", "stroke")),
        "Application: run time without stalls and pauses. Over the programs that all configurations finished." + (
            f" Paper: {paper.CITATION}; {paper.SETTING}. No-gc never collects: it is the limit of "
            "what an order of tracing can reach." if with_paper else ""))


def _our_rows(cells, group, names, looks):
    found, data = [], []
    for title, point in group:
        spreads = [(name, cells.slowdown(point, name)) for name in names]
        points = tuple((name, spread["median"], looks[name]) for name, spread in spreads if spread)
        if points:
            found.append(charts.Dots(title, points))
        data += [{"whose": "ours", "share": str(point.axes["local"]), "workload": title,
                  "configuration": name, "slowdown": spread["median"]}
                 for name, spread in spreads if spread]
    return found, data


def programs(cells):
    """In the shape of Figures 6 and 7: every program, theirs and ours, against all local."""
    looks, names = figures.styles(cells), summary.configurations(cells.experiment)
    drawn, rows = [], []
    for share, group in figures.far_groups(cells):
        if figures.uses_orders(cells) and share in paper.SHARES:
            theirs = []
            for workload, (all_local, by_share) in paper.SECONDS.items():
                before, after = (value / all_local for value in by_share[share])
                theirs.append(charts.Dots(workload, (("unmodified", before, marks.PAPER_BEFORE),
                                                     ("MemLiner", after, marks.PAPER_AFTER))))
                rows += [{"whose": "paper", "share": share, "workload": workload,
                          "configuration": name, "slowdown": round(value, 3)}
                         for name, value in (("G1", before), ("MemLiner", after))]
            drawn.append((f"{share} local: the paper's programs, G1", theirs))
        ours, data = _our_rows(cells, group, names, looks)
        rows += data
        if ours:
            drawn.append((f"{share} local: ours", ours))
    values = [value for _, dots in drawn for row in dots for _, value, _ in row.points]
    if not any(row["whose"] == "ours" for row in rows):
        return None
    log = max(values) / min(values) > 8
    low, high = (min(values) * 0.9, max(values) * 1.1) if log else (0, max(values))
    left = charts.left_of([row.label for _, dots in drawn for row in dots])
    panels = tuple(charts.dots(title, dots, figures.times, "time, relative to all local", low, high,
                               left, 1.0, log) for title, dots in drawn)
    legend = [(name, looks[name]) for name in names]
    if any(row["whose"] == "paper" for row in rows):
        legend += [("paper: unmodified G1", marks.PAPER_BEFORE),
                   ("paper: MemLiner", marks.PAPER_AFTER)]
    return Figure(
        "programs", "Every program, against all local",
        "A row is a program; the further right a mark, the longer the run took compared with all "
        "its memory local, and the distance between marks is what the order of tracing decides.",
        panels, tuple(rows), tuple(legend),
        f"The paper's were read off the bar charts of its Figures 6 and 7, good to 2-3 %: "
        f"{paper.SETTING}." if figures.uses_orders(cells) else "", 2)


def mean_slowdown(cells):
    """Geometric means over the programs that all configurations have, with the paper's."""
    if len(cells.experiment.workloads) < 2:
        return None
    looks, rows = figures.styles(cells), summary.means(cells, 0)
    others = [name for name, values in cells.experiment.axes.items()
              if name != "local" and len(values) > 1]
    groups = {}
    for row in rows:
        title = ", ".join(f"{name} {row['axes'][name]}" for name in others) or "all programs"
        groups.setdefault(title, {}).setdefault(row["configuration"], {})[
            str(row["axes"]["local"])] = row["slowdown"]
    places = [str(value) for value in cells.experiment.axes["local"]]
    panels, data = [], []
    for title, by_name in groups.items():
        series = [charts.Series(name, looks[name], {place: stats.spread([value])
                                                    for place, value in values.items()})
                  for name, values in by_name.items()]
        for name, values in by_name.items():
            data += [{"who": name, "group": title, "local": place, "slowdown": value}
                     for place, value in values.items()]
        if figures.uses_orders(cells) and set(paper.SHARES) & set(places):
            for name, style in (("unmodified", marks.PAPER_BEFORE), ("MemLiner",
                                                                     marks.PAPER_AFTER)):
                values = {place: stats.spread([value])
                          for place, value in paper.SLOWDOWN[name].items() if place in places}
                series.append(charts.Series(f"{name} *", style, values))
                data += [{"who": f"paper, {name}", "group": title, "local": place,
                          "slowdown": spread["median"]} for place, spread in values.items()]
        panels.append(charts.lines(one_panel_title(title), places, series, figures.times,
                                   "share of the footprint that is local",
                                   "time, relative to all local", 1.0))
    if not panels:
        return None
    return Figure("means", "Slowdown, mean over programs",
                  "How much slower programs run as less of their heap is local, geometric mean "
                  "over the programs that all configurations finished"
                  + (", and the paper's mean (*)." if figures.uses_orders(cells) else "."),
                  tuple(panels), tuple(data), note=f"Over: {', '.join(rows[0]['workloads'])}."
                  + (f" * {paper.CITATION}, G1." if figures.uses_orders(cells) else ""))


def one_panel_title(title):
    return title[:1].upper() + title[1:]


def all_local_cost(cells, name):
    """Geometric mean of time to that of the reference, all local, or None."""
    ratios = []
    for point in plan.points(cells.experiment):
        if str(point.axes["local"]) == sizes.ALL:
            ratio = cells.ratio("time", (point, name), (point, cells.experiment.reference))
            if ratio:
                ratios.append(ratio["median"])
    return stats.geometric_mean(ratios) if ratios else None
