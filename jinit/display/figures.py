"""The demo's figure: the signal by layer in both directions, and training curves.

May import: matplotlib, numpy, `jinit.display.canvas`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter

from jinit.display.canvas import Picture

__all__ = ["Panel", "comparison_figure"]

Curve = tuple[Sequence[float], Sequence[float]]

# Okabe and Ito's colours, which readers of every colour vision can tell apart, and one grey.
# Their yellow, too light for a line on white, is darker here.
_COLOURS = (
    "#7A7A7A",
    "#D55E00",
    "#CC79A7",
    "#0072B2",
    "#009E73",
    "#000000",
    "#56B4E9",
    "#B39800",
)
_LOWEST, _HIGHEST = 1e-10, 1e10  # what a logarithmic panel shows at most
_LEADER = {"arrowstyle": "-", "linewidth": 0.8, "relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 2}
_LABEL_GAP = 0.062  # height of a label, as a share of the panel's


class Panel(NamedTuple):
    """One panel: its titles and a curve a name.

    Attributes:
        title: what is drawn.
        axis: what runs along the horizontal axis.
        curves: horizontal and vertical values by name.
        falling: the horizontal axis runs from its largest value to its smallest.
        level: a share to mark; a panel that has one shows shares, others logarithms.
    """

    title: str
    axis: str
    curves: Mapping[str, Curve]
    falling: bool = False
    level: float | None = None


def comparison_figure(panels: Sequence[Panel], title: str) -> Figure:
    """The panels side by side, each curve labelled at its end."""
    figure = Picture(figsize=(13.5, 4.8), dpi=150)
    figure.suptitle(title, fontsize=14, fontweight="bold", x=0.045, y=0.97, ha="left")
    figure.subplots_adjust(left=0.045, right=0.905, bottom=0.12, top=0.82, wspace=0.7)
    for panel, axes in zip(panels, figure.subplots(1, len(panels)), strict=True):
        _draw_panel(axes, panel)
    return figure


def _draw_panel(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title, loc="left", fontsize=12)
    axes.set_xlabel(panel.axis, fontsize=11)
    axes.tick_params(labelsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    for colour, (x, y) in zip(_COLOURS, panel.curves.values(), strict=False):
        axes.plot(x, y, color=colour, linewidth=2.2, marker="o" if len(x) == 1 else None)
    _scale_horizontal(axes, panel)
    if panel.level is None:
        _scale_logarithmic(axes, panel)
    else:
        _scale_shares(axes, panel.level)
    _label_ends(axes, panel)


def _scale_horizontal(axes: Axes, panel: Panel) -> None:
    first, last = _extent([x for xs, _ in panel.curves.values() for x in xs])
    axes.set_xlim(*((last, first) if panel.falling else (first, last)))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=2))


def _extent(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _scale_logarithmic(axes: Axes, panel: Panel) -> None:
    values = [y for _, ys in panel.curves.values() for y in ys if _LOWEST <= y <= _HIGHEST]
    low, high = min(values, default=1.0), max(values, default=1.0)
    axes.set_ylim(low / 3, high * 3)  # before the scale, which wants to see positive values
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=8))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="0.92")


def _scale_shares(axes: Axes, level: float) -> None:
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.grid(axis="y", color="0.92")
    axes.axhline(level, color="0.4", linestyle=(0, (1, 2)), linewidth=1.2)
    where = (1.0, level)
    axes.annotate(
        "a constant guess",
        where,
        xycoords=("axes fraction", "data"),
        xytext=(-4, 4),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color="0.35",
    )


def _label_ends(axes: Axes, panel: Panel) -> None:
    """Write each name beside the end of its curve, as near as the other names let it."""
    ends = [ys[0 if panel.falling else -1] for _, ys in panel.curves.values()]
    heights = [_height(axes, end) for end in ends]
    rows = zip(panel.curves, _COLOURS, ends, heights, _spread(heights), strict=False)
    for name, colour, end, height, place in rows:
        label = name + _remark(end, height) * (panel.level is None)
        axes.annotate(
            label,
            (1.0, height),
            xytext=(1.05, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            arrowprops={**_LEADER, "color": colour},
            va="center",
            fontsize=min(11, max(6, 150 / len(label))),
            color=colour,
        )


def _remark(value: float, height: float) -> str:
    """What to add to the name of a curve that ends outside the panel."""
    if not np.isfinite(value):
        return " (overflow)"
    if value == 0:
        return " (0)"
    return {0.0: " ↓", 1.0: " ↑"}.get(height, "")


def _height(axes: Axes, value: float) -> float:
    """Where `value` lies between the bottom (0) and the top (1) of the panel, or at its edge."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        value, low, high = np.log([max(value, low / 2), low, high])
    return float(np.clip(np.nan_to_num((value - low) / (high - low), nan=1.0), 0, 1))


def _spread(heights: Sequence[float]) -> list[float]:
    """The heights, pushed apart until labels fit, and kept inside the panel."""
    order = np.argsort(heights, kind="stable")
    places = np.asarray(heights, float)[order]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + _LABEL_GAP)
    top = max(1.0, (len(places) - 1) * _LABEL_GAP)
    for i in reversed(range(len(places))):
        places[i] = min(places[i], top)
        top = places[i] - _LABEL_GAP
    return [float(places[rank]) for rank in np.argsort(order)]
