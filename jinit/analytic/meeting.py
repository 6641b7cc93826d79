"""Values side by side: which axes of one are which of the other.

May import: the standard library, and of `jinit.analytic` axes, facts, world.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from jinit.analytic.axes import Names, Places
from jinit.analytic.facts import Field
from jinit.analytic.world import World
from jinit.axes import Shape

__all__ = ["Meeting", "meet", "met"]


@dataclass
class Meeting:
    """Two values whose positions have been named alike.

    Attributes:
        one: the first.
        other: the second, renamed.
        places: by position of the first, the names that a common position has.
    """

    one: Field
    other: Field
    places: dict[int, Names] = field(default_factory=dict)


def met(world: World, one: Field, other: Field) -> tuple[Field, Field, Places, Shape]:
    """Two values that meet entry by entry, axes of 1 repeated; with the outcome's axes."""
    positions = range(len(one.shape))
    meeting = meet(world, one, other, [(p, p) for p in positions])
    shape = tuple(max(pair) for pair in zip(one.shape, other.shape, strict=True))
    places = tuple(meeting.places[p] for p in positions)
    return one, meeting.other, places, shape


def meet(
    world: World,
    one: Field,
    other: Field,
    pairs: Sequence[tuple[int, int]],
    *,
    apart: bool = False,
) -> Meeting:
    """Name the positions of `other` as those of `one` that they are paired with.

    An axis along which one of the two is constant takes the other's name. Where a name would come
    to stand for two axes, the second value is taken as one with a source of its own.

    Args:
        world: the state of the walk.
        one: a value.
        other: another.
        pairs: positions of the first and of the second.
        apart: whether axes of the second that are not paired are others than those of the first.
    """
    naming = _Naming(world, one, other)
    places: dict[int, Names] = {}
    for a, b in pairs:
        if one.shape[a] == 1 or other.shape[b] == 1:
            known = one.places[a] if other.shape[b] == 1 else other.places[b]
            places[a] = naming.alone(known, one.shape[a] == 1)
            continue
        found = world.axes.aligned(one.places[a], other.places[b])
        if found is None:
            return meet(world, one, _forced(world, one, other, (a, b)), pairs, apart=apart)
        naming.refresh()
        places[a] = tuple(naming.pair(*names) for names in found)
    if apart:
        unpaired = set(range(len(other.places))) - {b for _, b in pairs}
        naming.keep_apart(other.places[b] for b in unpaired)
    return Meeting(one, naming.applied(other), places)


class _Naming:
    """New names for the axes of a value."""

    def __init__(self, world: World, one: Field, other: Field) -> None:
        self._world, self._fields = world, (one, other)
        self._names: dict[int, int] = {}
        self._given: set[int] = set()
        self._read()

    def _read(self) -> None:
        self._changes = self._world.axes.changes
        self._mine, self._theirs = map(self._world.varying, self._fields)

    def refresh(self) -> None:
        """Take notice of names that have been split."""
        if self._changes != self._world.axes.changes:
            self._read()

    def alone(self, names: Names, is_other: bool) -> Names:
        """The names of a position that only one of the two has."""
        known = self._world.axes.known(names)
        return tuple(self._own(name) for name in known) if is_other else known

    def pair(self, a: int, b: int) -> int:
        """The name of an axis that is `a` of the first value and `b` of the second."""
        if b not in self._theirs:
            return a
        if a not in self._mine:
            return self._own(b)
        if a != b:
            self._names[b] = a
        return a

    def _own(self, name: int) -> int:
        """A name of the second value, or a new one if it means something else in the first."""
        if name in self._theirs and name in self._mine:
            return self._names.setdefault(name, self._new(name))
        return name

    def keep_apart(self, places: Iterable[Names]) -> None:
        """Give these positions names that the first value does not have."""
        for names in places:
            for name in self._world.axes.known(names):
                if name in self._mine:
                    self._names[name] = self._new(name)

    def _new(self, name: int) -> int:
        (made,) = self._world.axes.new(self._world.axes.size((name,)))
        self._given.add(made)
        return made

    def applied(self, other: Field) -> Field:
        """The second value under its new names."""
        names = self._names
        real = {old: new for old, new in names.items() if old in self._theirs}
        for name in self._theirs & set(real.values()):
            if name not in real:
                real[name] = names[name] = self._new(name)
        if self._given & set(real.values()) or self._clash(real):
            return self._world.detached(other, names)
        for old, new in real.items():
            self._world.axes.rename(old, new)
        return replace(other, places=_named(self._world, other.places, names))

    def _clash(self, real: Mapping[int, int]) -> bool:
        """Whether a name would be two axes of one value, for good."""
        unique = len(set(real.values())) == len(real)
        return not unique or bool(self._mine & set(real) or self._theirs & set(real.values()))


def _named(world: World, places: Places, names: Mapping[int, int]) -> Places:
    return tuple(
        tuple(names.get(name, name) for name in world.axes.known(place)) for place in places
    )


def _forced(world: World, one: Field, other: Field, pair: tuple[int, int]) -> Field:
    """The second value, a position's axes made one with those of the first."""
    world.note("axes that a reshape cuts across are taken as new ones")
    a, b = pair
    new, old = world.axes.known(one.places[a]), frozenset(world.axes.known(other.places[b]))
    moved: dict[frozenset[int], float] = {}
    for names, value in world.components(other).items():
        changed = (names - old) | frozenset(new) if names & old else names
        moved[changed] = moved.get(changed, 0.0) + value
    places = (*other.places[:b], new, *other.places[b + 1 :])
    return world.fresh(places, other.shape, other.mean, moved)
