"""Parts of a program as pure functions of arrays, as loops, branches and checkpoints take them.

May import: the standard library, and of `jinit.tracing` jaxprs, ledger, and of `jinit.evaluation`
tape.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from jinit.evaluation.tape import Tape
from jinit.tracing.jaxprs import Program
from jinit.tracing.ledger import Place, Scope

__all__ = ["Part", "Runner"]


class Runner(Protocol):
    """What runs a program."""

    def through(
        self, program: Program, values: Sequence[Any], scope: Scope, tape: Tape
    ) -> list[Any]:
        """A program's outputs."""


class Part:
    """An inner program: `part(values, state, slots) -> (outcome, state, notes)`, all lists.

    Attributes:
        state: what goes in first, in the order in which it comes out.
        slots: what its operations read.
        places: where its notes belong, once it has been called.
    """

    def __init__(self, runner: Runner, program: Program, scope: Scope, tape: Tape) -> None:
        self._runner, self._program, self._scope = runner, program, scope
        self._tape = tape
        self._names = list(tape.state)
        self._within = tape.slots_within(scope)
        self.places: list[Place] = []

    @property
    def state(self) -> list[Any]:
        """The state as it is now."""
        return list(self._tape.state.values())

    @property
    def slots(self) -> list[Any]:
        """The slots of this part."""
        return list(self._within.values())

    def __call__(
        self, values: Sequence[Any], state: Sequence[Any], slots: Sequence[Any]
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Run it."""
        tape = Tape(
            dict(zip(self._names, state, strict=True)), dict(zip(self._within, slots, strict=True))
        )
        outcome = self._runner.through(self._program, values, self._scope, tape)
        self.places = list(tape.notes)
        return outcome, [tape.state[name] for name in self._names], list(tape.notes.values())

    def leave(self, state: Sequence[Any], notes: Sequence[Any]) -> None:
        """Write what came out to the tape around it."""
        self._tape.state.update(zip(self._names, state, strict=True))
        self._tape.notes.update(zip(self.places, notes, strict=True))
