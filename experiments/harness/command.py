"""Tandem: the command `tandem`, run as a program of its own."""

import dataclasses
import hashlib
import json
import pathlib
import re
import signal
import subprocess
import time

from harness.child import tied
from harness.errors import RunError

_SHORT_S = 60  # what --version and list may take
_END_S = 30    # what it may take to take things down


@dataclasses.dataclass(frozen=True)
class Outcome:
    result: dict | None  # its JSON object; there may be one although it failed
    message: str         # empty: it ended well
    refused: bool        # the options make no sense to it: nothing was run
    wall_s: float


def arguments(workload, options):
    """Command line of a run. True is a flag, false its absence."""
    line = ["run", workload]
    for name, value in options.items():
        if value is True:
            line.append(f"--{name}")
        elif value is not False:
            line += [f"--{name}", str(value)]
    return line + ["--json"]


def run(line, limit_s, environment=None):
    """Runs a command line that ends with printing one JSON object."""
    begin = time.monotonic()
    try:
        child = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, errors="replace",
                                 env=environment, preexec_fn=tied())
    except OSError as error:
        raise RunError(f"cannot run {line[0]}: {error.strerror}") from None
    message = ""
    try:
        output, said = child.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        message = f"stopped after {limit_s:g} s"
    finally:
        if child.poll() is None:  # too slow, or we were interrupted
            _end(child)
    wall_s = time.monotonic() - begin
    if message:
        return Outcome(None, message, False, wall_s)
    try:
        result = json.loads(output)
        result["seconds"]["measured"], result["checksum"], result["counters"]
    except (ValueError, KeyError, TypeError):
        result = None
    return Outcome(result, _complaint(child.returncode, said, result), child.returncode == 2,
                   wall_s)


def _end(child):
    """Politely first: a wrapper has things to take down."""
    child.terminate()
    try:
        child.communicate(timeout=_END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()


def _complaint(code, said, result):
    if code == 0:
        return "" if result else "printed no result that can be read"
    lines = [line for line in said.strip().splitlines() if line] or ["nothing was said"]
    last = re.sub(r"^(tandem|swap): ", "", lines[-1])
    if code < 0:
        return f"ended by {signal.Signals(-code).name}: {last}"
    return f"exit code {code}: {last}"


class Tandem:
    def __init__(self, program):
        self.program = str(program)
        self.commit = self._commit()

    def names(self):
        """{"orders": {...}, "workloads": {...}, ...}: what `tandem list` knows."""
        found, section = {}, None
        for line in self._ask("list").splitlines():
            if line.startswith(" ") and section is not None:
                section.add(line.split()[0])
            elif line.endswith(":"):
                section = found.setdefault(line[:-1], set())
        return found

    def fabrics(self):
        """What `tandem fabrics` says of this machine."""
        return self._ask("fabrics")

    def fit(self, url, environment):
        """The emulated fabric that comes closest to the one at `url`."""
        found = json.loads(self._ask("fit-fabric", url, "--json", environment=environment))
        return {"preset": found["preset"], "parameters": found["parameters"]}

    def run(self, workload, options, limit_s, environment=None):
        return run([self.program, *arguments(workload, options)], limit_s, environment)

    def _ask(self, *line, environment=None):
        try:
            done = subprocess.run([self.program, *line], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=_SHORT_S, check=True,
                                  env=environment)
        except OSError as error:
            raise RunError(f"cannot run {self.program}: {error.strerror}") from None
        except subprocess.SubprocessError as error:
            raise RunError(f"{self.program} {' '.join(line)}: {error}") from None
        return done.stdout

    def _commit(self):
        """What the command was built from. A tree with changes has no name: the program's own
        bytes then are part of it, so that results of two builds are never taken for one."""
        version = self._ask("--version").strip()
        found = re.search(r"\(commit ([^)]+)\)", version)
        commit = found[1] if found else version
        if re.fullmatch(r"[0-9a-f]+", commit):
            return commit
        digest = hashlib.sha256(pathlib.Path(self.program).read_bytes()).hexdigest()
        return f"{commit}-{digest[:12]}"
