"""Shares: positive entries over their own sum, as a softmax has them.

For independent e_i >= 0, what the n shares `w_i = e_i / (e_1 + ... + e_n)` have in common is that
they sum to 1; how uneven they are follows from `1 / s^2 = integral of t exp(-t s) dt`:

    E[sum_i w_i^2] = n * integral over t > 0 of t E[e^2 exp(-t e)] E[exp(-t e)]^(n - 1) dt

May import: the standard library, NumPy, jax, and of `jinit.analytic` components, facts, grid,
world.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.components import total
from jinit.analytic.facts import Fact, Signal
from jinit.analytic.grid import standard_grid
from jinit.analytic.world import World

__all__ = ["is_share", "shares", "unevenness"]

_THIN = 10  # of the grid
_STEPS = np.linspace(-14.0, 16.0, 601)  # log(t n E[e]); the integrand ends well within


def unevenness(values: Any, weights: Any, count: int) -> float:
    """`E[sum_i w_i^2]`, from 1 / count for equal shares to 1.

    Args:
        values: of e, positive.
        weights: their probabilities.
        count: how many there are.

    >>> round(unevenness(np.ones(2), np.ones(2) / 2, 8), 4)
    0.125
    """
    if count == 1:
        return 1.0
    values = np.asarray(values, dtype=np.float64) / float(weights @ values)
    t = np.exp(_STEPS)[:, None]
    faded = np.exp(-t * values[None, :] * (1.0 / count))
    squares = (faded * np.square(values)) @ weights / count**2
    rest = (faded @ weights) ** (count - 1)
    steps = t[:, 0]
    integrand = count * np.square(steps) * squares * rest  # over log t
    return float(min(1.0, max(1 / count, np.trapezoid(integrand, _STEPS))))


def is_share(eqn: JaxprEqn, facts: Sequence[Fact]) -> bool:
    """Whether an operation divides a value by its own sum."""
    if eqn.primitive.name != "div" or not all(isinstance(fact, Signal) for fact in facts):
        return False
    one, whole = facts
    of = whole.summed  # type: ignore[union-attr]
    return of is not None and of.base == one.base and _same(of.probe, one.probe)  # type: ignore[union-attr]


def _same(one: Any, other: Any) -> bool:
    return one is other or (one.shape == other.shape and np.allclose(one, other, rtol=1e-9))


def shares(world: World, one: Signal, whole: Signal) -> Signal:
    """A value over its own sum."""
    of = whole.summed
    assert of is not None
    names = frozenset(world.axes.known(of.names))
    components = world.components(one.field)
    variance = total(components)
    inside = {s: v for s, v in components.items() if s & names}
    share = min(1.0, max(0.0, total(inside) / variance)) if variance else 0.0
    axes = [p for p, place in enumerate(one.field.places) if names & set(world.axes.known(place))]
    squares = _mean_unevenness(one, of.size, share, axes)
    count = of.size
    spread = max(0.0, squares / count - 1 / count**2)
    made: dict[frozenset[int], float] = {}
    scale = total(inside)
    for each, value in inside.items():
        part = spread * value / scale
        made[each] = made.get(each, 0.0) + part * count / (count - 1)
        made[each - names] = made.get(each - names, 0.0) - part / (count - 1)
    return world.signal(world.fresh(one.field.places, one.shape, 1 / count, made))


def _mean_unevenness(one: Signal, count: int, share: float, axes: Sequence[int]) -> float:
    """Averaged over rows, of which a mask leaves different numbers of entries."""
    nodes, weights = standard_grid()
    if one.law.gaussian:
        values = np.interp(math.sqrt(share) * nodes[::_THIN], nodes, one.probe)
        chances = weights[::_THIN] / weights[::_THIN].sum()
    else:
        values, chances = np.asarray(one.probe, dtype=np.float64), one.law.weights
    sizes: Any = np.array([count])
    often: Any = np.ones(1)
    if one.gaps is not None:
        left = [n if axis in axes else m for axis, (n, m) in _extents(one)]
        rows = np.sum(~np.broadcast_to(one.gaps, left), axis=tuple(axes))
        sizes, often = np.unique(rows[rows > 0], return_counts=True)
    found = [unevenness(values, chances, int(n)) for n in sizes]
    return float(np.average(found, weights=often))


def _extents(one: Signal) -> Iterable[tuple[int, tuple[int, int]]]:
    """By axis, the length of a value and of its mask."""
    assert one.gaps is not None
    return enumerate(zip(one.shape, one.gaps.shape, strict=True))
