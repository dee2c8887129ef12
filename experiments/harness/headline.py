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
    return _percent(of / against - 1) if against else "-"


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


def _percent(value):
    return f"{100 * value:+.0f} %"


def _of_paper(share):
    """{what: {collector: text}} of what the paper reports at a share."""
    from_queues = paper.FROM_QUEUES.values()
    found = {kind: {collector: _times(by_share[share]) for collector, by_share in means.items()}
             for kind, means in paper.SPEEDUP.items()}
    found["slowdown"] = {"G1": _times(paper.SLOWDOWN["MemLiner"][share])}
    found["on demand"] = {"G1": _percent(paper.SWAP_INS["on demand"])}
    found["in total"] = {"G1": _percent(paper.SWAP_INS["in total"])}
    found["from queues"] = {"G1": f"{100 * min(from_queues):.0f} to "
                                  f"{100 * max(from_queues):.0f} %"}
    return found


def _slowdown(cells, name, group):
    return _mean((s["median"] for _, point in group if (s := cells.slowdown(point, name))), _times)


def _measured(cells, name, group):
    """[(what, words, text)] of a configuration at a group of points."""
    def speedup(metric):
        return _mean(figure_times.speedups(cells, metric, name, group).values(), _times)
    return [("all", "run time, speed-up", speedup("time")),
            ("application", "application, speed-up", speedup("application_time")),
            ("collection", "collection, speed-up", speedup("cycle_time")),
            ("slowdown", "slowdown against all local", _slowdown(cells, name, group)),
            ("on demand", "change in pages read on demand", _change(cells, "demand_fetches", name, group)),
            ("", "of these by the collector", _change(cells, "collector_fetches", name, group)),
            ("in total", "change in pages read in total", _change(cells, "pages_read", name, group)),
            ("from queues", "objects traced from mutators' queues",
             _from_queues(cells, name, group))]


def _before(cells, share, group, in_paper):
    reference = cells.experiment.reference
    text = f"{reference} {_slowdown(cells, reference, figures.common(cells, group))}"
    if in_paper:
        text += f"; paper, unmodified {_times(paper.SLOWDOWN['unmodified'][share])}"
    return text


def claims(cells):
    """[Claim], for the configurations other than the reference."""
    names = [n for n in summary.configurations(cells.experiment)
             if n != cells.experiment.reference]
    found = []
    for share, group in figures.far_groups(cells) if names else ():
        in_paper = figures.uses_orders(cells) and share in paper.SHARES
        theirs = _of_paper(share) if in_paper else {}
        ours = {name: _measured(cells, name, figures.common(cells, group)) for name in names}
        for place, (what, words, _) in enumerate(ours[names[0]]):
            if what == "slowdown":  # says little without that of what it is compared with
                words += f" ({_before(cells, share, group, in_paper)})"
            found.append(Claim(words, share, theirs.get(what, {}),
                               {name: ours[name][place][2] for name in names}))
    costs = {name: figure_times.all_local_cost(cells, name) for name in names}
    theirs = paper.COST_ALL_LOCAL if figures.uses_orders(cells) else {}
    found.append(Claim("time with all memory local", "100%",
                       {collector: _percent(cost) for collector, cost in theirs.items()},
                       {name: "-" if cost is None else _percent(cost - 1)
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
