"""Reports of loading, and suggestions for it, as tables.

May import: rich, `jinit.display.columns`, `jinit.model.diagnosis.finding`. Reads reports; computes
nothing.
"""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from jinit.display.columns import NUMBER, Column, column_table, fitting
from jinit.model.diagnosis.finding import count_noun

__all__ = ["report_table", "suggestions_table"]

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
    columns = fitting(_REPORT, report.rows, width)
    table = column_table(columns, report.rows, lambda row: _STYLES[row.outcome])
    table.caption = report_caption(report)
    return table


def report_caption(report: Any) -> str:
    """The totals as sentences."""
    totals = report.totals
    names = ("loaded", "adapted", "drawn", "kept", "missing", "mismatched")
    leaves = ", ".join(f"{totals[name]:,} {name}" for name in names if totals[name])
    text = f"{count_noun(totals['leaves'], 'leaf')}: {leaves}."
    kinds = ("used", "ignored", "unexpected")
    tensors = ", ".join(f"{totals[name]:,} {name}" for name in kinds if totals[name])
    text += (
        f" {count_noun(totals['tensors'], 'tensor')} of {report.description}: {tensors or 'none'}."
    )
    if report.unexpected:
        text += f" Unexpected: {_listed(report.unexpected)}."
    return text


def suggestions_table(suggestions: Any, width: int = 200) -> Table:
    """One row a leaf, with the tensor that it may be, and what is left over below."""
    columns = fitting(_SUGGESTED, suggestions.rows, width)
    table = column_table(columns, suggestions.rows, _confidence_style)
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


_REPORT = (
    Column("leaf", lambda row: row.path, {"overflow": "fold", "min_width": 20}),
    Column("outcome", lambda row: row.outcome),
    Column("shape", lambda row: _shape(row.shape), NUMBER),
    Column("dtype", lambda row: row.dtype, needed=110),
    Column("from", lambda row: row.source or "", {"overflow": "fold"}, 60),
    Column("of shape", _other_shape, NUMBER, 90),
    Column("how", _how, {"overflow": "fold"}, 80),
    Column("since", lambda row: row.reason or "", needed=100),
)
_SUGGESTED = (
    Column("leaf", lambda row: row.path, {"overflow": "fold", "min_width": 20}),
    Column("shape", lambda row: _shape(row.shape), NUMBER),
    Column("may be", lambda row: row.source or "", {"overflow": "fold"}),
    Column("of shape", lambda row: _shape(row.source_shape), NUMBER, 70),
    Column("how", lambda row: row.how, {"overflow": "fold"}, 80),
    Column("confidence", lambda row: f"{row.confidence:.2f}" if row.source else "", NUMBER),
)
