"""The command line of experiments/run."""

import argparse
import dataclasses
import pathlib
import signal
import sys

from harness import metrics, plan, report, spec
from harness.campaign import Campaign, missing_fabrics, unknown_names
from harness.command import Tandem
from harness.errors import RunError, UsageError
from harness.progress import Progress
from harness.results import Results
from harness.summary import Cells

HOME = pathlib.Path(__file__).resolve().parent.parent
ROOT = HOME.parent

_DESCRIPTION = """Runs an experiment: what one TOML file asks for, in turn, and reports it.

Results are appended to OUT/results.jsonl; a second start goes on where the first one stopped.
Then it writes OUT/report.md, OUT/summary.json, OUT/time.png and OUT/fetches.png.
docs/experiments.md says how to write an experiment and how to read its report.
"""


def _parser():
    parser = argparse.ArgumentParser(prog="experiments/run", description=_DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="exit codes: 0 done, 1 a run failed or was wrong, "
                                            "2 makes no sense, 130 interrupted")
    parser.add_argument("experiment", nargs="?", metavar="NAME|FILE.toml",
                        help="experiments/NAME.toml, or a file")
    parser.add_argument("--list", action="store_true", help="name the experiments there are")
    parser.add_argument("--out", type=pathlib.Path, metavar="DIR",
                        help="where results go (default: out/experiments/NAME)")
    parser.add_argument("--tandem", type=pathlib.Path, metavar="PROGRAM",
                        default=ROOT / "build/release/tools/tandem",
                        help="what to run (default: build/release/tools/tandem)")
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of the experiment's")
    parser.add_argument("--only", metavar="WORKLOAD,...", help="only these workloads")
    parser.add_argument("--only-configs", metavar="NAME,...", help="only these configurations")
    parser.add_argument("--axis", action="append", default=[], metavar="NAME=VALUE,...",
                        help="instead of the values of one of the experiment's axes")
    parser.add_argument("--skip-unknown", action="store_true",
                        help="leave out what this command does not know yet")
    parser.add_argument("--retry", action="store_true", help="make runs again that failed")
    parser.add_argument("--marking-share", type=float, metavar="SHARE",
                        default=report.MARKING_SHARE, help="for the second table of means, "
                        f"from 0 to 1 (default: {report.MARKING_SHARE})")
    parser.add_argument("--no-plots", action="store_true",
                        help="tables only; matplotlib is not needed then")
    parser.add_argument("--dry-run", action="store_true", help="show the runs, make none")
    parser.add_argument("--report-only", action="store_true",
                        help="report the newest results there are, run nothing")
    return parser


def _list():
    for path in sorted(HOME.glob("*.toml")):
        print(f"{path.stem:<16} {spec.load(path).title}")


def _find(name):
    path = pathlib.Path(name)
    if path.suffix == ".toml":
        return path
    path = HOME / f"{name}.toml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in HOME.glob("*.toml")))
        raise UsageError(f"no experiment is called '{name}' (there are {known})")
    return path


def _pick(things, wanted, what, name):
    if wanted is None:
        return things
    names = [part for part in wanted.split(",") if part]
    for one in names:
        if one not in [name(thing) for thing in things]:
            raise UsageError(f"the experiment has no {what} '{one}' (it has "
                             f"{', '.join(name(thing) for thing in things)})")
    return tuple(thing for thing in things if name(thing) in names)


def _axes(experiment, given):
    axes = dict(experiment.axes)
    for text in given:
        name, _, values = text.partition("=")
        if name not in axes:
            raise UsageError(f"--axis {text}: the experiment has no axis '{name}' (it has "
                             f"{', '.join(axes)})")
        axes[name] = [int(value) if value.isdigit() else value
                      for value in values.split(",") if value]
    return spec.checked_axes(axes)


def _narrowed(experiment, options):
    """The experiment with what the options leave of it. Targets stay: they name what is gone."""
    if options.rounds is not None and options.rounds < 1:
        raise UsageError("--rounds needs a whole number from 1")
    workloads = _pick(experiment.workloads, options.only, "workload", lambda w: w.label)
    configurations = _pick(experiment.configurations, options.only_configs, "configuration",
                           lambda c: c.name)
    axes = _axes(experiment, options.axis)
    return _with(dataclasses.replace(experiment, axes=axes), workloads, configurations,
                 options.rounds or experiment.rounds)


def _with(experiment, workloads, configurations, rounds):
    if not workloads or not configurations:
        raise UsageError("nothing is left to run")
    names = [configuration.name for configuration in configurations]
    reference = experiment.reference if experiment.reference in names else names[0]
    return dataclasses.replace(experiment, workloads=workloads, configurations=configurations,
                               rounds=rounds, reference=reference)


def _without_unknown(experiment, tandem, skip):
    """Says before anything is run what the command would refuse."""
    configurations, workloads = unknown_names(experiment, tandem.names())
    for what, unknown in (("configuration", configurations), ("workload", workloads)):
        for name, why in unknown.items():
            print(f"experiments: {what} '{name}'{' left out' if skip else ''}: {why}",
                  file=sys.stderr)
    if not configurations and not workloads:
        return experiment
    if not skip:
        raise UsageError("--skip-unknown leaves these out; --only and --only-configs choose")
    return _with(experiment,
                 tuple(w for w in experiment.workloads if w.label not in workloads),
                 tuple(c for c in experiment.configurations if c.name not in configurations),
                 experiment.rounds)


def _without(experiment, skipped):
    """The experiment without the configurations {name: why} that this machine cannot have."""
    for name, why in skipped.items():
        print(f"experiments: configuration '{name}' is skipped: {why}", file=sys.stderr)
    return _with(experiment, experiment.workloads,
                 tuple(c for c in experiment.configurations if c.name not in skipped),
                 experiment.rounds) if skipped else experiment


def _estimates(results):
    """Seconds that runs took, by kind, whatever they were built from."""
    return {line["key"]["run"]: line["wall_s"] for line in results.lines.values()
            if line["key"]["line"] == "run" and line["status"] == "ok"}


def _run(experiment, planned, tandem, results, options):
    campaign = Campaign(experiment, tandem, results, options.retry)
    left = campaign.left(planned)
    progress = Progress(len(left), _estimates(results))
    if results.dropped:
        progress.say("the last line of the results was half written: dropped")
    if len(left) < len(planned):
        progress.say(f"{len(planned) - len(left)} of {len(planned)} runs are there already")
    try:
        campaign.run(planned, progress)
    finally:
        progress.clear()


def _experiment(options):
    if options.experiment is None:
        raise UsageError("which experiment? (see --list)")
    path = _find(options.experiment)
    experiment = _narrowed(spec.load(path), options)
    for target in experiment.targets:
        metrics.check(target.metric)
    if not 0 <= options.marking_share <= 1:
        raise UsageError("--marking-share is from 0 to 1")
    out = options.out or ROOT / "out/experiments" / experiment.name
    if options.dry_run:
        planned = plan.runs(experiment)
        for run in planned:
            print(f"round {run.round}: {run.title()}")
        print(f"{len(planned)} runs, and the all-local runs that measure sizes")
        return 0
    if options.report_only:
        results = Results(out / "results.jsonl", writable=False)
        commit = results.last_commit()
        experiment = _without(experiment, results.skipped(experiment.name, commit))
    else:
        tandem = Tandem(options.tandem)
        experiment = _without_unknown(experiment, tandem, options.skip_unknown)
        skipped = missing_fabrics(experiment, tandem)
        results = Results(out / "results.jsonl", writable=True)
        commit = tandem.commit
        results.note_skipped(experiment.name, commit,
                             {c.name: skipped.get(c.name, "") for c in experiment.configurations})
        experiment = _without(experiment, skipped)
    planned = plan.runs(experiment)
    interrupted = False
    if not options.report_only:
        try:
            _run(experiment, planned, tandem, results, options)
        except KeyboardInterrupt:
            interrupted = True
    cells = Cells(experiment, planned, results, commit)
    if interrupted:
        print(f"experiments: interrupted with {cells.missing} runs left; the same command goes on",
              file=sys.stderr)
        return 130
    print(report.write(cells, results, out, options.marking_share, not options.no_plots))
    results.close()
    print(f"Report, plots and results: {out}")
    return _verdict(cells)


def _verdict(cells):
    if not cells.failed:
        return 0
    wrong = [line for line in cells.failed if line["status"] == "wrong checksum"]
    if wrong:
        print(f"experiments: {len(wrong)} runs had a WRONG CHECKSUM, the first: "
              f"{wrong[0]['message']}", file=sys.stderr)
    print(f"experiments: {len(cells.failed)} runs are no data points; the report names them, "
          "--retry makes them again", file=sys.stderr)
    return 1


def main():
    options = _parser().parse_args()

    def stop(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, stop)  # ends the run in progress, as Ctrl-C does
    try:
        if options.list:
            _list()
            return 0
        return _experiment(options)
    except UsageError as error:
        print(f"experiments: {error}", file=sys.stderr)
        return 2
    except RunError as error:
        print(f"experiments: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"experiments: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("experiments: interrupted", file=sys.stderr)
        return 130
