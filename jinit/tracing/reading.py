"""A model as it is read: its parameters taken apart, its program, and what is met on the way.

May import: jax, and of `jinit.tracing` interpreter, jaxprs, ledger, opening, signals, views, and of
`jinit.model.targets` arrays, loaded, trees.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jinit.model.targets.arrays import is_array
from jinit.model.targets.loaded import is_a
from jinit.model.targets.trees import is_variables
from jinit.tracing.interpreter import Walk
from jinit.tracing.jaxprs import Closed, make_program
from jinit.tracing.ledger import Ledger, Scope
from jinit.tracing.opening import Opened, open_arguments, open_params
from jinit.tracing.signals import Const, Fact, Signal, Weights
from jinit.tracing.views import View

__all__ = ["Reading", "as_function", "read_model"]


class Reading(NamedTuple):
    """A model that has been read once.

    Attributes:
        params: what holds the parameters; `params.arrays` are the program's first inputs.
        arguments: the other arguments; `arguments.arrays` are its further inputs.
        program: what it computes, from all of these to all arrays of its outcome.
        ledger: every use of a parameter in it.
    """

    params: Opened
    arguments: Opened
    program: Closed
    ledger: Ledger


def read_model(
    apply: Any,
    params: Any,
    inputs: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    ledger: Ledger | None = None,
) -> Reading:
    """Trace a model on shapes, and follow its parameters.

    Args:
        apply: `apply(params, *inputs, **kwargs)`, or a framework's object that stands for it.
        params: what it takes first.
        inputs: further arguments.
        kwargs: keyword arguments.
        ledger: what to enter the uses in, if not a plain one.

    Raises:
        ValueError: `params` holds no parameter.
    """
    opened, arguments = open_params(params), open_arguments((tuple(inputs), dict(kwargs)))
    if not any(opened.paths):
        raise ValueError(
            f"`params` (a {type(params).__name__}) holds no parameter; pass what `apply` takes "
            "first, such as the variables of a Linen module or an NNX module itself"
        )
    program = _program(as_function(apply, params), opened, arguments)
    ledger = Ledger() if ledger is None else ledger
    for fact in Walk(ledger).through(program, _facts(ledger, opened, arguments), Scope()):
        if isinstance(fact, Signal):
            ledger.finish(fact)
    return Reading(opened, arguments, program, ledger)


def as_function(apply: Any, params: Any) -> Callable[..., Any]:
    """The function that a framework's object stands for."""
    if is_a(apply, "flax.linen.Module"):
        if is_variables(params):
            return apply.apply  # type: ignore[no-any-return]
        return lambda params, *args, **kwargs: apply.apply({"params": params}, *args, **kwargs)
    if is_a(apply, "haiku.Transformed", "haiku.TransformedWithState"):
        return apply.apply  # type: ignore[no-any-return]
    return apply  # type: ignore[no-any-return]


def _program(apply: Callable[..., Any], opened: Opened, arguments: Opened) -> Closed:
    """The model's jaxpr, without what no output needs."""
    count = len(opened.arrays)

    def flat(*arrays: Any) -> list[Any]:
        inputs, kwargs = arguments.close(arrays[count:])
        outcome = apply(opened.close(arrays[:count]), *inputs, **kwargs)
        return [leaf for leaf in jax.tree.leaves(outcome) if is_array(leaf)]

    return make_program(flat, *opened.arrays, *arguments.arrays)


def _facts(ledger: Ledger, opened: Opened, arguments: Opened) -> list[Fact]:
    facts: list[Fact] = []
    for number, (array, paths) in enumerate(zip(opened.arrays, opened.paths, strict=True)):
        is_param = bool(paths)
        facts.append(
            Weights((View.of(number, tuple(array.shape)),)) if is_param else _input(ledger, array)
        )
    return [*facts, *(_input(ledger, array) for array in arguments.arrays)]


def _input(ledger: Ledger, array: jax.ShapeDtypeStruct) -> Fact:
    """An input: keys and counters are none that a signal follows from."""
    if jnp.issubdtype(array.dtype, jax.dtypes.extended):
        return Const()
    is_index = jnp.issubdtype(array.dtype, jnp.integer)
    marks = frozenset({"index"} if is_index else ()) | ({"scalar"} if not array.shape else set())
    base = ledger.base()
    return Signal(base=base, stem=base, marks=marks)
