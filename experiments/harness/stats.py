"""Medians, spreads and means. Pure functions of numbers; none takes an empty list."""

import math
import statistics


def spread(values):
    """Median, range and the values themselves, in the order of rounds."""
    values = list(values)
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "values": values}


def pair_ratios(tops, bottoms):
    """{round: value} over {round: value}, round by round, where both are there.

    The machine drifts: two runs of one round saw the same machine, medians over rounds did not.
    A round whose divisor is zero has no ratio.
    """
    return {number: tops[number] / bottoms[number] for number in sorted(tops)
            if bottoms.get(number)}


def geometric_mean(values):
    """0 if one of them is: the mean of `no fetches at all` and anything is none."""
    values = list(values)
    if any(value == 0 for value in values):
        return 0.0
    return math.exp(statistics.fmean(math.log(value) for value in values))
