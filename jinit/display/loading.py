"""Reports of loading, and suggestions for it, as tables.

May import: rich, `jinit.display.models`. Reads reports; computes nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

__all__ = ["report_table", "suggestions_table"]

_MOST = 400  # rows of a table; a larger model is cut in the middle
_RIGHT: dict[str, Any] = {"justify": "right", "no_wrap": True}
_STYLES = {
    "loaded": None,
    "adapted": "cyan",
    "drawn": "green",
    "kept": "dim",
    "missing": "bold red",
    "mismatched": "bold red",
}


def report_table(report: Any, width: int = 200) -> Table:
    """One row a leaf, and the totals below; in a narrow place some columns are left out."""
    table = _table(report.rows, _REPORT, width, lambda row: _STYLES[row.outcome])
    table.caption = report_caption(report)
    return table


def report_caption(report: Any) -> str:
    """The totals as sentences."""
    totals = report.totals
    names = ("loaded", "adapted", "drawn", "kept", "missing", "mismatched")
    leaves = ", ".join(f"{totals[name]:,} {name}" for name in names if totals[name])
    text = f"{totals['leaves']:,} leaves: {leaves}."
    kinds = ("used", "ignored", "unexpected")
    tensors = ", ".join(f"{totals[name]:,} {name}" for name in kinds if totals[name])
    text += f" {totals['tensors']:,} tensors of {report.description}: {tensors or 'none'}."
    if report.unexpected:
        text += f" Unexpected: {_listed(report.unexpected)}."
    return text


def suggestions_table(suggestions: Any, width: int = 200) -> Table:
    """One row a leaf, with the tensor that it may be, and what is left over below."""
    table = _table(suggestions.rows, _SUGGESTED, width, _confidence_style)
    left = suggestions.left_over
    found = sum(row.source is not None for row in suggestions.rows)
    table.caption = f"{found:,} of {len(suggestions.rows):,} leaves have a likely tensor." + (
        f" Left over: {_listed(left)}." if left else ""
    )
    return table


def _confidence_style(row: Any) -> str | None:
    if row.source is None:
        return "bold red"
    return None if row.confidence >= 0.8 else "yellow"


def _table(
    rows: Sequence[Any], columns: Any, width: int, style: Callable[[Any], str | None]
) -> Table:
    shown = [c for c in columns if width >= c[1] and any(c[3](row) for row in rows)]
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    for name, _, options, _ in shown:
        table.add_column(name, **options)
    half = _MOST // 2
    cut = list(rows) if len(rows) <= _MOST else [*rows[:half], None, *rows[-half:]]
    for row in cut:
        if row is None:
            table.add_row(f"... {len(rows) - _MOST} more")
        else:
            table.add_row(*(cell(row) for *_, cell in shown), style=style(row))
    return table


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + rest


def _shape(shape: Sequence[int] | None) -> str:
    return "" if shape is None else "x".join(map(str, shape)) or "()"


def _other_shape(row: Any) -> str:
    return "" if row.source_shape == row.shape else _shape(row.source_shape)


def _how(row: Any) -> str:
    if row.shared_with is not None:
        return f"= {row.shared_with}"
    return str(row.how)


_REPORT: tuple[tuple[str, int, dict[str, Any], Callable[[Any], str]], ...] = (
    ("leaf", 0, {"overflow": "fold", "min_width": 20}, lambda row: row.path),
    ("outcome", 0, {"no_wrap": True}, lambda row: row.outcome),
    ("shape", 0, _RIGHT, lambda row: _shape(row.shape)),
    ("dtype", 110, {"no_wrap": True}, lambda row: row.dtype),
    ("from", 60, {"overflow": "fold"}, lambda row: row.source or ""),
    ("of shape", 90, _RIGHT, _other_shape),
    ("how", 80, {"overflow": "fold"}, _how),
    ("since", 100, {"no_wrap": True}, lambda row: row.reason or ""),
)
_SUGGESTED: tuple[tuple[str, int, dict[str, Any], Callable[[Any], str]], ...] = (
    ("leaf", 0, {"overflow": "fold", "min_width": 20}, lambda row: row.path),
    ("shape", 0, _RIGHT, lambda row: _shape(row.shape)),
    ("may be", 0, {"overflow": "fold"}, lambda row: row.source or ""),
    ("of shape", 70, _RIGHT, lambda row: _shape(row.source_shape)),
    ("how", 80, {"overflow": "fold"}, lambda row: row.how),
    ("confidence", 0, _RIGHT, lambda row: f"{row.confidence:.2f}" if row.source else ""),
)
