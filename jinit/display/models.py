"""Rules and plans as tables.

May import: rich, of `jinit.display` columns, numbers, and `jinit.model.diagnosis.finding`. Reads
rules and plans; computes nothing.
"""

import inspect
import re
from typing import Any

from rich.table import Table
from rich.text import Text

from jinit.display.columns import NUMBER, Column, column_table, fitting, plain_table
from jinit.display.numbers import short, size
from jinit.model.diagnosis.finding import count_noun

__all__ = ["plan_table", "rules_table"]

_LONG = re.compile(r"\d+\.\d{5,}(e-?\d+)?")


def rules_table(rules: Any) -> Table:
    """One row a rule, in the order in which they are tried."""
    table = plain_table()
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
    columns = fitting(_COLUMNS, plan.rows, width)
    table = column_table(columns, plan.rows, lambda row: None if row.drawn else "dim")
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
        f"{count_noun(totals['leaves'], 'leaf')}: {', '.join(parts)}. "
        f"{count_noun(totals['weights'], 'weight')}, {size(totals['bytes'])}{each}."
    )


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


_COLUMNS = (
    Column("leaf", lambda row: row.path, {"style": "bold", "overflow": "fold", "min_width": 22}),
    Column("shape", _shape, NUMBER),
    Column("dtype", lambda row: row.leaf.dtype.name, {"style": "dim", "no_wrap": True}, 110),
    Column("sharding", _sharding),
    Column("role", _role, needed=100),
    Column("fans", _fans, NUMBER, 88),
    Column("scheme", _scheme, {"style": "cyan", "overflow": "fold", "min_width": 18}),
    Column("std", _std, NUMBER),
    Column("measured", _measured, NUMBER),
    Column("z", _z, NUMBER),
    Column("size", lambda row: size(row.nbytes), NUMBER, 84),
    Column("rule", lambda row: _value_text(row.rule), {"style": "dim", "overflow": "fold"}, 130),
)
