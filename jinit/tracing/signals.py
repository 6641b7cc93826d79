"""What is known of values that are no parameters: constants, and signals on their way through.

May import: the standard library, NumPy, `jinit.axes`, and of `jinit.tracing` recognition, views.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Any, TypeAlias

import numpy as np

from jinit.tracing.recognition import GRID, is_affine
from jinit.tracing.views import View

__all__ = ["Const", "Fact", "Signal", "Weights", "depth_of", "fresh", "union"]


@dataclass(frozen=True)
class Const:
    """A value that no parameter and no input has a part in.

    Attributes:
        value: where it is one number.
        given: whether it is an array that the model brings along.
    """

    value: Any = None
    given: bool = False


@dataclass(frozen=True)
class Weights:
    """A value made of parameters alone, the sum or the concatenation of these views of them."""

    views: tuple[View, ...]


@dataclass(frozen=True)
class Signal:
    """A value that comes from the inputs.

    Attributes:
        base: the value of which this one is an elementwise function.
        probe: that function, at the points of `GRID`.
        sources: uses whose outcome this is, with nothing nonlinear in between.
        level: how many weights there are at most between the inputs and this.
        stem: the value that this one is a version of: normalized, activated, reshaped.
        uses: bits of the uses that have a part in it, by their order.
        anchors: bits of the stems that weights have been applied to on the way here.
        depth: how many residual additions there are on the way here.
        marks: "normalizer" for one over a standard deviation, "normalized", "carried" for what a
            loop carries, "indicator" for one-hot vectors, "index" for integers, "scalar".
    """

    base: int
    stem: int
    probe: Any = field(default_factory=lambda: GRID, compare=False)
    sources: frozenset[Hashable] = frozenset()
    level: int = 0
    uses: int = 0
    anchors: int = 0
    depth: int = 0
    marks: frozenset[str] = frozenset()

    @property
    def is_affine(self) -> bool:
        """Whether nothing nonlinear has happened since its base."""
        return is_affine(self.probe)

    def has(self, mark: str) -> bool:
        """Whether it is marked so."""
        return mark in self.marks


Fact: TypeAlias = Const | Weights | Signal


def fresh(signal: Signal, base: int, **changes: Any) -> Signal:
    """The signal as a value of its own, of which others are functions."""
    return replace(signal, base=base, probe=np.asarray(GRID), **changes)


def union(signals: list[Signal], base: int) -> Signal:
    """What signals have in common after an operation on all of them."""
    highest = max(signals, key=lambda signal: signal.level)
    stems = {signal.stem for signal in signals}
    return Signal(
        base=base,
        stem=highest.stem if len(stems) == 1 else base,
        sources=frozenset().union(*(signal.sources for signal in signals)),
        level=highest.level,
        uses=reduce(or_, (signal.uses for signal in signals)),
        anchors=reduce(or_, (signal.anchors for signal in signals)),
        depth=max(signal.depth for signal in signals),
    )


def depth_of(signals: Sequence[Signal]) -> int:
    """The most residual additions that any of them has behind it."""
    return max((signal.depth for signal in signals), default=0)
