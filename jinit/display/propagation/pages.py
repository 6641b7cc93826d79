"""Reports of propagation for notebooks: HTML that takes its colours from the page, light or dark.

May import: the standard library, `jinit.display.propagation.tables`.
"""

import html
from collections.abc import Sequence
from typing import Any

from jinit.display.propagation.tables import MARKS, caption_of, cells_of, columns_for, thinned

__all__ = ["comparison_html", "report_html"]

_COLOURS = {"error": "#d93025", "warning": "#b06000", "note": "inherit", "fine": "#188038"}
_CELL = "padding:0.1em 0.8em 0.1em 0"
_MOST = 120  # rows of a table


def report_html(report: Any) -> str:
    """The verdicts, then a row an operation."""
    columns = columns_for(report, 120)
    head = [(name, options.get("justify") == "right") for name, options, _ in columns]
    caption = caption_of(report, [name for name, _ in head])
    rows = [
        None if row is None else cells_of(report, row, columns)
        for row in thinned(report.rows, _MOST)
    ]
    return (
        '<div style="overflow-x:auto;font-size:0.85em">'
        f"{_verdicts(report.verdicts)}{_table(head, rows)}"
        f'<p style="opacity:0.8">{html.escape(caption)}</p></div>'
    )


def comparison_html(comparison: Any) -> str:
    """A report's verdicts for each start."""
    parts = [
        f"<p><b>{html.escape(name)}</b></p>{_verdicts(report.verdicts)}"
        for name, report in comparison.items()
    ]
    return f'<div style="overflow-x:auto;font-size:0.85em">{"".join(parts)}</div>'


def _verdicts(verdicts: Sequence[Any]) -> str:
    lines = (
        f'<span style="color:{_COLOURS[verdict.severity]}"><b>{MARKS[verdict.severity][0]}</b> '
        f"{html.escape(verdict.text)}</span>"
        for verdict in verdicts
    )
    return f"<p>{'<br>'.join(lines)}</p>"


def _table(head: Sequence[tuple[str, bool]], rows: Sequence[Any]) -> str:
    sides = ["right" if right else "left" for _, right in head]
    titles = "".join(
        f'<th style="{_CELL};text-align:{side}">{html.escape(name)}</th>'
        for (name, _), side in zip(head, sides, strict=True)
    )
    body = "".join(
        f'<tr><td colspan="{len(head)}">...</td></tr>'
        if row is None
        else f"<tr>{''.join(map(_cell, row, sides))}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _cell(cell: tuple[str, str], side: str) -> str:
    text, severity = cell
    colour = f";color:{_COLOURS[severity]}" if severity else ""
    return f'<td style="{_CELL};text-align:{side}{colour}">{html.escape(text)}</td>'
