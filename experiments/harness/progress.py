"""Progress: where the runs stand. A bar on a terminal, else a line a run; on standard error."""

import statistics
import sys


def duration(seconds):
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"


class Progress:
    """`estimates`: {kind: seconds} of runs made earlier."""

    def __init__(self, total, estimates, stream=None):
        self._total = total
        self._done = 0
        self._stream = stream or sys.stderr
        self._bar = self._stream.isatty()
        self._estimates = {kind: [seconds] for kind, seconds in estimates.items()}

    def begin(self, title, ahead):
        """`ahead`: kinds of all runs that are left, this one included."""
        text = f"{self._done + 1} of {self._total}: {title}"
        left = self._left(ahead)
        if left is not None:
            text += f"; about {duration(left)} left"
        self._show(text)

    def end(self, kind, seconds):
        self._done += 1
        if kind is not None:
            self._estimates.setdefault(kind, []).append(seconds)

    def say(self, text):
        """A line that stays."""
        self.clear()
        print(f"experiments: {text}", file=self._stream, flush=True)

    def clear(self):
        if self._bar:
            print("\r\033[K", end="", file=self._stream, flush=True)

    def _left(self, ahead):
        if not self._estimates:
            return None
        known = {kind: statistics.median(values) for kind, values in self._estimates.items()}
        mean = statistics.fmean(known.values())
        return sum(known.get(kind, mean) for kind in ahead)

    def _show(self, text):
        if not self._bar:
            self.say(text)
            return
        width = 20
        filled = width * self._done // max(self._total, 1)
        print(f"\r\033[K[{'#' * filled}{'.' * (width - filled)}] {text}"[:200], end="",
              file=self._stream, flush=True)
