"""The command line of scripts/report."""

import argparse
import json
import pathlib
import sys

from harness import chapter, headline, images, page, recorded, summary, targets
from harness.errors import RunError

ROOT = recorded.HOME.parent

_DESCRIPTION = """Makes a page of what experiments measured: one HTML file that needs nothing else.

RESULTS is the folder of an experiment, or its results.jsonl; of several, each becomes a chapter.
Writes DIR/report.html, and beside it each figure as DIR/figures/NAME.svg, .png and .csv, and all
numbers as DIR/summary.json. An experiment may still be running: what is there is shown.
"""


def _parser():
    parser = argparse.ArgumentParser(prog="scripts/report", description=_DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="exit codes: 0 done (runs that failed are shown as "
                                            "failed), 1 results that cannot be read, 2 makes no "
                                            "sense")
    parser.add_argument("results", nargs="+", metavar="RESULTS",
                        help="such as out/experiments/headline")
    parser.add_argument("--out", type=pathlib.Path, metavar="DIR", default=ROOT / "out/report",
                        help="where the page goes (default: out/report)")
    parser.add_argument("--title", help="of the page (default: that of the first experiment)")
    parser.add_argument("--no-png", action="store_true", help="figures as SVG only: quicker")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="DIR",
                        help="also write EXPERIMENT.md, a table and two figures, for documents")
    return parser


def _chapters(paths):
    found = []
    for path in paths:
        for one in recorded.read(path):
            found.append(chapter.make(one, [made.name for made in found]))
    return found


def _intro(chapters):
    first = summary.provenance(chapters[0].cells)
    emulated = (" Where a fabric is called emulated, far memory is a second part of the machine's "
                "memory behind a link with the latency and bandwidth of the fabric named."
                if any(summary.provenance(c.cells)["emulated"] for c in chapters) else "")
    return (f'<p class="origin">{page.escape(chapter.footer(chapters[0].cells))}.</p>'
            f"<p>Each number is the median of interleaved rounds; bars show the least and the most."
            f"{emulated} The answers of all runs were checked against an all-local run's; a run "
            f"with another is listed as failed.</p>" if first else "")


def _numbers(chapters):
    return json.dumps([{
        "experiment": one.cells.experiment.name, "provenance": summary.provenance(one.cells),
        "reference": one.cells.experiment.reference, "axes": one.cells.experiment.axes,
        "notes": one.recorded.notes,
        "headline": dict(zip(("header", "rows"), headline.table(one.cells))),
        "targets": [targets.evaluate(one.cells, t) for t in one.cells.experiment.targets],
        "cells": summary.rows(one.cells), "failed_runs": len(one.cells.failed),
    } for one in chapters], indent=1)


def _write(options):
    chapters = _chapters(options.results)
    options.out.mkdir(parents=True, exist_ok=True)
    sections, converted = [], True
    for one in chapters:
        files = chapter.write_figures(one, options.out, not options.no_png)
        converted = converted and all(len(found) == 2 for found in files.values())
        sections.append(chapter.section(one, files))
    numbers = _numbers(chapters)
    images.write_text(options.out / "summary.json", numbers + "\n")
    sections.append(page.Section("numbers", "All numbers", "<p>Every median, range and ratio, for "
                                 'programs: <a href="summary.json">summary.json</a>, beside this '
                                 "page.</p>"))
    title = options.title or chapters[0].cells.experiment.title
    path = options.out / "report.html"
    images.write_text(path, page.whole(title, _intro(chapters), sections))
    if options.markdown:
        options.markdown.mkdir(parents=True, exist_ok=True)
        for one in chapters:
            converted = (chapter.markdown(one, options.markdown, not options.no_png)
                         and converted)
    if not converted and not options.no_png:
        print(f"report: no PNGs: {images.CONVERTER} is missing or failed (scripts/setup installs "
              "it); figures are there as SVG", file=sys.stderr)
    for one in chapters:
        for note in one.recorded.notes:
            print(f"report: {one.name}: {note}", file=sys.stderr)
        if one.cells.failed:
            print(f"report: {one.name}: {len(one.cells.failed)} runs failed; the page lists them",
                  file=sys.stderr)
    print(path)


def main():
    options = _parser().parse_args()
    try:
        _write(options)
    except RunError as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"report: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0
