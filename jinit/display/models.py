"""Rules and plans as tables: for terminals (rich), notebooks (HTML) and plain text.

May import: rich, `jinit.display.numbers`. Reads rules and plans; computes nothing.
"""

import html
import inspect
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jinit.display.numbers import short

__all__ = ["as_html", "as_text", "plan_table", "rules_table"]

_LONG = re.compile(r"\d+\.\d{5,}(e-?\d+)?")
_MOST = 400  # rows of a table; a larger model is cut in the middle


def rules_table(rules: Any) -> Table:
    """One row a rule, in the order in which they are tried."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", justify="right", style="dim")
    table.add_column("leaves", overflow="fold")
    table.add_column("get", style="cyan", overflow="fold")
    sources = any(rule.source for rule in rules)
    if sources:
        table.add_column("from", style="dim")
    for number, rule in enumerate(rules, 1):
        marked = Text(repr(rule.selector)) + Text(" (if any)" if rule.optional else "", "dim")
        source = [rule.source or ""] if sources else []
        table.add_row(str(number), marked, _value(rule.value), *source)
    if rules.default is not None:
        table.add_row("", Text("all others", "dim"), _value(rules.default))
    return table


def plan_table(plan: Any, width: int = 200) -> Table:
    """One row a leaf, and the totals below; in a narrow place some columns are left out."""
    rows = _cut(plan.rows)
    dropped = {name for name, needed in _WIDTHS.items() if width < needed}
    columns = [
        column
        for column in _COLUMNS
        if column[0] not in dropped and any(column[2](row) for row in plan.rows)
    ]
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    for name, options, _ in columns:
        table.add_column(name, **options)
    for row in rows:
        if row is None:
            table.add_row(Text(f"... {len(plan.rows) - _MOST} more", "dim"))
            continue
        table.add_row(*(cell(row) for _, _, cell in columns), style=None if row.drawn else "dim")
    table.caption = totals_line(plan.totals)
    return table


def totals_line(totals: dict[str, int]) -> str:
    """The totals of a plan as a sentence.

    >>> totals_line({"leaves": 3, "drawn": 2, "kept": 1, "shared": 0, "weights": 10,
    ...              "bytes": 40, "bytes_per_device": 40})
    '3 leaves: 2 drawn, 1 kept. 10 weights, 40 B.'
    """
    parts = [f"{totals[name]:,} {name}" for name in ("drawn", "kept", "shared") if totals[name]]
    device = totals["bytes_per_device"]
    each = f" ({size(device)} a device)" if device != totals["bytes"] else ""
    return (
        f"{totals['leaves']:,} leaves: {', '.join(parts)}. "
        f"{totals['weights']:,} weights, {size(totals['bytes'])}{each}."
    )


def size(nbytes: float) -> str:
    """Bytes as text.

    >>> size(0), size(1536), size(3.2e9)
    ('0 B', '1.5 KiB', '3.0 GiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < 1024:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.1f} TiB"


def as_text(table: Any, width: int | None = None) -> str:
    """A table as plain text, as wide as it needs to be."""
    options: dict[str, Any] = {"color_system": None, "force_jupyter": False}
    console = Console(file=io.StringIO(), width=width or 200, **options)
    console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def as_html(table: Table) -> str:
    """A table as HTML that takes its colours from the page, light or dark."""
    cells = [list(column.cells) for column in table.columns]
    head = "".join(f"<th>{html.escape(str(column.header))}</th>" for column in table.columns)
    body = "".join(
        f"<tr>{''.join(_html_cell(cell) for cell in row)}</tr>" for row in zip(*cells, strict=True)
    )
    caption = html.escape(str(table.caption)) if table.caption else ""
    return (
        '<div style="overflow-x:auto"><table style="font-size:0.85em;text-align:left">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f'<p style="font-size:0.85em;opacity:0.8">{caption}</p></div>'
    )


def _html_cell(cell: Any) -> str:
    return f'<td style="text-align:left;padding:0.1em 0.8em 0.1em 0">{html.escape(str(cell))}</td>'


def _cut(rows: Sequence[Any]) -> Iterable[Any]:
    if len(rows) <= _MOST:
        return rows
    half = _MOST // 2
    return [*rows[:half], None, *rows[-half:]]


# --- columns of a plan ------------------------------------------------------------------------


def _shape(row: Any) -> str:
    stack = row.leaf.stack
    return (
        "x".join(f"[{n}]" if a in stack else f"{n}" for a, n in enumerate(row.leaf.shape)) or "()"
    )


def _fans(row: Any) -> str:
    fans = row.fans
    return "" if fans is None else f"{fans.fan_in:g} > {fans.fan_out:g}"


def _role(row: Any) -> str:
    if row.leaf.role == "unknown":
        return str(row.leaf.layer or "")
    return str(row.leaf.role).replace("_", " ")


def _sharding(row: Any) -> str:
    sharding = row.leaf.sharding
    if sharding is None:
        return ""
    spec = getattr(sharding, "spec", sharding)
    try:
        return ",".join(_axis(axis) for axis in spec) or "replicated"
    except TypeError:
        return type(sharding).__name__


def _axis(axis: Any) -> str:
    return "-" if axis is None else "+".join(axis) if isinstance(axis, tuple) else str(axis)


def _scheme(row: Any) -> str:
    if row.shared_with is not None:
        return f"= {row.shared_with}"
    return _value(row.scheme)


def _value(value: Any) -> str:
    """What a rule gives, with numbers to four digits."""
    if inspect.isfunction(value):
        return f"{value.__qualname__.split('.')[-1]}(leaf)"
    return _LONG.sub(_rounded, _value_text(repr(value)))


def _value_text(text: str) -> str:
    return text.replace("jinit.", "")


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.4g}"


def _std(row: Any) -> str:
    if row.std is None or row.shared_with is not None:
        return ""
    if hasattr(row.std, "min") and getattr(row.std, "ndim", False):
        return f"{short(float(row.std.min()))} to {short(float(row.std.max()))}"
    return short(float(row.std))


def _measured(row: Any) -> str:
    return "" if row.measured is None else short(row.measured)


def _z(row: Any) -> str:
    return "" if row.z is None else f"{row.z:+.1f}"


# The width below which a column is left out.
_WIDTHS = {"rule": 130, "dtype": 110, "role": 100, "fans": 88, "size": 84}
_RIGHT: dict[str, Any] = {"justify": "right", "no_wrap": True}
_COLUMNS: tuple[tuple[str, dict[str, Any], Any], ...] = (
    ("leaf", {"style": "bold", "overflow": "fold", "min_width": 22}, lambda row: row.path),
    ("shape", _RIGHT, _shape),
    ("dtype", {"style": "dim", "no_wrap": True}, lambda row: row.leaf.dtype.name),
    ("sharding", {"no_wrap": True}, _sharding),
    ("role", {"no_wrap": True}, _role),
    ("fans", _RIGHT, _fans),
    ("scheme", {"style": "cyan", "overflow": "fold", "min_width": 18}, _scheme),
    ("std", _RIGHT, _std),
    ("measured", _RIGHT, _measured),
    ("z", _RIGHT, _z),
    ("size", _RIGHT, lambda row: size(row.nbytes)),
    ("rule", {"style": "dim", "overflow": "fold"}, lambda row: _value_text(row.rule)),
)
