"""Values through changes of shape: reshaped, transposed, repeated, cut, joined, picked.

May import: the standard library, NumPy, jax, and of `jinit.analytic` arithmetic, components, facts,
meeting, world.

What keeps all entries keeps the value; what takes some of them makes a value of its own, as these
are other entries than those that a different part takes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.arithmetic import as_field
from jinit.analytic.components import total
from jinit.analytic.facts import Fact, Field, Given, Index, Known, Signal
from jinit.analytic.meeting import meet
from jinit.analytic.world import World

__all__ = ["SHAPES", "concatenated", "mixture", "picked"]

_MOST = 2**22  # entries of an array that is kept beside a value


# --- all entries ------------------------------------------------------------------------------


def _reshape(world: World, eqn: JaxprEqn, field: Field) -> Field:
    shape, order = tuple(eqn.outvars[0].aval.shape), eqn.params.get("dimensions")
    if eqn.primitive.name == "reshape" and order is not None:
        field = _permuted(field, order)
    names = [name for place in field.places for name in place]
    places = world.axes.regrouped(names, shape)
    if places is None:
        return _mixed_up(world, field, shape)
    return replace(field, places=places, shape=shape, given=_reshaped(field, shape))


def _reshaped(field: Field, shape: tuple[int, ...]) -> Given | None:
    if field.given is None or math.prod(shape) > _MOST:
        return None
    array = np.broadcast_to(field.given.value, field.shape).reshape(shape)
    return field.given._replace(value=array)


def _mixed_up(world: World, field: Field, shape: tuple[int, ...]) -> Field:
    """Entries whose axes cannot be told apart any more: all vary along all of them."""
    world.note(f"the axes of {field.shape} are mixed in {shape}: entries are taken as independent")
    places = world.axes.places(shape)
    names = frozenset(name for place in places for name in place)
    components = world.components(field)
    common = components.get(frozenset(), 0.0)
    made = {names: total(components) - common, frozenset[int](): common}
    return world.fresh(places, shape, field.mean, {s: v for s, v in made.items() if v})


def _transpose(world: World, eqn: JaxprEqn, field: Field) -> Field:
    return _permuted(field, eqn.params["permutation"])


def _permuted(field: Field, order: Sequence[int]) -> Field:
    given = field.given and field.given._replace(value=np.transpose(field.given.value, order))
    return replace(
        field,
        places=tuple(field.places[p] for p in order),
        shape=tuple(field.shape[p] for p in order),
        given=given,
    )


def _broadcast(world: World, eqn: JaxprEqn, field: Field) -> Field:
    shape, positions = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    places, spread = list(world.axes.places(shape)), [1] * len(shape)
    for place, position, size in zip(field.places, positions, field.shape, strict=True):
        if size == shape[position]:
            places[position] = place
    given = field.given
    if given is not None:
        for size, position in zip(given.value.shape, positions, strict=True):
            spread[position] = size
        given = given._replace(value=given.value.reshape(spread))
    return replace(field, places=tuple(places), shape=tuple(shape), given=given)


def _squeeze(world: World, eqn: JaxprEqn, field: Field) -> Field:
    gone = eqn.params["dimensions"]
    kept = [position for position in range(len(field.shape)) if position not in gone]
    given = field.given and field.given._replace(value=np.squeeze(field.given.value, tuple(gone)))
    return replace(
        field,
        places=tuple(field.places[p] for p in kept),
        shape=tuple(field.shape[p] for p in kept),
        given=given,
    )


_WHOLE: Mapping[str, Callable[[World, JaxprEqn, Field], Field]] = {
    "broadcast_in_dim": _broadcast,
    "expand_dims": _reshape,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "transpose": _transpose,
}


def _moved(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    """A change of shape after which every entry is still there."""
    fact = facts[0]
    change = _WHOLE[eqn.primitive.name]
    if isinstance(fact, Index):
        moved = change(world, eqn, Field(fact.places, fact.shape, 0.0, {}))
        return [Index(moved.places, moved.shape)]
    assert isinstance(fact, Signal)
    return [replace(fact, field=change(world, eqn, fact.field), gaps=_gaps(eqn, fact))]


def _gaps(eqn: JaxprEqn, signal: Signal) -> Any:
    """A mask, moved as the scores are."""
    if signal.gaps is None:
        return None
    gaps, params = np.broadcast_to(signal.gaps, signal.shape), eqn.params
    if eqn.primitive.name == "transpose":
        return np.transpose(gaps, params["permutation"])
    if eqn.primitive.name == "broadcast_in_dim":
        spread = [1] * len(params["shape"])
        for size, position in zip(gaps.shape, params["broadcast_dimensions"], strict=True):
            spread[position] = size
        return gaps.reshape(spread)
    return gaps.reshape(eqn.outvars[0].aval.shape)


# --- some entries -----------------------------------------------------------------------------


def picked(world: World, signal: Signal, shape: Sequence[int], cut: Any = None) -> Signal:
    """Some entries along the axes that have become shorter.

    Args:
        world: the state of the walk.
        signal: the value.
        shape: the shape of the part.
        cut: of an array of the value's rank and shape or 1, the same part.
    """
    if signal.field.given is not None and not signal.identity:
        signal = world.signal(world.settled(signal))
    field, changed, places = signal.field, {}, list(signal.field.places)
    for position, size in enumerate(shape):
        if size != field.shape[position]:
            old = world.axes.known(field.places[position])
            places[position] = world.axes.new(size)
            changed |= dict.fromkeys(old, frozenset(places[position]))
    if not changed:
        return signal
    rest, given = field, field.given
    if given is not None:
        terms = {a: c for a, c in field.terms.items() if a not in given.atoms}
        rest = replace(field, terms=terms, given=None)
    made: dict[frozenset[int], float] = {}
    for names, value in world.components(rest).items():
        new = frozenset[int]().union(*(changed.get(n, frozenset((n,))) for n in names))
        made[new] = made.get(new, 0.0) + value
    part = world.fresh(tuple(places), tuple(shape), field.mean, made)
    if given is None:
        return replace(world.signal(part, signal.law), probe=_probe(signal))
    return world.signal(_with_given(world, part, given.value if cut is None else cut(given.value)))


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
    return [_part(world, facts[0], tuple(eqn.outvars[0].aval.shape), triples)]


def _part(
    world: World, fact: Fact, shape: tuple[int, ...], triples: Sequence[tuple[int, int, int]]
) -> Fact:
    if isinstance(fact, Index):
        return Index(world.axes.places(shape), shape)
    assert isinstance(fact, Signal)

    def cut(array: Any) -> Any:
        pairs = zip(triples, array.shape, strict=True)
        return array[tuple(slice(None) if size == 1 else slice(*t) for t, size in pairs)]

    found = picked(world, fact, shape, cut)
    return replace(found, gaps=None if fact.gaps is None else cut(fact.gaps))


def _split(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    axis, start, found = eqn.params["axis"], 0, []
    shape = list(eqn.invars[0].aval.shape)
    for size, out in zip(eqn.params["sizes"], eqn.outvars, strict=True):
        triples = [(0, n, 1) for n in shape]
        triples[axis] = (start, start + size, 1)
        found.append(_part(world, facts[0], tuple(out.aval.shape), triples))
        start += size
    return found


def _dynamic_slice(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    shape, starts = tuple(eqn.outvars[0].aval.shape), facts[1:]
    if all(isinstance(start, Known) for start in starts):
        whole = eqn.invars[0].aval.shape
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
    shape = tuple(eqn.outvars[0].aval.shape)
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


# --- several values ---------------------------------------------------------------------------


def mixture(
    world: World, fields: Sequence[Field], shares: Sequence[float], axis: int, shape: Sequence[int]
) -> Field:
    """Values side by side along an axis, as one value whose entries come from each.

    Args:
        world: the state of the walk.
        fields: the values.
        shares: what part of the entries each one is.
        axis: the axis, along which names are new.
        shape: the outcome's shape.
    """
    own = world.axes.new(shape[axis])
    mean = float(np.dot(shares, [field.mean for field in fields]))
    first = fields[0]
    made: dict[frozenset[int], float] = {}
    others = [p for p in range(len(shape)) if p != axis]
    spread = sum(
        share * (field.mean - mean) ** 2 for field, share in zip(fields, shares, strict=True)
    )
    size = shape[axis]
    _add(made, frozenset(own), spread * size / (size - 1))
    _add(made, frozenset(), -spread / (size - 1))
    places, beside = list(first.places), replace(first, terms={})
    for field, share in zip(fields, shares, strict=True):
        meeting = meet(world, beside, field, [(p, p) for p in others])
        for position in others:
            places[position] = meeting.places[position]
        terms = {**beside.terms, **meeting.other.terms}
        beside = replace(beside, places=tuple(places), terms=terms)
        old = frozenset(world.axes.known(field.places[axis]))
        for names, value in world.components(meeting.other).items():
            if names & old:
                _add(made, (names - old) | frozenset(own), value * share)
            else:
                both = share * max(0.0, share * size - 1) / (size - 1)  # of two, in the same part
                _add(made, names, value * both)
                _add(made, names | frozenset(own), value * (share - both))
    places[axis] = own
    return world.fresh(tuple(places), tuple(shape), mean, {s: v for s, v in made.items() if v})


def _add(made: dict[frozenset[int], float], names: frozenset[int], value: float) -> None:
    made[names] = made.get(names, 0.0) + value


def concatenated(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    """Values and arrays joined along an axis."""
    axis, shape = eqn.params["dimension"], tuple(eqn.outvars[0].aval.shape)
    if any(isinstance(fact, Index) for fact in facts):
        return [Index(world.axes.places(shape), shape)]
    fields = [_own_field(world, fact) for fact in facts]
    shares = [field.shape[axis] / shape[axis] for field in fields]
    return [world.signal(mixture(world, fields, shares, axis, shape))]


def _own_field(world: World, fact: Fact) -> Field:
    if isinstance(fact, Signal):
        return world.settled(fact)
    assert isinstance(fact, Known)
    like = Field(world.axes.places(fact.shape), fact.shape, 0.0, {})
    return as_field(world, fact, like)


def _pad(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    """A value with a border: zeros, as a rule."""
    fact, shape = facts[0], tuple(eqn.outvars[0].aval.shape)
    if isinstance(fact, Index):
        return [Index(world.axes.places(shape), shape)]
    if not isinstance(fact, Signal) or not isinstance(facts[1], Known):
        raise NotImplementedError
    field, border = world.settled(fact), float(facts[1].value)
    for axis, size in enumerate(shape):
        if size != field.shape[axis]:
            grown = (*field.shape[:axis], size, *field.shape[axis + 1 :])
            share = min(1.0, field.shape[axis] / size)
            empty = Field(field.places, field.shape, border, {})
            if size < field.shape[axis]:
                field = world.settled(picked(world, world.signal(field), grown))
            else:
                field = mixture(world, [field, empty], [share, 1 - share], axis, grown)
    return [world.signal(field)]


Rule: TypeAlias = Callable[[World, JaxprEqn, Sequence[Fact]], list[Fact]]

SHAPES: Mapping[str, Rule] = {
    **dict.fromkeys(_WHOLE, _moved),
    "concatenate": concatenated,
    "dynamic_slice": _dynamic_slice,
    "gather": _gather,
    "pad": _pad,
    "rev": _rev,
    "slice": _slice,
    "split": _split,
}
