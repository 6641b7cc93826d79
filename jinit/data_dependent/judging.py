"""Whether what a pass found can be used: each outcome must ask for a scale that there is.

May import: the standard library, NumPy, and of `jinit.data_dependent` moments, planning.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jinit.data_dependent.moments import OVERCOME
from jinit.data_dependent.planning import Decision, Scheme

__all__ = ["check_state", "part_of"]

State = Mapping[str, Any]
_MOST = 8  # lines of a message


def check_state(scheme: Scheme, state: State, paths: Sequence[str], asked: str) -> None:
    """Raise if an outcome asks for a scale that there is none of.

    Args:
        scheme: what was done where.
        state: the vectors that a pass has left.
        paths: the parameters' paths.
        asked: what was asked for, in words.

    Raises:
        ValueError: an outcome is zero, constant or not finite, or its bias is too wide; the message
            names all of them.
    """
    lines = [line for d in scheme.decisions for line in _faults(scheme, d, state, paths, asked)]
    broken = [line for line in lines if line.endswith(_INFINITE)]
    lines = [line for line in lines if line not in broken[1:]]
    if not lines:
        return
    more = [f"and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    raise ValueError(
        "\n  ".join(["no scale leads there:", *lines[:_MOST], *more])
        + "\ndraw these anew, or leave them out with skip=[...], such as layers that begin at zero"
    )


_INFINITE = "has outputs that are not finite"


def _faults(
    scheme: Scheme, decision: Decision, state: State, paths: Sequence[str], asked: str
) -> Iterator[str]:
    """A line for each kind of fault in one place."""
    table = decision.numbers
    scale, rms = state["scale"][table], state["rms"][table]
    undecided = (scale == 0) & ~np.isnan(rms)
    kinds = (
        (undecided & (rms == 0), "has outputs that are all 0"),
        (undecided & (rms > 0), "has outputs that are all the same"),
        (scale == OVERCOME, f"has a bias that alone goes beyond {asked}"),
        (np.isnan(scale), _INFINITE),
    )
    leaf = next(iter(decision.writes))
    for found, what in kinds:
        if np.any(found):
            name = paths[leaf] + part_of(scheme, leaf, np.unique(table[found]))
            yield f"{name} ({decision.site.operation}) {what}"


def part_of(scheme: Scheme, leaf: int, numbers: Any) -> str:
    """Which part of a parameter some numbers stand for, as an index; empty for all of it."""
    block = scheme.blocks[leaf]
    if not block.axes or len(numbers) == block.size:
        return ""
    positions = np.unravel_index(numbers - block.offset, block.extents)
    places = dict(zip(block.axes, positions, strict=True))
    parts = [_slice(places[a], n) if a in places else ":" for a, n in enumerate(block.shape)]
    while parts[-1] == ":":
        parts.pop()
    return f"[{', '.join(parts)}]"


def _slice(positions: Any, size: int) -> str:
    found = np.unique(positions)
    if len(found) == size:
        return ":"
    low, high = int(found[0]), int(found[-1]) + 1
    return f"{low}" if high == low + 1 else f"{low}:{high}"
