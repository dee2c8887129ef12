"""Report: report.md, summary.json and the plots, from the results of one commit."""

import json

from harness import (chapter, figure_causes, figure_times, images, peer_tables, plots, summary,
                     tables, targets)

# What the paper shows too: its Table 2, mean slowdowns, Figures 6 and 7, and prefetching.
_BESIDE_PAPER = (figure_times.speedup, figure_times.mean_slowdown, figure_times.programs,
                 figure_causes.early_reads)

MARKING_SHARE = 0.25  # "the collector runs at least a quarter of the time"


def _footer(origin, experiment):
    return (f"fabric {summary.fabric_words(origin)}; bars: median of {experiment.rounds} "
            f"round{'s' if experiment.rounds > 1 else ''}, range\n"
            f"commit {origin['commit']}; {origin.get('cpu', 'CPU unknown')}, "
            f"{origin.get('cores', '?')} cores; {origin.get('kernel', 'kernel unknown')}")


def _state(cells):
    parts = []
    if cells.missing:
        parts.append(f"{cells.missing} runs are still to be made")
    if cells.failed:
        parts.append(f"{len(cells.failed)} runs failed")
    return "; ".join(parts)


def write(cells, results, folder, marking_share=MARKING_SHARE, with_plots=True):
    """Writes all files and returns the text of report.md."""
    experiment = cells.experiment
    rows = summary.rows(cells)
    means = summary.means(cells, 0)
    marking = summary.means(cells, marking_share)
    verdicts = [targets.evaluate(cells, target) for target in experiment.targets]
    origin = summary.provenance(cells)
    footer = _footer(origin, experiment)

    parts = [f"# {experiment.title}\n", footer.replace("\n", "  \n") + "  ",
             f"reference: {experiment.reference}; heap {', '.join(experiment.axes['heap'])}; "
             "ratios are medians of ratios taken round by round\n"]
    parts += [f"**Skipped: {name}**: {why}\n"
              for name, why in results.skipped(experiment.name, cells.commit).items()]
    if _state(cells):
        parts.append(f"**Not complete: {_state(cells)}.**\n")
    parts += [peer_tables.markdown(cells), tables.targets(verdicts),
              tables.means("Geometric means over workloads", means, experiment.axes),
              tables.means("Geometric means over workloads in which the reference marks at least "
                           f"{100 * marking_share:g} % of the time", marking, experiment.axes),
              tables.results(rows, experiment.axes), tables.failures(cells.failed)]
    text = "\n".join(part for part in parts if part)

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(text, encoding="utf-8")
    (folder / "summary.json").write_text(json.dumps({
        "experiment": experiment.name, "title": experiment.title, "provenance": origin,
        "rounds": experiment.rounds, "reference": experiment.reference, "axes": experiment.axes,
        "missing_runs": cells.missing, "failed_runs": len(cells.failed), "targets": verdicts,
        "cells": rows, "geometric_means": means,
        "geometric_means_marking": {"share": marking_share, "rows": marking},
        "calibrations": summary.calibrations(results, cells.commit)}, indent=1) + "\n",
        encoding="utf-8")
    if with_plots:
        _draw(cells, folder, origin, footer)
    return text


def _draw(cells, folder, origin, footer):
    title = cells.experiment.title + (" (emulated)" if origin["all_emulated"] else "")
    plots.draw_times(cells, folder / "time.png", title, footer)
    plots.draw_fetches(cells, folder / "fetches.png", title, footer)
    for make in _BESIDE_PAPER:
        figure = make(cells)
        if figure:
            images.write(figure, chapter.footer(cells), folder / figure.name)
