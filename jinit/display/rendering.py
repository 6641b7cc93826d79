"""Tables as plain text and as HTML.

May import: rich.
"""

import html
import io
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["as_html", "as_text"]


def as_text(table: Any, width: int = 200) -> str:
    """What rich prints, as plain text, in so many characters at the most."""
    options: dict[str, Any] = {"color_system": None, "force_jupyter": False}
    console = Console(file=io.StringIO(), width=width, **options)
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
