"""Tables of what jinit knows: schemes, gains, fans.

May import: rich, `jinit.display.columns`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from jinit.display.columns import plain_table

__all__ = ["SchemeRow", "fans_table", "gains_table", "schemes_table"]


class SchemeRow(NamedTuple):
    """One scheme: its name, its other names, the first line of its docstring."""

    name: str
    aliases: Sequence[str]
    law: str


def schemes_table(rows: Sequence[SchemeRow]) -> Table:
    """One row a scheme, other names below the first."""
    table = plain_table()
    table.add_column("scheme", no_wrap=True)
    table.add_column("law")
    for row in rows:
        name = Text(row.name, "bold")
        for alias in row.aliases:
            name.append(f"\n= {alias}", "dim")
        table.add_row(name, _code(row.law))
    return table


def gains_table(gains: Mapping[str, tuple[float, str]]) -> Table:
    """A criterion's gain and what it keeps, one row each."""
    table = plain_table()
    table.add_column("criterion", style="bold", no_wrap=True)
    table.add_column("gain", justify="right", no_wrap=True)
    table.add_column("what it is")
    for criterion, (gain, meaning) in gains.items():
        table.add_row(criterion, f"{gain:.6f}", _code(meaning))
    return table


def fans_table(fans: Mapping[str, float], stds: Mapping[str, float]) -> Table:
    """The fans, then the standard deviation that each scheme gives such a kernel."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    for name, fan in fans.items():
        grid.add_row(name, f"{fan:.10g}")
    grid.add_row()
    for name, std in stds.items():
        grid.add_row(f"std of {name}", f"{std:.6g}")
    return grid


def _code(text: str) -> Text:
    """The text without its backquotes, what stood between them set apart."""
    styled = Text()
    for index, part in enumerate(text.split("`")):
        styled.append(part, "cyan" if index % 2 else "")
    return styled
