"""What a walk through a program finds: linear operations whose outcome can be rescaled, and uses.

May import: the standard library, and of `jinit.tracing` ledger, views, and of
`jinit.data_dependent` degrees, facts.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from jinit.data_dependent.degrees import Scaling
from jinit.data_dependent.facts import Made, Sight
from jinit.tracing.ledger import Place, Scope
from jinit.tracing.views import View

__all__ = ["Bias", "Findings", "Site", "Use", "Where"]


class Where(NamedTuple):
    """Where in the program something is.

    Attributes:
        scope: the calls that lead there.
        lengths: of the scans around, from outside.
        looped: whether a loop of unknown length is around.
    """

    scope: Scope = Scope()
    lengths: tuple[int, ...] = ()
    looped: bool = False


@dataclass(frozen=True)
class Use:
    """A value made of parameters that meets data.

    Attributes:
        place: the operation.
        operand: which operand of it this is.
        made: the value.
        operation: the operation's name.
        order: how many uses and sites come before.
        where: where it is.
    """

    place: Place
    operand: int
    made: Made
    operation: str
    order: int
    where: Where


class Bias(NamedTuple):
    """What is added to a linear operation's outcome."""

    made: Made
    operand: int


@dataclass(frozen=True)
class Site:
    """A linear operation that takes a weight, and where its outcome is complete.

    Attributes:
        place: where the outcome is rescaled: the operation itself, or what completes it.
        operand: which operand of that place the outcome so far is; None at the operation itself.
        chain: all places on the way.
        operation: the operation's name.
        scaling: how the outcome changes as parameters are rescaled.
        sights: by parameter, where the outputs of its entries are.
        frame: the operation's own axes in the outcome.
        roles: of each of these axes: "batch", "out" or "data".
        bias: what is added to it there.
        order: how many uses and sites come before.
        where: where it is.
    """

    place: Place
    operand: int | None
    chain: tuple[Place, ...]
    operation: str
    scaling: Scaling
    sights: Mapping[int, Sight]
    frame: View
    roles: tuple[str, ...]
    order: int
    where: Where
    bias: Bias | None = None


@dataclass
class Findings:
    """All of a program's.

    Attributes:
        sites: linear operations with a weight, by their own place.
        uses: by place and operand, all uses, those at sites included.
        frozen: parameters that must stay as they are, and why.
        slices: operations that take entries at positions known as the program runs.
    """

    sites: dict[Place, Site] = field(default_factory=dict)
    uses: dict[tuple[Place, int], Use] = field(default_factory=dict)
    frozen: dict[int, str] = field(default_factory=dict)
    slices: dict[Place, None] = field(default_factory=dict)
    count: int = 0
    _involving: dict[int, tuple[dict[tuple[Place, int], Use], dict[Place, Site]]] | None = None

    def next_order(self) -> int:
        """A number that grows along the program."""
        self.count += 1
        return self.count

    def involving(self, leaves: Collection[int]) -> tuple[list[Use], list[Site]]:
        """Uses and sites that any of these parameters has a part in, once all are known."""
        if self._involving is None:
            self._involving = {}
            for use in self.uses.values():
                for leaf in use.made.scaling.leaves | use.made.sights.keys():
                    self._involving.setdefault(leaf, ({}, {}))[0][use.place, use.operand] = use
            for site in self.sites.values():
                for leaf in site.scaling.leaves | site.sights.keys():
                    self._involving.setdefault(leaf, ({}, {}))[1][site.chain[0]] = site
        uses: dict[tuple[Place, int], Use] = {}
        sites: dict[Place, Site] = {}
        for leaf in leaves:
            uses |= self._involving.get(leaf, ({}, {}))[0]
            sites |= self._involving.get(leaf, ({}, {}))[1]
        return list(uses.values()), list(sites.values())

    def copy(self) -> "Findings":
        """As they are now."""
        return Findings(
            dict(self.sites), dict(self.uses), dict(self.frozen), dict(self.slices), self.count
        )

    def restore(self, before: "Findings") -> None:
        """Back to what they were; what is frozen stays so."""
        self.sites, self.uses, self.slices = before.sites, before.uses, before.slices

    def __iter__(self) -> Iterator[Site]:
        return iter(sorted(self.sites.values(), key=lambda site: site.order))
