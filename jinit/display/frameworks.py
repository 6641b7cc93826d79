"""What a name means in each framework, as a table.

May import: rich. Reads a comparison; computes nothing.
"""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

__all__ = ["comparison_table"]


def comparison_table(comparison: Any) -> Table:
    """One row a framework, the differences from JAX set apart."""
    shape = "x".join(map(str, comparison.shape))
    title = f"{comparison.name}, of a kernel {shape}"
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), title=title, title_justify="left"
    )
    table.add_column("framework", style="bold", no_wrap=True)
    table.add_column("call", style="cyan", overflow="fold")
    table.add_column("law", no_wrap=True)
    for name in ("std", "of JAX's"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("range", no_wrap=True)
    for row in comparison.rows:
        table.add_row(row.framework, row.call, row.kind, *_figures(row))
    return table


def _figures(row: Any) -> tuple[str, Text, str]:
    std = "" if row.std is None else f"{row.std:.4g}"
    ratio = Text("" if row.ratio is None else f"{row.ratio:.3g}")
    if row.ratio is not None and abs(row.ratio - 1) > 1e-3:
        ratio.stylize("yellow")
    return std, ratio, row.range
