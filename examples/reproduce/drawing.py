"""How figures look: legible on light and dark pages, bands instead of single lines."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

# Told apart by people who see red and green alike, and of middle tone.
COLOURS = ["#0080C8", "#D55E00", "#009E73", "#CC79A7", "#C79A00", "#56B4E9", "#8F6BD1", "#8C8C8C"]

_STYLE = {
    **{f"{name}.color": "0.5" for name in ("text", "xtick", "ytick", "grid")},
    **{f"{name}.facecolor": "none" for name in ("figure", "axes", "savefig")},
    **{f"axes.{name}color": "0.5" for name in ("label", "edge", "title")},
    **{f"axes.spines.{side}": False for side in ("top", "right")},
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "axes.grid": True,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "lines.linewidth": 2,
}


def draw_panels(
    columns: int = 1, *, title: str, share_y: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of panels side by side; its title says what is to be seen."""
    plt.switch_backend("agg")
    plt.rcParams.update(_STYLE)
    figure, panels = plt.subplots(
        1, columns, figsize=(5.6 * columns, 3.8), sharey=share_y, squeeze=False
    )
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure, list(panels[0])


def draw_band(axes: Axes, x: ArrayLike, runs: ArrayLike, label: str, colour: str) -> None:
    """The median of several runs (run, x), and all that lies between the least and the greatest."""
    values = np.asarray(runs)
    axes.fill_between(np.asarray(x), values.min(0), values.max(0), color=colour, alpha=0.25, lw=0)
    axes.plot(np.asarray(x), np.median(values, 0), color=colour, label=label)
