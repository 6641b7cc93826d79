"""Learned scales as a table: what each leaf was multiplied by, and what that did to the loss.

May import: rich, `jinit.display.numbers`. Reads a report; computes nothing but norms from it.
"""

from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from jinit.display.numbers import short

__all__ = ["learned_table"]

_RIGHT: dict[str, Any] = {"justify": "right", "no_wrap": True}
_MOST = 400  # rows of a table; a larger model is cut in the middle


def learned_table(report: Any) -> Table:
    """One row a leaf: its scale, and its norm before and after; ranges where it is stacked."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    table.add_column("parameter", style="bold", overflow="fold")
    table.add_column("scale", style="cyan", **_RIGHT)
    table.add_column("norm", **_RIGHT)
    table.add_column("was", style="dim", **_RIGHT)
    paths, half = list(report.scales), _MOST // 2
    shown = paths if len(paths) <= _MOST else [*paths[:half], None, *paths[-half:]]
    for path in shown:
        if path is None:
            table.add_row(f"... {len(paths) - _MOST} more")
            continue
        scale, start = report.scales[path], report.norms[path]
        table.add_row(path, _span(scale), _span(scale * start), _span(start))
    table.caption = _caption(report)
    return table


def _span(values: Any) -> str:
    """A number, or the least and the largest of several."""
    least, most = short(float(np.min(values))), short(float(np.max(values)))
    return least if least == most else f"{least} to {most}"


def _caption(report: Any) -> str:
    """What was done, and the first and the last of what was seen, a line each."""
    lines = [f"{report.method}, {report.steps} steps{_norm_steps(report)}."]
    if report.method == "MetaInit":
        lines.append(_change("Gradient quotient", report.objective))
    bound = f", at most {short(report.gamma)}" if np.isfinite(report.gamma) else ""
    lines.append(_change("Loss", report.loss))
    lines.append(_change("Gradient norm", report.gradient_norm, bound))
    if report.skipped:
        more = len(report.skipped) - 5
        listed = ", ".join(report.skipped[:5]) + (f" and {more} more" if more > 0 else "")
        lines.append(f"Zero, and so without a scale: {listed}.")
    return "\n".join(lines)


def _norm_steps(report: Any) -> str:
    """How many steps went to the norm of the gradient, where there is such a kind."""
    norms = report.kinds[:-1].count("norm")
    return f", {norms} of them on the norm" if np.isfinite(report.gamma) else ""


def _change(name: str, series: Any, bound: str = "") -> str:
    return f"{name} {short(float(series[0]))} > {short(float(series[-1]))}{bound}."
