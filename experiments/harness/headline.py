"""Headline: what the paper reports of MemLiner, claim by claim, and what we measured beside it."""

import dataclasses

from harness import figure_times, figures, paper, stats, summary


@dataclasses.dataclass(frozen=True)
class Claim:
    words: str
    share: str
    theirs: dict  # by collector: text
    ours: dict    # by configuration: text


def _totals(cells, metric, name, group):
    """(of `name`, of the reference), summed over points that both have."""
    pairs = [(cells.median(point, name, metric),
              cells.median(point, cells.experiment.reference, metric)) for _, point in group]
    pairs = [pair for pair in pairs if None not in pair]
    return sum(p[0] for p in pairs), sum(p[1] for p in pairs)


def _change(cells, metric, name, group):
    of, against = _totals(cells, metric, name, group)
    return f"{100 * (of / against - 1):+.0f} %" if against else "-"


def _mean(values, show):
    values = list(values)
    return show(stats.geometric_mean(values)) if values else "-"


def _times(value):
    return f"{value:.2f}x"


def _from_queues(cells, name, group):
    values = [cells.median(point, name, "from_ring") for _, point in group]
    values = [value for value in values if value]
    if not values:
        return "-"
    return f"{100 * min(values):.0f} to {100 * max(values):.0f} %"


def claims(cells):
    """[Claim], for the configurations other than the reference."""
    names = [n for n in summary.configurations(cells.experiment)
             if n != cells.experiment.reference]
    found = []
    for share, group in figures.far_groups(cells):
        in_paper = figures.uses_orders(cells) and share in paper.SHARES

        def add(words, theirs, ours, *, at=share, known=in_paper):
            found.append(Claim(words, at, theirs if known else {},
                               {name: ours(name) for name in names}))
        for kind, metric, words in (("all", "time", "run time, speed-up"),
                                    ("application", "application_time",
                                     "application, speed-up"),
                                    ("collection", "cycle_time", "collection, speed-up")):
            add(words, {c: _times(paper.SPEEDUP[kind][c][share]) for c in paper.COLLECTORS}
                if in_paper else {},
                lambda name, m=metric, s=share: _mean(
                    figure_times.speedups(cells, m, name, s).values(), _times))
        add("slowdown against all local",
            {"G1": f"{_times(paper.SLOWDOWN['MemLiner'][share])} (unmodified "
                   f"{_times(paper.SLOWDOWN['unmodified'][share])})"} if in_paper else {},
            lambda name, g=group: _mean((s["median"] for _, point in g
                                         if (s := cells.slowdown(point, name))), _times))
        add("pages read on demand", {"G1": f"{100 * paper.SWAP_INS['on demand']:+.0f} %"},
            lambda name, g=group: _change(cells, "demand_fetches", name, g))
        add("of these by the collector", {},
            lambda name, g=group: _change(cells, "collector_fetches", name, g))
        add("pages read in total", {"G1": f"{100 * paper.SWAP_INS['in total']:+.0f} %"},
            lambda name, g=group: _change(cells, "pages_read", name, g))
        add("objects traced from mutators' queues",
            {"G1": f"{100 * min(paper.FROM_QUEUES.values()):.0f} to "
                   f"{100 * max(paper.FROM_QUEUES.values()):.0f} %"},
            lambda name, g=group: _from_queues(cells, name, g))
    costs = {name: figure_times.all_local_cost(cells, name) for name in names}
    if any(cost is not None for cost in costs.values()):
        found.append(Claim(
            "time with all memory local", "100%",
            {c: f"{100 * v:+.0f} %" for c, v in paper.COST_ALL_LOCAL.items()}
            if figures.uses_orders(cells) else {},
            {name: "-" if cost is None else f"{100 * (cost - 1):+.0f} %"
             for name, cost in costs.items()}))
    return [claim for claim in found if set(claim.ours.values()) - {"-"}]


def table(cells):
    """(header, rows): text."""
    found = claims(cells)
    if not found:
        return [], []
    collectors = [c for c in paper.COLLECTORS if any(claim.theirs for claim in found)]
    names = list(found[0].ours)
    header = ["local", "against " + cells.experiment.reference,
              *(f"paper, {collector}" for collector in collectors), *names]
    return header, [[claim.share, claim.words, *(claim.theirs.get(c, "") for c in collectors),
                     *(claim.ours[name] for name in names)] for claim in found]
