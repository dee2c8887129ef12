"""Figure: a title, one sentence that says what it shows, panels, and the data behind them.

What several figures need to ask of the cells stands here too.
"""

import csv
import dataclasses
import io

from harness import charts, marks, sizes, summary


@dataclasses.dataclass(frozen=True)
class Figure:
    name: str      # of its files
    title: str
    says: str      # one sentence
    panels: tuple  # charts.Panel
    rows: tuple    # dictionaries with the same keys: the data
    legend: tuple = ()
    note: str = ""  # what a reader must know to trust it
    columns: int = 3  # of panels, at most

    def csv(self):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]) if self.rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()


def one_line(title):
    return title.replace("\n", ", ")


def styles(cells):
    return marks.styles(summary.configurations(cells.experiment))


def failed_at(cells, point, name):
    return any(line["workload"] == point.workload.label and line["axes"] == point.axes
               and line["configuration"] == name for line in cells.failed)


def times(number):
    return f"{number:.3g}x"


def seconds(number):
    """For scales: as short as can be."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if number >= factor * 0.9995:
            return f"{number / factor:.3g} {unit}"
    return "0" if number == 0 else f"{number / 1e-9:.3g} ns"


def percent(number):
    return f"{100 * number:.0f} %"


def count(number):
    for unit, factor in (("M", 1e6), ("k", 1e3)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number:.3g}"


def plain(number):
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def place_columns(point):
    """What tells a point from others, for data."""
    return {"workload": point.workload.label, **point.axes}


def spread_columns(spread, name="value"):
    return {name: spread["median"], f"{name}_min": spread["min"], f"{name}_max": spread["max"],
            "rounds": len(spread["values"])}


def local_lines(cells, figure, value, show, y_words, names=None, baseline=None):
    """(panels, rows): of each workload, `value(point, name)`, a spread or None, by share of local
    memory."""
    names = names or summary.configurations(cells.experiment)
    looks, panels, rows = styles(cells), [], []
    for title, group in summary.panels(cells).items():
        series = []
        for name in names:
            found = {place: value(point, name) for place, point in group}
            for place, point in group:
                if found[place]:
                    rows.append({"figure": figure, **place_columns(point), "configuration": name,
                                 **spread_columns(found[place])})
            failed = tuple(place for place, point in group if failed_at(cells, point, name))
            found = {place: spread for place, spread in found.items() if spread}
            if found or failed:
                series.append(charts.Series(name, looks[name], found, failed))
        if any(one.values for one in series):
            panels.append(charts.lines(one_line(title), [place for place, _ in group], series, show,
                                       "share of the footprint that is local"
                                       if cells.experiment.plot_by == "local"
                                       else cells.experiment.plot_by, y_words, baseline))
    return panels, rows


def far_groups(cells):
    """[(share, [(title, point)])] of points of which a part is far, the two smallest shares that
    the paper has too, or else the smallest."""
    groups = {}
    for title, group in summary.panels(cells).items():
        for _, point in group:
            groups.setdefault(str(point.axes["local"]), []).append((one_line(title), point))
    shares = [share for share in ("25%", "13%") if share in groups]
    if not shares:
        shares = [share for share in groups if share != sizes.ALL][-1:] or list(groups)[-1:]
    return [(share, groups[share]) for share in shares]


def common(cells, group):
    """The points of a group that all configurations have which have any: a mean over others would
    compare different programs."""
    names = [name for name in summary.configurations(cells.experiment)
             if any(cells.results(point, name) for _, point in group)]
    return [(title, point) for title, point in group
            if all(cells.results(point, name) for name in names)]


def uses_orders(cells):
    """Whether the paper's figures have anything to stand beside."""
    names = summary.configurations(cells.experiment)
    return any("memliner" in name or "lineup" in name for name in names)
