"""Sums, averages and maxima over axes and windows.

May import: the standard library, NumPy, jax, and of `jinit.analytic` components, facts, grid,
world; of `jinit.tracing` connections.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.axes import Places
from jinit.analytic.components import total
from jinit.analytic.facts import Atom, Field, Given, Law, Peak, Signal
from jinit.analytic.grid import standard_grid
from jinit.analytic.world import World
from jinit.tracing.atoms import shape_of
from jinit.tracing.connections import Window

__all__ = ["POOLING"]

_OUTER, _INNER = 40, 4  # strides of the grid: 100 and 1000 nodes


def _reduce_sum(world: World, eqn: JaxprEqn, signal: Signal) -> Signal:
    """A sum: the average over these axes, times their length; what a mask leaves out is 0."""
    axes = eqn.params["axes"]
    field = world.settled(signal)
    if signal.gaps is not None:
        field = field.times(1 - float(np.mean(signal.gaps)))
    names = frozenset(_flat(world, field, axes))
    count = math.prod(field.shape[axis] for axis in axes)
    terms: dict[Atom, float] = {}
    for atom, c in field.terms.items():
        averaged = Atom(atom.source, atom.over | names)
        terms[averaged] = terms.get(averaged, 0.0) + c * count
    made = Field(
        _without(field.places, axes),
        shape_of(eqn.outvars[0]),
        field.mean * count,
        terms,
        _given_sum(field, axes, names),
    )
    whole = Peak(signal.base, signal.probe, names, count)
    several = count if names & world.varying(field) else 1
    entries = several * max(1, signal.statistic)
    return world.signal(made, statistic=entries if entries > 1 else 0, summed=whole)


def _given_sum(field: Field, axes: Sequence[int], names: frozenset[int]) -> Given | None:
    if field.given is None:
        return None
    array = field.given.value
    repeated = math.prod(field.shape[axis] for axis in axes if array.shape[axis] == 1)
    atoms = frozenset(Atom(atom.source, atom.over | names) for atom in field.given.atoms)
    return Given(array.sum(axis=tuple(axes)) * repeated, atoms)


def _reduce_max(world: World, eqn: JaxprEqn, signal: Signal) -> Signal:
    """A maximum over axes."""
    axes = eqn.params["axes"]
    names = frozenset(_flat(world, signal.field, axes))
    count = math.prod(signal.shape[axis] for axis in axes)
    places = _without(signal.field.places, axes)
    flip = -1.0 if eqn.primitive.name == "reduce_min" else 1.0
    shape = shape_of(eqn.outvars[0])
    gone = dict.fromkeys(names, frozenset[int]())
    found = _greatest(world, signal, count, flip, (places, shape), gone)
    if flip > 0:
        return replace(found, greatest=Peak(signal.base, signal.probe, names, count))
    return found


def _flat(world: World, field: Field, axes: Sequence[int]) -> list[int]:
    return [name for axis in axes for name in world.axes.known(field.places[axis])]


def _without(places: Places, axes: Sequence[int]) -> Places:
    return tuple(names for position, names in enumerate(places) if position not in axes)


# --- windows ----------------------------------------------------------------------------------


def _windowed(world: World, eqn: JaxprEqn, signal: Signal) -> tuple[Any, Any, list[float]]:
    """The outcome's axes, what becomes of names, and by position the entries of a window."""
    params, field, onto = eqn.params, signal.field, shape_of(eqn.outvars[0])
    places, counts = list(field.places), []
    changed: dict[int, frozenset[int]] = {}
    for position, taps in enumerate(params["window_dimensions"]):
        step, size = params["window_strides"][position], onto[position]
        window = Window(
            field.shape[position],
            size,
            taps,
            step,
            params["base_dilation"][position],
            params["window_dilation"][position],
            params["padding"][position][0],
        )
        counts.append(window.pairs / size)
        if taps > step:
            world.note("windows overlap: their outcomes are taken as independent")
        if taps > 1 or size != field.shape[position]:
            old = world.axes.known(field.places[position])
            places[position] = world.axes.new(size)
            changed |= dict.fromkeys(old, frozenset(places[position]))
    return (tuple(places), onto), changed, counts


def _window_max(world: World, eqn: JaxprEqn, signal: Signal) -> Signal:
    axes, changed, counts = _windowed(world, eqn, signal)
    flip = -1.0 if eqn.primitive.name == "reduce_window_min" else 1.0
    return _greatest(world, signal, math.prod(counts), flip, axes, changed)


def _window_sum(world: World, eqn: JaxprEqn, signal: Signal) -> Signal:
    """A sum over windows: entries that they share add up before they are squared."""
    (places, shape), changed, counts = _windowed(world, eqn, signal)
    field = world.settled(signal)
    made: dict[frozenset[int], float] = {}
    for names, value in world.components(field).items():
        factor = 1.0
        for position, count in enumerate(counts):
            varies = bool(names & frozenset(world.axes.known(field.places[position])))
            factor *= count if varies else count**2
        _add(made, _renamed(names, changed), value * factor)
    return world.signal(world.fresh(places, shape, field.mean * math.prod(counts), made))


def _renamed(names: frozenset[int], changed: Mapping[int, frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*(changed.get(name, frozenset((name,))) for name in names))


def _add(made: dict[frozenset[int], float], names: frozenset[int], value: float) -> None:
    made[names] = made.get(names, 0.0) + value


# --- order statistics -------------------------------------------------------------------------


def _greatest(
    world: World,
    signal: Signal,
    count: float,
    flip: float,
    axes: tuple[Places, tuple[int, ...]],
    changed: Mapping[int, frozenset[int]],
) -> Signal:
    """The greatest of `count` entries, which are independent given what all of them share."""
    components = world.components(signal.field)
    inside = {names: v for names, v in components.items() if names & set(changed)}
    outside = {names: v for names, v in components.items() if not names & set(changed)}
    variance = total(components)
    common = min(1.0, max(0.0, total(outside) / variance)) if variance else 0.0
    means, squares, chances, law = _of_many(signal, count, flip, common)
    mean = float(chances @ means)
    shared = float(chances @ np.square(means - mean))
    private = max(0.0, float(chances @ squares) - mean**2 - shared)
    made: dict[frozenset[int], float] = {}
    for parts, value in ((inside, private), (outside, shared)):
        for names, part in parts.items():
            if total(parts):
                _add(made, _renamed(names, changed), value * part / total(parts))
    return world.signal(world.fresh(*axes, mean, made), law)


def _of_many(
    signal: Signal, count: float, flip: float, common: float
) -> tuple[Any, Any, Any, Law | None]:
    """Given what is shared: mean and mean square of the greatest, and how likely that is."""
    probe = flip * np.asarray(signal.probe, dtype=np.float64)
    nodes, weights = standard_grid()
    if not signal.law.gaussian or common < 1e-6:
        law = _power(probe, signal.law.weights, count, flip)
        mean, square = law.weights @ law.nodes, law.weights @ np.square(law.nodes)
        return np.array([mean]), np.array([square]), np.ones(1), law
    thin = weights[::_OUTER] / weights[::_OUTER].sum()
    inner = weights[::_INNER] / weights[::_INNER].sum()
    moments = []
    for z in nodes[::_OUTER]:
        place = math.sqrt(common) * z + math.sqrt(1 - common) * nodes[::_INNER]
        law = _power(np.interp(place, nodes, probe), inner, count, flip)
        moments.append((law.weights @ law.nodes, law.weights @ np.square(law.nodes)))
    means, squares = np.array(moments).T
    return means, squares, thin, None


def _power(values: Any, weights: Any, count: float, flip: float) -> Law:
    """The law of the greatest of independent values: their distribution function to the power."""
    order = np.argsort(values, kind="stable")
    below = np.minimum(1.0, np.cumsum(weights[order]))
    return Law(flip * values[order], np.diff(below**count, prepend=0.0))


Rule: TypeAlias = Callable[[World, JaxprEqn, Signal], Signal]

POOLING: Mapping[str, Rule] = {
    "reduce_max": _reduce_max,
    "reduce_min": _reduce_max,
    "reduce_sum": _reduce_sum,
    "reduce_window_max": _window_max,
    "reduce_window_min": _window_max,
    "reduce_window_sum": _window_sum,
}
