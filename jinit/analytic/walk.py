"""The walk: through a program, operation by operation, with what is known of each value.

May import: the standard library, jax, and of `jinit.analytic` bilinear, chance, control,
convolution, elementwise, facts, joining, known, linear, parts, pooling, shapes, world; of
`jinit.tracing` atoms, following, jaxprs, streams.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import JaxprEqn

from jinit.analytic.bilinear import multiply_values
from jinit.analytic.chance import follow_chance, is_chance
from jinit.analytic.control import CONTROL
from jinit.analytic.convolution import convolve_array
from jinit.analytic.elementwise import ELEMENTWISE, follow_elementwise
from jinit.analytic.facts import Chance, Fact, Index, Known, Signal
from jinit.analytic.joining import JOINING
from jinit.analytic.known import as_known, computed
from jinit.analytic.linear import apply_array, look_up, ragged_array
from jinit.analytic.parts import PARTS
from jinit.analytic.pooling import POOLING
from jinit.analytic.shapes import SHAPES, reshape_value
from jinit.analytic.world import World
from jinit.tracing.atoms import dtype_of, shape_of
from jinit.tracing.following import follow_program
from jinit.tracing.jaxprs import Program, inner_program
from jinit.tracing.streams import COPIES

__all__ = ["Walk"]

# What takes no notice of a mask.
_BLIND = frozenset(
    ("concatenate", "conv_general_dilated", "dot_general", "gather", "pad", "ragged_dot_general")
)


class Walk:
    """Goes through a program, loops step by step.

    Attributes:
        world: what it has met.
    """

    def __init__(self, world: World) -> None:
        self.world = world

    def through(self, program: Program, facts: Sequence[Fact], place: str = "") -> list[Fact]:
        """What is known of a program's outputs.

        Args:
            program: the program.
            facts: what is known of its inputs.
            place: where it is called.
        """

        def step(eqn: JaxprEqn, inputs: list[Fact]) -> list[Fact]:
            return self._step(eqn, inputs, place)

        return follow_program(program, facts, _constant, step)

    def _step(self, eqn: JaxprEqn, facts: list[Fact], place: str) -> list[Fact]:
        name, inside = eqn.primitive.name, _place(eqn, place)
        program = inner_program(eqn)
        if program is not None:
            return self.through(program, facts, inside)
        if name in CONTROL:
            return CONTROL[name](self, eqn, facts, inside)
        self.world.where = (name, inside)
        return self._operation(eqn, facts)

    def _operation(self, eqn: JaxprEqn, facts: list[Fact]) -> list[Fact]:
        name = eqn.primitive.name
        if name in COPIES:
            return facts[: len(eqn.outvars)]
        if is_chance(eqn, facts):
            return follow_chance(self.world, eqn)
        arrays = [fact for fact in facts if isinstance(fact, Known)]
        if len(arrays) == len(facts):
            return [*computed(eqn, arrays)]
        if any(_is_complex(atom) for atom in (*eqn.invars, *eqn.outvars)):
            return self._unknown(eqn, facts)
        if name in _BLIND and any(isinstance(f, Signal) and f.gaps is not None for f in facts):
            self.world.note("entries that a mask leaves out are counted as others")
        if name in ELEMENTWISE:
            return [follow_elementwise(self.world, eqn, facts)]
        found = self._along_axes(eqn, facts)
        return self._unknown(eqn, facts) if found is None else found

    def _along_axes(self, eqn: JaxprEqn, facts: list[Fact]) -> list[Fact] | None:
        name, world, first = eqn.primitive.name, self.world, facts[0]
        if name in ("gather", "dynamic_slice") and isinstance(first, Known):
            return [look_up(world, eqn, facts)]
        if name in SHAPES:
            return [reshape_value(world, eqn, first)]
        if name in PARTS:
            return PARTS[name](world, eqn, facts)
        if name in JOINING:
            return JOINING[name](world, eqn, facts)
        if name in POOLING and isinstance(first, Signal):
            return [POOLING[name](world, eqn, first)]
        outcome: Fact | None = None
        if name == "dot_general" and any(isinstance(fact, Signal) for fact in facts):
            outcome = self._product(eqn, facts)
        elif name == "conv_general_dilated":
            outcome = convolve_array(world, eqn, facts)
        elif name == "ragged_dot_general":
            outcome = ragged_array(world, eqn, facts)
        return None if outcome is None else [outcome]

    def _product(self, eqn: JaxprEqn, facts: list[Fact]) -> Fact | None:
        one, other = facts
        if isinstance(one, Signal) and isinstance(other, Signal):
            return multiply_values(self.world, eqn, one, other)
        if isinstance(one, Index) or isinstance(other, Index):
            return None
        return apply_array(self.world, eqn, facts)

    def _unknown(self, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
        """Outcomes of an operation that no rule is for."""
        return [self._assumed(out, facts) for out in eqn.outvars]

    def _assumed(self, out: Any, facts: Sequence[Fact]) -> Fact:
        """As the operand of the same shape, or N(0, 1)."""
        shape, dtype, world = shape_of(out), dtype_of(out), self.world
        if jnp.issubdtype(dtype, jax.dtypes.extended):
            return Chance()
        places = world.axes.places(shape)
        if jnp.issubdtype(dtype, jnp.integer):
            return Index(places, shape)
        alike = [fact for fact in facts if isinstance(fact, Signal) and fact.shape == shape]
        if alike and dtype.kind != "b":
            world.note("there is no rule for it: its outcome is taken to be as its operand")
            return world.signal(world.detached(world.settled(alike[0])))
        world.note("there is no rule for it: its outcome is taken as N(0, 1)")
        names = frozenset(name for place in places for name in place)
        return world.signal(world.fresh(places, shape, 0.0, {names: 1.0}))


def _is_complex(atom: Any) -> bool:
    return bool(jnp.issubdtype(dtype_of(atom), jnp.complexfloating))


def _constant(value: Any) -> Fact:
    if jnp.issubdtype(getattr(value, "dtype", float), jax.dtypes.extended):
        return Chance()
    return as_known(value)


def _place(eqn: JaxprEqn, place: str) -> str:
    """Where an operation is, as the model's modules name it."""
    inner = str(eqn.source_info.name_stack)
    return "/".join(part for part in (place, inner) if part)
