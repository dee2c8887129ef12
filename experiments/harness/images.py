"""Images: a figure as one file: all its panels, title, sentence and origin, as SVG and PNG."""

import os
import subprocess
import textwrap

from harness import charts, svg

_GAP = 14
_MARGIN = 16
CONVERTER = "rsvg-convert"


def whole(figure, footer):
    """SVG of all panels: each row as high as its highest panel."""
    columns = min(figure.columns, len(figure.panels))
    if columns < 2:
        wide = max(charts.WIDTH, 480)
    else:
        wide = columns * charts.WIDTH + (columns - 1) * _GAP
    parts, y = [svg.text(figure.title, _MARGIN, _MARGIN + 16, 17, font_weight="600")], _MARGIN + 36
    for words in textwrap.wrap(figure.says, int(wide / 6.6)):
        parts.append(svg.text(words, _MARGIN, y, 11.5, svg.FAINT))
        y += 16
    if figure.legend:
        look = charts.legend(figure.legend, wide)
        parts.append(svg.tag("g", look.markup(f"{figure.name}-legend"),
                             transform=f"translate({_MARGIN} {y})"))
        y += look.height
    y += 8
    for first in range(0, len(figure.panels), columns):
        row = figure.panels[first:first + columns]
        for place, panel in enumerate(row):
            x = _MARGIN + place * (charts.WIDTH + _GAP)
            parts.append(svg.tag("g", panel.markup(f"{figure.name}-{first + place}"),
                                 transform=f"translate({x} {y})"))
        y += max(panel.height for panel in row) + _GAP
    for words in textwrap.wrap(f"{figure.note} {footer}".strip(), int(wide / 5.9)):
        parts.append(svg.text(words, _MARGIN, y + 8, 10, svg.FAINT))
        y += 14
    wide, y = wide + 2 * _MARGIN, y + _MARGIN
    return svg.tag("svg", svg.tag("rect", width=wide, height=y, fill="#ffffff"), *parts,
                   xmlns="http://www.w3.org/2000/svg", width=wide, height=y,
                   viewBox=f"0 0 {wide} {y}", font_family=svg.FONT)


def write_text(path, text):
    """All of it or nothing: a reader never sees half a file."""
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, path)


def convert(path):
    """PNG beside an SVG. False: there is no converter, or it failed."""
    scratch = path.with_suffix(".part.png")
    try:
        subprocess.run([CONVERTER, "--zoom", "2", "--output", str(scratch), str(path)],
                       stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=120)
    except (OSError, subprocess.SubprocessError):
        return False
    os.replace(scratch, path.with_suffix(".png"))
    return True


def write(figure, footer, stem, with_png=True):
    """STEM.svg and STEM.png. False: no PNG."""
    path = stem.with_name(stem.name + ".svg")
    write_text(path, whole(figure, footer) + "\n")
    return with_png and convert(path)
