"""Checkpoints as tables: what a source holds, what an inspection saw.

May import: rich, `jinit.display.models`, `jinit.display.numbers`. Reads results; computes nothing.

Names come out of files that are not trusted: what would steer a terminal is shown as an escape.
"""

import html
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from jinit.display.models import as_html, size
from jinit.display.numbers import short

__all__ = ["inspection_html", "inspection_view", "source_table"]

Row = TypeVar("Row")

_MOST = 400  # rows of a table; a longer one is cut in the middle
_STYLES = {"error": "bold red", "warning": "yellow"}
_RIGHT: dict[str, Any] = {"justify": "right", "no_wrap": True}


def source_table(source: Any) -> Table:
    """One row a tensor, and the totals below."""
    table = _table()
    table.add_column("tensor", style="bold", overflow="fold")
    table.add_column("shape", **_RIGHT)
    table.add_column("dtype", no_wrap=True)
    table.add_column("size", **_RIGHT)
    for item in _cut(list(source.items())):
        if item is None:
            table.add_row(_more(len(source)))
            continue
        name, spec = item
        table.add_row(_name(name), _shape(spec.shape), spec.dtype.name, size(spec.nbytes))
    count = "1 tensor" if len(source) == 1 else f"{len(source):,} tensors"
    return _captioned(table, f"{source.description}: {count}, {size(source.nbytes)}")


def inspection_view(inspection: Any, width: int = 200) -> Group:
    """A row a tensor, then what looks wrong, then the totals."""
    parts: list[Any] = [_inspection_table(inspection, width), ""]
    if inspection.findings:
        parts += [_findings_grid(inspection.findings[:_MOST]), ""]
    return Group(*parts, Text(_plain(inspection.headline), "bold"))


def inspection_html(inspection: Any) -> str:
    """The same for a notebook."""
    findings = (
        f"<b>{html.escape(f.kind)}</b> {html.escape(_plain(f.path))}: {html.escape(f.detail)}"
        for f in inspection.findings[:_MOST]
    )
    table = _captioned(_inspection_table(inspection, 200), inspection.headline)
    return as_html(table) + f'<p style="font-size:0.85em">{"<br>".join(findings)}</p>'


def _inspection_table(inspection: Any, width: int) -> Table:
    table = _table()
    columns = [column for column in _COLUMNS if width >= column[2]]
    for name, options, _, _ in columns:
        table.add_column(name, **options)
    for row in _cut(inspection.rows):
        if row is None:
            table.add_row("", _more(len(inspection.rows)))
            continue
        table.add_row(*(cell(row) for _, _, _, cell in columns))
    return table


def _findings_grid(findings: Sequence[Any]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for finding in findings:
        kind = Text(finding.kind, _STYLES[finding.severity])
        grid.add_row(kind, _name(finding.path), Text(finding.detail))
    return grid


def _table() -> Table:
    return Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")


def _captioned(table: Table, caption: str) -> Table:
    table.caption = Text(_plain(caption))
    table.min_width = len(caption)  # or it would be broken to fit below a narrow table
    return table


def _cut(rows: Sequence[Row]) -> Iterable[Row | None]:
    if len(rows) <= _MOST:
        return rows
    half = _MOST // 2
    return [*rows[:half], None, *rows[-half:]]


def _more(count: int) -> Text:
    return Text(f"... {count - _MOST:,} more", "dim")


def _plain(text: str) -> str:
    return "".join(_escaped(text))


def _escaped(text: str) -> Iterator[str]:
    for letter in text:
        yield letter if letter.isprintable() else letter.encode("unicode_escape").decode()


def _name(name: str) -> Text:
    return Text(_plain(name), "bold")


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "()"


def _mark(row: Any) -> Text:
    severities = {finding.severity for finding in row.findings}
    worst = "error" if "error" in severities else "warning"
    return Text("!" if severities else "", _STYLES[worst])


def _number(value: float | None) -> str:
    return "" if value is None else short(value)


# Heading, options, the width below which the column is left out, and the cell of a row.
_COLUMNS: tuple[tuple[str, dict[str, Any], int, Any], ...] = (
    ("", {"no_wrap": True}, 0, _mark),
    ("tensor", {"overflow": "fold", "min_width": 20}, 0, lambda row: _name(row.name)),
    ("shape", _RIGHT, 0, lambda row: _shape(row.shape)),
    ("dtype", {"no_wrap": True, "style": "dim"}, 0, lambda row: row.dtype),
    ("mean", _RIGHT, 0, lambda row: _number(row.mean)),
    ("std", _RIGHT, 0, lambda row: _number(row.std)),
    ("min", _RIGHT, 90, lambda row: _number(row.low)),
    ("max", _RIGHT, 90, lambda row: _number(row.high)),
    ("size", _RIGHT, 100, lambda row: size(row.nbytes)),
)
