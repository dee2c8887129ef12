"""Chapter: what the page and the files beside it say about one experiment."""

import dataclasses

from harness import (figure_causes, figure_demand, figure_memory, figure_times, figure_waits,
                     headline, images, page, peer_tables, summary, tables, targets)
from harness.figures import one_line


@dataclasses.dataclass(frozen=True)
class Chapter:
    recorded: object   # recorded.Recorded
    name: str          # of its files and anchors
    figures: tuple     # figures.Figure

    @property
    def cells(self):
        return self.recorded.cells


def figures(recorded):
    """All that have something to show."""
    cells = recorded.cells
    drawn = [figure_times.speedup(cells), figure_times.mean_slowdown(cells),
             figure_times.programs(cells), figure_times.slowdown(cells),
             figure_times.seconds(cells), figure_causes.where_time_went(cells),
             figure_causes.fetches(cells), figure_causes.early_reads(cells),
             figure_waits.waits(cells), figure_memory.peak(cells), figure_memory.over_time(cells),
             figure_demand.demand(recorded)]
    return tuple(figure for figure in drawn if figure)


def make(recorded, taken):
    """`taken`: names of chapters before it; two files may hold experiments of one name."""
    base = page.slug(recorded.experiment.name)
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return Chapter(recorded, name, figures(recorded))


def footer(cells):
    """One line for files that are looked at alone."""
    origin = summary.provenance(cells)
    fabric = summary.fabric_words(origin)
    rounds = cells.experiment.rounds
    return (f"{cells.experiment.title}; fabric {fabric}; medians of up to {rounds} "
            f"round{'s' if rounds > 1 else ''}; commit {origin['commit']}; "
            f"{origin.get('cpu', 'CPU unknown')}, {origin.get('cores', '?')} cores; "
            f"{origin.get('kernel', 'kernel unknown')}; {str(origin.get('date', ''))[:10]}")


def write_figures(chapter, folder, with_png):
    """{figure's name: ((words, path relative to the page), ...)}. Without a converter, no PNGs."""
    found = {}
    for figure in chapter.figures:
        stem = folder / "figures" / f"{chapter.name}-{figure.name}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        drawn = images.write(figure, footer(chapter.cells), stem, with_png=with_png)
        made = ["svg", "png"] if drawn else ["svg"]
        images.write_text(stem.with_name(stem.name + ".csv"), figure.csv())
        found[figure.name] = tuple((ending.upper(), f"figures/{stem.name}.{ending}")
                                   for ending in made)
    return found


def _origin(recorded):
    cells, first = recorded.cells, summary.provenance(recorded.cells)
    experiment = recorded.experiment
    rows = [("experiment", experiment.name), ("file", recorded.path.name),
            ("fabric", summary.fabric_words(first)),
            ("commit", first["commit"]), ("built", f"{first.get('build_type', '?')}, "
                                                   f"{first.get('compiler', 'compiler unknown')}"),
            ("machine", f"{first.get('cpu', 'CPU unknown')}, {first.get('cores', '?')} cores, "
                        f"{first.get('kernel', 'kernel unknown')}"),
            ("rounds", f"up to {experiment.rounds}, interleaved"),
            ("reference", experiment.reference)]
    dates = [line["started"] for line in recorded.results.lines.values()
             if line.get("experiment") == experiment.name and line.get("started")]
    if dates:
        rows.append(("measured", f"{min(dates)[:16]} to {max(dates)[:16]} UTC"))
    loads = [line["load_before"] for line in recorded.results.lines.values()
             if line.get("experiment") == experiment.name
             and isinstance(line.get("load_before"), (int, float))]
    if loads:
        rows.append(("load before runs", f"{min(loads):.1f} to {max(loads):.1f}"))
    rows += [(f"axis {name}", ", ".join(map(str, values)))
             for name, values in experiment.axes.items()]
    options = dict(sorted((cells.any_result() or {}).get("options", {}).items()))
    if options:
        rows.append(("options of one run", ", ".join(f"{k}={v}" for k, v in options.items()
                                                     if v != "")))
    return rows


def _verdict_class(cell):
    return {"PASS": "pass", "MISSED": "missed"}.get(cell)


def _targets(cells):
    rows = [targets.evaluate(cells, target) for target in cells.experiment.targets]
    if not rows:
        return ""
    return "<h3>Targets</h3><p>What this project set out to reach, and whether it did.</p>" + \
        page.table(["target", "verdict", "measured", "wanted", "notes"],
                   [[row["name"], row["verdict"],
                     "-" if row["value"] is None else f"{row['value']:.3g}", row["limit"],
                     row["detail"]] for row in rows], 1, (0, 4), _verdict_class)


def _peers(cells):
    header, rows = peer_tables.set_ups(cells)
    if not rows:
        return ""
    sentence, places, won = peer_tables.wins(cells)
    shown = len(tables.varying(cells.experiment.axes))
    return (f"<h3>The peers' set-ups</h3><p>{page.escape(peer_tables.WORDS)}</p>"
            + page.table(header, rows, len(header), (len(header) - 1,))
            + f"<h3>Where a peer wins</h3><p>{page.escape(sentence)}</p>"
            + (page.table(places, won, 1 + shown, range(1 + shown, len(places))) if won else ""))


def _headline(cells):
    header, rows = headline.table(cells)
    if not rows:
        return ""
    return ("<h3>The claims, and what was measured</h3>"
            "<p>Speed-ups are geometric means over programs of ratios to "
            f"{page.escape(cells.experiment.reference)} taken round by round; pages are totals over "
            "programs. The paper's are means over its own programs, against the unmodified "
            "collector.</p>" + page.table(header, rows, 2))


def _failures(cells):
    if not cells.failed:
        return ""
    rows = [[line["workload"], " ".join(str(v) for v in line["axes"].values()),
             line["configuration"], str(line["key"]["round"]), line["status"], line["message"]]
            for line in cells.failed]
    return ("<h3>Runs that failed</h3><p>They are no data points; figures show a × where all "
            "rounds of a configuration failed.</p>"
            + page.table(["program", "where", "configuration", "round", "status", "message"], rows,
                         3, (5,)))


def _all_numbers(cells):
    axes = cells.experiment.axes
    shown = tables.varying(axes)
    rows = summary.rows(cells)
    times, counts = tables.result_cells(rows, shown)
    return ("<h3>All times</h3>" + page.table(
        ["program", *shown, "configuration", "rounds", "time", "against all local",
         "against reference"], times, 2 + len(shown))
        + "<h3>The counts behind them</h3>" + page.table(
            ["program", *shown, "configuration", *tables.count_titles(rows)], counts,
            2 + len(shown)))


def section(chapter, files):
    cells, experiment = chapter.cells, chapter.recorded.experiment
    notes = list(chapter.recorded.notes)
    if cells.failed:
        notes.append(f"{len(cells.failed)} runs failed; they are listed below.")
    if any(line["status"] == "wrong checksum" for line in cells.failed):
        notes.append("Some had a WRONG CHECKSUM.")
    if not cells.any_result():
        notes.append("No run ended well: there is nothing to draw.")
    parts = [f'<p class="warning">{page.escape(note)}</p>' for note in notes]
    parts += [_peers(cells), _headline(cells), _targets(cells)]
    names = []
    for figure in chapter.figures:
        identity = f"{chapter.name}-{figure.name}"
        names.append((identity, figure.title))
        parts.append(page.figure(figure, identity, files.get(figure.name, ())))
    if cells.any_result():
        parts.append(_all_numbers(cells))
    parts += [_failures(cells), "<h3>Provenance</h3>", page.origin(_origin(chapter.recorded))]
    return page.Section(chapter.name, experiment.title, "".join(parts), tuple(names))


def markdown(chapter, folder, with_png):
    """Writes CHAPTER.md, a table and two figures that it shows. False: no PNGs, SVGs instead."""
    cells, all_made, shown = chapter.cells, True, []
    for figure in chapter.figures:
        if figure.name in ("means", "speedup"):
            stem = folder / f"{chapter.name}-{figure.name}"
            made = images.write(figure, footer(cells), stem, with_png=with_png)
            all_made = all_made and made
            shown.append(f"![{figure.title}]({stem.name}.{'png' if made else 'svg'})\n\n"
                         f"{figure.says}\n")
    header, rows = headline.table(cells)
    parts = [f"## {experiment_title(cells)}\n", f"{footer(cells)}.\n",
             *(f"**{note}**\n" for note in chapter.recorded.notes)]
    if rows:
        parts.append(tables.markdown(header, rows) + "\n")
    verdicts = [targets.evaluate(cells, target) for target in cells.experiment.targets]
    parts += [peer_tables.markdown(cells), tables.targets(verdicts), *shown,
              tables.failures(cells.failed)]
    images.write_text(folder / f"{chapter.name}.md", "\n".join(part for part in parts if part))
    return all_made


def experiment_title(cells):
    return one_line(cells.experiment.title)
