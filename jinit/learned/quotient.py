"""MetaInit: norms such that a gradient step changes the gradient the least.

May import: jax, numpy, `jinit.checks`, and of `jinit.learned` batches, looping, objectives, report,
weights; optax as it is called.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinit.checks import check_integer, check_non_negative, check_positive
from jinit.learned.batches import Batches, take_batches
from jinit.learned.looping import Step, check_loss, import_optax, learn, scalar_loss, see
from jinit.learned.objectives import euclidean, gradient_quotient
from jinit.learned.report import LearnedReport
from jinit.learned.weights import Weights, open_weights

__all__ = ["metainit"]


def metainit(
    loss: Callable[[Any, Any], Any],
    params: Any,
    batches: Batches,
    *,
    steps: int = 500,
    learning_rate: float | Callable[[Any], Any] = 0.1,
    momentum: float = 0.9,
    eps: float = 1e-5,
    min_scale: float = 0.01,
    only: Any = None,
    stacked: Mapping[Any, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> tuple[Any, LearnedReport]:
    r"""MetaInit: norms that minimize `GQ = mean |(g - Hg) / (g + eps sign(g)) - 1|`.

    The gradient quotient is how much a gradient step changes the gradient, relative to it, on the
    average over all weights; `Hg` is the gradient of `|g|^2 / 2`. Signed gradient descent with
    momentum moves the norm of each matrix, whose direction stays:
    `v = momentum v - learning_rate sign(dGQ / d|W|)`, `|W| = |W| + v`.

    For architectures without a rule of their own, above all where there is no data yet: inputs and
    labels may be random. It takes third derivatives: a step costs about eight gradients, and more
    memory. Where data are at hand `jinit.gradinit` is cheaper, looks at the loss itself, and copes
    with starts that are off by orders of magnitude, from which signed steps may not lead back. For
    plain chains of layers `jinit.orthogonal`, at the gain of the activation, or one pass of
    data-dependent scaling do as well for nothing; norms cannot undo the collapse of inputs onto
    each other that depth brings to Gaussian weights.

    Args:
        loss: `loss(params, batch)`, one number; compiled, so without effects. What is no parameter
            (batch statistics, dropout keys) is at each step what it was at the start.
        params: a tree of arrays, Linen's variables, an NNX module or state, an Equinox module.
        batches: an iterable (begun anew where it ends), an iterator, or a function of the step;
            trees of arrays of one shape. One more than there are steps is evaluated at the end.
        steps: how many steps to take.
        learning_rate: how far a norm moves in one step, in units of the norm, and up to
            `1 / (1 - momentum)` as far at speed; a number, or an optax schedule. The published 0.1
            suits norms of ten and more; where GQ ends no lower than it began, norms have been
            carried too far: take less.
        momentum: the share of its velocity that a norm keeps, in [0, 1).
        eps: keeps the quotient's denominator from zero, where sign(0) is 1.
        min_scale: no norm falls below so much of its start.
        only: selector, or several, of the leaves whose norm is learned, among those of at least
            two axes; GQ is of all.
        stacked: by selector, how many leading axes (or which axes) hold layers, each of which has a
            norm of its own; they are not among the two axes.
        usage: from `jinit.trace`: the stacks that scans go along, and roles for selectors.
        progress: whether to show a bar on stderr; None if it is a terminal.

    Returns:
        The model with its weights rescaled, of the same kind as `params`, and the report.

    Raises:
        ImportError: optax is not installed.
        TypeError: a parameter is traced or complex; `batches` is one batch.
        ValueError: an option is out of range, no leaf can be scaled (zero leaves cannot), batches
            run out, or the loss is not one number.
        jinit.InitializationError: the loss, a gradient or GQ is not finite, or the gradient is
            zero.
        jinit.RuleError: `only` or `stacked` selects no leaf.

    >>> import jax, jinit
    >>> params = {"w": 0.25 * jinit.lecun_normal(jax.random.key(0), (16, 16))}
    >>> def loss(params, batch):
    ...     x, y = batch
    ...     for _ in range(2):
    ...         x = jax.numpy.tanh(x @ params["w"])
    ...     return ((x - y) ** 2).mean()
    >>> def random_batch(step):
    ...     return tuple(jax.random.normal(jax.random.key(step), (2, 32, 16)))
    >>> params, report = jinit.metainit(loss, params, random_batch, steps=50, learning_rate=0.03)
    >>> bool(report.objective[-1] < report.objective[0]), report.scales["w"] > 1.5
    (True, True)

    Reference: Dauphin & Schoenholz 2019 (NeurIPS 2019, "MetaInit: Initializing learning by learning
    to initialize"), equation 1 and algorithm 1.

    Differences: the published algorithm has no `min_scale`; a norm that momentum carries past zero
    there turns the sign of its weights.
    """
    optax = import_optax("metainit")
    check_integer("steps", steps)
    if not callable(learning_rate):
        check_positive("learning_rate", learning_rate)
    if not 0 <= momentum < 1:
        raise ValueError(f"`momentum` (={momentum!r}) must lie in [0, 1)")
    check_positive("eps", eps)
    check_non_negative("min_scale", min_scale)
    weights = open_weights(params, only=only, stacked=stacked, usage=usage, least_axes=2)
    learner = optax.chain(
        optax.scale_by_sign(),
        optax.trace(momentum),
        optax.scale_by_learning_rate(learning_rate),
    )
    feed = take_batches(batches, steps + 1)
    first = next(feed)
    check_loss(loss, weights, first)
    return learn(
        weights,
        _make_step(loss, weights, learner, eps, min_scale),
        learner.init([np.zeros_like(norm) for norm in weights.norms]),
        zip(itertools.chain([first], feed)),
        method="MetaInit",
        kinds=("quotient",),
        steps=steps,
        progress=progress,
    )


def _make_step(
    loss: Callable[..., Any], weights: Weights, learner: Any, eps: float, min_scale: float
) -> Step:
    """The step of the norms, to be compiled."""
    value_of = scalar_loss(loss, weights)

    def quotient(scales: Any, values: Any, batch: Any) -> Any:
        current = weights.rescale(values, scales)
        (value, gradient), push = jax.linearize(
            jax.value_and_grad(lambda at: value_of(at, batch)), current
        )
        _, product = push(gradient)
        return gradient_quotient(gradient, product, eps, weights.dtype), (value, gradient)

    def step(values: Any, scales: Any, state: Any, count: Any, batch: Any) -> Any:
        (objective, (value, gradient)), slopes = jax.value_and_grad(quotient, has_aux=True)(
            scales, values, batch
        )
        norm = euclidean(gradient, weights.dtype).norm
        with jax.numpy_dtype_promotion("standard"):  # which optax needs
            updates, state = learner.update(slopes, state)
        moved = [
            jnp.maximum(scale + update / _divisor(start), min_scale).astype(scale.dtype)
            for scale, update, start in zip(scales, updates, weights.norms, strict=True)
        ]
        saw = see(weights, objective, jnp.int32(0), value, norm, gradient, slopes)
        return moved, state, saw

    return step


def _divisor(norms: Any) -> Any:
    """Norms, with 1 for slices that are zero: these stay zero whatever their scale."""
    return np.where(norms > 0, norms, 1)
