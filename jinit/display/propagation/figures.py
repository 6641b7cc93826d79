"""Figures of propagation: profiles over depth, histograms, the Jacobian's spectrum.

Text and axes have matplotlib's own colours, curves middle tones: both are legible on light and on
dark, `matplotlib.style.use("dark_background")` for instance.

May import: the standard library, matplotlib, NumPy, and of `jinit.display` canvas, colours,
numbers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from jinit.display.canvas import Picture
from jinit.display.colours import COLOURS, GREY
from jinit.display.numbers import short

__all__ = ["comparison_figure", "report_figure"]

_LOWEST, _HIGHEST = 1e-12, 1e12  # what a logarithmic panel shows at most
# Where curves lie on each other, dashes let those beneath show.
_STYLES = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)), (0, (1, 1.2)))
_HISTOGRAMS = 4  # layers of which there is one
_BINS = 29

Value = Callable[[Any], float | None]


def report_figure(report: Any) -> Figure:
    """Forward, backward, what becomes of inputs and units, histograms; and the spectrum."""
    panels: list[Callable[[Axes, Any], None]] = [_forward, _backward, _shares, _histograms]
    if report.spectrum is not None:
        panels += [_spectrum, _ranks]
    figure = Picture(figsize=(4.6 * math.ceil(len(panels) / 2), 7.0), dpi=130, layout="constrained")
    axes = figure.subplots(2, math.ceil(len(panels) / 2), squeeze=False).T.ravel()
    for place, panel in zip(axes, panels, strict=False):
        panel(place, report)
        _tidy(place)
    return figure


def comparison_figure(reports: Mapping[str, Any]) -> Figure:
    """Forward, backward and correlation over depth, a curve a start; spectra if there are."""
    panels = [
        ("Signal: rms", "layer", lambda row: row.forward.rms),
        ("Gradient: norm for one input", "layer", _norm),
        ("Correlation between inputs", "layer", lambda row: row.forward.correlation),
    ]
    spectra = {n: r.spectrum for n, r in reports.items() if r.spectrum is not None}
    count = len(panels) + bool(spectra)
    rows, columns = (2, 2) if count == 4 else (1, count)
    size = (4.6 * columns, 4.0 * rows + 0.5)
    figure = Picture(figsize=size, dpi=130, layout="constrained")
    axes = figure.subplots(rows, columns).ravel()
    for place, (title, axis, value) in zip(axes, panels, strict=False):
        curves = {name: _curve(report.trunk(), value) for name, report in reports.items()}
        _draw(place, curves, logarithmic=place is not axes[2], styles=_STYLES)
        place.set_title(title, loc="left", fontweight="bold")
        place.set_xlabel(_depth_label(reports.values(), axis))
        _tidy(place)
    if spectra:
        _cumulative(axes[-1], spectra)
        _tidy(axes[-1])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(len(labels), 5), frameon=False
    )
    return figure


# --- panels of a report -------------------------------------------------------------------------


def _forward(axes: Axes, report: Any) -> None:
    rows = report.trunk()
    curves = {
        "rms": _curve(rows, lambda row: row.forward.rms),
        "std": _curve(rows, lambda row: row.forward.std),
        "max": _curve(rows, lambda row: row.forward.peak),
    }
    _draw(axes, curves, logarithmic=True, styles=_STYLES)
    axes.set_title("Signal", loc="left", fontweight="bold")
    axes.set_xlabel(_depth_label([report], "layer"))
    axes.legend(frameon=False)


def _backward(axes: Axes, report: Any) -> None:
    ratios = {(leaf.path, leaf.step): leaf.ratio for leaf in report.leaves}

    def ratio(row: Any) -> float | None:
        return ratios.get((row.path, row.step), ratios.get((row.path, ())))

    curves = {"norm, for one input": _curve(report.trunk(), _norm)}
    if all(row.kind == "linear" for row in report.trunk()):
        curves["of the weights, over their size"] = _curve(report.trunk(), ratio)
    _draw(axes, curves, logarithmic=True)
    axes.set_title("Gradient", loc="left", fontweight="bold")
    axes.set_xlabel(_depth_label([report], "layer"))
    axes.legend(frameon=False)


def _shares(axes: Axes, report: Any) -> None:
    plain = all(row.kind == "linear" for row in report.trunk())
    activations = report.of_kind("activation") if plain else ()
    curves = {
        "correlation between inputs": _curve(report.trunk(), lambda r: r.forward.correlation),
        "means' share of mean square": _curve(report.trunk(), lambda r: r.forward.mean_share),
        "dead units": _curve(activations, lambda r: r.forward.dead),
        "saturated entries": _curve(activations, lambda r: r.forward.saturated),
    }
    _draw(axes, {name: curve for name, curve in curves.items() if len(curve[0])}, False)
    axes.set_ylim(min(-0.02, axes.get_ylim()[0]), 1.02)
    axes.set_title("Inputs and units", loc="left", fontweight="bold")
    axes.set_xlabel(_depth_label([report], "layer"))
    axes.legend(frameon=False)


def _histograms(axes: Axes, report: Any) -> None:
    """Densities of outcomes over their own rms, of a few layers from the first to the last."""
    rows = [row for row in report.trunk() if row.forward.rms > 0 and row.sample.size]
    rows = [row for row in rows if np.isfinite(row.sample).all()]
    places = np.unique(np.linspace(0, len(rows) - 1, min(_HISTOGRAMS, len(rows))).round())
    edges = np.linspace(-4, 4, _BINS)
    for colour, place in zip(COLOURS, places.astype(int), strict=False):
        row = rows[place]
        density, _ = np.histogram(row.sample / row.forward.rms, edges, density=True)
        axes.stairs(density, edges, color=colour, linewidth=1.8, label=row.name)
    axes.set_title("Values, over their rms", loc="left", fontweight="bold")
    axes.set_xlabel("value / rms")
    axes.set_ylabel("density")
    if rows:
        axes.set_ylim(0, 1.5 * axes.get_ylim()[1])  # room for names
        axes.legend(frameon=False, fontsize="small")


def _ranks(axes: Axes, report: Any) -> None:
    _draw(axes, {"rank": _curve(report.trunk(), lambda row: row.forward.rank)}, False)
    axes.set_ylim(0, None)
    axes.set_title("Directions that inputs take up", loc="left", fontweight="bold")
    axes.set_xlabel(_depth_label([report], "layer"))


def _spectrum(axes: Axes, report: Any) -> None:
    _cumulative(axes, {"": report.spectrum})
    found = report.spectrum
    axes.axvline(found.rms, color=GREY, linestyle=(0, (4, 3)), linewidth=1.2)
    axes.annotate(
        "rms",
        (found.rms, 0.03),
        xycoords=("data", "axes fraction"),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        color=GREY,
    )


# --- parts --------------------------------------------------------------------------------------


def _cumulative(axes: Axes, spectra: Mapping[str, Any]) -> None:
    """Which share of the singular values lies beneath each."""
    tops = [found.largest for found in spectra.values() if found.largest > 0]
    for number, (name, found) in enumerate(spectra.items()):
        values, weights = found.values[::-1], found.weights[::-1]
        colour, style = _look(number, _STYLES)
        shares = np.cumsum(weights)
        axes.step(values, shares, where="post", color=colour, linestyle=style, label=name, lw=2)
    axes.set_xscale("log")
    if tops:
        lows = [q for q in (found.quantile(0.1) for found in spectra.values()) if q > 0]
        axes.set_xlim(max(min(lows, default=0), 1e-6 * max(tops)) / 2, 2 * max(tops))
    axes.set_ylim(0, 1.02)
    axes.set_title("Singular values of the Jacobian", loc="left", fontweight="bold")
    axes.set_xlabel("singular value")
    axes.set_ylabel("share beneath")


def _curve(rows: Sequence[Any], value: Value) -> tuple[Any, Any]:
    """Positions from 1 on and values, without what does not apply."""
    pairs = [(n, value(row)) for n, row in enumerate(rows, 1)]
    known = [(n, math.nan if v is None else v) for n, v in pairs]
    if all(math.isnan(v) for _, v in known):
        return np.empty(0), np.empty(0)
    return np.array([n for n, _ in known]), np.array([v for _, v in known])


def _norm(row: Any) -> float | None:
    return None if row.backward is None else row.backward.norm


def _look(number: int, styles: Sequence[Any]) -> tuple[str, Any]:
    return COLOURS[number % len(COLOURS)], styles[number % len(styles)]


def _draw(
    axes: Axes,
    curves: Mapping[str, tuple[Any, Any]],
    logarithmic: bool,
    styles: Sequence[Any] = ("-",),
) -> None:
    for number, (name, (x, y)) in enumerate(curves.items()):
        colour, style = _look(number, styles)
        shown = np.where((y >= _LOWEST) & (y <= _HIGHEST), y, np.nan) if logarithmic else y
        marker = "o" if len(x) < 12 else None
        look = {"color": colour, "linestyle": style, "linewidth": 2, "marker": marker}
        label = f"{name} (0)" if y.size and not y.any() and logarithmic else name
        axes.plot(x, shown, **look, markersize=4, label=label)
    if logarithmic:
        _scale_logarithmic(axes)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))


def _scale_logarithmic(axes: Axes) -> None:
    drawn = [y for line in axes.lines for y in np.asarray(line.get_ydata()) if math.isfinite(y)]
    low, high = min(drawn, default=1.0), max(drawn, default=1.0)
    middle = math.sqrt(low * high)
    axes.set_ylim(min(low / 1.5, middle / 5), max(high * 1.5, middle * 5))
    axes.set_yscale("log")
    narrow = axes.get_ylim()[1] < 300 * axes.get_ylim()[0]
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,), numticks=10))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.yaxis.set_minor_locator(NullLocator())


def _depth_label(reports: Any, noun: str) -> str:
    kinds = {row.kind for report in reports for row in report.trunk()}
    return "residual addition" if kinds == {"sum"} else noun


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GREY, alpha=0.25, linewidth=0.8)
