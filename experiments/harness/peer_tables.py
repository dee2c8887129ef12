"""Peer tables: in which set-up peers ran, and where they win. What every report says of them."""

import shlex

from harness import figures, plan, tables

WORDS = ("The peers are the same programs without Tandem, on other heaps. All local they run as "
         "they are; with less the wrapper named here limits them, and the kernel swaps their pages "
         "to memory of this machine: no network latency is added, which favours the peers. Their "
         "limit is the local memory of Tandem's heap and, on top, what the process had before its "
         "heap held anything. With --patient the kernel kills none of them for want of memory; "
         "without, it may.")


def _peers(experiment):
    return [one for one in experiment.configurations if one.program]


def _devices(cells, name):
    """As the runs themselves saw it: a wrapper has a default."""
    found = {str(result.get("provenance", {}).get("swap", "none"))
             for point in plan.points(cells.experiment)
             for result in cells.results(point, name).values()}
    return ", ".join(sorted(found - {"none"})) or "-"


def set_ups(cells):
    """(header, rows): text; no rows without peers."""
    return ["configuration", "command", "swap device", "wrapper"], [
        [one.name, one.program, _devices(cells, one.name), shlex.join(one.wrapper)]
        for one in _peers(cells.experiment)]


def wins(cells):
    """(sentence, header, rows): where peers take less time than configurations of Tandem."""
    experiment = cells.experiment
    peers = _peers(experiment)
    ours = [one.name for one in experiment.configurations if not one.program]
    shown = tables.varying(experiment.axes)
    compared, rows = 0, []
    for point in plan.points(experiment):
        faster = []
        for own in ours:
            ratios = [(cells.ratio("time", (point, peer.name), (point, own)), peer.name)
                      for peer in peers]
            medians = sorted((ratio["median"], name) for ratio, name in ratios if ratio)
            compared += len(medians)
            faster.append(", ".join(f"{name} {figures.times(median)}" for median, name in medians
                                    if median < 1))
        if any(faster):
            rows.append([point.workload.label, *(str(point.axes[axis]) for axis in shown),
                         *(words or "-" for words in faster)])
    # Of how many: where no peer finished, none can win.
    sentence = (("Peers that took less time than Tandem, and how many times its time they took: "
                 "medians of ratios taken round by round." if rows else
                 "No peer took less time than Tandem anywhere.")
                + f" There are {compared} comparisons in which both finished.")
    return sentence, ["program", *shown, *(f"faster than {own}" for own in ours)], rows


def markdown(cells):
    """Empty without peers."""
    header, rows = set_ups(cells)
    if not rows:
        return ""
    sentence, places, won = wins(cells)
    return "\n\n".join([f"## Peers\n\n{WORDS}", tables.markdown(header, rows), sentence,
                        *([tables.markdown(places, won)] if won else [])]) + "\n"
