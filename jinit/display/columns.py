"""Tables from columns: what a cell shows of a row, and how narrow a place leaves the column out.

May import: rich.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

__all__ = ["NUMBER", "WORD", "Column", "column_table", "cut", "fitting", "plain_table", "with_room"]

Row = TypeVar("Row")

NUMBER: Mapping[str, Any] = MappingProxyType({"justify": "right", "no_wrap": True})
WORD: Mapping[str, Any] = MappingProxyType({"no_wrap": True})

_MOST = 400  # rows of a table; a longer one is cut in the middle


class Column(NamedTuple):
    """A heading, the cell of a row, rich's options, and the least width that has room for it."""

    name: str
    cell: Callable[[Any], str | Text]
    options: Mapping[str, Any] = WORD
    needed: int = 0


def plain_table(**options: Any) -> Table:
    """A table without a frame."""
    plain: dict[str, Any] = {"box": SIMPLE_HEAD, "show_edge": False, "padding": (0, 1, 0, 0)}
    left = {"title_justify": "left", "caption_justify": "left"}
    return Table(**plain | left | options)


def with_room(columns: Iterable[Column], width: int) -> list[Column]:
    """The columns that there is room for."""
    return [column for column in columns if width >= column.needed]


def fitting(columns: Iterable[Column], rows: Sequence[Any], width: int) -> list[Column]:
    """The columns that there is room for, and in which some row has something."""
    return [c for c in with_room(columns, width) if any(c.cell(row) for row in rows)]


def column_table(
    columns: Sequence[Column],
    rows: Sequence[Any],
    style: Callable[[Any], str | None] = lambda row: None,
) -> Table:
    """One row each, in the style that it asks for; some are left out where there are too many."""
    table = plain_table()
    for column in columns:
        table.add_column(column.name, **column.options)
    for row in cut(rows):
        if isinstance(row, Text):
            table.add_row(row)
        else:
            table.add_row(*(_as_text(column.cell(row)) for column in columns), style=style(row))
    return table


def _as_text(cell: str | Text) -> Text:
    """A cell of which nothing is taken for markup: names may hold brackets."""
    return cell if isinstance(cell, Text) else Text(cell)


def cut(rows: Sequence[Row], most: int = _MOST) -> Iterator[Row | Text]:
    """All rows if they are few; else the first and the last, and between them how many more.

    >>> [str(row) for row in cut(range(1000), most=4)]
    ['0', '1', '... 996 more', '998', '999']
    """
    half = most // 2
    if len(rows) <= most:
        yield from rows
        return
    yield from rows[:half]
    yield Text(f"... {len(rows) - 2 * half:,} more", "dim")
    yield from rows[-half:]
