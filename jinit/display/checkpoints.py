"""Checkpoints as tables: what a source holds, what an inspection saw.

May import: rich, and of `jinit.display` columns, numbers, rendering. Reads results, computes
nothing.

Names come out of files that are not trusted: what would steer a terminal is shown as an escape.
"""

import html
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from jinit.display.columns import NUMBER, Column, column_table, with_room
from jinit.display.numbers import short, size
from jinit.display.rendering import as_html

__all__ = ["inspection_html", "inspection_view", "source_table"]

_MOST = 400  # findings shown; `findings` holds all
_STYLES = {"error": "bold red", "warning": "yellow"}


def source_table(source: Any) -> Table:
    """One row a tensor, and the totals below."""
    table = column_table(_HELD, list(source.items()))
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
    return column_table(with_room(_COLUMNS, width), inspection.rows)


def _findings_grid(findings: Sequence[Any]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for finding in findings:
        kind = Text(finding.kind, _STYLES[finding.severity])
        grid.add_row(kind, _name(finding.path), Text(finding.detail))
    return grid


def _captioned(table: Table, caption: str) -> Table:
    table.caption = Text(_plain(caption))
    table.min_width = len(caption)  # or it would be broken to fit below a narrow table
    return table


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


_HELD = (
    Column("tensor", lambda item: _name(item[0]), {"style": "bold", "overflow": "fold"}),
    Column("shape", lambda item: _shape(item[1].shape), NUMBER),
    Column("dtype", lambda item: item[1].dtype.name),
    Column("size", lambda item: size(item[1].nbytes), NUMBER),
)
_COLUMNS = (
    Column("", _mark),
    Column("tensor", lambda row: _name(row.name), {"overflow": "fold", "min_width": 20}),
    Column("shape", lambda row: _shape(row.shape), NUMBER),
    Column("dtype", lambda row: row.dtype, {"no_wrap": True, "style": "dim"}),
    Column("mean", lambda row: _number(row.mean), NUMBER),
    Column("std", lambda row: _number(row.std), NUMBER),
    Column("min", lambda row: _number(row.low), NUMBER, 90),
    Column("max", lambda row: _number(row.high), NUMBER, 90),
    Column("size", lambda row: size(row.nbytes), NUMBER, 100),
)
