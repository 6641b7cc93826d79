"""Masks before a softmax: entries that are left out, as a known array says.

May import: the standard library, NumPy, jax, and of `jinit.analytic` facts, world.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.facts import Fact, Known, Signal
from jinit.analytic.world import World

__all__ = ["masked"]

_LOW = -1e4  # what exp makes 0, beside scores of a few units


def masked(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal | None:
    """Scores of which a mask leaves some out, or None where the operation does no such thing."""
    name = eqn.primitive.name
    if name in ("add", "add_any"):
        return _lowered(*facts)
    if name == "select_n" and len(facts) == 3:
        return _replaced(world, *facts)
    return None


def _lowered(one: Fact, other: Fact) -> Signal | None:
    """Scores plus an array that is 0 or very low."""
    signal, array = (one, other) if isinstance(one, Signal) else (other, one)
    if not (isinstance(signal, Signal) and isinstance(array, Known)) or array.value.size < 2:
        return None
    low = np.asarray(array.value, dtype=np.float64) <= _LOW
    if not low.any() or np.any(array.value[~low]):
        return None
    return _with_gaps(signal, low)


def _replaced(world: World, which: Fact, zero: Fact, one: Fact) -> Signal | None:
    """Scores, or something very low where a condition says so."""
    for scores, other, hides in ((zero, one, True), (one, zero, False)):
        if not isinstance(scores, Signal) or not isinstance(other, Known):
            continue
        low = other.constant
        if low is None or not low <= _LOW:
            continue
        if isinstance(which, Known):
            return _with_gaps(scores, np.asarray(which.value, dtype=bool) == hides)
        world.note("a mask that depends on the inputs is taken to leave nothing out")
        return scores
    return None


def _with_gaps(signal: Signal, gaps: Any) -> Signal:
    if signal.gaps is not None:
        gaps = gaps | signal.gaps
    return replace(signal, gaps=gaps if np.any(gaps) else None)
