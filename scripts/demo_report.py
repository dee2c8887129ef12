#!/usr/bin/python3
"""Runs the demo's word counts and reports them: one table, one plot. See scripts/demo."""

import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time

SHARES = (100, 50, 25, 13)  # percent of the footprint that may be local
RUN_LIMIT_S = 900  # a run that takes longer hangs

# What a run must report: a column of the table, and the counter behind it.
COUNTERS = {
    "mutator_fetches": "fetch.demand.mutator",
    "collector_fetches": "fetch.demand.collector",
    "writebacks": "evict.writeback",
    "cycles": "gc.cycles",
    "pause_ns": "gc.pause_max_ns",
}


class DemoError(Exception):
    """What went wrong, on one line."""


def progress(text):
    print(f"demo: {text}", file=sys.stderr, flush=True)


def command_line(tandem, share, extra):
    return [tandem, "run", "wordcount", "--local", f"{share}%", "--json", *extra]


def run_once(tandem, share, extra):
    """One run's JSON object. Its messages and progress bar go to our standard error."""
    command = command_line(tandem, share, extra)
    shown = " ".join(command)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    except OSError as error:
        raise DemoError(f"cannot run {tandem}: {error.strerror}") from None
    try:
        output, _ = child.communicate(timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise DemoError(f"`{shown}` was stopped after {RUN_LIMIT_S} s") from None
    finally:
        if child.poll() is None:  # too slow, or we were interrupted
            child.kill()
            child.wait()
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise DemoError(f"`{shown}` was ended by {name}; what it said is above")
    if child.returncode != 0:
        raise DemoError(f"`{shown}` ended with exit code {child.returncode}; "
                        "what it said is above")
    try:
        result = json.loads(output)
    except ValueError as error:
        raise DemoError(f"`{shown}` did not print one JSON object: {error}") from None
    check_keys(result, shown)
    return result


def check_keys(result, shown):
    wanted = [("checksum",), ("seconds", "measured"), ("memory", "footprint_bytes"),
              ("memory", "local_limit_bytes"), ("options",), ("provenance",)]
    wanted += [("counters", name) for name in COUNTERS.values()]
    for path in wanted:
        value = result
        for key in path:
            if not isinstance(value, dict) or key not in value:
                raise DemoError(f"`{shown}` printed JSON without the key {' -> '.join(path)}")
            value = value[key]


def summarize(runs):
    """One row a share from {share: [result of each round]}; slowdowns are taken round by round."""
    rows = []
    baseline = [run["seconds"]["measured"] for run in runs[SHARES[0]]]
    answer = runs[SHARES[0]][0]["checksum"]
    for share in SHARES:
        seconds = [run["seconds"]["measured"] for run in runs[share]]
        slowdowns = [s / max(b, 1e-9) for s, b in zip(seconds, baseline)]
        row = {"share": share, "seconds": statistics.median(seconds),
               "slowdown": statistics.median(slowdowns),
               "slowdown_min": min(slowdowns), "slowdown_max": max(slowdowns),
               "equal": all(run["checksum"] == answer for run in runs[share])}
        for column, counter in COUNTERS.items():
            values = [run["counters"][counter] for run in runs[share]]
            # Of pauses the longest of all rounds, of everything else the median.
            row[column] = max(values) if column == "pause_ns" else statistics.median(values)
        rows.append(row)
    return rows


def table(rows, repeats):
    header = ["local", "time", "slowdown", "demand fetches", "demand fetches", "write-backs",
              "cycles", "longest", "answer"]
    header2 = ["", "", "", "by mutators", "by collector", "", "", "pause", ""]
    lines = [header, header2]
    for row in rows:
        slowdown = f"{row['slowdown']:.2f}x"
        if repeats > 1:
            slowdown += f" ({row['slowdown_min']:.2f} to {row['slowdown_max']:.2f})"
        lines.append([f"{row['share']} %", f"{row['seconds']:.2f} s", slowdown,
                      f"{row['mutator_fetches']:,.0f}", f"{row['collector_fetches']:,.0f}",
                      f"{row['writebacks']:,.0f}", f"{row['cycles']:,.0f}",
                      f"{row['pause_ns'] / 1e6:.2f} ms", "equal" if row["equal"] else "DIFFERS"])
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = ["   ".join(cell.rjust(width) for cell, width in zip(line, widths)).rstrip()
            for line in lines]
    text.insert(2, "-" * max(map(len, text)))
    return "\n".join(text)


def git_commit():
    def git(*arguments):
        return subprocess.run(["git", *arguments], capture_output=True, text=True,
                              check=True).stdout.strip()
    try:
        changed = "+" if git("status", "--porcelain") else ""
        return git("rev-parse", "--short=10", "HEAD") + changed
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def cpu_name():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def origin(result):
    """What was measured, with what, where: two lines for the table and the plot."""
    provenance, options = result["provenance"], result["options"]
    kind, _, preset = str(options.get("fabric", "emulated:unknown")).partition(":")
    commit = str(provenance.get("commit") or git_commit())[:11]
    cores = provenance.get("cores") or os.cpu_count()
    cpu = provenance.get("cpu") or cpu_name()
    kernel = provenance.get("kernel") or platform.release()
    footprint_mib = result["memory"]["footprint_bytes"] / 2**20
    order = options.get("order", "default")
    return (f"{kind} fabric, preset {preset}; footprint {footprint_mib:,.0f} MiB; "
            f"order of tracing: {order}",
            f"commit {commit}; {cpu}, {cores} cores; {kernel}")


def draw(rows, what, where, path):
    import matplotlib  # pylint: disable=import-outside-toplevel
    matplotlib.use("Agg")
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel

    blue, orange, green = "#0072B2", "#E69F00", "#009E73"  # told apart by everybody
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 5.2))
    places = range(len(rows))

    slowdowns = [row["slowdown"] for row in rows]
    spread = [[row["slowdown"] - row["slowdown_min"] for row in rows],
              [row["slowdown_max"] - row["slowdown"] for row in rows]]
    left.bar(places, slowdowns, width=0.6, color=blue, capsize=4,
             yerr=spread if any(map(any, spread)) else None)
    for place, row in zip(places, rows):
        left.annotate(f"{row['slowdown']:.2f}x", (place, row["slowdown_max"]), ha="center",
                      va="bottom", xytext=(0, 3), textcoords="offset points")
    left.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    left.set_xticks(list(places), [f"{row['share']} %\n{row['seconds']:.1f} s" for row in rows])
    left.set_ylim(0, max(row["slowdown_max"] for row in rows) * 1.15)
    left.set_ylabel("time, relative to 100 % local")
    left.set_title("Slowdown")

    mutator = [row["mutator_fetches"] / 1000 for row in rows]
    collector = [row["collector_fetches"] / 1000 for row in rows]
    writebacks = [row["writebacks"] / 1000 for row in rows]
    width = 0.36
    at_left, at_right = [p - width / 2 for p in places], [p + width / 2 for p in places]
    right.bar(at_left, mutator, width, color=blue, label="demand fetches by mutators")
    right.bar(at_left, collector, width, bottom=mutator, color=orange,
              label="demand fetches by the collector")
    right.bar(at_right, writebacks, width, color=green, label="write-backs")
    right.set_xticks(list(places), [f"{row['share']} %\npause {row['pause_ns'] / 1e6:.1f} ms"
                                    for row in rows])
    highest = max(max(m + c for m, c in zip(mutator, collector)), max(writebacks))
    right.set_ylim(0, highest * 1.35 if highest > 0 else 1)
    right.set_ylabel("thousands of pages (4 KiB)")
    right.set_title("Pages moved, and the longest pause")
    right.legend(frameon=False, loc="upper left")

    for axes in (left, right):
        axes.set_xlabel("share of the footprint in local memory")
        axes.spines[["top", "right"]].set_visible(False)
    answers = "answers equal" if all(row["equal"] for row in rows) else "ANSWERS DIFFER"
    figure.suptitle(f"Word count on a heap larger than local memory ({answers})", fontsize=14)
    figure.text(0.5, 0.01, f"{what}\n{where}", ha="center", va="bottom", fontsize=9, color="0.3")
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    scratch = path.with_suffix(".part.png")
    figure.savefig(scratch, dpi=150)
    scratch.replace(path)


def demo(options):
    out = pathlib.Path(options.out)
    # Where matplotlib may keep its caches: not in somebody's home.
    os.environ.setdefault("MPLCONFIGDIR", str(out / ".matplotlib"))
    runs = {share: [] for share in SHARES}
    total = len(SHARES) * options.repeats
    count = 0
    with open(out / "runs.jsonl", "w", encoding="utf-8") as log:
        for _ in range(options.repeats):
            for share in SHARES:  # in turn, not all of one first: machines drift
                count += 1
                progress(f"word count with {share} % local (run {count} of {total})")
                begin = time.monotonic()
                result = run_once(options.tandem, share, options.extra)
                log.write(json.dumps(result) + "\n")
                log.flush()
                runs[share].append(result)
                progress(f"  measured {result['seconds']['measured']:.2f} s, "
                         f"{time.monotonic() - begin:.1f} s with preparation")
    rows = summarize(runs)
    what, where = origin(runs[SHARES[0]][0])
    title = "Word count, by share of its footprint in local memory"
    if options.repeats > 1:
        title += f" (medians of {options.repeats})"
    text = f"{title}\n\n{table(rows, options.repeats)}\n\n{what}\n{where}\n"
    (out / "demo.txt").write_text(text, encoding="utf-8")
    print(f"\n{text}", flush=True)
    picture = out / "demo.png"
    draw(rows, what, where, picture)
    print(f"Plot: {picture}")
    if not all(row["equal"] for row in rows):
        raise DemoError("the answers differ; every run's result is in " + str(out / "runs.jsonl"))
    if not options.count_only:
        show_orders(options, out / "orders")


def show_orders(options, out):
    """Runs experiments/demo.toml, afresh, and shows its report."""
    if out.exists():
        shutil.rmtree(out)
    print("\nNow the orders of tracing: experiments/demo.toml\n", flush=True)
    command = ["experiments/run", "demo", "--tandem", options.tandem, "--out", str(out),
               "--rounds", str(options.repeats)]
    with subprocess.Popen(command) as runner:
        try:
            code = runner.wait()
        except KeyboardInterrupt:
            runner.send_signal(signal.SIGINT)  # it ends its run and leaves a good file
            runner.wait()
            raise
    if code == 130:
        raise KeyboardInterrupt
    if code != 0:
        raise DemoError(f"`{' '.join(command)}` ended with exit code {code}")


def main():
    parser = argparse.ArgumentParser(prog="demo_report.py", description=__doc__)
    parser.add_argument("--tandem", required=True, help="the command to run")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--count-only", action="store_true", help="leave the orders out")
    parser.add_argument("--out", required=True, help="an existing folder for the results")
    parser.add_argument("extra", nargs="*", help="options for `tandem run wordcount`")
    options = parser.parse_args()

    def stop(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, stop)  # ends the run in progress, as Ctrl-C does
    try:
        demo(options)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"demo: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
