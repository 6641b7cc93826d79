"""Figures of learned scales: the objective by step, the gradient's norm, the scales by leaf.

Text and axes have matplotlib's own colours, lines middle tones: both are legible on light and on
dark, `matplotlib.style.use("dark_background")` for instance.

May import: matplotlib, numpy, `jinit.display.canvas`, and `jinit.learned` for its report's type.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from jinit.display.canvas import Picture
from jinit.learned.report import LearnedReport

__all__ = ["plot_learning"]

# Okabe and Ito's colours that stand out from white and from black.
_BLUE, _ORANGE, _GREEN = "#0080C8", "#D55E00", "#009E73"
_GREY = "0.5"
_TICKS = 8  # on the axis of scales
_NAMED = 40  # leaves that are named on the axis; of more, every so many


def plot_learning(report: LearnedReport) -> Figure:
    """Draw what each step saw, and what each leaf was multiplied by.

    Args:
        report: From `jinit.gradinit` or `jinit.metainit`.

    Returns:
        A figure, to be saved with `savefig`.

    >>> from jinit.learned.report import LearnedReport
    >>> steps = np.array([3.0, 2.0])
    >>> report = LearnedReport("MetaInit", {"w": 2.0}, {"w": 1.0}, steps, ("quotient",) * 2,
    ...                        steps, steps)
    >>> [axes.get_title(loc="left") for axes in plot_learning(report).axes]
    ['Gradient quotient', 'Norm of the gradient', 'Scales']
    """
    height = max(4.2, 0.17 * min(len(report.scales), _NAMED) + 1.2)
    figure = Picture(figsize=(11.0, height), dpi=150)
    figure.set_layout_engine("constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1))
    top = figure.add_subplot(grid[0, 0])
    below = figure.add_subplot(grid[1, 0], sharex=top)
    _draw_objective(top, report)
    _draw_norm(below, report)
    _draw_scales(figure.add_subplot(grid[:, 1]), report)
    return figure


def _draw_objective(axes: Axes, report: LearnedReport) -> None:
    if report.method == "MetaInit":
        axes.plot(report.objective, color=_BLUE, linewidth=1.8)
        title = "Gradient quotient"
    else:
        axes.plot(report.loss, color=_GREY, linewidth=1.4, label="loss")
        after = np.where(np.array(report.kinds) == "loss", report.objective, np.nan)
        axes.plot(after, color=_BLUE, linewidth=1.8, marker=".", ms=3, label="after one step")
        axes.legend(frameon=False, fontsize=9)
        title = "Loss, and after one step of the optimizer"
    axes.set_title(title, loc="left", fontweight="bold", fontsize=11)
    axes.tick_params(labelbottom=False)
    _tidy(axes, np.concatenate([line.get_ydata() for line in axes.lines]))


def _draw_norm(axes: Axes, report: LearnedReport) -> None:
    steps = np.arange(len(report.gradient_norm))
    over = np.array(report.kinds) == "norm"
    axes.plot(steps, report.gradient_norm, color=_GREEN, linewidth=1.4)
    if over.any():
        axes.plot(
            steps[over],
            report.gradient_norm[over],
            ".",
            color=_ORANGE,
            ms=4,
            label="steps on the norm",
        )
    if np.isfinite(report.gamma):
        axes.axhline(
            report.gamma, color=_GREY, linestyle=(0, (4, 3)), linewidth=1.2, label=r"$\gamma$"
        )
        axes.legend(frameon=False, fontsize=9)
    axes.set_title("Norm of the gradient", loc="left", fontweight="bold", fontsize=11)
    axes.set_xlabel("step")
    _tidy(axes, report.gradient_norm)


def _draw_scales(axes: Axes, report: LearnedReport) -> None:
    """A dot a leaf, or a slice, the first leaf on top; at 1 nothing has changed."""
    for row, scale in enumerate(report.scales.values()):
        dots = np.ravel(scale)
        axes.plot(dots, np.full(dots.size, row), "o", color=_BLUE, ms=5, alpha=0.85)
    axes.axvline(1, color=_GREY, linestyle=(0, (4, 3)), linewidth=1.2, zorder=0)
    every = -(-len(report.scales) // _NAMED)
    rows = range(0, len(report.scales), every)
    paths = list(report.scales)
    axes.set_yticks(list(rows), [paths[row] for row in rows], fontsize=8)
    axes.set_ylim(len(paths) - 0.5, -0.5)
    axes.set_title("Scales", loc="left", fontweight="bold", fontsize=11)
    values = np.concatenate([np.ravel(scale) for scale in report.scales.values()])
    if values.min() > 0:
        axes.set_xscale("log")
        axes.set_xticks(_ticks(values))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color=_GREY, alpha=0.25, linewidth=0.8)


def _ticks(values: np.ndarray) -> list[float]:
    """Round numbers from below the least to above the largest scale, as many as have room."""
    least, most = min(1.0, float(values.min())), max(1.0, float(values.max()))
    ticks: list[float] = []
    for digits in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        rounds = [digit * 10.0**power for power in range(-8, 9) for digit in digits]
        inner = [tick for tick in rounds if least < tick < most]
        below = [tick for tick in rounds if tick <= least][-1:]
        ticks = below + inner + [tick for tick in rounds if tick >= most][:1]
        if len(ticks) <= _TICKS:
            break
    return ticks


def _tidy(axes: Axes, values: np.ndarray) -> None:
    """Logarithmic where values differ by much; light lines behind."""
    seen = values[np.isfinite(values) & (values > 0)]
    if seen.size and seen.max() > 5 * seen.min():
        axes.set_yscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_GREY, alpha=0.25, linewidth=0.8)
