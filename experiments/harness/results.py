"""Results: a file of JSON objects, a line each, only ever appended to.

A line is a `run`, a `calibration` or a configuration that was `skipped`, with a key: what was run,
in which round, built from what. The
newest line of a key counts. An interrupt can leave half a line at the end; it is dropped when the
file is opened to write. One writer at a time: a lock says so.
"""

import fcntl
import json
import os

from harness.errors import RunError
from harness.plan import canonical


class Results:
    def __init__(self, path, writable):
        self.path = path
        self.lines = {}
        self.dropped = False  # a half-written last line
        self._file = None
        try:
            if writable:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = open(path, "a+b")
                self._lock()
                self._file.seek(0)
                self._read(self._file.read())
            else:
                self._read(path.read_bytes())
        except FileNotFoundError:
            raise RunError(f"{path}: there are no results yet") from None
        except OSError as error:
            raise RunError(f"{path}: {error.strerror}") from None

    def _lock(self):
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(f"{self.path}: another run of experiments writes to it") from None

    def _read(self, data):
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            self.dropped = True
            if self._file:
                self._file.truncate(whole)
        for number, text in enumerate(data[:whole].splitlines(), 1):
            try:
                line = json.loads(text)
                line["key"]["line"]  # pylint: disable=pointless-statement
                self.lines[self._index(line["key"])] = line
            except (ValueError, KeyError, TypeError):
                raise RunError(f"{self.path}:{number}: not a line of results") from None

    @staticmethod
    def _index(key):
        return canonical(key)

    def find(self, key):
        return self.lines.get(self._index(key))

    def append(self, line):
        self._file.write((json.dumps(line, sort_keys=True) + "\n").encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        index = self._index(line["key"])
        self.lines.pop(index, None)  # keep the order of the file
        self.lines[index] = line

    def skipped(self, experiment, commit):
        """{configuration: why it was not run}."""
        found = {}
        for line in self.lines.values():
            key = line["key"]
            if (key["line"], key.get("experiment"), key.get("commit")) == ("skipped", experiment,
                                                                           commit):
                found[key["configuration"]] = line["message"]
        return {name: why for name, why in found.items() if why}

    def note_skipped(self, experiment, commit, configurations):
        """{configuration: why, or empty}: what is known is not written again."""
        known = self.skipped(experiment, commit)
        for name, why in configurations.items():
            if known.get(name, "") != why:
                self.append({"key": {"line": "skipped", "experiment": experiment,
                                     "configuration": name, "commit": commit}, "message": why})

    def last_commit(self):
        commits = [line["key"].get("commit") for line in self.lines.values()]
        return commits[-1] if commits else None

    def close(self):
        if self._file:
            self._file.close()


def run_key(run, commit):
    return {"line": "run", "run": run.kind(), "round": run.round, "commit": commit}
