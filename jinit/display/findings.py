"""The result of a check as a table: for terminals (rich) and notebooks (HTML).

May import: rich and `jinit.display.columns`, within functions, so that notebooks do
without. Reads a check; computes nothing.
"""

import html
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["findings_html", "findings_table"]

_STYLES = {"error": "bold red", "warning": "yellow", "ok": "bold green"}
_COLOURS = {"error": "#c5221f", "warning": "#b06000", "ok": "#188038"}
_CELL = "text-align:left;vertical-align:top;padding:0.15em 0.9em 0.15em 0"
_MOST = 200  # findings shown; `findings` holds all


def findings_table(check: Any) -> Any:
    """The outcome, then a row a finding, and what to do about each kind."""
    from rich.console import Group
    from rich.text import Text

    mark = Text("✓ " if check.ok else "✗ ", _STYLES[_worst(check)])
    parts: list[Any] = [mark.append(check.headline, "bold")]
    if check.findings:
        parts += ["", _rows(check.findings[:_MOST]), "", _advice_grid(check)]
    return Group(*parts, *(Text(line, "dim") for line in _remarks(check)))


def _rows(findings: Sequence[Any]) -> Any:
    from rich.text import Text

    from jinit.display.columns import plain_table

    table = plain_table()
    table.add_column("", no_wrap=True)
    table.add_column("leaf", overflow="fold")
    table.add_column("what was seen", overflow="fold")
    for finding in findings:
        kind = Text(finding.kind, _STYLES[finding.severity])
        table.add_row(kind, Text(finding.path, "bold"), Text(finding.detail))
    return table


def _advice_grid(check: Any) -> Any:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1, 0, 0))
    for kind, advice in _advice(check):
        grid.add_row(Text(kind), Text(advice, "dim"))
    return grid


def findings_html(check: Any) -> str:
    """The same for a notebook; takes its colours from the page, light or dark."""
    notes = [f"<b>{kind}</b>: {html.escape(text)}" for kind, text in _advice(check)]
    notes += [html.escape(line) for line in _remarks(check)]
    return (
        '<div style="overflow-x:auto;font-size:0.9em">'
        f'<p style="color:{_COLOURS[_worst(check)]}"><b>{html.escape(check.headline)}</b></p>'
        f"{_html_table(check.findings[:_MOST]) if check.findings else ''}"
        f'<p style="opacity:0.8">{"<br>".join(notes)}</p></div>'
    )


def _html_table(findings: Sequence[Any]) -> str:
    head = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("", "leaf", "what was seen"))
    rows = "".join(f"<tr>{''.join(_html_cells(finding))}</tr>" for finding in findings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _html_cells(finding: Any) -> Iterator[str]:
    colour = _COLOURS[finding.severity]
    yield f'<td style="{_CELL};color:{colour}"><b>{finding.kind}</b></td>'
    for text in (finding.path, finding.detail):
        yield f'<td style="{_CELL}">{html.escape(text)}</td>'


def _worst(check: Any) -> str:
    return "ok" if check.ok else "error" if check.errors else "warning"


def _advice(check: Any) -> Iterator[tuple[str, str]]:
    """What to do about each kind that was found, once."""
    yield from {finding.kind: finding.advice for finding in check.findings}.items()


def _remarks(check: Any) -> Sequence[str]:
    more = len(check.findings) - _MOST
    cut = [f"{more:,} more findings are in `.findings`"] if more > 0 else []
    return cut + ([check.remark] if check.remark else [])
