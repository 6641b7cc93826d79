"""`jinit.trace`: follow every parameter of a model to what it is used for.

May import: the standard library, and of `jinit.tracing` ledger, opening, reading, summary, usage.
"""

from collections.abc import Callable
from typing import Any

from jinit.tracing.ledger import Ledger
from jinit.tracing.opening import Opened
from jinit.tracing.reading import read_model
from jinit.tracing.summary import summarize
from jinit.tracing.usage import Usage

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
    reading = read_model(apply, params, inputs, kwargs, ledger=Ledger(edges))
    return _usage(reading.ledger, reading.params)


def _usage(ledger: Ledger, opened: Opened) -> Usage:
    uses = {}
    for number, (array, paths) in enumerate(zip(opened.arrays, opened.paths, strict=True)):
        records = [record for record in ledger.records.values() if record.leaf == number]
        for path in paths:
            uses[path] = summarize(path, tuple(array.shape), records)
    return Usage(uses, tuple(ledger.opaque))
