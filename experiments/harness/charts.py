"""Charts: panels of a figure, as SVG. A panel is as wide as a phone's screen; a figure is as many
as it takes, side by side where there is room.

Every mark has the class `mark`, and its numbers as its title.
"""

import dataclasses

from harness import marks, svg

WIDTH = 360
_TOP = 30       # the title
_BOTTOM = 36    # ticks and what they mean
_ROW = 19
_FAILED = "#9b2d00"
# For words that lie on lines.
_HALO = {"stroke": "#ffffff", "stroke_width": 3, "paint_order": "stroke"}


@dataclasses.dataclass(frozen=True)
class Panel:
    title: str
    height: int
    body: str  # with @ID@ where a name must be that of no other drawing
    width: int = WIDTH

    def markup(self, identity):
        """What stands inside an <svg>."""
        return self.body.replace("@ID@", identity)

    def drawing(self, identity):
        return svg.tag("svg", self.markup(identity), xmlns="http://www.w3.org/2000/svg",
                       viewBox=f"0 0 {self.width} {self.height}", role="img",
                       aria_label=self.title, font_family=svg.FONT)


@dataclasses.dataclass(frozen=True)
class Series:
    name: str
    style: marks.Style
    values: dict        # place along x: a spread
    failed: tuple = ()  # places at which runs failed


def _title(words):
    return svg.text(words, 4, 15, 12.5, font_weight="600")


def _spread_text(spread, show):
    words = show(spread["median"])
    if spread["max"] > spread["min"]:
        words += f" ({show(spread['min'])} to {show(spread['max'])})"
    return words


def _apart(wanted, least, low, high):
    """Positions as near to the wanted ones as can be, `least` apart, in the same order."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    found = list(wanted)
    for before, after in zip(order, order[1:]):
        found[after] = max(found[after], found[before] + least)
    if order and found[order[-1]] > high:
        found[order[-1]] = high
        for after, before in zip(order[::-1], order[-2::-1]):
            found[before] = min(found[before], found[after] - least)
    if order and found[order[0]] < low:
        shift = low - found[order[0]]
        found = [position + shift for position in found]
    return found


def lines(title, places, series, show, x_words, y_words, baseline=None, references=()):
    """A line a series over named places: medians, with bars from least to most, and the names at
    the right end. References are horizontal: (words, value)."""
    height = 250
    gutter = min(118, max(svg.text_width(s.name, 10.5) for s in series) + 16)
    left, right, top, bottom = 44, WIDTH - gutter, _TOP + 12, height - _BOTTOM
    values = [v for s in series for spread in s.values.values()
              for v in (spread["min"], spread["max"])]
    values += [value for _, value in references] + ([baseline] if baseline is not None else [])
    positive = [v for v in values if v > 0]
    log = bool(positive) and len(positive) == len(values) and max(values) / min(values) > 15
    y = svg.Scale(min(positive) * 0.85 if log else 0, max(values) * 1.04 if values else 1, bottom,
                  top, log)
    step = (right - left) / max(len(places), 1)
    parts = [_title(title)]
    for tick in y.ticks():
        parts.append(svg.line(left, y.at(tick), right, y.at(tick), svg.GRID))
        parts.append(svg.text(show(tick), left - 5, y.at(tick) + 3.5, 10, svg.FAINT, "end"))
    if baseline is not None:
        parts.append(svg.line(left, y.at(baseline), right, y.at(baseline), svg.FAINT, 1.2))
    for words, value in references:
        parts.append(svg.line(left, y.at(value), right, y.at(value), svg.INK, 1,
                              stroke_dasharray="1 3"))
        parts.append(svg.text(words, left + 3, y.at(value) - 3, 9.5, svg.FAINT, **_HALO))
    for place, name in enumerate(places):
        parts.append(svg.text(name, left + step * (place + 0.5), bottom + 14, 10.5,
                              anchor="middle"))
    parts.append(svg.text(x_words, (left + right) / 2, bottom + 29, 10, svg.FAINT, "middle"))
    parts.append(svg.text(y_words + (" (log scale)" if log else ""), 4, _TOP - 2, 10, svg.FAINT))

    ends, drawn, below = [], [], {}
    for number, one in enumerate(series):
        # Side by side, so that bars of spread can be told apart.
        aside = (number - (len(series) - 1) / 2) * min(5.0, step * 0.7 / len(series))
        points = []
        for place, name in enumerate(places):
            x = left + step * (place + 0.5) + aside
            if name in one.values:
                points.append((x, y.at(one.values[name]["median"]), name))
            elif name in one.failed:
                below[name] = below.get(name, 0) + 1
                drawn.append(svg.text(f"× {one.name}", x, bottom + 6 - 11 * below[name], 9.5,
                                      _FAILED, "middle", class_="mark failed", **_HALO))
        if not points:
            continue
        path = "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py, _ in points)
        drawn.append(svg.tag("path", d=path, fill="none", stroke=one.style.colour,
                             stroke_width=one.style.width, stroke_dasharray=one.style.dash))
        for x, at, name in points:
            spread = one.values[name]
            if spread["max"] > spread["min"]:
                drawn.append(svg.line(x, y.at(spread["min"]), x, y.at(spread["max"]),
                                      one.style.colour, 1.2))
            drawn.append(marks.point(one.style, x, at,
                                     f"{one.name}, {name}: {_spread_text(spread, show)}"))
        ends.append((one, points[-1]))
    places_of = _apart([end[1] for _, end in ends], 13, top + 4, bottom)
    for (one, (x, at, _)), label in zip(ends, places_of):
        parts.append(svg.tag("path", d=f"M{x:.1f} {at:.1f}L{right + 1:.1f} {label:.1f}h5",
                             fill="none", stroke=one.style.colour, stroke_width=0.7))
        parts.append(svg.text(one.name, right + 9, label + 3.5, 10.5))
    return Panel(title, height, "".join(parts + drawn))


def _row_frame(title, labels, scale, height, show, x_words, left, right):
    bottom = height - _BOTTOM
    parts = [_title(title)]
    for tick in scale.ticks():
        parts.append(svg.line(scale.at(tick), _TOP - 4, scale.at(tick), bottom, svg.GRID))
        parts.append(svg.text(show(tick), scale.at(tick), bottom + 13, 10, svg.FAINT, "middle"))
    for place, (label, is_head) in enumerate(labels):
        at = _TOP + _ROW * place + _ROW / 2 + 3.5
        if is_head:
            parts.append(svg.text(label, 4, at, 10.5, font_weight="600"))
        else:
            parts.append(svg.text(label, left - 6, at, 10.5, anchor="end"))
    parts.append(svg.text(x_words, (left + right) / 2, bottom + 29, 10, svg.FAINT, "middle"))
    return parts


@dataclasses.dataclass(frozen=True)
class Bar:
    label: str
    segments: tuple       # (name, value, marks.Fill)
    words: str            # at its end
    under: float | None = None  # the end of a thin line below it
    failed: str = ""      # why there is none


def bars(title, rows, show, x_words, under_words=""):
    """Horizontal bars, of segments one after another."""
    height = _TOP + _ROW * len(rows) + _BOTTOM
    left = left_of([row.label for row in rows])
    right = WIDTH - max([svg.text_width(row.words, 10.5) for row in rows if not row.failed],
                        default=30) - 10
    highest = max([max(sum(v for _, v, _ in row.segments), row.under or 0)
                   for row in rows], default=1)
    scale = svg.Scale(0, highest or 1, left, right)
    parts = _row_frame(title, [(row.label, False) for row in rows], scale, height, show, x_words,
                       left, right)
    definitions = {}
    for place, row in enumerate(rows):
        top, x = _TOP + _ROW * place, left
        if row.failed:
            parts.append(svg.text("× " + row.failed, left + 4, top + 13, 10.5, _FAILED,
                                  class_="mark failed"))
            continue
        for name, value, fill in row.segments:
            wide = scale.at(value) - left
            if wide < 0.05:
                continue
            definition, paint = marks.pattern(fill)
            definitions[definition] = None
            parts.append(svg.tag("rect", svg.tip(f"{row.label}, {name}: {show(value)}"),
                                 x=float(x), y=float(top + 3), width=float(wide), height=11,
                                 fill=paint, class_="mark"))
            x += wide
        if row.under:
            parts.append(svg.tag("rect", svg.tip(f"{row.label}, {under_words}: {show(row.under)}"),
                                 x=float(left), y=top + 15.2, width=scale.at(row.under) - left,
                                 height=1.8, fill=svg.INK))
        parts.append(svg.text(row.words, x + 4, top + 12.5, 10.5))
    return Panel(title, height, svg.tag("defs", *definitions) + "".join(parts))


@dataclasses.dataclass(frozen=True)
class Ratio:
    label: str
    value: float
    fill: marks.Fill
    parts: tuple = ()  # ratios that `value` is the mean of


def ratios(title, rows, x_words, low, high):
    """Bars from 1 to the left or right, on a logarithmic scale: half as fast is as far from 1 as
    twice as fast. The mean of each stands at the right."""
    height, right = _TOP + _ROW * len(rows) + _BOTTOM, WIDTH - 50
    left = left_of([row.label for row in rows])
    scale = svg.Scale(low, high, left, right, log=True)
    parts = _row_frame(title, [(row.label, False) for row in rows], scale, height,
                       lambda value: f"{value:g}x", x_words + " (log scale)", left, right)
    definitions, one = {}, scale.at(1)
    for place, row in enumerate(rows):
        top, end = _TOP + _ROW * place, scale.at(row.value)
        definition, paint = marks.pattern(row.fill)
        definitions[definition] = None
        parts.append(svg.tag("rect", svg.tip(f"{row.label}: {row.value:.2f}x"), x=min(one, end),
                             y=float(top + 3), width=max(abs(end - one), 0.8), height=11,
                             fill=paint, class_="mark"))
        for value in row.parts:
            parts.append(svg.line(scale.at(value), top + 1.5, scale.at(value), top + 15.5,
                                  svg.INK, 1))
        parts.append(svg.text(f"{row.value:.2f}x", WIDTH - 4, top + 12.5, 10.5, anchor="end"))
    parts.append(svg.line(one, _TOP - 4, one, height - _BOTTOM, svg.INK, 1.2))
    return Panel(title, height, svg.tag("defs", *definitions) + "".join(parts))


@dataclasses.dataclass(frozen=True)
class Dots:
    label: str
    points: tuple  # (name, value, marks.Style)


def left_of(labels):
    """Where a panel's scale must begin so that labels fit beside it."""
    return min(150, max([svg.text_width(label, 10.5) for label in labels], default=40) + 12)


def dots(title, rows, show, x_words, low, high, left, baseline=None, log=False):
    """Points on a line a row: how far apart what is compared lies. `low`, `high` and `left` are the
    same for all panels of a figure, so that they can be compared."""
    height, right = _TOP + _ROW * len(rows) + _BOTTOM, WIDTH - 20
    scale = svg.Scale(low, high, left, right, log)
    parts = _row_frame(title, [(row.label, False) for row in rows], scale, height, show,
                       x_words + (" (log scale)" if log else ""), left, right)
    if baseline is not None:
        parts.append(svg.line(scale.at(baseline), _TOP - 4, scale.at(baseline), height - _BOTTOM,
                              svg.FAINT, 1.2))
    for place, row in enumerate(rows):
        y = _TOP + _ROW * place + _ROW / 2
        ends = [scale.at(value) for _, value, _ in row.points]
        parts.append(svg.line(min(ends), y, max(ends), y, "#aaaaaa", 1.2))
        for name, value, style in row.points:
            parts.append(marks.point(style, scale.at(value), y,
                                     f"{row.label}, {name}: {show(value)}", 3.8))
    return Panel(title, height, "".join(parts))


@dataclasses.dataclass(frozen=True)
class Range:
    label: str
    quantiles: tuple = ()  # (name, value), from least to most
    is_head: bool = False
    style: marks.Style | None = None


def ranges(title, rows, show, x_words, low, high):
    """Quantiles on a logarithmic line: the first as a point, others as strokes, the last hollow."""
    height = _TOP + _ROW * len(rows) + _BOTTOM
    left, right = left_of([row.label for row in rows if not row.is_head]), WIDTH - 20
    scale = svg.Scale(low, high, left, right, log=True)
    parts = _row_frame(title, [(row.label, row.is_head) for row in rows], scale, height, show,
                       x_words, left, right)
    for place, row in enumerate(rows):
        if not row.quantiles:
            continue
        y = _TOP + _ROW * place + _ROW / 2
        at = [scale.at(value) for _, value in row.quantiles]
        words = f"{row.label}: " + ", ".join(f"{name} {show(v)}" for name, v in row.quantiles)
        parts.append(svg.line(at[0], y, at[-1], y, row.style.colour, 1.6))
        for x in at[1:-1]:
            parts.append(svg.line(x, y - 5, x, y + 5, row.style.colour, 1.8))
        parts.append(marks.point(dataclasses.replace(marks.PAPER_BEFORE, colour=row.style.colour),
                                 at[-1], y, words, 3.2))
        parts.append(marks.point(row.style, at[0], y, words, 3.8))
    return Panel(title, height, "".join(parts))


def legend(entries, wide_as=WIDTH):
    """What marks mean: (words, a marks.Style, a marks.Fill, or one of the symbols below)."""
    parts, definitions, x, y = [], {}, 6.0, 12.0
    for words, look in entries:
        wide = 24 + svg.text_width(words, 10.5)
        if x > 6 and x + wide > wide_as:
            x, y = 6.0, y + 17
        if isinstance(look, marks.Fill):
            definition, paint = marks.pattern(look)
            definitions[definition] = None
            parts.append(svg.tag("rect", x=x, y=y - 5, width=14, height=10, fill=paint))
        elif isinstance(look, marks.Style):
            parts.append(marks.point(look, x + 7, y, words).replace(' class="mark"', ""))
        elif look == "stroke":
            parts.append(svg.line(x + 7, y - 6, x + 7, y + 6, svg.INK, 1.2))
        elif look == "level":
            parts.append(svg.line(x, y, x + 14, y, svg.INK, 1.8))
        elif look == "dotted":
            parts.append(svg.line(x, y, x + 14, y, svg.INK, 1, stroke_dasharray="1 3"))
        parts.append(svg.text(words, x + (18 if look else 0), y + 3.7, 10.5))
        x += wide
    return Panel("What the marks mean", int(y + 10),
                 svg.tag("defs", *definitions) + "".join(parts), wide_as)


def curves(title, series, show_x, show, x_words, y_words, limits=()):
    """Lines over a common time: series are (name, marks.Style, [(x, y)]); limits (words, value)."""
    height = 220
    gutter = min(118, max(svg.text_width(name, 10.5) for name, _, _ in series) + 16)
    left, right, top, bottom = 44, WIDTH - gutter, _TOP + 12, height - _BOTTOM
    x = svg.Scale(0, max(px for _, _, points in series for px, _ in points), left, right)
    y = svg.Scale(0, max([py for _, _, points in series for _, py in points]
                         + [value for _, value in limits]), bottom, top)
    parts = [_title(title), svg.text(y_words, 4, _TOP - 2, 10, svg.FAINT),
             svg.text(x_words, (left + right) / 2, bottom + 29, 10, svg.FAINT, "middle")]
    for tick in y.ticks():
        parts.append(svg.line(left, y.at(tick), right, y.at(tick), svg.GRID))
        parts.append(svg.text(show(tick), left - 5, y.at(tick) + 3.5, 10, svg.FAINT, "end"))
    for tick in x.ticks():
        parts.append(svg.text(show_x(tick), x.at(tick), bottom + 14, 10, svg.FAINT, "middle"))
    for words, value in limits:
        parts.append(svg.line(left, y.at(value), right, y.at(value), svg.INK, 1,
                              stroke_dasharray="1 3"))
        parts.append(svg.text(words, left + 3, y.at(value) - 3, 9.5, svg.FAINT, **_HALO))
    ends = []
    for name, style, points in series:
        path = "M" + "L".join(f"{x.at(px):.1f} {y.at(py):.1f}" for px, py in points)
        parts.append(svg.tag("path", svg.tip(f"{name}: up to {show(max(p[1] for p in points))}"),
                             d=path, fill="none", stroke=style.colour, stroke_width=style.width,
                             stroke_dasharray=style.dash, class_="mark"))
        end = x.at(points[-1][0]), y.at(points[-1][1])
        parts.append(marks.point(style, *end, f"{name}: the end, after {show_x(points[-1][0])}"))
        ends.append((name, style, end))
    for (name, style, (ex, ey)), label in zip(ends, _apart([e[2][1] for e in ends], 13, top + 4,
                                                           bottom)):
        parts.append(svg.tag("path", d=f"M{ex:.1f} {ey:.1f}L{right + 1:.1f} {label:.1f}h5",
                             fill="none", stroke=style.colour, stroke_width=0.7))
        parts.append(svg.text(name, right + 9, label + 3.5, 10.5))
    return Panel(title, height, "".join(parts))
