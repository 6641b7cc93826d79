"""Checkpoints as tables: what a source holds.

May import: rich, `jinit.display.models`. Reads sources; computes nothing.
"""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from jinit.display.models import size

__all__ = ["source_table"]

_MOST = 400  # rows of a table; a longer one is cut in the middle


def source_table(source: Any) -> Table:
    """One row a tensor, and the totals below."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    table.add_column("tensor", style="bold", overflow="fold")
    table.add_column("shape", justify="right", no_wrap=True)
    table.add_column("dtype", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    names = list(source)
    cut = names if len(names) <= _MOST else [*names[: _MOST // 2], None, *names[-_MOST // 2 :]]
    for name in cut:
        if name is None:
            table.add_row(Text(f"... {len(names) - _MOST} more", "dim"))
            continue
        spec = source[name]
        shape = "x".join(map(str, spec.shape)) or "()"
        table.add_row(Text(name), shape, spec.dtype.name, size(spec.nbytes))
    count = "1 tensor" if len(names) == 1 else f"{len(names):,} tensors"
    table.caption = f"{source.description}: {count}, {size(source.nbytes)}"
    table.min_width = len(table.caption)  # or it would be broken to fit below a narrow table
    return table
