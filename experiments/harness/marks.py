"""Marks: how things look that a figure compares. Each differs by shape or hatch, not by colour
alone, so that prints without colour can be read."""

import dataclasses

from harness import svg


@dataclasses.dataclass(frozen=True)
class Style:
    colour: str
    shape: str      # of a point
    dash: str | None = None
    width: float = 1.6
    hollow: bool = False


@dataclasses.dataclass(frozen=True)
class Fill:
    colour: str
    hatch: str | None = None


# Colours that everybody tells apart (Okabe and Ito).
_KNOWN = {
    "lifo": Style("#0072B2", "circle"),
    "fifo": Style("#4AA3D8", "square", "6 2"),
    "memliner": Style("#B87A00", "triangle"),
    "lineup": Style("#D55E00", "diamond", None, 2.6),
    "no-gc": Style("#555555", "cross", "2 3"),
}
_OTHERS = (Style("#0072B2", "circle"), Style("#D55E00", "diamond", None, 2.0),
           Style("#009E73", "down"), Style("#CC79A7", "square", "6 2"),
           Style("#B87A00", "triangle"), Style("#555555", "cross", "2 3"),
           Style("#0072B2", "square", "4 2", 1.6, True),
           Style("#D55E00", "circle", None, 1.6, True),
           Style("#009E73", "triangle", "4 2", 1.6, True),
           Style("#CC79A7", "diamond", None, 1.6, True),
           Style("#B87A00", "plus", "2 3"), Style("#555555", "right"),
           Style("#0072B2", "star", "6 2"), Style("#D55E00", "down", "4 2", 1.6, True),
           Style("#009E73", "left"), Style("#CC79A7", "right", "4 2", 1.6, True),
           Style("#B87A00", "left", None, 1.6, True))
PAPER_BEFORE = Style("#444444", "circle", None, 1.6, True)
PAPER_AFTER = Style("#444444", "triangle")

CAUSES = {
    "mutator": Fill("#0072B2"),
    "collector": Fill("#D55E00", "diagonal"),
    "prefetch": Fill("#009E73", "dots"),
    "hint": Fill("#CC79A7", "cross"),
    "lookahead": Fill("#7A6BB0", "back"),
    "trace": Fill("#E0A526", "level"),
}
PARTS = {
    "computing": Fill("#9FB7C9"),
    "waiting for pages": Fill("#0072B2", "diagonal"),
    "heap full": Fill("#D55E00", "cross"),
    "paused": Fill("#CC79A7", "dots"),
}
PAPER_BAR = Fill("#8C8C8C", "diagonal")


def _look(style):
    """What is left of it without colour, and without a line."""
    return style.shape, style.hollow


def styles(names):
    """{configuration: Style}: what is known always looks alike, the rest takes what is left."""
    found = {name: _KNOWN[name] for name in names if name in _KNOWN}
    taken = {_look(style) for style in found.values()}
    free = [style for style in _OTHERS if _look(style) not in taken]
    for place, name in enumerate(name for name in names if name not in _KNOWN):
        found[name] = free[place % len(free)]
    return found


_CORNERS = {"square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
            "triangle": ((0, -1.25), (1.15, 0.9), (-1.15, 0.9)),
            "down": ((0, 1.25), (1.15, -0.9), (-1.15, -0.9)),
            "left": ((-1.25, 0), (0.9, 1.15), (0.9, -1.15)),
            "right": ((1.25, 0), (-0.9, 1.15), (-0.9, -1.15)),
            "diamond": ((0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0))}
# Where strokes through the middle begin.
_STROKES = {"cross": ((-1, -1), (1, -1)), "plus": ((-1.3, 0), (0, -1.3)),
            "star": ((-1.3, 0), (-0.65, -1.13), (0.65, -1.13))}


def point(style, x, y, words, size=4.2):
    fill = "#ffffff" if style.hollow else style.colour
    common = {"fill": fill, "stroke": style.colour, "stroke_width": 1.4, "class_": "mark"}
    if style.shape == "circle":
        return svg.tag("circle", svg.tip(words), cx=float(x), cy=float(y), r=size, **common)
    if style.shape in _STROKES:
        path = "".join(f"M{x + size * a:.1f} {y + size * b:.1f}L{x - size * a:.1f} "
                       f"{y - size * b:.1f}" for a, b in _STROKES[style.shape])
        return svg.tag("path", svg.tip(words), d=path,
                       **{**common, "fill": "none", "stroke_width": 1.8})
    corners = " ".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in _CORNERS[style.shape])
    return svg.tag("polygon", svg.tip(words), points=corners, **common)


_LINES = {"diagonal": "M-1 7L7 -1M-1 1L1 -1M5 7L7 5", "back": "M-1 -1L7 7M5 -1L7 1M-1 5L1 7",
          "cross": "M-1 7L7 -1M-1 -1L7 7", "level": "M0 3H6"}


def pattern(fill):
    """(definition, what to fill with). `@ID@` becomes the name of the drawing it stands in: names
    are one space in a page that has many drawings."""
    if fill.hatch is None:
        return "", fill.colour
    name = f"@ID@-{fill.hatch}-{fill.colour[1:]}"
    if fill.hatch == "dots":
        lines = svg.tag("circle", cx=3, cy=3, r=1.2, fill="#ffffff")
    else:
        lines = svg.tag("path", d=_LINES[fill.hatch], stroke="#ffffff", stroke_width=1.1,
                        fill="none")
    return svg.tag("pattern", svg.tag("rect", width=6, height=6, fill=fill.colour), lines, id=name,
                   width=6, height=6, patternUnits="userSpaceOnUse"), f"url(#{name})"
