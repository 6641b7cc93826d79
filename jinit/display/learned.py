"""Learned scales as a table: what each leaf was multiplied by, and what that did to the loss.

May import: rich, and of `jinit.display` columns, numbers. Reads a report; computes nothing but
norms from it.
"""

from typing import Any

import numpy as np
from rich.table import Table

from jinit.display.columns import NUMBER, Column, column_table
from jinit.display.numbers import short

__all__ = ["learned_table"]


def learned_table(report: Any) -> Table:
    """One row a leaf: its scale, and its norm before and after; ranges where it is stacked."""
    scales, norms = report.scales, report.norms
    columns = (
        Column("parameter", str, {"style": "bold", "overflow": "fold"}),
        Column("scale", lambda path: _span(scales[path]), {"style": "cyan", **NUMBER}),
        Column("norm", lambda path: _span(scales[path] * norms[path]), NUMBER),
        Column("was", lambda path: _span(norms[path]), {"style": "dim", **NUMBER}),
    )
    table = column_table(columns, list(scales))
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
