"""Operands and outcomes of operations: shapes and dtypes, and what is known of them by kind.

May import: the standard library, `jinit.axes`, and of `jinit.tracing` signals, views.
"""

from collections.abc import Sequence
from typing import Any

from jinit.axes import Shape
from jinit.tracing.signals import Fact, Signal, Weights
from jinit.tracing.views import View

__all__ = ["dtype_of", "shape_of", "signals_among", "views_among"]


def dtype_of(atom: Any) -> Any:
    """The dtype of a variable or a literal."""
    return atom.aval.dtype


def shape_of(atom: Any) -> Shape:
    """The shape of a variable or a literal."""
    return tuple(atom.aval.shape)


def signals_among(facts: Sequence[Fact]) -> list[Signal]:
    """The signals of an operation's operands."""
    return [fact for fact in facts if isinstance(fact, Signal)]


def views_among(facts: Sequence[Fact]) -> list[View]:
    """The views of parameters of an operation's operands."""
    return [view for fact in facts if isinstance(fact, Weights) for view in fact.views]
