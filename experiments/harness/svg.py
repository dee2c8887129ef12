"""SVG: text of elements, scales and their ticks. Everything that goes in is escaped here."""

import html
import math

FONT = "system-ui, 'DejaVu Sans', Verdana, sans-serif"
INK, FAINT, GRID = "#1b1b1b", "#5c5c5c", "#dcdcdc"


def _show(value):
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def tag(name, *content, **attributes):
    """An element. `content` is markup already; an attribute's `_` stands for `-`."""
    shown = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(_show(value))}"'
                    for key, value in attributes.items() if value is not None)
    return f"<{name}{shown}>{''.join(content)}</{name}>" if content else f"<{name}{shown}/>"


def text(words, x, y, size=11, fill=INK, anchor="start", **more):
    return tag("text", html.escape(str(words)), x=float(x), y=float(y), font_size=size, fill=fill,
               text_anchor=None if anchor == "start" else anchor, **more)


def tip(words):
    """What a pointing device shows, and a screen reader says."""
    return tag("title", html.escape(words))


def line(x1, y1, x2, y2, colour=INK, width=1.0, **more):
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), stroke=colour,
               stroke_width=width, **more)


def text_width(words, size=11):
    """About: the fonts differ. Rather too wide than too narrow."""
    return 0.6 * size * len(str(words))


class Scale:
    """Values to pixels, linear from zero or logarithmic."""

    def __init__(self, low, high, start, end, log=False):
        self.log = log
        self._start, self._end = start, end
        if log:
            self.low, self.high = low, max(high, low * 1.01)
        else:
            step = _step(high if high > 0 else 1.0)
            self.low, self.high = 0.0, max(math.ceil(high / step - 1e-9), 1) * step

    def at(self, value):
        if self.log:
            value = min(max(value, self.low), self.high)
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = value / self.high
        return self._start + part * (self._end - self._start)

    def ticks(self):
        return self._log_ticks() if self.log else self._linear_ticks()

    def _linear_ticks(self):
        step = _step(self.high)
        return [round(i * step, 10) for i in range(int(self.high / step + 1e-9) + 1)]

    def _log_ticks(self):
        first = math.floor(math.log10(self.low) + 1e-9)
        last = math.ceil(math.log10(self.high) - 1e-9)
        parts = (1, 2, 5) if self.high / self.low <= 400 else (1,)
        found = [part * 10.0 ** power for power in range(first, last + 1) for part in parts]
        found = [v for v in found if self.low * 0.999 <= v <= self.high * 1.001]
        if len(found) <= 7:
            return found
        return found[::2] if parts == (1,) else [v for v in found if _leading(v) != 2]


def _leading(value):
    return round(value / 10.0 ** math.floor(math.log10(value) + 1e-9))


def _step(high):
    """1, 2 or 5 times a power of ten, for two to five of them."""
    power = 10.0 ** math.floor(math.log10(high / 4))
    return next(part * power for part in (1, 2, 5, 10) if high / (part * power) <= 5.0001)
