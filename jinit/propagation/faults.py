"""Verdicts on what cannot be measured any further: NaN and infinities, signals that are 0.

May import: the standard library, and of `jinit.propagation` rows, verdict.
"""

import math
from collections.abc import Callable, Iterator, Sequence

from jinit.propagation.rows import Leaf, Row
from jinit.propagation.verdict import Verdict

__all__ = ["nonfinite", "silent"]


def nonfinite(rows: Sequence[Row], leaves: Sequence[Leaf]) -> Iterator[Verdict]:
    """Where NaN or infinities come from: parameters, or the first operation that has them."""
    broken = [leaf for leaf in leaves if not math.isfinite(leaf.weight_peak)]
    for leaf in broken:
        text = f"parameter {leaf.name} holds {_what(leaf.weight_peak)}"
        yield Verdict("nonfinite", "error", text, (leaf.name,))
    for row in rows:
        if not math.isfinite(row.forward.peak):
            text = f"{_what(row.forward.peak)} first comes out of {row.name} ({row.operation})"
            yield Verdict("nonfinite", "error", text, (row.name,))
            return
    for row in reversed(rows):
        if row.backward is not None and not math.isfinite(row.backward.peak):
            text = (
                f"on the way back, {_what(row.backward.peak)} first arrives at {row.name} "
                f"({row.operation})"
            )
            yield Verdict("nonfinite", "error", text, (row.name,))
            return


def silent(rows: Sequence[Row], leaves: Sequence[Leaf]) -> Iterator[Verdict]:
    """Signals and gradients that are exactly 0, from some operation on."""
    kernels = {row.path for row in rows if row.kind == "linear"}
    zeros = tuple(leaf.name for leaf in leaves if leaf.weight_peak == 0 and leaf.path in kernels)
    forward = _from_there_on([row for row in rows if row.kind != "input"], _is_silent)
    if forward is not None:
        text = f"the signal is 0 from {forward.name} ({forward.operation}) on"
        yield _verdict("zero", text, forward, rows, zeros)
    backward = _from_there_on([row for row in reversed(rows) if row.kind == "linear"], _is_cut)
    if backward is not None:
        text = f"no gradient comes back to {backward.name}, nor to what is before it"
        yield _verdict("no gradient", text, backward, rows, zeros)
    elif any(leaf.gradient_peak for leaf in leaves):
        idle = tuple(leaf.name for leaf in leaves if leaf.gradient_peak == 0)
        if idle:
            text = f"no gradient reaches {_listing(idle)}"
            yield Verdict("no gradient", "note", text, idle)


def _verdict(
    kind: str, text: str, row: Row, rows: Sequence[Row], zeros: tuple[str, ...]
) -> Verdict:
    """An error, unless weights that are 0 from the start explain it."""
    last = max(other.layer for other in rows)
    meant = bool(zeros) and row.layer >= last - 1
    why = f": {_listing(zeros)} {'is' if len(zeros) == 1 else 'are'} 0" if zeros else ""
    return Verdict(kind, "note" if meant else "error", text + why, (row.name, *zeros))


def _is_silent(row: Row) -> bool:
    return row.forward.peak == 0


def _is_cut(row: Row) -> bool:
    return row.backward is not None and row.backward.peak == 0


def _from_there_on(rows: Sequence[Row], holds: Callable[[Row], bool]) -> Row | None:
    """The first row from which on it holds of all; None if it does not hold at the end."""
    found = None
    for row in reversed(rows):
        if not holds(row):
            break
        found = row
    return found


def _what(peak: float) -> str:
    return "NaN" if math.isnan(peak) else "an infinity"


def _listing(names: Sequence[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
