"""Reports of propagation as tables: one model's rows, and several starts side by side.

May import: rich, and of `jinit.display` columns, numbers. Reads reports; computes nothing but
what it leaves out.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from jinit.display.columns import NUMBER, plain_table
from jinit.display.numbers import short

__all__ = [
    "MARKS",
    "caption_of",
    "cells_of",
    "columns_for",
    "comparison_table",
    "report_table",
    "thinned",
]

MARKS = {
    "error": ("✗", "bold red"),
    "warning": ("!", "yellow"),
    "note": ("·", "dim"),
    "fine": ("✓", "green"),
}
_MOST = 60  # rows of a table; of a deeper model some layers are shown
_NAME = 20  # characters that names are thought to take

Cell = tuple[str, str]  # text, and how grave it is: "", "warning" or "error"


def report_table(report: Any, width: int = 160) -> Group:
    """The verdicts, then a row an operation; in a narrow place some columns are left out."""
    columns = columns_for(report, width)
    caption = caption_of(report, [name for name, _, _ in columns])
    table = plain_table(caption=caption, caption_style="dim")
    for name, options, _ in columns:
        table.add_column(name, **options)
    for row in thinned(report.rows, _MOST):
        if row is None:
            table.add_row(Text("...", "dim"))
            continue
        cells = (cell(report, row) for _, _, cell in columns)
        table.add_row(*(_styled(*each) for each in cells), style=_ROWS.get(row.kind))
    return Group(*_verdict_lines(report.verdicts), Text(), table)


def comparison_table(comparison: Any, width: int = 160) -> Group:
    """A row a start, from the first layer to the last, and what is said of each."""
    table = plain_table(caption=_COMPARISON_CAPTION, caption_style="dim")
    table.add_column("start", style="bold", overflow="fold")
    columns = [column for column in _COMPARED if width >= column[1]]
    for name, _, _ in columns:
        table.add_column(name, **NUMBER)
    table.add_column("verdict", overflow="fold")
    for name, report in comparison.items():
        worst = report.verdicts[0].severity
        kinds = ", ".join(dict.fromkeys(v.kind for v in report.verdicts if v.severity == worst))
        mark, style = MARKS[worst]
        cells = (_styled(*cell(report)) for _, _, cell in columns)
        table.add_row(Text(name), *cells, Text(f"{mark} {kinds}", style))
    return Group(table)


def thinned(rows: Sequence[Any], most: int) -> Iterator[Any]:
    """All rows if they are few; else those of some layers, with None where others are left out."""
    if len(rows) <= most:
        yield from rows
        return
    layers = sorted({row.layer for row in rows})
    count = max(2, min(len(layers), most * len(layers) // len(rows)))
    kept = {layers[round(n * (len(layers) - 1) / (count - 1))] for n in range(count)}
    skipping = False
    for row in rows:
        if row.layer in kept:
            skipping = False
            yield row
        elif not skipping:
            skipping = True
            yield None


def columns_for(report: Any, width: int) -> list[tuple[str, Mapping[str, Any], Any]]:
    """The columns that fit and have something in them: heading, options, cell of a row."""
    rows = report.rows
    width -= max(0, max((len(row.name) for row in rows), default=0) - _NAME)
    return [
        (name, options, cell)
        for name, needed, options, cell in _COLUMNS
        if width >= needed and any(cell(report, row)[0] for row in rows)
    ]


def cells_of(report: Any, row: Any, columns: Sequence[Any]) -> list[Cell]:
    """The texts of one row, and how grave each is."""
    return [cell(report, row) for _, _, cell in columns]


def _verdict_lines(verdicts: Sequence[Any]) -> Iterator[Any]:
    grid = Table.grid(padding=(0, 1, 0, 0))
    for verdict in verdicts:
        mark, style = MARKS[verdict.severity]
        grid.add_row(Text(mark, style), Text(verdict.text))
    yield grid


def _styled(text: str, severity: str) -> Text:
    return Text(text, MARKS[severity][1] if severity else "")


# --- columns of a report ------------------------------------------------------------------------


def _layer(report: Any, row: Any) -> Cell:
    return (f"{row.layer}" if row.kind == "linear" else "", "")


def _number(value: float | None) -> Cell:
    if value is None:
        return "", ""
    return short(value), "" if math.isfinite(value) else "error"


def _share(value: float | None, warning: float, error: float) -> Cell:
    if value is None:
        return "", ""
    text = f"{100 * value:.0f}%" if not 0 < value < 0.005 else "<1%"
    return text, "error" if value >= error else "warning" if value >= warning else ""


def _correlation(value: float | None) -> Cell:
    if value is None:
        return "", ""
    text = f"{value:.2f}" if value < 0.995 else f"{value:.4f}" if value < 0.9999 else ">.9999"
    return text, "error" if value >= 0.999 else "warning" if value >= 0.95 else ""


def _gone(row: Any) -> Cell:
    """Dead units, or saturated entries."""
    if row.forward.saturated is not None:
        return _share(row.forward.saturated, 0.5, 0.9)
    return _share(row.forward.dead, 0.5, 0.9)


def _gradient(report: Any, row: Any) -> Cell:
    """Gradient over weight of the layer's own parameter, at the row of the layer."""
    if row.kind != "linear":
        return "", ""
    for leaf in report.leaves:
        if leaf.path == row.path and leaf.step in (row.step, ()):
            return _number(leaf.ratio)
    return "", ""


def _backward(row: Any) -> Cell:
    return _number(None if row.backward is None else row.backward.norm)


_COLUMNS: tuple[tuple[str, int, Mapping[str, Any], Callable[[Any, Any], Cell]], ...] = (
    ("layer", 0, NUMBER, _layer),
    ("after", 0, {"overflow": "fold", "min_width": 16}, lambda _, row: (row.name, "")),
    ("operation", 0, {"no_wrap": True}, lambda _, row: (row.operation.replace("_", " "), "")),
    ("mean", 110, NUMBER, lambda _, row: _number(row.forward.mean)),
    ("std", 100, NUMBER, lambda _, row: _number(row.forward.std)),
    ("rms", 0, NUMBER, lambda _, row: _number(row.forward.rms)),
    ("max", 120, NUMBER, lambda _, row: _number(row.forward.peak)),
    ("means", 90, NUMBER, lambda _, row: _share(row.forward.mean_share, 0.9, 2.0)),
    ("alike", 0, NUMBER, lambda _, row: _correlation(row.forward.correlation)),
    ("rank", 110, NUMBER, lambda _, row: _number(row.forward.rank)),
    ("gone", 0, NUMBER, lambda _, row: _gone(row)),
    ("gradient", 0, NUMBER, lambda _, row: _backward(row)),
    ("/weight", 80, NUMBER, _gradient),
)
_ROWS = {"input": "dim", "activation": "dim", "output": "dim", "other": "dim"}


_EXPLAINED = {
    "means": "the units' means, as a share of the mean square",
    "alike": "correlation between inputs",
    "rank": "directions they take up",
    "gone": "dead units, or saturated entries",
    "gradient": "its norm there, for one input",
    "/weight": "gradient of the parameter, over its own size",
}


def caption_of(report: Any, columns: Sequence[str]) -> str:
    """What these columns are, and what there is to say beside them."""
    explained = [f"{name}: {_EXPLAINED[name]}" for name in columns if name in _EXPLAINED]
    parts = [f"{'; '.join(explained)}."] if explained else []
    if report.loss is not None:
        parts.append(f"The loss is {report.loss:.4g}.")
    if report.spectrum is not None:
        found = report.spectrum
        parts.append(
            f"Singular values of the Jacobian: rms {short(found.rms)}, largest "
            f"{short(found.largest)}."
        )
    if report.opaque:
        parts.append(f"Not followed: {', '.join(report.opaque)}.")
    return " ".join(parts)


# --- columns of a comparison --------------------------------------------------------------------


def _ends(report: Any, value: Callable[[Any], float | None], backwards: bool = False) -> Cell:
    """The value at both ends of the trunk, in the direction of the signal."""
    found = [x for x in map(value, report.trunk()) if x is not None]
    if not found:
        return "", ""
    first, last = (found[-1], found[0]) if backwards else (found[0], found[-1])
    return f"{short(first)} → {short(last)}", _change(first, last)


def _change(first: float, last: float) -> str:
    if not (math.isfinite(first) and math.isfinite(last)) or not first or not last:
        return "error" if first != last else ""
    decades = abs(math.log10(last / first))
    return "error" if decades > 6 else "warning" if decades > 1 else ""


def _last_correlation(report: Any) -> Cell:
    found = [row.forward.correlation for row in report.trunk()]
    known = [c for c in found if c is not None]
    return _correlation(known[-1]) if known else ("", "")


def _worst_gone(report: Any) -> Cell:
    cells = [(row.forward.dead or 0, row.forward.saturated or 0) for row in report.rows]
    dead, saturated = (max(column, default=0) for column in zip(*cells, strict=True))
    return _share(saturated, 0.5, 0.9) if saturated > dead else _share(dead, 0.5, 0.9)


def _largest(report: Any) -> Cell:
    return _number(None if report.spectrum is None else report.spectrum.largest)


_COMPARED: tuple[tuple[str, int, Callable[[Any], Cell]], ...] = (
    ("forward rms", 0, lambda r: _ends(r, lambda row: row.forward.rms)),
    (
        "gradient",
        0,
        lambda r: _ends(r, lambda row: None if row.backward is None else row.backward.norm, True),
    ),
    ("alike", 0, _last_correlation),
    ("gone", 80, _worst_gone),
)
_COMPARISON_CAPTION = (
    "Forward rms from the first layer (or residual sum) to the last, gradient norm from the last "
    "to the first; alike: correlation between inputs at the last; gone: the most dead units or "
    "saturated entries after any activation."
)
