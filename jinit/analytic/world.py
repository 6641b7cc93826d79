"""What a walk has met so far: names of axes, sources of randomness, scales, approximations.

May import: the standard library, NumPy, and of `jinit.analytic` arrays, axes, components, facts,
grid, scaling.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from jinit.analytic.arrays import components_of
from jinit.analytic.axes import Axes, Places
from jinit.analytic.components import Components, of_covariance, total
from jinit.analytic.facts import Atom, Field, Given, Law, Signal
from jinit.analytic.grid import gaussian_law, hermite_shares, moments
from jinit.analytic.scaling import Scaling
from jinit.axes import Shape

__all__ = ["Approximation", "World"]

_NOTHING = 1e-12  # of a variance: rounding
_MOST_TERMS = 256


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
        where: the place of the operation at hand, and its name.
    """

    scaling: Scaling
    axes: Axes = field(default_factory=Axes)
    sources: list[Components] = field(default_factory=list)
    approximations: dict[Approximation, None] = field(default_factory=dict)
    where: tuple[str, str] = ("", "")
    _bases: int = 0

    def note(self, what: str) -> None:
        """Enter an approximation at the operation at hand."""
        operation, place = self.where
        self.approximations[Approximation(operation, place, what)] = None

    # --- making values ------------------------------------------------------------------------

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
            self.sources.append(dict(components))
            found[Atom(len(self.sources) - 1)] = 1.0
        made = Field(places, tuple(shape), float(mean), found)
        return self.detached(made) if len(found) > _MOST_TERMS else made

    def signal(self, made: Field, law: Law | None = None, **marks: Any) -> Signal:
        """A field as it is, of which others are functions."""
        self._bases += 1
        law = law or gaussian_law(made.mean, self.variance(made))
        return Signal(made, self._bases, law, law.nodes, **marks)

    def from_array(self, array: Any, places: Places, shape: Shape) -> Field:
        """An array that is there, as a value among others: its entries are what they are."""
        array = np.asarray(array, dtype=np.float64)
        mean = float(array.mean())
        rest = array - mean
        names = [frozenset(self.axes.known(place)) for place in places]
        made = self.fresh(places, shape, mean, components_of(rest, names))
        if not made.terms:
            return made
        return replace(made, given=Given(rest, frozenset(made.terms)))

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
        shares = hermite_shares(signal.probe)[2:] if signal.law.gaussian else np.array([rest])

        def at(agree: frozenset[int]) -> float:
            c = sum(v for names, v in components.items() if names <= agree) / variance
            if c > 1 - 1e-9:
                return rest
            return float(sum(share * c ** (k + 2) for k, share in enumerate(shares)))

        return of_covariance(components, at)

    def varying(self, field: Field) -> frozenset[int]:
        """The axes along which a value's entries differ."""
        return frozenset().union(*self.components(field))
