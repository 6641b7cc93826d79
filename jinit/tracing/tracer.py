"""`jinit.trace`: follow every parameter of a model to what it is used for.

May import: jax, and of `jinit.tracing` interpreter, jaxprs, ledger, opening, signals, summary,
usage, views, and of `jinit.model.targets` arrays, loaded, trees.
"""

from collections.abc import Callable
from typing import Any

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
from jinit.tracing.summary import summarize
from jinit.tracing.usage import Usage
from jinit.tracing.views import View

__all__ = ["trace"]


def trace(
    apply: Callable[..., Any], params: Any, /, *inputs: Any, edges: bool = False, **kwargs: Any
) -> Usage:
    """Read from the model itself what it does with each parameter: role, axes, fans, activation.

    Use it where shapes do not tell: einsums, experts, grouped, strided and transposed
    convolutions, stacked and shared layers, or a model written by hand. The model is traced
    once, on shapes; nothing is computed and nothing allocated. `jinit.plan(..., usage=usage)` and
    `jinit.initialize(..., usage=usage)` then take fans and axes from it.

    Fans are numbers of true connections, those of `jinit.compute_fans`: `fan_in` weights meet in
    one output, `fan_out` leave one input, on the average over positions.

    Args:
        apply: `apply(params, *inputs, **kwargs)`: a Linen module or its `apply`, a Haiku
            transformed function's `apply` (with `None` for its key), or any function; for modules
            of NNX and Equinox `lambda model, x: model(x)`.
        params: what `apply` takes first: a tree of arrays, Linen's variables, an NNX module or
            state, an Equinox module. Arrays may be `jax.ShapeDtypeStruct` throughout.
        *inputs: further arguments; what is no array, such as `False`, stays as it is.
        edges: whether connections that padding removes are left out of the fans of convolutions.
        **kwargs: keyword arguments of `apply`.

    Returns:
        The usage: a mapping from paths, as `jinit.plan` has them, to `Use`.

    Raises:
        ValueError: `params` holds no parameter.

    >>> import jax, jax.numpy as jnp, jinit
    >>> def layer(params, x):
    ...     heads = jnp.einsum("btd,dhk->bthk", x, params["query"])
    ...     return jax.nn.gelu(heads + params["b"][None, None])
    >>> shapes = {"query": jax.ShapeDtypeStruct((512, 8, 64), "float32"),
    ...           "b": jax.ShapeDtypeStruct((8, 64), "float32")}
    >>> usage = jinit.trace(layer, shapes, jax.ShapeDtypeStruct((2, 16, 512), "float32"))
    >>> usage["query"].fans, usage["query"].out_axes, usage["query"].activation
    (Fans(fan_in=512, fan_out=512), (1, 2), 'gelu_tanh')
    >>> usage["b"].role
    'bias'
    """
    opened, arguments = open_params(params), open_arguments((inputs, kwargs))
    if not any(opened.paths):
        raise ValueError(
            f"`params` (a {type(params).__name__}) holds no parameter; pass what `apply` takes "
            "first, such as the variables of a Linen module or an NNX module itself"
        )
    jaxpr = _program(_as_function(apply, params), opened, arguments)
    ledger = Ledger(edges)
    for fact in Walk(ledger).through(jaxpr, _facts(ledger, opened, arguments), Scope()):
        if isinstance(fact, Signal):
            ledger.finish(fact)
    return _usage(ledger, opened)


def _as_function(apply: Any, params: Any) -> Callable[..., Any]:
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


def _usage(ledger: Ledger, opened: Opened) -> Usage:
    uses = {}
    for number, (array, paths) in enumerate(zip(opened.arrays, opened.paths, strict=True)):
        records = [record for record in ledger.records.values() if record.leaf == number]
        for path in paths:
            uses[path] = summarize(path, tuple(array.shape), records)
    return Usage(uses, tuple(ledger.opaque))
