"""Reports of data-dependent initialization as tables.

May import: NumPy, rich, and of `jinit.display` columns, numbers. Reads reports; computes nothing.
"""

from typing import Any

import numpy as np
from rich.table import Table

from jinit.display.columns import NUMBER, Column, column_table, fitting
from jinit.display.numbers import short

__all__ = ["lsuv_table"]

# Roles of parameters that no one expects to be rescaled.
_OTHERS = ("bias", "embedding", "norm_bias", "norm_scale", "scale", "unused")


def lsuv_table(report: Any, width: int = 200) -> Table:
    """One row a weight, then those that were left alone; below, what was asked and came out."""
    titles = {"before": f"{report.statistic} before", "after": f"{report.statistic} after"}
    columns = [
        column._replace(name=titles.get(column.name, column.name))
        for column in fitting(_COLUMNS, report.rows, width)
    ]
    table = column_table(columns, report.rows)
    for path, reason in report.left.items():
        if reason not in _OTHERS and len(columns) > 1:
            cells = [path, *[""] * (len(columns) - 2), f"left: {reason}"]
            table.add_row(*cells[: len(columns)], style="dim")
    table.caption = _caption(report)
    return table


def _caption(report: Any) -> str:
    passes = f"{report.passes} forward pass{'es' if report.passes > 1 else ''}"
    told = f"{report.statistic} {report.target:g} per {report.per}, in {passes}."
    if not report.settled:
        told += " Not settled: uses of one weight ask for different scales."
    if report.deviation is not None:
        told += f" Off by {report.deviation:.1e} at most."
    if report.not_centered:
        told += f" No bias to center: {', '.join(report.not_centered)}."
    counts = [(sum(r == role for r in report.left.values()), role) for role in _OTHERS]
    others = ", ".join(f"{count} {role.replace('_', ' ')}" for count, role in counts if count)
    return f"{told} Left as they are: {others}." if others else told


def _spread(values: Any) -> str:
    """One number, or the smallest and the largest."""
    if values is None:
        return ""
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    if not found.size:
        return ""
    low, high = short(float(found.min())), short(float(found.max()))
    return low if low == high else f"{low} to {high}"


def _count(row: Any) -> str:
    return f"{np.size(row.scale)}" if np.size(row.scale) > 1 else ""


def _notes(row: Any) -> str:
    notes = [f"with {', '.join(row.together)}" if row.together else ""]
    notes += [f"to the power {row.exponent:g}" if row.exponent != 1 else ""]
    notes += ["reused" if row.reused else "", f"centered by {row.centered}" if row.centered else ""]
    return "; ".join(note for note in notes if note)


_COLUMNS = (
    Column(
        "parameter",
        lambda row: row.path + row.part,
        {"style": "bold", "overflow": "fold", "min_width": 20},
    ),
    Column("operation", lambda row: row.operation, {"style": "cyan", "no_wrap": True}, 90),
    Column("numbers", _count, NUMBER, 80),
    Column("before", lambda row: _spread(row.before), NUMBER),
    Column("scale", lambda row: _spread(row.scale), NUMBER),
    Column("after", lambda row: _spread(row.after), NUMBER),
    Column("notes", _notes, {"style": "dim", "overflow": "fold"}, 70),
)
