"""What a name means in each framework, as a table.

May import: rich, `jinit.display.columns`. Reads a comparison; computes nothing.
"""

from typing import Any

from rich.table import Table
from rich.text import Text

from jinit.display.columns import NUMBER, Column, column_table

__all__ = ["comparison_table"]


def comparison_table(comparison: Any) -> Table:
    """One row a framework, the differences from JAX set apart."""
    shape = "x".join(map(str, comparison.shape))
    table = column_table(_COLUMNS, comparison.rows)
    table.title = f"{comparison.name}, of a kernel {shape}"
    return table


def _ratio(row: Any) -> Text:
    ratio = Text("" if row.ratio is None else f"{row.ratio:.3g}")
    if row.ratio is not None and abs(row.ratio - 1) > 1e-3:
        ratio.stylize("yellow")
    return ratio


_COLUMNS = (
    Column("framework", lambda row: row.framework, {"style": "bold", "no_wrap": True}),
    Column("call", lambda row: row.call, {"style": "cyan", "overflow": "fold"}),
    Column("law", lambda row: row.kind),
    Column("std", lambda row: "" if row.std is None else f"{row.std:.4g}", NUMBER),
    Column("of JAX's", _ratio, NUMBER),
    Column("range", lambda row: row.range),
)
