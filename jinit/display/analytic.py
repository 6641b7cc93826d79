"""Analytic initialization as tables: scales, and what was approximated.

May import: rich, and of `jinit.display` columns, numbers. Reads reports; computes nothing.
"""

from typing import Any

from rich.table import Table

from jinit.display.columns import NUMBER, Column, column_table, with_room
from jinit.display.numbers import short

__all__ = ["autoinit_tables"]

_MOST = 400  # approximations of a table
_FOLD = {"style": "dim", "overflow": "fold"}


def autoinit_tables(report: Any, width: int = 200) -> list[Table]:
    """One row a rescaled weight; then, if there are any, one row an approximation."""
    tables = [_scales(report, width)]
    if report.approximations:
        tables.append(_approximations(report, width))
    return tables


def _scales(report: Any, width: int) -> Table:
    columns = (
        Column("weight", _name, {"style": "bold", "overflow": "fold"}),
        Column(f"{report.statistic} before", lambda row: short(row.before), NUMBER),
        Column("scale", lambda row: short(row.scale), NUMBER),
        Column("chosen at", _place, _FOLD, 80),
    )
    table = column_table(with_room(columns, width), report.rows)
    table.caption = _caption(report)
    return table


def _name(row: Any) -> str:
    index = ",".join(map(str, row.indices))
    return f"{row.path}[{index}]" if index else str(row.path)


def _place(row: Any) -> str:
    return " ".join(filter(None, (row.operation, row.place)))


def _caption(report: Any) -> str:
    paths = len({row.path for row in report.rows})
    counted = f"{paths} weight{'' if paths == 1 else 's'}"
    told = f"{counted} scaled to a predicted {report.statistic} of {report.target:g}"
    return f"{told}; {len(report.untouched)} other parameters left alone."


def _approximations(report: Any, width: int) -> Table:
    columns = (
        Column("approximated", lambda each: each.operation, {"style": "yellow", "no_wrap": True}),
        Column("where", lambda each: each.place, _FOLD, 80),
        Column("how", lambda each: each.what, {"overflow": "fold"}),
    )
    shown = report.approximations[:_MOST]
    table = column_table(with_room(columns, width), shown)
    more = len(report.approximations) - _MOST
    if more > 0:
        table.caption = f"{more} more are in `.approximations`."
    return table
