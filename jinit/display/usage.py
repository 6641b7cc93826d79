"""Usage as a table: what a model does with each of its parameters.

May import: rich, `jinit.display.columns`. Reads usage; computes nothing.
"""

from typing import Any

from rich.table import Table

from jinit.display.columns import NUMBER, Column, column_table, fitting

__all__ = ["usage_table"]


def usage_table(usage: Any, width: int = 200) -> Table:
    """One row a use: a tied parameter has several. In a narrow place some columns are left out."""
    uses = [use for first in usage.values() for use in first.uses]
    columns = fitting(_COLUMNS, uses, width)
    table = column_table(columns, uses, _style)
    table.caption = _caption(usage)
    return table


def _style(use: Any) -> str | None:
    return "dim" if use.role in ("unknown", "unused") else None


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


_COLUMNS = (
    Column("parameter", lambda u: u.path, {"style": "bold", "overflow": "fold", "min_width": 20}),
    Column("shape", _shape, NUMBER),
    Column("role", lambda use: use.role.replace("_", " ")),
    Column("fans", _fans, NUMBER),
    Column("then", _activation, {"style": "cyan", "no_wrap": True}, 70),
    Column("times", _times, NUMBER, 80),
    Column("residuals", lambda use: f"{use.residual_depth or ''}", NUMBER, 90),
    Column("notes", _notes, {"style": "dim", "overflow": "fold"}, 100),
)
