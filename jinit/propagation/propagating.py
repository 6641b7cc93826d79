"""`jinit.propagate`: send a batch through a model and back, and report on the way.

May import: the standard library, jax, `jinit.checks`, and of `jinit.tracing` opening, and of
`jinit.propagation` instrument, report, rows, verdicts.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from jinit.checks import check_integer
from jinit.propagation.instrument import Call, Instrument, Options, instrument_for
from jinit.propagation.report import Report
from jinit.propagation.rows import leaf_rows, site_rows
from jinit.propagation.verdicts import judge
from jinit.tracing.opening import Opened, open_arguments, open_params

__all__ = ["propagate"]


def propagate(
    apply: Any,
    params: Any,
    /,
    *inputs: Any,
    loss: Callable[[Any], Any] | None = None,
    backward: bool = True,
    jacobian: bool = False,
    every: bool = False,
    batch_axis: int | None = 0,
    key: Any = None,
    **kwargs: Any,
) -> Report:
    """Report how the signal fares in a model, forwards and back, operation by operation.

    Use it before training, and when training does not start: it tells which layer loses the
    signal or the gradient, which units are dead or saturated, whether inputs become the same, and
    says so in words. One compiled program runs the model once forwards and once back, and
    measures on the way; it is kept for further calls with equal shapes.

    Rows are of layers (outcomes of operations that use weights, with their biases), activations,
    residual sums and norms; a scanned layer has a row for every step. Without a `loss` what goes
    back from the outputs is random, independent and of variance 1: gradients then tell what the
    model does to them, whatever the loss. A model that returns one number, such as a loss of
    parameters and a batch, is taken to be the loss.

    Args:
        apply: `apply(params, *inputs, **kwargs)`: a Linen module or its `apply`, a Haiku
            transformed function's `apply`, or any function; for modules of NNX and Equinox
            `lambda model, x: model(x)`. One and the same function is compiled once.
        params: what `apply` takes first: a tree of arrays, Linen's variables, an NNX module or
            state, an Equinox module.
        *inputs: further arguments, a batch of inputs among them.
        loss: a function of what `apply` returns, to one number.
        backward: whether to go back as well.
        jacobian: whether to find the singular values of the Jacobian from floating inputs to
            outputs as well; this takes some 50 further passes for large Jacobians.
        every: whether all operations have rows, not only those named above.
        batch_axis: the axis of the inputs along which the batch lies; None if there is none. It is
            needed to compare inputs with each other.
        key: a PRNG key for random cotangents and probes.
        **kwargs: keyword arguments of `apply`.

    Returns:
        The report.

    Raises:
        ValueError: there is no parameter, a value is missing, nothing floating is returned, `loss`
            gives no number, or `jacobian` is asked for without floating inputs.

    >>> import jax, jax.numpy as jnp, jinit
    >>> key = jax.random.key(0)
    >>> weights = [jinit.normal(0.05)(jax.random.fold_in(key, n), (64, 64)) for n in range(4)]
    >>> def net(weights, x):
    ...     for w in weights:
    ...         x = jax.nn.relu(x @ w)
    ...     return x
    >>> report = jinit.propagate(net, weights, jax.random.normal(key, (32, 64)))
    >>> [verdict.kind for verdict in report.verdicts]
    ['vanishing signal', 'vanishing gradient']
    >>> report.rows[1].name, report.rows[2].operation, report.rows[1].shape
    ('0', 'relu', (32, 64))
    """
    if batch_axis is not None:
        check_integer("batch_axis", batch_axis, least=0)
    call = Call(apply, params, inputs, kwargs)
    arguments = open_arguments((inputs, kwargs))
    arrays = _values(open_params(params), arguments)
    instrument = instrument_for(call, Options(loss, backward, every, batch_axis))
    if jacobian and instrument.prober is None:
        raise ValueError(_no_jacobian(arrays[-len(arguments.values) :]))
    key = jax.random.key(0) if key is None else key
    measured = _measured(instrument, arrays, key)
    model = instrument.model
    rows = site_rows(model.sites, measured, instrument.batch or 1)
    leaves = leaf_rows(instrument.paths, instrument.shapes, model.stacks, measured)
    spectrum = instrument.prober(arrays, key) if jacobian and instrument.prober else None
    return Report(
        rows=rows,
        leaves=leaves,
        verdicts=judge(rows, leaves, spectrum),
        spectrum=spectrum,
        loss=None if measured.loss is None else float(measured.loss),
        batch=instrument.batch,
        opaque=instrument.opaque,
    )


def _values(params: Opened, arguments: Opened) -> list[Any]:
    """All arrays; each must have values."""
    arrays = [*params.values, *arguments.values]
    beside = ("an array beside the parameters",)
    names = [(paths or beside)[0] or "params" for paths in params.paths]
    names += ["an input"] * len(arguments.values)
    for name, array in zip(names, arrays, strict=True):
        if isinstance(array, (jax.ShapeDtypeStruct, jax.core.Tracer)):
            raise ValueError(_no_value(name, array))
    return arrays


def _no_value(name: str, array: Any) -> str:
    shape = f"{array.dtype.name}{list(array.shape)}"
    if isinstance(array, jax.core.Tracer):
        return (
            f"{name} is traced ({shape}), and a report needs values; call jinit.propagate outside "
            "of `jit`: it compiles what it runs itself"
        )
    return (
        f"{name} is abstract ({shape}), and a report needs values; draw the parameters first "
        "(jinit.initialize), and pass arrays as inputs"
    )


def _measured(instrument: Instrument, arrays: list[Any], key: Any) -> Any:
    try:
        return instrument.meter(arrays, key)
    except ValueError as error:
        if "Reverse-mode differentiation does not work" not in str(error):
            raise
        raise ValueError(
            "the model has a loop of unknown length (`while_loop`, or `fori_loop` with a traced "
            "bound), through which no gradient comes back; pass `backward=False`, or use "
            "jax.lax.scan"
        ) from error


def _no_jacobian(arrays: Sequence[Any]) -> str:
    told = ", ".join(f"{array.dtype.name}{list(array.shape)}" for array in arrays)
    return (
        f"`jacobian` needs floating inputs and outputs, and the inputs are {told}; start the model "
        "at its embedded inputs, or leave `jacobian` out"
    )
