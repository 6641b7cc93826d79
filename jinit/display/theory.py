"""Figures of the mean-field theory: phase diagram, correlation maps, depth scales.

Text and axes have matplotlib's own colours, lines and fills middle tones: both are legible on light
and on dark, `matplotlib.style.use("dark_background")` for instance.

May import: matplotlib, numpy, `jinit.display.canvas`, and `jinit.theory` for its results' types.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter

from jinit.display.canvas import Picture
from jinit.display.colours import COLOURS, GREY
from jinit.theory.phases import PhaseDiagram
from jinit.theory.profiles import CorrelationCurve, DepthScales

__all__ = ["plot_correlation_map", "plot_depth_scales", "plot_phase_diagram"]

_DECADES = 1.0  # of chi on each side of 1: beyond, the colour is full
_HALO = (withStroke(linewidth=3, foreground="white"),)
_LABEL: Mapping[str, Any] = {
    "fontsize": 13,
    "fontweight": "bold",
    "color": "black",
    "ha": "center",
    "va": "center",
    "path_effects": _HALO,
}


def plot_phase_diagram(diagram: PhaseDiagram) -> Figure:
    r"""Draw chi over (sigma_w, sigma_b), and the edge of chaos where it is 1.

    The edge is dotted where its fixed points repel, so that the network ends up elsewhere.

    Args:
        diagram: From `jinit.theory.phase_diagram`; evenly spaced grids look best.

    Returns:
        A figure, to be saved with `savefig`.

    >>> from jinit.theory import phase_diagram
    >>> figure = plot_phase_diagram(phase_diagram("tanh", [0.5, 1.5, 2.5], [0.1, 0.3]))
    >>> figure.axes[0].get_xlabel()
    '$\\sigma_w$'
    """
    figure = Picture(figsize=(7.2, 5.0), dpi=150, layout="constrained")
    axes = figure.subplots()
    decades = np.clip(np.log10(diagram.chi), -_DECADES, _DECADES)
    mesh = axes.pcolormesh(
        diagram.sigma_w,
        diagram.sigma_b,
        decades,
        norm=TwoSlopeNorm(0.0, -_DECADES, _DECADES),
        cmap="RdBu_r",
        shading="gouraud",
    )
    bar = figure.colorbar(mesh, ax=axes, ticks=np.log10([0.1, 0.3, 1, 3, 10]))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{10**x:.2g}"))
    bar.set_label(r"$\chi$: growth of the squared gradient in a layer")
    axes.set(xlabel=r"$\sigma_w$", ylabel=r"$\sigma_b$")
    axes.set_xlim(diagram.sigma_w.min(), diagram.sigma_w.max())
    axes.set_ylim(diagram.sigma_b.min(), diagram.sigma_b.max())
    axes.set_title(f"Phases of {diagram.name}", loc="left", fontweight="bold")
    _draw_edge(axes, diagram)
    _name_phases(axes, diagram)
    return figure


def plot_correlation_map(curves: Sequence[CorrelationCurve]) -> Figure:
    r"""Draw C over [0, 1] for one network or several, and where each settles.

    Args:
        curves: From `jinit.theory.correlation_curve`.

    Returns:
        A figure.

    >>> from jinit.theory import MeanField, correlation_curve
    >>> figure = plot_correlation_map([correlation_curve(MeanField("relu", 2**0.5))])
    >>> figure.axes[0].get_legend().get_texts()[0].get_text()
    'relu, $\\sigma_w$ = 1.41, $\\sigma_b$ = 0'
    """
    figure = Picture(figsize=(6.0, 5.6), dpi=150, layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=(0, (4, 3)), linewidth=1.2)
    for i, curve in enumerate(curves):
        colour = COLOURS[i % len(COLOURS)]
        axes.plot(curve.c, curve.mapped, color=colour, linewidth=2.2, label=_legend(curve))
        settled = _settled(curve)
        axes.plot([settled], [settled], "o", color=colour, markersize=8, clip_on=False, zorder=3)
    axes.set(xlabel="correlation before the layer", ylabel="correlation after the layer")
    axes.set(xlim=(0, 1), ylim=(min(0.0, *(c.mapped.min() for c in curves)), 1), aspect="equal")
    axes.set_title("Correlation maps, and where they lead", loc="left", fontweight="bold")
    axes.legend(loc="lower right", frameon=False)
    _tidy(axes)
    return figure


def plot_depth_scales(scales: DepthScales) -> Figure:
    """Draw xi_c, xi_q and the gradient's depth scale over sigma_w.

    Args:
        scales: From `jinit.theory.depth_scales`.

    Returns:
        A figure.

    >>> from jinit.theory import depth_scales
    >>> figure = plot_depth_scales(depth_scales("tanh", [1.0, 1.4, 2.0], sigma_b=0.3))
    >>> figure.axes[0].get_yscale()
    'log'
    """
    figure = Picture(figsize=(7.2, 4.6), dpi=150, layout="constrained")
    axes = figure.subplots()
    rows = (
        (r"$\xi_c$, correlation", scales.xi_c, "-"),
        (r"$\xi_\nabla$, gradient", scales.xi_gradient, "--"),
        (r"$\xi_q$, variance", scales.xi_q, "-."),
    )
    for colour, (name, values, style) in zip(COLOURS, rows, strict=False):
        finite = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        axes.plot(scales.sigma_w, finite, style, color=colour, linewidth=2.2, label=name)
    axes.set_yscale("log")
    axes.set(xlabel=r"$\sigma_w$", ylabel="layers")
    axes.set_xlim(scales.sigma_w.min(), scales.sigma_w.max())
    axes.set_title(
        rf"Depth scales at $\sigma_b$ = {scales.sigma_b:.3g}", loc="left", fontweight="bold"
    )
    _mark_edge(axes, scales)
    axes.legend(frameon=False)
    _tidy(axes)
    return figure


def _draw_edge(axes: Axes, diagram: PhaseDiagram) -> None:
    edge = diagram.edge
    repels = edge.variance_slope > 1 + 1e-9
    for style, shown in (("-", ~repels), (":", repels)):
        height = np.where(shown, edge.sigma_b, np.nan)
        axes.plot(edge.sigma_w, height, style, color="black", linewidth=2.2)
    on = np.isfinite(edge.sigma_b)
    if on.any() and np.ptp(edge.sigma_w[on]) + np.ptp(edge.sigma_b[on]) < 1e-6:  # ReLU: a point
        where = (float(edge.sigma_w[on][0]), float(edge.sigma_b[on][0]))
        axes.plot(*where, "o", color="black", markersize=9, clip_on=False, zorder=3)


def _name_phases(axes: Axes, diagram: PhaseDiagram) -> None:
    """Write a phase's name in the middle of its region, where it has one."""
    weights, biases = np.meshgrid(diagram.sigma_w, diagram.sigma_b)
    phases = (("ordered", diagram.chi < 1 - 1e-6), ("chaotic", diagram.chi > 1 + 1e-6))
    for name, region in phases:
        if region.mean() > 0.02:
            axes.text(weights[region].mean(), biases[region].mean(), name, **_LABEL)


def _mark_edge(axes: Axes, scales: DepthScales) -> None:
    """Draw a line where chi passes 1."""
    chi = np.array([point.chi for point in scales.points])
    if chi.min() < 1 < chi.max() and (np.diff(chi) > 0).all():
        edge = float(np.interp(1.0, chi, scales.sigma_w))
        axes.axvline(edge, color=GREY, linestyle=(0, (1, 2)), linewidth=1.4)
        axes.annotate(
            "edge of chaos",
            (edge, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            color=GREY,
            fontsize=9,
        )


def _settled(curve: CorrelationCurve) -> float:
    """The first correlation from 0 on that its map keeps."""
    fall = curve.c - curve.mapped
    kept = np.flatnonzero(fall[1:] >= 0)
    if kept.size == 0:
        return 1.0
    i = int(kept[0])
    return float(np.interp(0.0, fall[i : i + 2], curve.c[i : i + 2]))


def _legend(curve: CorrelationCurve) -> str:
    field = curve.field
    return rf"{field.name}, $\sigma_w$ = {field.sigma_w:.3g}, $\sigma_b$ = {field.sigma_b:.3g}"


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GREY, alpha=0.25, linewidth=0.8)
