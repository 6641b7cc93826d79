"""Sums, products, quotients and choices of values of different sources.

May import: the standard library, NumPy, and of `jinit.analytic` components, facts, grid, meeting,
world.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from jinit.analytic.components import (
    added,
    covariance,
    of_covariance,
    product,
    total,
)
from jinit.analytic.facts import Fact, Field, Given, Known, Signal
from jinit.analytic.grid import standard_grid
from jinit.analytic.meeting import met
from jinit.analytic.world import World

__all__ = [
    "as_field",
    "divided",
    "multiplied",
    "pairwise",
    "plus",
    "ranked",
    "selected",
    "summed",
    "times",
]

_STRIDE = 20  # of the grid, where two values vary: 200 nodes each


def as_field(world: World, fact: Fact, like: Field) -> Field:
    """A value with random and given parts, whatever it was; arrays take their axes from `like`."""
    if isinstance(fact, Signal):
        return world.settled(fact)
    assert isinstance(fact, Known)
    array = np.asarray(fact.value, dtype=np.float64) * world.scaling.factor(fact.degrees)
    if array.ndim < len(like.shape):  # a number
        array = array.reshape((1,) * (len(like.shape) - array.ndim) + array.shape)
    places = tuple(
        names if size == whole else world.axes.new(size)
        for names, size, whole in zip(like.places, array.shape, like.shape, strict=True)
    )
    return world.from_array(array, places, array.shape)


def _fields(world: World, *facts: Fact) -> list[Field]:
    """The operands as values of one rank: that of the signal with the most axes."""
    signals = [fact for fact in facts if isinstance(fact, Signal)]
    like = world.settled(max(signals, key=lambda signal: len(signal.shape)))
    return [ranked(as_field(world, fact, like), len(like.shape)) for fact in facts]


def ranked(field: Field, rank: int) -> Field:
    """A value without axes as one with axes of 1."""
    if field.shape or not rank:
        return field
    return replace(field, places=((),) * rank, shape=(1,) * rank)


def _marks(*facts: Fact) -> dict[str, Any]:
    signals = [fact for fact in facts if isinstance(fact, Signal)]
    gaps = next((signal.gaps for signal in signals if signal.gaps is not None), None)
    constant = all(isinstance(f, Signal) or f.constant is not None for f in facts)  # type: ignore[union-attr]
    entries = min(signal.statistic for signal in signals) if constant else 0
    return {"statistic": entries, "gaps": gaps}


def summed(world: World, one: Fact, other: Fact, sign: float = 1.0) -> Signal:
    """`one + sign * other`: amplitudes of the same source add up."""
    a, b = _fields(world, one, other)
    return world.signal(plus(world, a, b.times(sign)), **_marks(one, other))


def plus(world: World, a: Field, b: Field) -> Field:
    """The sum of two fields."""
    a, b, places, shape = met(world, a, b)
    terms = dict(a.terms)
    for atom, c in b.terms.items():
        terms[atom] = terms.get(atom, 0.0) + c
        if terms[atom] == 0:
            del terms[atom]
    given = a.given or b.given
    if a.given is not None and b.given is not None:
        given = Given(a.given.value + b.given.value, a.given.atoms | b.given.atoms)
    made = world.fresh(places, shape, a.mean + b.mean, {}, terms)
    return replace(made, given=given)


def multiplied(world: World, one: Fact, other: Fact) -> Signal:
    """`one * other`; of a common source both are taken as Gaussian."""
    a, b = _fields(world, one, other)
    return world.signal(times(world, a, b), **_marks(one, other))


def times(world: World, a: Field, b: Field) -> Field:
    """The product of two fields.

    With means m, n and zero-mean parts X, Y of covariance C it is mn + nX + mY + XY, the last with
    mean C and covariance `K_X K_Y + C^2`, which is exact for independent and for Gaussian X, Y.
    """
    for field, factor in ((a, b), (b, a)):
        if not factor.terms and all(
            n in (1, m) for n, m in zip(factor.shape, field.shape, strict=True)
        ):
            return field.times(factor.mean)
    a, b, places, shape = met(world, a, b)
    common = world.components(a, b)
    mean = a.mean * b.mean + total(common)
    terms = {atom: c * b.mean for atom, c in a.terms.items()}
    for atom, c in b.terms.items():
        terms[atom] = terms.get(atom, 0.0) + c * a.mean
    beyond = product(world.components(a), world.components(b))
    if common:
        beyond = added(beyond, product(common, common))
    return world.fresh(places, shape, mean, beyond, {k: c for k, c in terms.items() if c})


def divided(world: World, one: Fact, other: Fact) -> Signal:
    """`one / other`: over an array exactly, over a value by a function of both."""
    if isinstance(other, Known):
        array = np.asarray(other.value, np.float64) * world.scaling.factor(other.degrees)
        if np.all(array):
            return multiplied(world, one, Known(1 / array))
    if isinstance(other, Signal) and not world.settled(other).terms:
        return multiplied(world, one, Known(np.asarray(1 / world.settled(other).mean)))
    if isinstance(other, Signal):
        probe = np.asarray(other.probe, dtype=np.float64)
        if probe.min() * probe.max() > 0:
            inverse = replace(other, probe=1 / probe, greatest=None, summed=None, rows=None)
            return multiplied(world, one, inverse)
    world.note("a quotient is cut off where its denominator is near 0")
    return pairwise(world, one, other, lambda a, b: a / b, "div")


def selected(world: World, which: Fact, zero: Fact, one: Fact) -> Signal:
    """`where(which, one, zero)` for a condition that is independent of both: a mixture."""
    where, a, b = _fields(world, _numbers(which), zero, one)
    if isinstance(which, Signal) and (world.components(where, a) or world.components(where, b)):
        world.note("a condition is taken as independent of what it chooses between")
    if not a.terms and not a.mean:
        made = times(world, where, b)
    else:
        made = plus(world, a, times(world, where, plus(world, b, a.times(-1.0))))
    return world.signal(made, **_marks(zero, one))


def _numbers(which: Fact) -> Fact:
    if isinstance(which, Known):
        return replace(which, value=np.asarray(which.value, dtype=np.float64))
    return which


def pairwise(
    world: World, one: Fact, other: Fact, function: Callable[[Any, Any], Any], name: str
) -> Signal:
    """Any function of two values, taken as Gaussian: moments on a grid of both.

    It stays joined to both by its slopes; of the rest the covariance is that of the square of
    either correlation, whichever is larger.
    """
    a, b = _fields(world, one, other)
    a, b, places, shape = met(world, a, b)
    if (a.terms and not isinstance(one, Signal)) or (b.terms and not isinstance(other, Signal)):
        world.note(f"an array in {name} is taken as Gaussian")
    grid = _Grid.of(world, a, b)
    values = np.asarray(function(*grid.points), dtype=np.float64)
    if not np.all(np.isfinite(values)):
        world.note("where a function is not finite, it was left out")
        values = np.where(np.isfinite(values), values, np.mean(values[np.isfinite(values)]))
    mean = float(grid.mean(values))
    slopes = grid.slopes(values - mean)
    terms = {atom: c * slopes[0] for atom, c in a.terms.items()}
    for atom, c in b.terms.items():
        terms[atom] = terms.get(atom, 0.0) + c * slopes[1]
    explained = world.fresh(places, shape, mean, {}, terms)
    rest = float(grid.mean(np.square(values - mean))) - world.variance(explained)
    return world.signal(
        world.fresh(places, shape, mean, _left(world, a, b, max(rest, 0.0)), terms),
        **_marks(one, other),
    )


def _left(world: World, a: Field, b: Field, rest: float) -> dict[frozenset[int], float]:
    parts = [world.components(field) for field in (a, b)]
    totals = [total(part) for part in parts]

    def at(agree: frozenset[int]) -> float:
        found = [
            covariance(part, agree) / whole
            for part, whole in zip(parts, totals, strict=True)
            if whole
        ]
        return rest * min(found) ** 2 if found else rest

    return of_covariance([names for part in parts for names in part], at)


class _Grid:
    """Two Gaussians on a square grid of independent ones."""

    def __init__(self, points: tuple[Any, Any], steps: tuple[Any, Any], turn: Any) -> None:
        self.points = points
        self._x, self._y = steps
        self._turn = turn
        _, weights = standard_grid()
        thin = weights[::_STRIDE] / weights[::_STRIDE].sum()
        self._weights = np.outer(thin, thin)

    @classmethod
    def of(cls, world: World, a: Field, b: Field) -> "_Grid":
        spread, other = (math.sqrt(world.variance(field)) for field in (a, b))
        common = total(world.components(a, b))
        c = common / (spread * other) if spread and other else 0.0
        c = min(1.0, max(-1.0, c))
        z = standard_grid()[0][::_STRIDE]
        x, y = np.meshgrid(z, z, indexing="ij")
        turned = c * x + math.sqrt(1 - c * c) * y
        points = (a.mean + spread * x, b.mean + other * turned)
        # Slopes by least squares: x and y are orthogonal, so that b's is y's, a's what is left.
        matrix = np.array([[spread, c * other], [0.0, math.sqrt(1 - c * c) * other]])
        return cls(points, (x, y), matrix)

    def mean(self, values: Any) -> Any:
        """The expectation."""
        return np.sum(self._weights * values)

    def slopes(self, values: Any) -> tuple[float, float]:
        """By how much the function rises with either, on the whole."""
        along = np.array([self.mean(values * self._x), self.mean(values * self._y)])
        found, *_ = np.linalg.lstsq(self._turn, along, rcond=1e-9)
        return float(found[0]), float(found[1])
