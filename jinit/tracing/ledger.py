"""The ledger of a walk: every use of a parameter that was met, and what follows it.

May import: the standard library, jax, `jinit.axes`, `jinit.fans`, and of `jinit.tracing`
recognition, signals, views.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jax.extend.core import JaxprEqn

from jinit.axes import Shape
from jinit.fans import Fans
from jinit.tracing.recognition import recognize
from jinit.tracing.signals import Fact, Signal
from jinit.tracing.views import View

__all__ = ["Ledger", "Place", "Record", "Scope"]


class Place(NamedTuple):
    """An operation, where it is met: the calls that lead to it, and its own identity."""

    path: tuple[Hashable, ...]
    operation: int


class Scope(NamedTuple):
    """Where in the program the walk is.

    Attributes:
        path: the calls that lead here.
        repeats: how often this place is passed, by the lengths of the scans around it.
        alternatives: branches taken on the way, as (place, number).
        unbounded: whether a loop of unknown length is around it.
        steps: whether a scan over a sequence is around it.
    """

    path: tuple[Hashable, ...] = ()
    repeats: int = 1
    alternatives: tuple[tuple[Hashable, int], ...] = ()
    unbounded: bool = False
    steps: bool = False

    def entered(self, place: Hashable, **changes: Any) -> "Scope":
        """The scope inside a call."""
        return self._replace(path=(*self.path, place), **changes)

    def place(self, eqn: JaxprEqn) -> Place:
        """Where an operation is met."""
        return Place(self.path, id(eqn))


@dataclass
class Record:
    """One operation that uses a leaf.

    Attributes:
        leaf: the leaf's number.
        role: what the operation does with it.
        view: the leaf as it goes into the operation.
        place: the operation.
        scope: where it is.
        order: how many uses were met before it.
        axes: the leaf's axes by role.
        mixed: axes with several roles.
        fans: connections.
        depth: residual additions before it.
        reason: why the role is not known.
        opaque: operations that could not be followed.
        activations: what follows, by name and parameter.
        settled: whether another weight follows, so that no activation can any more.
    """

    leaf: int
    role: str
    view: View
    place: Place
    scope: Scope
    order: int
    axes: dict[str, Shape] = field(default_factory=dict)
    mixed: Shape = ()
    fans: Fans | None = None
    depth: int = 0
    reason: str = ""
    opaque: tuple[str, ...] = ()
    activations: dict[tuple[str, float | None], None] = field(default_factory=dict)
    settled: bool = False

    @property
    def stack(self) -> Shape:
        """Axes of the leaf along which scans go."""
        return self.view.stack

    @property
    def through(self) -> tuple[str, ...]:
        """Operations on the values on their way here."""
        return self.view.through

    @property
    def region(self) -> tuple[tuple[int, int, int, int], ...]:
        """The part of the leaf."""
        return self.view.region


class Ledger:
    """All uses, in the order of the program; a place that is walked twice has one record."""

    def __init__(self, edges: bool = False) -> None:
        self.edges = edges
        self.records: dict[Hashable, Record] = {}
        self.opaque: dict[str, None] = {}
        self._bases = 0
        self._entered = 0
        self._watching: list[set[Hashable]] = []

    def base(self) -> int:
        """The number of a new value."""
        self._bases += 1
        return self._bases

    def record(
        self, place: Hashable, view: View, role: str, scope: Scope, **known: Any
    ) -> Hashable:
        """Enter a use; the key under which it stands."""
        key = (*scope.path, place, view.leaf, view.region)
        before = self.records.get(key)
        record = Record(
            view.leaf,
            role,
            view,
            Place(scope.path, _operation(place)),
            scope,
            order=self._next_order() if before is None else before.order,
            **known,
        )
        if before is not None:
            record.activations, record.settled = before.activations, before.settled
        self.records[key] = record
        for seen in self._watching:
            seen.add(key)
        return key

    @contextmanager
    def watch(self) -> Iterator[set[Hashable]]:
        """The keys of the uses that are entered in the meantime, those known before included."""
        seen: set[Hashable] = set()
        self._watching.append(seen)
        yield seen
        self._watching.pop()

    def by_place(self) -> dict[Place, list[Record]]:
        """The uses by the operations that they are met at, in the order of the program."""
        found: dict[Place, list[Record]] = {}
        for record in self.records.values():
            found.setdefault(record.place, []).append(record)
        return found

    def bits(self, keys: Iterable[Hashable]) -> int:
        """Uses as bits, by their order."""
        return sum(1 << self.records[key].order for key in keys)

    def _next_order(self) -> int:
        self._entered += 1
        return self._entered - 1

    def forget(self, keys: Iterable[Hashable]) -> None:
        """Take uses back that turn out to be steps in making a weight."""
        for key in keys:
            self.records.pop(key, None)

    def cannot_follow(self, operation: str) -> None:
        """Name an operation that was not followed."""
        self.opaque[operation] = None

    def finish(self, signal: Signal) -> frozenset[Hashable]:
        """Take a signal as it is: note the activation it has been through, if any.

        Returns:
            The uses that are still in reach: none, after something nonlinear.
        """
        if signal.is_affine:
            return signal.sources
        found = recognize(signal.probe)
        if found is not None:
            for key in signal.sources:
                record = self.records.get(key)
                if record is not None and not record.settled:
                    record.activations[found] = None
        return frozenset()

    def see(
        self, eqn: JaxprEqn, facts: Sequence[Fact], outcome: Sequence[Fact], scope: Scope
    ) -> None:
        """What happens at each operation, once it is passed; calls come after what they hold."""

    def settle(self, signal: Signal) -> None:
        """A weight, or a product of signals, takes the signal: nothing later counts."""
        for key in self.finish(signal):
            if key in self.records:
                self.records[key].settled = True


def _operation(place: Hashable) -> int:
    """The operation's identity, of a place that may have an operand's number beside it."""
    found = place[0] if isinstance(place, tuple) else place
    assert isinstance(found, int)
    return found
