"""Analytic initialization as tables: scales, and what was approximated.

May import: rich, `jinit.display.models`, `jinit.display.numbers`. Reads reports; computes nothing.
"""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from jinit.display.numbers import short

__all__ = ["autoinit_tables"]

_RIGHT: dict[str, Any] = {"justify": "right", "no_wrap": True}
_MOST = 400  # rows of a table; a larger model is cut in the middle
_NARROW = 80


def autoinit_tables(report: Any, width: int = 200) -> list[Table]:
    """One row a rescaled weight; then, if there are any, one row an approximation."""
    tables = [_scales(report, width)]
    if report.approximations:
        tables.append(_approximations(report, width))
    return tables


def _scales(report: Any, width: int) -> Table:
    table = _plain()
    table.add_column("weight", style="bold", overflow="fold")
    table.add_column(f"{report.statistic} before", **_RIGHT)
    table.add_column("scale", **_RIGHT)
    wide = width >= _NARROW
    if wide:
        table.add_column("chosen at", style="dim", overflow="fold")
    rows, half = report.rows, _MOST // 2
    shown = rows if len(rows) <= _MOST else [*rows[:half], None, *rows[-half:]]
    for row in shown:
        if row is None:
            table.add_row(f"... {len(rows) - _MOST} more")
            continue
        place = [Text(" ".join(filter(None, (row.operation, row.place))))] if wide else []
        table.add_row(Text(_name(row)), short(row.before), short(row.scale), *place)
    table.caption = _caption(report)
    return table


def _name(row: Any) -> str:
    index = ",".join(map(str, row.indices))
    return f"{row.path}[{index}]" if index else str(row.path)


def _caption(report: Any) -> str:
    paths = len({row.path for row in report.rows})
    counted = f"{paths} weight{'' if paths == 1 else 's'}"
    told = f"{counted} scaled to a predicted {report.statistic} of {report.target:g}"
    return f"{told}; {len(report.untouched)} other parameters left alone."


def _approximations(report: Any, width: int) -> Table:
    table = _plain()
    table.add_column("approximated", style="yellow", no_wrap=True)
    if width >= _NARROW:
        table.add_column("where", style="dim", overflow="fold")
    table.add_column("how", overflow="fold")
    for each in report.approximations[:_MOST]:
        place = [Text(each.place)] if width >= _NARROW else []
        table.add_row(each.operation, *place, Text(each.what))
    more = len(report.approximations) - _MOST
    if more > 0:
        table.caption = f"{more} more are in `.approximations`."
    return table


def _plain() -> Table:
    return Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
