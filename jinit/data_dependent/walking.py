"""A walk through a program that finds the linear operations and every use of a parameter.

May import: the standard library, jax, NumPy, and of `jinit.tracing` following, jaxprs, ledger,
views, and of `jinit.data_dependent` facts, looping, making, products, sites.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn, Literal

from jinit.data_dependent.degrees import Scaling
from jinit.data_dependent.facts import Const, Data, Fact, Made, Sight
from jinit.data_dependent.looping import LOOPS
from jinit.data_dependent.making import make, picked
from jinit.data_dependent.products import go_on, weight_operand, with_weight
from jinit.data_dependent.sites import Findings, Use, Where
from jinit.tracing.following import follow_program
from jinit.tracing.jaxprs import Program, inner_program, open_program
from jinit.tracing.ledger import Place, Record
from jinit.tracing.reading import Reading
from jinit.tracing.views import View

__all__ = ["find_sites"]

_SAME_NUMBER = frozenset(("broadcast_in_dim", "convert_element_type", "reshape", "squeeze"))


def find_sites(reading: Reading) -> Findings:
    """The linear operations of a model that has been read, and the uses of its parameters."""
    findings = Findings()
    facts: list[Fact] = []
    for number, array in enumerate(reading.params.arrays):
        is_param = bool(reading.params.paths[number]) and jnp.issubdtype(array.dtype, jnp.inexact)
        facts.append(_parameter(number, tuple(array.shape)) if is_param else Const())
    facts += [Data()] * len(reading.arguments.arrays)
    _Walk(findings, reading.ledger.by_place()).through(reading.program, facts, Where())
    return findings


def _parameter(number: int, shape: tuple[int, ...]) -> Made:
    return Made(Scaling.of(number), {number: Sight(View.of(number, shape))}, pure=True)


class _Walk:
    """Goes through a program, and through the bodies of loops until what they carry is known."""

    def __init__(self, findings: Findings, records: Mapping[Place, Sequence[Record]]) -> None:
        self.findings = findings
        self._records = records

    def through(self, program: Program, facts: Sequence[Fact], where: Where) -> list[Fact]:
        """What is known of a program's outputs."""
        body, _ = open_program(program)
        counts = _consumers(body)

        def shared(atom: Any, fact: Fact) -> Fact:
            return Data() if isinstance(fact, Data) and counts[atom] > 1 else fact

        def step(eqn: JaxprEqn, inputs: list[Fact]) -> list[Fact]:
            return [*map(shared, eqn.outvars, self._step(eqn, inputs, where))]

        return follow_program(program, [*map(shared, body.invars, facts)], _constant, step)

    def _step(self, eqn: JaxprEqn, facts: list[Fact], where: Where) -> list[Fact]:
        name = eqn.primitive.name
        if name in LOOPS:
            return LOOPS[name](self, eqn, facts, where)
        program = inner_program(eqn)
        if program is not None:
            return self.through(program, facts, where._replace(scope=where.scope.entered(id(eqn))))
        if name == "dynamic_slice" and isinstance(facts[0], Made):
            self.findings.slices[where.scope.place(eqn)] = None
            return [picked(eqn, facts, where.scope.place(eqn))]
        if any(isinstance(fact, Data) for fact in facts):
            return [self._with_data(eqn, facts, where)] * len(eqn.outvars)
        if any(isinstance(fact, Made) for fact in facts):
            return [*make(eqn, facts, where.scope.place(eqn))]  # type: ignore[arg-type]
        same = name in _SAME_NUMBER and isinstance(facts[0], Const)
        return [facts[0] if same else Const()] * len(eqn.outvars)

    def _with_data(self, eqn: JaxprEqn, facts: list[Fact], where: Where) -> Data:
        place = where.scope.place(eqn)
        for number, fact in enumerate(facts):
            if isinstance(fact, Made):
                self._use(eqn, number, fact, where)
        roles = {record.role for record in self._records.get(place, ())}
        side = weight_operand(eqn, facts)
        if side is not None and "embedding" not in roles:
            return with_weight(self.findings, eqn, facts, side, where)
        if any(isinstance(fact, Data) and fact.product is not None for fact in facts):
            return go_on(self.findings, eqn, facts, where, "bias" in roles)
        return Data()

    def _use(self, eqn: JaxprEqn, number: int, fact: Made, where: Where) -> None:
        place = where.scope.place(eqn)
        order = self.findings.next_order()
        use = Use(place, number, fact, eqn.primitive.name, order, where)
        self.findings.uses[place, number] = use


def _consumers(body: Any) -> Counter[Any]:
    """How often each variable is read."""
    read = [atom for eqn in body.eqns for atom in eqn.invars]
    return Counter(atom for atom in (*read, *body.outvars) if not isinstance(atom, Literal))


def _constant(value: Any) -> Const:
    is_number = np.shape(value) == () and jnp.issubdtype(jnp.result_type(value), np.number)
    return Const(float(value) if is_number and np.isrealobj(value) else None)
