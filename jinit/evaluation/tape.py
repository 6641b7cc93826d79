"""What goes beside the values through a program: state, slots and notes.

May import: the standard library, jax, and of `jinit.tracing` ledger.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from jax.extend.core import JaxprEqn

from jinit.tracing.ledger import Place, Scope

__all__ = ["Step", "Tape"]


@dataclass
class Tape:
    """What a step reads and writes, besides the values of the program.

    Attributes:
        state: by name, what is handed from operation to operation; loops carry it. Its names,
            shapes and dtypes are those of the beginning throughout.
        slots: by operation, what steps read; each pass of a scan gets its slice along axis 0.
        notes: by operation, what steps write; a scan stacks it along axis 0. Loops of unknown
            length drop it; branches that are not taken note NaN, or 0 where there is none.
    """

    state: dict[Hashable, Any] = field(default_factory=dict)
    slots: Mapping[Place, Any] = field(default_factory=dict)
    notes: dict[Place, Any] = field(default_factory=dict)

    def slots_within(self, scope: Scope) -> dict[Place, Any]:
        """The slots of the operations inside a call."""
        depth = len(scope.path)
        return {
            place: slot for place, slot in self.slots.items() if place.path[:depth] == scope.path
        }


# Runs one operation: on these values, at this place, and returns its outcomes.
Step: TypeAlias = Callable[[JaxprEqn, Scope, Sequence[Any], Tape], Sequence[Any]]
