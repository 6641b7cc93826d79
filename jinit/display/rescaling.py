"""Reports of data-dependent initialization as tables.

May import: NumPy, rich, `jinit.display.numbers`. Reads reports; computes nothing.
"""

from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from jinit.display.numbers import short

__all__ = ["lsuv_table"]

_RIGHT: dict[str, Any] = {"justify": "right", "no_wrap": True}
_MOST = 400  # rows of a table; a larger model is cut in the middle
# Roles of parameters that no one expects to be rescaled.
_OTHERS = ("bias", "embedding", "norm_bias", "norm_scale", "scale", "unused")


def lsuv_table(report: Any, width: int = 200) -> Table:
    """One row a weight, then those that were left alone; below, what was asked and came out."""
    columns = [
        (name, options, cell)
        for name, needed, options, cell in _COLUMNS
        if width >= needed and any(cell(row) for row in report.rows)
    ]
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    for name, options, _ in columns:
        title = {"before": f"{report.statistic} before", "after": f"{report.statistic} after"}
        table.add_column(title.get(name, name), **options)
    half = _MOST // 2
    rows = report.rows
    shown = rows if len(rows) <= _MOST else [*rows[:half], None, *rows[-half:]]
    for row in shown:
        if row is None:
            table.add_row(f"... {len(rows) - _MOST} more")
        else:
            table.add_row(*(cell(row) for _, _, cell in columns))
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


_COLUMNS: tuple[tuple[str, int, dict[str, Any], Any], ...] = (
    (
        "parameter",
        0,
        {"style": "bold", "overflow": "fold", "min_width": 20},
        lambda row: row.path + row.part,
    ),
    ("operation", 90, {"style": "cyan", "no_wrap": True}, lambda row: row.operation),
    ("numbers", 80, _RIGHT, _count),
    ("before", 0, _RIGHT, lambda row: _spread(row.before)),
    ("scale", 0, _RIGHT, lambda row: _spread(row.scale)),
    ("after", 0, _RIGHT, lambda row: _spread(row.after)),
    ("notes", 70, {"style": "dim", "overflow": "fold"}, _notes),
)
