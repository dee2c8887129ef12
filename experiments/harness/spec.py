"""Experiment: what one TOML file asks for, checked. Immutable.

Options are those of `tandem run` by name; the runner understands four of them itself (`local`,
`heap`, `seed`, `fabric`) and hands on all others as they are. So an order or an option that
`tandem` learns tomorrow needs a line in a TOML file, and none here.
"""

import dataclasses
import itertools
import pathlib
import shlex
import tomllib

from harness import server, sizes
from harness.errors import UsageError

_AXIS_DEFAULTS = {"heap": ["2x"], "fabric": ["emulated:rdma40"], "local": ["100%", "25%"],
                  "seed": [1]}
_KEYS = {
    "experiment": {"title", "rounds", "time_limit_s", "give_up", "reference", "plot_by", "axes",
                   "orders", "prefetchers", "configuration", "workload", "target"},
    "configuration": {"name", "options", "program", "wrapper", "workloads", "server", "fitted_to"},
    "workload": {"name", "label", "live", "options"},
    "target": {"name", "metric", "of", "against", "kind", "over", "at_least", "at_most", "where",
               "for_each", "marking_share_at_least"},
}
KINDS = ("ratio", "speedup", "value")
OVERS = ("geomean", "every", "total")


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    label: str
    options: dict
    live: int | None = None  # bytes; None: to be measured


@dataclasses.dataclass(frozen=True)
class Configuration:
    name: str
    options: dict
    program: str | None = None  # a peer instead of `tandem`
    wrapper: tuple = ()         # what limits its memory: a command line
    workloads: tuple | None = None  # names of those that it has; None: all
    server: str | None = None     # how pages travel to a memory server that is started for each run
    fitted_to: str | None = None  # as `server`, of what the emulator is to be like

    def provider(self):
        """What this machine must offer, beyond what the command always has."""
        return self.server or self.fitted_to

    def has(self, workload):
        return self.workloads is None or workload.name in self.workloads


@dataclasses.dataclass(frozen=True)
class Target:
    """`kind` of `metric`: `of` / `against`, `against` / `of` (speedup), or `of` alone (value)."""
    name: str
    metric: str
    of: str
    against: tuple = ()  # of several, at each point the one with the lower median counts
    kind: str = "ratio"
    over: str = "geomean"  # of points; or every point, or the metric's total over points
    at_least: float | None = None
    at_most: float | None = None
    where: dict = dataclasses.field(default_factory=dict)  # axis: values
    marking_share_at_least: float = 0.0


@dataclasses.dataclass(frozen=True)
class Experiment:
    name: str
    title: str
    rounds: int
    time_limit_s: float
    give_up: float | None  # a peer, after so many times what it takes all local
    reference: str  # the configuration whose all-local run slowdowns are taken against
    plot_by: str    # the axis along the plots
    axes: dict
    configurations: tuple
    workloads: tuple
    targets: tuple


def _check_keys(table, kind, where):
    for key in table:
        if key not in _KEYS[kind]:
            raise UsageError(f"{where}: unknown key '{key}'; valid are "
                             + ", ".join(sorted(_KEYS[kind])))


def _need(table, key, where):
    if key not in table:
        raise UsageError(f"{where}: '{key}' is missing")
    return table[key]


def _number(value, where, least):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < least:
        raise UsageError(f"{where}: '{value}' is not a number from {least}")
    return value


def _options(table, where):
    options = table.get("options", {})
    if not isinstance(options, dict):
        raise UsageError(f"{where}: 'options' is not a table")
    for name, value in options.items():
        if not isinstance(value, (str, int, float, bool)):
            raise UsageError(f"{where}: option '{name}' is neither text, number nor true or false")
    for name in ("json", "local", "seed"):
        if name in options:
            raise UsageError(f"{where}: '{name}' is no option of its own"
                             + (": make it an axis" if name != "json" else ""))
    if "heap" in options:
        sizes.check_heap(options["heap"])
    return dict(options)


def checked_axes(table):
    """{name: values}, all of them with a value. UsageError: one makes no sense."""
    axes = {**_AXIS_DEFAULTS, **table}
    for name, values in axes.items():
        if not isinstance(values, list) or not values or len(set(map(str, values))) != len(values):
            raise UsageError(f"axes: '{name}' needs a list of values, each once")
    axes["local"] = [f"{v}%" if isinstance(v, (int, float)) else v for v in axes["local"]]
    for value in axes["local"]:
        sizes.check_local(value)
    for value in axes["heap"]:
        sizes.check_heap(value)
    # Local memory last: shares of one footprint are measured side by side.
    axes["local"] = axes.pop("local")
    return axes


def _peer(table, where):
    """What makes a configuration a peer, checked."""
    program, wrapper = table.get("program"), table.get("wrapper")
    for key, value in (("program", program), ("wrapper", wrapper)):
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise UsageError(f"{where}: '{key}' is not a command")
    if (program is None) != (wrapper is None):
        raise UsageError(f"{where}: 'program' and 'wrapper' need each other")
    workloads = table.get("workloads")
    if workloads is not None and (not isinstance(workloads, list) or not workloads):
        raise UsageError(f"{where}: 'workloads' needs a list of names")
    return {"program": program, "wrapper": tuple(shlex.split(wrapper or "")),
            "workloads": None if workloads is None else tuple(workloads)}


def _fabric(table, options, where):
    """What makes a configuration one over a fabric of this machine, checked; and its label among
    the options, in place of a name that only the run will know."""
    server_of, fitted_to = table.get("server"), table.get("fitted_to")
    if server_of is None and fitted_to is None:
        return {}
    for key, value in (("server", server_of), ("fitted_to", fitted_to)):
        if value is not None and value not in server.PROVIDERS:
            raise UsageError(f"{where}: {key}: '{value}' is not valid; valid are "
                             + ", ".join(server.PROVIDERS))
    if server_of and fitted_to or "program" in table or "fabric" in options:
        raise UsageError(f"{where}: of 'server', 'fitted_to', 'program' and the option 'fabric' "
                         "only one can be")
    options["fabric"] = (server.label(server_of) if server_of else server.fitted_label(fitted_to))
    return {"server": server_of, "fitted_to": fitted_to}


def _configurations(document):
    """The product of `orders` and `prefetchers`, and what is named besides."""
    found = []
    orders, prefetchers = document.get("orders", []), document.get("prefetchers", [])
    for order, prefetcher in itertools.product(orders or [None], prefetchers or [None]):
        options = {key: value for key, value in (("order", order), ("prefetcher", prefetcher))
                   if value is not None}
        if not options:
            break
        label = order if order and len(prefetchers) < 2 else "+".join(options.values())
        found.append(Configuration(label, options))
    for table in document.get("configuration", []):
        _check_keys(table, "configuration", "[[configuration]]")
        name = _need(table, "name", "[[configuration]]")
        where = f"configuration '{name}'"
        options = _options(table, where)
        found.append(Configuration(name, options, **_peer(table, where),
                                   **_fabric(table, options, where)))
    if not found:
        raise UsageError("no configuration: name some by `orders` or [[configuration]]")
    return tuple(found)


def _workloads(document):
    found = []
    for table in document.get("workload", []):
        _check_keys(table, "workload", "[[workload]]")
        name = _need(table, "name", "[[workload]]")
        live = table.get("live")
        if live is not None and sizes.parse_bytes(live) is None:
            raise UsageError(f"workload '{name}': live: '{live}' is not a size")
        found.append(Workload(name, table.get("label", name),
                              _options(table, f"workload '{name}'"),
                              None if live is None else sizes.parse_bytes(live)))
    if not found:
        raise UsageError("no [[workload]]")
    return tuple(found)


def _unique(things, names):
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two {things} are called '{name}'")


def _targets(document, axes, configurations):
    known = [configuration.name for configuration in configurations]
    found = []
    for table in document.get("target", []):
        where = f"target '{_need(table, 'name', '[[target]]')}'"
        _check_keys(table, "target", where)
        against = table.get("against", [])
        against = tuple([against] if isinstance(against, str) else against)
        kind, over = table.get("kind", "ratio"), table.get("over", "geomean")
        if kind not in KINDS or over not in OVERS:
            raise UsageError(f"{where}: kinds are {', '.join(KINDS)}; over is {', '.join(OVERS)}")
        for name in (_need(table, "of", where), *against):
            if name not in known:
                raise UsageError(f"{where}: no configuration is called '{name}'")
        if (kind == "value") != (not against):
            raise UsageError(f"{where}: 'against' belongs to kinds ratio and speedup, and only "
                             "to them")
        if ("at_least" in table) == ("at_most" in table):
            raise UsageError(f"{where}: needs either 'at_least' or 'at_most'")
        chosen = {axis: [f"{v}%" if axis == "local" and isinstance(v, (int, float)) else v
                         for v in (values if isinstance(values, list) else [values])]
                  for axis, values in table.get("where", {}).items()}
        for axis, values in chosen.items():
            if axis != "workload" and not set(values) <= set(axes.get(axis, [])):
                raise UsageError(f"{where}: {axis} = {values} is not all among the axes")
        target = Target(
            name=table["name"], metric=_need(table, "metric", where), of=table["of"],
            against=against, kind=kind, over=over, at_least=table.get("at_least"),
            at_most=table.get("at_most"), where=chosen,
            marking_share_at_least=table.get("marking_share_at_least", 0.0))
        axis = table.get("for_each")
        if axis is None:
            found.append(target)
            continue
        if axis not in axes:
            raise UsageError(f"{where}: for_each: no axis is called '{axis}'")
        for value in chosen.get(axis, axes[axis]):
            found.append(dataclasses.replace(target, name=f"{target.name}, {axis} {value}",
                                             where={**chosen, axis: [value]}))
    return tuple(found)


def parse(document, name):
    """An Experiment of a parsed TOML document."""
    _check_keys(document, "experiment", name)
    axes = checked_axes(document.get("axes", {}))
    configurations = _configurations(document)
    workloads = _workloads(document)
    _unique("configurations", [c.name for c in configurations])
    _unique("workloads", [w.label for w in workloads])
    reference = document.get("reference", configurations[0].name)
    if reference not in [c.name for c in configurations]:
        raise UsageError(f"reference: no configuration is called '{reference}'")
    if next(c for c in configurations if c.name == reference).program:
        raise UsageError(f"reference: '{reference}' is another program: its all-local run says "
                         "nothing of the footprint")
    for configuration in configurations:
        if unknown := set(configuration.workloads or ()) - {w.name for w in workloads}:
            raise UsageError(f"configuration '{configuration.name}': no workload is called "
                             f"'{unknown.pop()}'")
    plot_by = document.get("plot_by", "local")
    if plot_by not in axes:
        raise UsageError(f"plot_by: no axis is called '{plot_by}'")
    for workload in workloads:
        if both := set(workload.options) & set(axes):
            raise UsageError(f"workload '{workload.label}': '{both.pop()}' is an axis as well")
    return Experiment(
        name=name, title=document.get("title", name),
        rounds=int(_number(document.get("rounds", 5), "rounds", 1)),
        time_limit_s=_number(document.get("time_limit_s", 900), "time_limit_s", 0.1),
        give_up=(None if "give_up" not in document
                 else _number(document["give_up"], "give_up", 1)),
        reference=reference, plot_by=plot_by, axes=axes, configurations=configurations,
        workloads=workloads, targets=_targets(document, axes, configurations))


def load(path):
    path = pathlib.Path(path)
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    try:
        return parse(document, path.stem)
    except UsageError as error:
        raise UsageError(f"{path.name}: {error}") from None
