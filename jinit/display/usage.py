"""Usage as a table: what a model does with each of its parameters.

May import: rich, `jinit.display.models`. Reads usage; computes nothing.
"""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

__all__ = ["usage_table"]

_RIGHT: dict[str, Any] = {"justify": "right", "no_wrap": True}
_MOST = 400  # rows of a table; a larger model is cut in the middle


def usage_table(usage: Any, width: int = 200) -> Table:
    """One row a use: a tied parameter has several. In a narrow place some columns are left out."""
    uses = [use for first in usage.values() for use in first.uses]
    columns = [
        (name, options, cell)
        for name, needed, options, cell in _COLUMNS
        if width >= needed and any(cell(use) for use in uses)
    ]
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    for name, options, _ in columns:
        table.add_column(name, **options)
    half = _MOST // 2
    shown = uses if len(uses) <= _MOST else [*uses[:half], None, *uses[-half:]]
    for use in shown:
        if use is None:
            table.add_row(f"... {len(uses) - _MOST} more")
            continue
        style = "dim" if use.role in ("unknown", "unused") else None
        table.add_row(*(cell(use) for _, _, cell in columns), style=style)
    table.caption = _caption(usage)
    return table


def _caption(usage: Any) -> str:
    """How many parameters there are of each role, and what could not be followed."""
    counts: dict[str, int] = {}
    for use in usage.values():
        counts[use.role] = counts.get(use.role, 0) + 1
    told = ", ".join(f"{count} {role.replace('_', ' ')}" for role, count in sorted(counts.items()))
    opaque = f" Not followed: {', '.join(usage.opaque)}." if usage.opaque else ""
    return f"{len(usage)} parameters: {told}.{opaque}"


def _shape(use: Any) -> str:
    """Extents with the letter of their role: i contracted, o produced, b batch."""
    letters = dict.fromkeys(use.in_axes, "i") | dict.fromkeys(use.out_axes, "o")
    letters |= dict.fromkeys(use.batch_axes, "b")
    told = (f"{size}{letters.get(axis, '')}" for axis, size in enumerate(use.shape))
    return "x".join(told) or "()"


def _fans(use: Any) -> str:
    return "" if use.fans is None else f"{use.fans.fan_in:g} > {use.fans.fan_out:g}"


def _activation(use: Any) -> str:
    param = "" if use.activation_param is None else f"({use.activation_param:g})"
    return f"{use.activation}{param}" if use.activation else ", ".join(use.activations)


def _times(use: Any) -> str:
    return f"{use.repetitions}" if use.repetitions > 1 else ""


def _notes(use: Any) -> str:
    through = f"through {', '.join(use.through)}" if use.through else ""
    parts = f"{use.parts} parts" if use.parts > 1 else ""
    opaque = f"not followed: {', '.join(use.opaque)}" if use.opaque else ""
    return "; ".join(note for note in (use.reason, parts, through, opaque) if note)


_COLUMNS: tuple[tuple[str, int, dict[str, Any], Any], ...] = (
    ("parameter", 0, {"style": "bold", "overflow": "fold", "min_width": 20}, lambda u: u.path),
    ("shape", 0, _RIGHT, _shape),
    ("role", 0, {"no_wrap": True}, lambda use: use.role.replace("_", " ")),
    ("fans", 0, _RIGHT, _fans),
    ("then", 70, {"style": "cyan", "no_wrap": True}, _activation),
    ("times", 80, _RIGHT, _times),
    ("residuals", 90, _RIGHT, lambda use: f"{use.residual_depth or ''}"),
    ("notes", 100, {"style": "dim", "overflow": "fold"}, _notes),
)
