"""Recorded: experiments as a file of results has them, whatever became of their description.

Workloads, configurations and axes are those of the lines. experiments/NAME.toml, if there still is
one, adds what lines do not say: title, reference, targets, and how many runs were to be made.
"""

import dataclasses
import json
import pathlib

from harness import plan, sizes, spec
from harness.errors import RunError, UsageError
from harness.results import Results
from harness.summary import Cells

HOME = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Recorded:
    cells: Cells
    results: Results
    path: pathlib.Path
    notes: tuple  # sentences about what is missing or left out

    @property
    def experiment(self):
        return self.cells.experiment


def read(path):
    """A Recorded for each experiment in the file, or in results.jsonl of the folder. RunError: it
    cannot be read, or has no runs."""
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / "results.jsonl"
    results = Results(path, writable=False)
    runs = {}
    for line in results.lines.values():
        if line["key"].get("line") == "run":
            _check(line, path)
            runs.setdefault(line["experiment"], []).append(line)
    if not runs:
        raise RunError(f"{path}: there are no runs in it")
    return [_recorded(name, lines, results, path) for name, lines in runs.items()]


def _check(line, path):
    for key, kind in (("experiment", str), ("workload", str), ("configuration", str),
                      ("axes", dict), ("status", str), ("message", str)):
        if not isinstance(line.get(key), kind):
            raise RunError(f"{path}: a run has no '{key}': not results of experiments/run")
    if "local" not in line["axes"] or not isinstance(line["key"].get("round"), int):
        raise RunError(f"{path}: a run has no local ratio or round: not results of experiments/run")
    if line["status"] == "ok":
        result = line.get("result")
        if not isinstance(result, dict) or not isinstance(result.get("seconds"), dict):
            raise RunError(f"{path}: a run that ended well has no result")
        for section in ("counters", "memory"):
            result.setdefault(section, {})  # other programs than ours count less


def _local_order(value):
    percent = sizes.parse_percent(value)
    return -percent if percent is not None else -(sizes.parse_bytes(value) or 0) - 1e3


def _axes(lines):
    names = dict.fromkeys(name for line in lines for name in line["axes"])
    axes = {name: list(dict.fromkeys(line["axes"].get(name) for line in lines)) for name in names}
    axes["local"] = sorted(axes["local"], key=_local_order)
    return axes


def _written(name):
    """experiments/NAME.toml, or None. A name in a file of results may be anything."""
    path = HOME / f"{name}.toml"
    try:
        return spec.load(path) if path.parent == HOME and path.exists() else None
    except (UsageError, OSError, ValueError):
        return None


def _targets(written, axes, names):
    def fits(target):
        return ({target.of, *target.against} <= set(names)
                and all(set(values) <= set(axes.get(axis, values))
                        for axis, values in target.where.items()))
    return tuple(target for target in written.targets if fits(target)) if written else ()


def _peer(line):
    """What makes the configuration of a run a peer, from its key; empty if it is none."""
    try:
        run = json.loads(line["key"]["run"])
        return {"program": str(run["program"]), "wrapper": tuple(map(str, run["wrapper"]))}
    except (KeyError, TypeError, ValueError):
        return {}


def _configuration(name, lines):
    """With the fabric that it has of its own, if it is not an axis' value; a peer as it was last
    run."""
    lines = [line for line in lines if line["configuration"] == name]
    own = {line.get("fabric") for line in lines
           if line.get("fabric") != line["axes"].get("fabric")}
    own -= {None}
    return spec.Configuration(name, {"fabric": own.pop()} if len(own) == 1 else {},
                              **_peer(lines[-1]))


def _recorded(name, lines, results, path):
    commit = lines[-1]["key"].get("commit")
    mine = [line for line in lines if line["key"].get("commit") == commit]
    notes = []
    if len(mine) < len(lines):
        notes.append(f"{len(lines) - len(mine)} runs of other commits are left out: "
                     f"only {commit} is shown.")
    if results.dropped:
        notes.append("The last line of the file is half written and left out.")
    written, axes = _written(name), _axes(mine)
    names = list(dict.fromkeys(line["configuration"] for line in mine))
    workloads = tuple(spec.Workload(label, label, {})
                      for label in dict.fromkeys(line["workload"] for line in mine))
    reference = names[0]
    if written and written.reference in names:
        reference = written.reference
    rounds = max(line["key"]["round"] for line in mine)
    experiment = spec.Experiment(
        name=name, title=written.title if written else name, rounds=rounds, time_limit_s=0,
        give_up=None,
        reference=reference, plot_by="local", axes=axes,
        configurations=tuple(_configuration(one, mine) for one in names), workloads=workloads,
        targets=_targets(written, axes, names))
    skipped = results.skipped(name, commit)
    notes += [f"Skipped: configuration '{one}': {why}" for one, why in skipped.items()]
    if written:
        written = dataclasses.replace(written, configurations=tuple(
            one for one in written.configurations if one.name not in skipped))
        asked = len(plan.runs(written))
        if len(mine) < asked:
            notes.append(f"Not complete: {len(mine)} of the {asked} runs that "
                         f"experiments/{name}.toml asks for are here.")
    else:
        notes.append(f"experiments/{name}.toml is not there: no targets, and slowdowns are against "
                     f"{reference}.")
    return Recorded(Cells.of_lines(experiment, mine, commit), results, path, tuple(notes))
