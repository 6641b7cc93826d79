"""The walk through a jaxpr: what is known of each value, operation by operation.

May import: jax, NumPy, and of `jinit.tracing` calls, following, functions, jaxprs, ledger, signals,
streams, weights.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from jinit.tracing.calls import CALLS
from jinit.tracing.following import follow_program
from jinit.tracing.functions import ELEMENTWISE, apply_elementwise
from jinit.tracing.jaxprs import Program, inner_program
from jinit.tracing.ledger import Ledger, Scope
from jinit.tracing.signals import Const, Fact, Signal, Weights
from jinit.tracing.streams import follow_signals
from jinit.tracing.weights import follow_weights

__all__ = ["Walk"]


class Walk:
    """Goes through a program once, loops' bodies twice, and enters what it meets in a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def through(self, program: Program, facts: Sequence[Fact], scope: Scope) -> list[Fact]:
        """What is known of a program's outputs.

        Args:
            program: the program.
            facts: what is known of its inputs.
            scope: where it is called.
        """

        def step(eqn: JaxprEqn, inputs: list[Fact]) -> list[Fact]:
            outcome = self._step(eqn, inputs, scope)
            self.ledger.see(eqn, inputs, outcome, scope)
            return outcome

        return follow_program(program, facts, _constant, step)

    def _step(self, eqn: JaxprEqn, facts: list[Fact], scope: Scope) -> list[Fact]:
        name = eqn.primitive.name
        if name in CALLS:
            return CALLS[name](self, eqn, facts, scope)
        program = inner_program(eqn)
        if program is not None:
            return self.through(program, facts, scope.entered(id(eqn)))
        if any(isinstance(fact, Weights) for fact in facts):
            return follow_weights(self.ledger, eqn, facts, scope)
        if any(isinstance(fact, Signal) for fact in facts):
            return follow_signals(self.ledger, eqn, facts, scope)
        if name == "rsqrt" and any(isinstance(fact, Const) and fact.given for fact in facts):
            return [self._normalizer()]  # of statistics that the model brings along
        return [_computed(eqn, facts)] * len(eqn.outvars)

    def _normalizer(self) -> Signal:
        base = self.ledger.base()
        return Signal(base=base, stem=base, marks=frozenset({"normalizer"}))


def _constant(value: Any) -> Const:
    """A number, or an array that the model brings along."""
    shape = np.shape(value)
    if shape or jnp.issubdtype(getattr(value, "dtype", float), jax.dtypes.extended):
        return Const(given=bool(shape))
    return Const(np.asarray(value, dtype=np.float64)) if np.isreal(value) else Const()


def _computed(eqn: JaxprEqn, facts: Sequence[Fact]) -> Const:
    """What is computed from constants."""
    consts = [fact for fact in facts if isinstance(fact, Const)]
    given = any(const.given for const in consts)
    values = [const.value for const in consts]
    name = eqn.primitive.name
    if name in ("broadcast_in_dim", "reshape", "squeeze", "expand_dims") and len(values) == 1:
        return consts[0]
    if name in ELEMENTWISE and values and all(value is not None for value in values):
        return Const(apply_elementwise(name, eqn.params, values), given)
    return Const(given=given)
