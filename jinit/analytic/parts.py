"""Some entries of a value: slices, entries at given places, entries in another order.

May import: the standard library, NumPy, jax, and of `jinit.analytic` facts, world; of
`jinit.tracing` atoms.

A part is a value of its own, as its entries are others than those of a different part; the same
part is the same value whenever it is taken.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.facts import Atom, Fact, Field, Index, Known, Signal
from jinit.analytic.world import World
from jinit.tracing.atoms import shape_of

__all__ = ["PARTS", "picked"]


def picked(
    world: World, signal: Signal, shape: Sequence[int], cut: Any = None, part: Hashable = None
) -> Signal:
    """Some entries along the axes that have become shorter.

    Args:
        world: the state of the walk.
        signal: the value.
        shape: the shape of the part.
        cut: of an array of the value's rank and shape or 1, the same part.
        part: what tells this part from others; None for one that cannot be told.
    """
    if signal.field.given is not None and not signal.identity:
        signal = world.signal(world.settled(signal))
    field, places = signal.field, list(signal.field.places)
    changed: dict[int, frozenset[int]] = {}
    for position, size in enumerate(shape):
        if size != field.shape[position]:
            old = world.axes.known(field.places[position])
            key = (old, size, part) if part is not None else object()
            if key not in world.names:
                world.names[key] = world.axes.new(size)
            places[position] = world.names[key]
            changed |= dict.fromkeys(old, frozenset(world.axes.known(places[position])))
    if all(n == m for n, m in zip(shape, field.shape, strict=True)):
        return signal
    given = field.given
    taken = given.atoms if given is not None else frozenset[Atom]()
    random = {atom: c for atom, c in field.terms.items() if atom not in taken}
    terms = {
        Atom(_part_of(world, replace(field, terms={atom: 1.0}), atom, part, changed)): c
        for atom, c in random.items()
    }
    found = Field(tuple(places), tuple(shape), field.mean, terms)
    if given is None:
        return replace(world.signal(found, signal.law), probe=_probe(signal))
    return world.signal(_with_given(world, found, given.value if cut is None else cut(given.value)))


def _part_of(
    world: World,
    alone: Field,
    atom: Atom,
    part: Hashable,
    changed: Mapping[int, frozenset[int]],
) -> int:
    """The source that a part of a source is, the same one whenever that part is taken."""
    over = frozenset(world.axes.known(atom.over))
    key = (atom.source, over, part, tuple(changed)) if part is not None else object()
    if key not in world.images:
        made: dict[frozenset[int], float] = {}
        for names, value in world.components(alone).items():
            new = frozenset[int]().union(*(changed.get(n, frozenset((n,))) for n in names))
            made[new] = made.get(new, 0.0) + value
        world.images[key] = world.source(made)
    return world.images[key]


def _probe(signal: Signal) -> Any:
    return signal.law.nodes if signal.identity else signal.probe


def _with_given(world: World, part: Field, array: Any) -> Field:
    """A part of a value, and of the array that it holds."""
    array = np.asarray(array)
    fits = all(n in (1, m) for n, m in zip(array.shape, part.shape, strict=True))
    if not fits:
        array = np.full((1,) * array.ndim, array.mean())
    own = world.from_array(array, part.places, part.shape)
    terms = {**part.terms, **own.terms}
    return replace(part, mean=part.mean + own.mean, terms=terms, given=own.given)


def _slice(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    params = eqn.params
    steps = params["strides"] or (1,) * len(params["start_indices"])
    triples = list(zip(params["start_indices"], params["limit_indices"], steps, strict=True))
    return [_part(world, facts[0], shape_of(eqn.outvars[0]), triples)]


def _part(
    world: World, fact: Fact, shape: tuple[int, ...], triples: Sequence[tuple[int, int, int]]
) -> Fact:
    if isinstance(fact, Index):
        return Index(world.axes.places(shape), shape)
    assert isinstance(fact, Signal)

    def cut(array: Any) -> Any:
        pairs = zip(triples, array.shape, strict=True)
        return array[tuple(slice(None) if size == 1 else slice(*t) for t, size in pairs)]

    row = _row(world, fact, shape, triples)
    if row is not None:
        return row
    found = picked(world, fact, shape, cut, tuple(triples))
    return replace(found, gaps=None if fact.gaps is None else cut(fact.gaps))


def _row(
    world: World, signal: Signal, shape: tuple[int, ...], triples: Sequence[tuple[int, int, int]]
) -> Signal | None:
    """One step of a loop, out of all that were stacked."""
    if signal.rows is None:
        return None
    axis, steps = signal.rows
    own = (*shape[:axis], signal.shape[axis], *shape[axis + 1 :])
    step = steps[triples[axis][0]]
    if shape[axis] != 1 or own != signal.shape or not isinstance(step, Signal):
        return None
    field = replace(world.settled(step), given=None)
    places = (*field.places[:axis], (), *field.places[axis:])
    return world.signal(replace(field, places=places, shape=shape))


def _split(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    axis, start, found = eqn.params["axis"], 0, []
    shape = list(shape_of(eqn.invars[0]))
    for size, out in zip(eqn.params["sizes"], eqn.outvars, strict=True):
        triples = [(0, n, 1) for n in shape]
        triples[axis] = (start, start + size, 1)
        found.append(_part(world, facts[0], shape_of(out), triples))
        start += size
    return found


def _dynamic_slice(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    shape, starts = shape_of(eqn.outvars[0]), facts[1:]
    if all(isinstance(start, Known) for start in starts):
        whole = shape_of(eqn.invars[0])
        first = [
            int(np.clip(int(start.value), 0, n - size))  # type: ignore[union-attr]
            for start, n, size in zip(starts, whole, shape, strict=True)
        ]
        triples = [(at, at + size, 1) for at, size in zip(first, shape, strict=True)]
        return [_part(world, facts[0], shape, triples)]
    if isinstance(facts[0], Index):
        return [Index(world.axes.places(shape), shape)]
    assert isinstance(facts[0], Signal)
    return [picked(world, facts[0], shape)]


def _rev(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    """Entries in another order: a value of its own, as entries meet others than before."""
    fact = facts[0]
    if isinstance(fact, Index):
        return [fact]
    assert isinstance(fact, Signal)
    own = world.signal(world.detached(fact.field), fact.law)
    return [replace(own, probe=_probe(fact))]


def _gather(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    """Entries at given places: those of an axis that is indexed vary with the index."""
    fact, numbers = facts[0], eqn.params["dimension_numbers"]
    shape = shape_of(eqn.outvars[0])
    if isinstance(fact, Index):
        return [Index(world.axes.places(shape), shape)]
    assert isinstance(fact, Signal)
    field, places = fact.field, list(world.axes.places(shape))
    changed: dict[int, frozenset[int]] = {}
    rows = [p for p in range(len(shape)) if p not in numbers.offset_dims]
    own = frozenset(name for p in rows for name in places[p])
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    kept = [p for p in range(len(field.shape)) if p not in gone]
    for position, target in zip(kept, numbers.offset_dims, strict=True):
        known = world.axes.known(field.places[position])
        if field.shape[position] == shape[target]:
            places[target] = known
        else:
            changed |= dict.fromkeys(known, frozenset(places[target]))
    for position in gone:
        changed |= dict.fromkeys(world.axes.known(field.places[position]), own)
    made: dict[frozenset[int], float] = {}
    for names, value in world.components(field).items():
        new = frozenset[int]().union(*(changed.get(n, frozenset((n,))) for n in names))
        made[new] = made.get(new, 0.0) + value
    part = world.signal(world.fresh(tuple(places), shape, field.mean, made), fact.law)
    return [replace(part, probe=_probe(fact))]


Rule: TypeAlias = Callable[[World, JaxprEqn, Sequence[Fact]], list[Fact]]

PARTS: Mapping[str, Rule] = {
    "dynamic_slice": _dynamic_slice,
    "gather": _gather,
    "rev": _rev,
    "slice": _slice,
    "split": _split,
}
