"""Jaxprs of every supported jax: made, opened, and taken from the operations that hold them.

May import: jax.

Until jax 0.12 a program with its constants was a `ClosedJaxpr` around a `Jaxpr`; since then one
class is both.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import jax
from jax.extend.core import Jaxpr, JaxprEqn
from jax.interpreters.partial_eval import dce_jaxpr

__all__ = [
    "Closed",
    "Program",
    "ScanCounts",
    "inner_program",
    "make_program",
    "open_program",
    "scan_counts",
]

# Whatever jax holds a program in.
Program: TypeAlias = Any

# Operations that do no more than call the program they hold, under the name of the parameter.
_PLAIN = {
    "checkpoint": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "core_closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
}


class Closed(NamedTuple):
    """A program and the values of its `constvars`."""

    jaxpr: Jaxpr
    consts: Sequence[Any]


class ScanCounts(NamedTuple):
    """How many of a scan's inputs are constants, and how many its carry."""

    consts: int
    carry: int


def make_program(function: Callable[..., Any], *arrays: Any) -> Closed:
    """The program of a function of arrays, without what no output needs."""
    body, consts = open_program(jax.make_jaxpr(function)(*arrays))
    live, _ = dce_jaxpr(body, [True] * len(body.outvars), instantiate=True)
    return Closed(live, consts)


def open_program(program: Program) -> Closed:
    """A program's body, and the values of its `constvars`."""
    body: Any = getattr(program, "jaxpr", program)
    return Closed(body, getattr(program, "consts", ()))


def inner_program(eqn: JaxprEqn) -> Program | None:
    """The program that an operation calls and does nothing else; None if it is of another kind.

    What iterates over an array, an operation of its own since jax 0.12, is taken as its slices.
    """
    if eqn.primitive.name == "unstack":
        aval: Any = eqn.invars[0].aval
        return _slices(aval.shape, aval.dtype, eqn.params["axis"])
    program = eqn.params.get(_PLAIN.get(eqn.primitive.name, ""))
    if program is None:
        return None
    body, _ = open_program(program)
    return program if len(body.invars) == len(eqn.invars) else None


@cache  # operations are told apart by their identity
def _slices(shape: tuple[int, ...], dtype: Any, axis: int) -> Program:
    """The program that takes an array apart along an axis."""

    def unstack(array: Any) -> list[Any]:
        return [
            jax.lax.index_in_dim(array, place, axis, keepdims=False) for place in range(shape[axis])
        ]

    array = jax.ShapeDtypeStruct(shape, dtype)  # type: ignore[no-untyped-call]
    return jax.make_jaxpr(unstack)(array)


def scan_counts(eqn: JaxprEqn) -> ScanCounts:
    """The numbers of a scan's constants and carried values."""
    if "num_consts" in eqn.params:
        return ScanCounts(eqn.params["num_consts"], eqn.params["num_carry"])
    consts, carry, _ = eqn.params["ft_in"].unpack()  # since jax 0.12
    return ScanCounts(len(consts), len(carry))
