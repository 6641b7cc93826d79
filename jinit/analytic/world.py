"""What a walk has met so far: names of axes, sources of randomness, scales, approximations.

May import: the standard library, NumPy, and of `jinit.analytic` arrays, axes, components, facts,
grid, scaling.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from jinit.analytic.arrays import components_of
from jinit.analytic.axes import Axes, Names, Places
from jinit.analytic.components import Components, of_covariance, total
from jinit.analytic.facts import Atom, Field, Given, Law, Signal
from jinit.analytic.grid import gaussian_law, hermite_shares, moments, on_grid
from jinit.analytic.scaling import Scaling
from jinit.axes import Shape

__all__ = ["Approximation", "World"]

_NOTHING = 1e-12  # of a variance: rounding
_MOST_TERMS = 64


@dataclass(frozen=True)
class Approximation:
    """Something that was not followed exactly.

    Attributes:
        operation: the operation's name.
        place: where it is, as the model's modules name it.
        what: what was taken instead.
    """

    operation: str
    place: str
    what: str


@dataclass
class World:
    """The state of a walk.

    Attributes:
        scaling: the scales of parameters.
        axes: names of axes.
        sources: components of each source of randomness.
        approximations: what was approximated, each once.
        where: the name of the operation at hand, and its place.
        reused: leaves that are applied more than once.
        images: sources that have been made of something, by what of: of a source under weights
            that are applied more than once, of its parts, of an array.
        names: names of axes, likewise.
    """

    scaling: Scaling
    reused: frozenset[int] = frozenset()
    axes: Axes = field(default_factory=Axes)
    sources: list[Components] = field(default_factory=list)
    approximations: dict[Approximation, None] = field(default_factory=dict)
    where: tuple[str, str] = ("", "")
    images: dict[Hashable, int] = field(default_factory=dict)
    names: dict[Hashable, Names] = field(default_factory=dict)
    _bases: int = 0

    def note(self, what: str) -> None:
        """Enter an approximation at the operation at hand."""
        operation, place = self.where
        self.approximations[Approximation(operation, place, what)] = None

    # --- making values ------------------------------------------------------------------------

    def source(self, components: Components) -> int:
        """The number of a new source of randomness."""
        self.sources.append(dict(components))
        return len(self.sources) - 1

    def fresh(
        self,
        places: Places,
        shape: Shape,
        mean: float,
        components: Components,
        terms: Mapping[Atom, float] | None = None,
    ) -> Field:
        """A value with a source of its own, besides terms that it shares with others."""
        found = dict(terms or {})
        if components:
            found[Atom(self.source(components))] = 1.0
        return self._pruned(Field(places, tuple(shape), float(mean), found))

    def _pruned(self, field: Field) -> Field:
        """A value of many terms without the smallest, of which one source is made."""
        if len(field.terms) <= _MOST_TERMS:
            return field
        sizes = {
            atom: c * c * abs(total(self.components(replace(field, terms={atom: 1.0}))))
            for atom, c in field.terms.items()
        }
        order = sorted(sizes, key=sizes.__getitem__)
        small = {atom: field.terms[atom] for atom in order[: -_MOST_TERMS // 2]}
        rest = {atom: c for atom, c in field.terms.items() if atom not in small}
        merged = self.components(replace(field, terms=small))
        return replace(field, terms={**rest, Atom(self.source(merged)): 1.0})

    def signal(self, made: Field, law: Law | None = None, **marks: Any) -> Signal:
        """A field as it is, of which others are functions."""
        self._bases += 1
        law = law or gaussian_law(made.mean, self.variance(made))
        return Signal(made, self._bases, law, law.nodes, **marks)

    def from_array(self, array: Any, places: Places, shape: Shape) -> Field:
        """An array that is there, as a value among others; the same array is the same value."""
        array = np.asarray(array, dtype=np.float64)
        mean = float(array.mean())
        rest = array - mean
        names = [frozenset(self.axes.known(place)) for place in places]
        size = float(np.sqrt(np.mean(np.square(rest))))
        if not size:
            return self.fresh(places, shape, mean, {})
        key = ("array", tuple(map(self.axes.known, places)), (rest / size).round(6).tobytes())
        if key not in self.images:
            self.images[key] = self.source(components_of(rest / size, names))
        atom = Atom(self.images[key])
        made = self.fresh(places, shape, mean, {}, {atom: size})
        return replace(made, given=Given(rest, frozenset({atom})))

    def detached(self, field: Field, names: Mapping[int, int] | None = None) -> Field:
        """The same law as a source of its own, under other names if need be."""
        names = names or {}
        moved: dict[frozenset[int], float] = {}
        for old, value in self.components(field).items():
            new = frozenset(names.get(name, name) for name in old)
            moved[new] = moved.get(new, 0.0) + value
        places = tuple(
            tuple(names.get(name, name) for name in self.axes.known(place))
            for place in field.places
        )
        return self.fresh(places, field.shape, field.mean, moved)

    # --- reading values -----------------------------------------------------------------------

    def components(self, field: Field, other: Field | None = None) -> dict[frozenset[int], float]:
        """The components of a value's variance, or of the covariance of two."""
        found: dict[frozenset[int], float] = {}
        by_source: dict[int, list[tuple[frozenset[int], float]]] = {}
        for atom, c in (other or field).terms.items():
            over = frozenset(self.axes.known(atom.over))
            by_source.setdefault(atom.source, []).append((over, c))
        for atom, c in field.terms.items():
            over = frozenset(self.axes.known(atom.over))
            for more, factor in by_source.get(atom.source, ()):
                self._add(found, atom.source, over | more, c * factor)
        return found

    def _add(
        self, found: dict[frozenset[int], float], source: int, over: frozenset[int], c: float
    ) -> None:
        for names, value in self.sources[source].items():
            names = frozenset(self.axes.known(names))
            left = names - over
            share = value * c / self.axes.size(names & over)
            found[left] = found.get(left, 0.0) + share

    def variance(self, field: Field) -> float:
        """The variance of an entry."""
        return max(0.0, total(self.components(field)))

    def settled(self, signal: Signal) -> Field:
        """A function of a field as a field: joined to it by its slope, the rest on its own."""
        field, probe = signal.field, signal.probe
        if signal.identity or not field.terms:
            return field if signal.identity else field.times(0.0, float(probe[0]))
        found = moments(signal.law, probe)
        around = moments(signal.law, signal.law.nodes)
        rest = found.variance - found.slope**2 * around.variance
        linear = field.times(found.slope, found.mean - found.slope * field.mean)
        if rest <= _NOTHING * found.variance:
            return linear
        beyond = self._beyond(signal, rest)
        given = linear.given
        return replace(
            self.fresh(field.places, field.shape, found.mean, beyond, linear.terms), given=given
        )

    def _beyond(self, signal: Signal, rest: float) -> dict[frozenset[int], float]:
        """The components of what is left of a function without its slope."""
        components = self.components(signal.field)
        variance = total(components)
        shares = hermite_shares(on_grid(signal.law, signal.probe))[2:]
        if shares.sum() > rest:  # a law that is not Gaussian
            shares *= rest / shares.sum()
        shares = np.append(shares, rest - shares.sum())  # all higher orders as one

        def at(agree: frozenset[int]) -> float:
            c = sum(v for names, v in components.items() if names <= agree) / variance
            if c > 1 - 1e-9:
                return rest
            return float(sum(share * c ** (k + 2) for k, share in enumerate(shares)))

        return of_covariance(components, at)

    def varying(self, field: Field) -> frozenset[int]:
        """The axes along which a value's entries differ."""
        found: set[int] = set()
        for atom in field.terms:
            over = self.axes.known(atom.over)
            for names in self.sources[atom.source]:
                found.update(name for name in self.axes.known(names) if name not in over)
        return frozenset(found)
