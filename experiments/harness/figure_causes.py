"""Figures of causes: where the time went, what pages were read for, what reading early brought."""

from harness import charts, figures, marks, paper, summary
from harness.figures import Figure


def _failed_bar(cells, point, name):
    if figures.failed_at(cells, point, name):
        return charts.Bar(name, (), "", failed="failed: see below")
    return None


def _per_point(cells, bar, show, x_words, under_words=""):
    """Panels of bars, one a program and share; `bar(point, name)` makes a charts.Bar or None."""
    panels = []
    for share, group in figures.far_groups(cells):
        for title, point in group:
            found = [bar(point, name) or _failed_bar(cells, point, name)
                     for name in summary.configurations(cells.experiment)]
            found = [one for one in found if one]
            if any(not one.failed for one in found):
                panels.append(charts.bars(f"{title}, {share} local", found, show, x_words,
                                          under_words))
    return panels


_PARTS = (("computing", "computing"), ("waiting for pages", "fetch_wait"),
          ("heap full", "stall_time"), ("paused", "pause_time"))


def where_time_went(cells):
    rows = []

    def bar(point, name):
        values = {part: cells.median(point, name, metric) for part, metric in _PARTS}
        mark = cells.median(point, name, "mark_time")
        if None in values.values():
            return None
        total = cells.median(point, name, "counted_time")
        rows.append({**figures.place_columns(point), "configuration": name,
                     **{f"{part} (s)": value for part, value in values.items()},
                     "total (s)": total, "marking (s)": mark})
        return charts.Bar(name, tuple((part, value, marks.PARTS[part])
                                      for part, value in values.items()),
                          figures.seconds(sum(values.values())), under=mark)
    panels = _per_point(cells, bar, figures.seconds, "time of one application thread",
                        "a marking cycle was active")
    if not panels:
        return None
    return Figure(
        "where-time-went", "Where the time went",
        "What a thread of the application did during building and measuring, and below each bar, "
        "as a black line, for how long a marking cycle was active beside it.",
        tuple(panels), tuple(rows), (*marks.PARTS.items(), ("marking", "level")),
        "Computing is what remains; it contains waiting for a core. Medians of each part.")


_CAUSES = (("mutator", "demand, mutators", "mutator_fetches"),
           ("collector", "demand, collector", "collector_fetches"),
           ("prefetch", "prefetcher", "prefetches"), ("hint", "application's hints", "hints"),
           ("lookahead", "look-ahead for mutators", "lookahead"),
           ("trace", "collector, waiting for none", "trace_reads"))


def fetches(cells):
    rows = []

    def bar(point, name):
        values = [(words, cells.median(point, name, metric), marks.CAUSES[cause])
                  for cause, words, metric in _CAUSES]
        values = [entry for entry in values if entry[1] is not None]
        if not values:
            return None
        rows.append({**figures.place_columns(point), "configuration": name,
                     **{words: cells.median(point, name, metric)
                        for _, words, metric in _CAUSES}})
        return charts.Bar(name, tuple(values), figures.count(sum(v for _, v, _ in values)))
    panels = _per_point(cells, bar, figures.count, "pages read (4 KiB)")
    if not panels:
        return None
    return Figure("fetches", "Pages read, by cause",
                  "How many pages each configuration read from the far side, and what for: those "
                  "on demand are what somebody stood still for.",
                  tuple(panels), tuple(rows),
                  tuple((words, marks.CAUSES[cause]) for cause, words, _ in _CAUSES),
                  "Medians of the rounds, building included. The bars of one panel can be compared "
                  "with each other; panels have scales of their own.")


_LEAST = 100


def early_reads(cells):
    """Coverage and accuracy of what was read early; None if nothing was."""
    names = [name for name in summary.configurations(cells.experiment)
             if any(cells.median(point, name, "early_reads")
                    for _, group in figures.far_groups(cells) for _, point in group)]
    looks, panels, rows = figures.styles(cells), [], []
    leap = figures.uses_orders(cells)
    for share, group in figures.far_groups(cells):
        for metric in ("coverage", "accuracy") if names else ():
            drawn = []
            for title, point in group:
                # Of a handful of pages a share says nothing.
                values = [(name, cells.median(point, name, f"early_{metric}")) for name in names
                          if (cells.median(point, name, "early_reads") or 0) >= _LEAST]
                points = tuple((name, value, looks[name]) for name, value in values
                               if value is not None)
                if points:
                    drawn.append(charts.Dots(title, points))
                rows += [{"what": metric, **figures.place_columns(point), "configuration": name,
                          "value": value} for name, value in values if value is not None]
            if not drawn:
                continue
            if leap:
                before, after = paper.LEAP[metric]
                drawn.append(charts.Dots("paper, Leap", (("unmodified", before,
                                                          marks.PAPER_BEFORE),
                                                         ("MemLiner", after, marks.PAPER_AFTER))))
            left = charts.left_of([figures.one_line(t) for t in summary.panels(cells)])
            panels.append(charts.dots(f"{metric.capitalize()}, {share} local", drawn,
                                      figures.percent, metric, 0, 1, left))
    if not panels:
        return None
    if leap:
        for metric, (before, after) in paper.LEAP.items():
            rows += [{"what": metric, **dict.fromkeys(cells.experiment.axes, ""),
                      "workload": "paper, Leap, linear regression", "configuration": name,
                      "value": value} for name, value in (("G1", before), ("MemLiner", after))]
    return Figure(
        "early-reads", "Coverage and accuracy of reading early",
        "Coverage is the share of all pages needed that had been read before anybody waited for "
        "them; accuracy is the share of what was read early that a mutator then used.",
        tuple(panels), tuple(rows),
        (*((name, looks[name]) for name in names),
         *((("paper: unmodified", marks.PAPER_BEFORE), ("paper: MemLiner", marks.PAPER_AFTER))
           if leap else ())),
        "Read early: by the prefetcher, by hints of the application, and by the collector's "
        "look-ahead, together. Those with fewer than a hundred such pages are left out. The "
        "paper's are Leap's on linear regression.", 2)
