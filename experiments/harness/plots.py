"""Plots: grouped bars, a panel for each workload and combination of axes."""

import itertools
import math
import os

from harness import summary
from harness.errors import RunError

# The first eight everybody tells apart (Okabe and Ito); the others are for experiments with more
# configurations, whose bars stand in the legend's order.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000",
            "#7A6BB0", "#8C510A", "#999999", "#882255", "#4D9221", "#F1B6DA", "#332288", "#DDCC77")
_COLUMNS = 3


def _pyplot(folder):
    # Where matplotlib may keep its caches: not in somebody's home.
    os.environ.setdefault("MPLCONFIGDIR", str(folder / ".matplotlib"))
    try:
        import matplotlib  # pylint: disable=import-outside-toplevel
    except ImportError:
        raise RunError("no plots without matplotlib: scripts/setup installs it, --no-plots does "
                       "without") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel
    return pyplot


def _figure(pyplot, panels, title, footer, draw):
    columns = min(_COLUMNS, len(panels))
    lines = math.ceil(len(panels) / columns)
    figure, grid = pyplot.subplots(lines, columns, squeeze=False,
                                   figsize=(max(7.0, 5.2 * columns), 4.0 * lines + 1.4))
    handles = {}
    for axes, panel in itertools.zip_longest(grid.flat, panels.items()):
        if panel is None:
            axes.axis("off")
            continue
        for handle in draw(axes, panel[1]):
            handles.setdefault(handle.get_label(), handle)
        axes.set_title(panel[0], fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
    height = figure.get_figheight()  # inches: distances from the edges are the same in all plots
    figure.suptitle(title, fontsize=14, y=1 - 0.1 / height, va="top")
    figure.legend(handles.values(), handles.keys(), frameon=False, loc="upper center",
                  ncols=min(6, max(len(handles), 1)), bbox_to_anchor=(0.5, 1 - 0.38 / height))
    figure.text(0.5, 0.1 / height, footer, ha="center", va="bottom", fontsize=9, color="0.3")
    figure.tight_layout(rect=(0, 0.6 / height, 1, 1 - 0.65 / height))
    return figure


def _save(pyplot, figure, path):
    scratch = path.with_suffix(".part.png")
    figure.savefig(scratch, dpi=130)
    pyplot.close(figure)
    scratch.replace(path)


def _places(names, place):
    width = 0.8 / len(names)
    return [(name, colour, place - 0.4 + width * (i + 0.5), width)
            for i, (name, colour) in enumerate(zip(names, itertools.cycle(_COLOURS)))]


def _label_groups(axes, group, experiment):
    axes.set_xticks(range(len(group)), [value for value, _ in group])
    axes.set_xlabel("share of the footprint in local memory" if experiment.plot_by == "local"
                    else experiment.plot_by)


def draw_times(cells, path, title, footer):
    """Time relative to all local; error bars span the rounds. False: nothing to draw."""
    names = [configuration.name for configuration in cells.experiment.configurations]
    panels = {panel: group for panel, group in summary.panels(cells).items()
              if any(cells.slowdown(p, name) for _, p in group for name in names)}
    if not panels:
        return False
    pyplot = _pyplot(path.parent)

    def draw(axes, group):
        handles, highest, lowest = [], 1.0, 1.0
        for place, (_, point) in enumerate(group):
            for name, colour, x, width in _places(names, place):
                spread = cells.slowdown(point, name)
                if spread is None:
                    continue
                median = spread["median"]
                handles.append(axes.bar(
                    x, median, width * 0.92, color=colour, label=name, capsize=2,
                    error_kw={"elinewidth": 0.9},
                    yerr=[[median - spread["min"]], [spread["max"] - median]]))
                axes.annotate(f"{median:.2g}" if median < 100 else f"{median:.0f}",
                              (x, spread["max"]), ha="center", va="bottom", fontsize=7,
                              xytext=(0, 2), textcoords="offset points")
                highest, lowest = max(highest, spread["max"]), min(lowest, spread["min"])
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
        if highest > 20:
            axes.set_yscale("log")
            axes.set_ylim(lowest / 1.5, highest * 2)
        else:
            axes.set_ylim(0, highest * 1.15)
        axes.set_ylabel("time, relative to all local")
        _label_groups(axes, group, cells.experiment)
        return handles

    _save(pyplot, _figure(pyplot, panels, title, footer, draw), path)
    return True


def draw_fetches(cells, path, title, footer):
    """Demand fetches: the collector's, hatched, on those of the mutators."""
    names = [configuration.name for configuration in cells.experiment.configurations]

    def counts(point, name):
        return (cells.median(point, name, "mutator_fetches"),
                cells.median(point, name, "collector_fetches"))
    panels = {panel: group for panel, group in summary.panels(cells).items()
              if any(None not in counts(p, name) for _, p in group for name in names)}
    if not panels:
        return False
    pyplot = _pyplot(path.parent)

    def draw(axes, group):
        handles = []
        for place, (_, point) in enumerate(group):
            for name, colour, x, width in _places(names, place):
                mutator, collector = counts(point, name)
                if mutator is None or collector is None:
                    continue
                handles.append(axes.bar(x, mutator / 1e3, width * 0.92, color=colour, label=name))
                axes.bar(x, collector / 1e3, width * 0.92, bottom=mutator / 1e3, color=colour,
                         alpha=0.5, hatch="///", edgecolor="white", linewidth=0)
        axes.set_ylabel("thousands of pages (4 KiB)")
        _label_groups(axes, group, cells.experiment)
        return handles

    _save(pyplot, _figure(pyplot, panels, f"{title}: demand fetches, the collector's hatched",
                          footer, draw), path)
    return True
