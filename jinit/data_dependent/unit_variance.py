"""`jinit.lsuv`: layer-sequential unit variance, for any model, in one pass.

May import: the standard library, jax, `jinit.checks`, of `jinit.model` selectors, targets
(arrays), of `jinit.tracing` opening, and all of `jinit.data_dependent`.
"""

from typing import Any

import jax

from jinit.checks import check_choice, check_integer, check_positive
from jinit.data_dependent.orthonormal import with_orthonormal
from jinit.data_dependent.preparing import Options, prepare
from jinit.data_dependent.report import LsuvReport
from jinit.data_dependent.results import not_run, rows_of
from jinit.data_dependent.running import Limits, run_passes
from jinit.model.selectors import Selector, as_selector
from jinit.model.targets.arrays import is_abstract
from jinit.tracing.opening import Opened, open_arguments, open_params

__all__ = ["lsuv"]


_STATISTICS, _UNITS, _REUSES = ("rms", "std"), ("channel", "expert", "layer"), ("all", "first")


def lsuv(
    apply: Any,
    params: Any,
    /,
    *batch: Any,
    target: float = 1.0,
    statistic: str = "std",
    per: str = "layer",
    center: bool = False,
    only: Any = "**",
    skip: Any = (),
    reuse: str = "first",
    tolerance: float = 1e-3,
    max_passes: int = 20,
    orthonormal: bool = False,
    key: Any = None,
    verify: bool = False,
    **kwargs: Any,
) -> tuple[Any, LsuvReport]:
    """LSUV: every linear layer's outcome gets deviation `target`: `W <- s W`, in one forward pass.

    For nets without normalization, or with activations that no gain is known for: the scale comes
    from a batch of data. A linear layer's outcome is proportional to its weight, so that one pass
    that rescales each outcome as it is computed finds all scales; the published algorithm runs the
    model several times for every layer. The model is read from its jaxpr: dense layers, einsums,
    convolutions of all kinds, experts; layers that `scan` stacks get a scale each. What layers,
    norms and activations are called, and in which framework, does not matter.

    The whole outcome of a layer is what is measured, bias included; biases themselves stay as they
    are (zero, mostly). Weights that the model makes of several parameters are rescaled through
    those that they are proportional to: `g` of a weight-normalized `g v / |v|`, all parts of a
    concatenated one. Where there are none, where a use of a weight cannot be followed, or where it
    is first used as something else (an embedding's table that is the head's kernel, too), it stays
    as it is, and the report says why.

    The pass is one compiled program, kept for calls of the same function with the same shapes (a
    `lambda` written anew is another function). Where more than two dozen layers follow one another
    outside any loop, it is run operation by operation, so that layers of one shape share all that
    is compiled.

    Unit variance is not criticality: each outcome as a whole has variance 1, but of a deep ReLU net
    most of it comes to lie in means that all inputs share, inputs become alike, and at depth 50 a
    plain net still does not train; at depth 20 it does. For such depths use orthogonal kernels with
    the weights that `jinit.theory` finds critical, residual branches that begin at zero, or
    normalization.

    Args:
        apply: `apply(params, *batch, **kwargs)`, as `jinit.trace` takes it. What it returns does
            not matter: batch norm in train mode, states, losses are fine.
        params: what `apply` takes first: a tree of arrays, Linen's variables, an NNX module or
            state, an Equinox module.
        *batch: further arguments, data among them: some dozens of real examples.
        target: the deviation asked for.
        statistic: "std", or "rms", in which the mean counts.
        per: "layer" for one scale for each layer; "channel" for one for each of its outputs (with
            `center=True` the start that goes with weight normalization); "expert" for one for each
            slice along batch axes, such as those of experts or of a model under `vmap`.
        center: whether a layer's bias is set so that each of its outputs has mean 0.
        only: selector, or several, of the weights that are rescaled.
        skip: selector, or several, of weights that are not, such as those that begin at zero.
        reuse: whether the "first" use decides on the scale of a weight that is used again (the
            first of which the outcome is not zero), or "all" together: then passes are repeated
            until their pooled statistic is the target. For RNNs "all" is the better choice: the
            first step's state is small.
        tolerance: how far from the target it may be then, relatively.
        max_passes: the most passes.
        orthonormal: whether kernels are first drawn anew with orthonormal rows or columns, as
            published; needs `key`.
        key: a PRNG key.
        verify: whether the model is run once more as it is, to report what came out.
        **kwargs: keyword arguments of `apply`.

    Returns:
        The parameters, the same kind of thing as `params`, with the same dtypes and sharding; and
        an `LsuvReport`, which prints as a table.

    Raises:
        ValueError: an option is none of those allowed; a layer's outcome is zero, constant or not
            finite; a bias alone goes beyond the target; there is no linear layer, or no data.

    >>> import jax, jax.numpy as jnp, jinit
    >>> w = jinit.normal(stddev=5.0)(jax.random.key(0), (3, 16, 16))
    >>> x = jax.random.normal(jax.random.key(1), (64, 16))
    >>> def apply(w, x):
    ...     return jax.lax.scan(lambda x, w: (jnp.tanh(y := x @ w), y.std()), x, w)
    >>> new, report = jinit.lsuv(apply, w, x)
    >>> print(apply(new, x)[1].round(3), report.passes)
    [1. 1. 1.] 1

    Reference: Mishkin and Matas 2016 (arXiv:1511.06422), algorithm 1, without iterations. With
    `per="channel", center=True`: Salimans and Kingma 2016 (arXiv:1602.07868), equations 5 and 6.

    Differences: the published code iterates until the variance is within 0.02 (Caffe) or the
    deviation within 0.1 (PyTorch) of 1; here both are exact up to rounding. `orthonormal` is off
    by default.
    """
    options = _options(statistic, per, reuse, center, only, skip)
    limits = _limits(target, tolerance, max_passes)
    opened, arguments = open_params(params), open_arguments((batch, kwargs))
    _check_data(opened, arguments)
    prepared = prepare(apply, params, batch, kwargs, options)
    values, paths = list(opened.values), [names[0] if names else "" for names in opened.paths]
    if orthonormal:
        if key is None:
            raise ValueError("`orthonormal=True` draws kernels anew and needs a PRNG key: `key=`")
        scheme = prepared.passes.scheme
        values = with_orthonormal(prepared.ledger, scheme, values, paths, key)
    passed = run_passes(prepared.passes, [*values, *arguments.values], paths, limits)
    for leaf, value in passed.leaves.items():
        values[leaf] = value
    after = prepared.passes.measured([*values, *arguments.values]) if verify else {}
    report = LsuvReport(
        rows=tuple(rows_of(prepared.passes.scheme, passed, paths, after)),
        left={**prepared.left, **not_run(prepared.passes.scheme, passed, paths)},
        not_centered=prepared.not_centered,
        statistic=statistic,
        target=float(target),
        per=per,
        passes=passed.passes,
        settled=passed.settled,
    )
    return opened.close(values), report


def _options(statistic: str, per: str, reuse: str, center: bool, only: Any, skip: Any) -> Options:
    check_choice("statistic", statistic, _STATISTICS)
    check_choice("per", per, _UNITS)
    check_choice("reuse", reuse, _REUSES)
    if center and reuse == "all":
        raise ValueError(
            '`center=True` needs `reuse="first"`: a bias can remove the mean of one use only'
        )
    return Options(statistic, per, reuse, bool(center), _selectors(only), _selectors(skip))


def _selectors(spec: Any) -> tuple[Selector, ...]:
    several = spec if isinstance(spec, (list, tuple)) else (spec,)
    return tuple(as_selector(one) for one in several)


def _limits(target: float, tolerance: float, max_passes: int) -> Limits:
    check_positive("target", target)
    check_positive("tolerance", tolerance)
    check_integer("max_passes", max_passes)
    return Limits(float(target), float(tolerance), max_passes)


def _check_data(opened: Opened, arguments: Opened) -> None:
    if not arguments.values:
        raise ValueError(
            "there is no data: pass a batch, `jinit.lsuv(apply, params, batch)`, as an argument of "
            "`apply`, not within it"
        )
    for value, names in zip(opened.values, opened.paths, strict=True):
        if is_abstract(value):
            raise TypeError(
                f"{names[0] if names else 'a variable'} is a shape without values; draw the "
                "parameters first, with jinit.initialize"
            )
    if any(is_abstract(value) for value in arguments.values):
        raise TypeError("the batch holds a shape without values; pass data")
    if any(isinstance(value, jax.core.Tracer) for value in (*opened.values, *arguments.values)):
        raise TypeError(
            "parameters or batch are traced and have no values yet; call jinit.lsuv outside of "
            "`jit`: it compiles what it runs itself"
        )
