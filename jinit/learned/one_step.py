"""GradInit: scales such that the first step of the optimizer lowers the loss the most.

May import: jax, numpy, `jinit.checks`, and of `jinit.learned` batches, looping, objectives, report,
weights; optax as it is called.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinit.checks import check_choice, check_integer, check_non_negative, check_positive
from jinit.learned.batches import Batches, mix_batches, take_batches
from jinit.learned.looping import Step, check_loss, import_optax, learn, scalar_loss, see
from jinit.learned.objectives import FIRST_STEPS
from jinit.learned.report import LearnedReport
from jinit.learned.weights import Weights, open_weights

__all__ = ["gradinit"]

_KINDS = ("loss", "norm")
# Step size and bound: the authors' for SGD; for Adam a usual rate, and no bound, since the L1 norm
# grows with the number of weights.
_DEFAULTS = {"sgd": (0.1, 1.0), "adam": (1e-3, np.inf)}
_BETA_1, _BETA_2, _EPS = 0.9, 0.999, 1e-8
_BIASES = ("bias", "norm_bias")


def gradinit(
    loss: Callable[[Any, Any], Any],
    params: Any,
    batches: Batches,
    *,
    optimizer: str = "sgd",
    eta: float | None = None,
    gamma: float | None = None,
    steps: int = 390,
    learning_rate: float | Callable[[Any], Any] = 0.01,
    min_scale: float = 0.01,
    clip: float = 1.0,
    overlap: float = 0.5,
    only: Any = None,
    stacked: Mapping[Any, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> tuple[Any, LearnedReport]:
    r"""GradInit: scales that minimize `L'(W - eta A[g])`, subject to `|g| <= gamma`.

    Each leaf W is a scale times its start; g is the gradient of the loss L on a batch, A[g] the
    direction of the optimizer's first step, L' the loss on a second batch that shares half its
    samples with the first. Where the norm exceeds gamma, a step lowers it instead; otherwise it
    lowers L', A[g] held fixed.

    For architectures that no rule fits: unnormalized or oddly branched networks that diverge or
    stand still at first. It needs real batches, and is a short training run: a step costs two to
    four gradients. For plain chains of layers `jinit.orthogonal`, at the gain of the
    activation, or one pass of data-dependent scaling do as well for nothing; scales cannot undo
    the collapse of inputs onto each other that depth brings to Gaussian weights.

    Args:
        loss: `loss(params, batch)`, one number; compiled, so without effects. What is no parameter
            (batch statistics, dropout keys) is at each step what it was at the start.
        params: a tree of arrays, Linen's variables, an NNX module or state, an Equinox module.
        batches: an iterable (begun anew where it ends), an iterator, or a function of the step;
            trees of arrays of one shape. Step t takes L on batch t, and L' on the first half of
            batch t with the second half of batch t + 1; one more step is evaluated at the end.
        optimizer: which is to train: "sgd", with `A[g] = g / |g|_2` and the norm `|g|_2`, or "adam"
            (and what else divides by the gradient's size), with `A[g] = sign(g)` and `|g|_1`.
        eta: its step size; 0.1 for SGD and 1e-3 for Adam if None.
        gamma: the bound on the norm; 1 for SGD and none for Adam if None.
        steps: how many steps to take; a few hundred.
        learning_rate: of the scales, which start at 1; a number, or an optax schedule. The authors
            use 1e-3 to 1e-1.
        min_scale: no scale falls below it; those of biases fall to 0.
        clip: bound on the absolute value of each derivative with respect to a scale.
        overlap: the share of samples common to both batches, the first of each array's first axis;
            at 0 the second is batch t + 1, at 1 it is the first again: both mix nothing, and so
            allow batches of any kind.
        only: selector, or several, of the leaves that get a scale; g is of all.
        stacked: by selector, how many leading axes (or which axes) hold layers, each of which gets
            a scale of its own.
        usage: from `jinit.trace`: the stacks that scans go along, and roles for selectors.
        progress: whether to show a bar on stderr; None if it is a terminal.

    Returns:
        The model with its weights rescaled, of the same kind as `params`, and the report.

    Raises:
        ImportError: optax is not installed.
        TypeError: a parameter is traced or complex; `batches` is one batch.
        ValueError: an option is out of range, no leaf can be scaled (zero leaves cannot), batches
            run out or do not fit together, or the loss is not one number.
        jinit.InitializationError: the loss or a gradient is not finite, or the gradient is zero.
        jinit.RuleError: `only` or `stacked` selects no leaf.

    >>> import jax, jinit
    >>> params = {"w": 3.0 * jax.numpy.ones((4, 2))}
    >>> loss = lambda params, x: ((x @ params["w"]) ** 2).mean()
    >>> batches = lambda step: jax.random.normal(jax.random.key(step), (256, 4))
    >>> params, report = jinit.gradinit(loss, params, batches, steps=100, learning_rate=0.05)
    >>> report.kinds[0], bool(report.gradient_norm[0] > 5), bool(report.gradient_norm[-1] < 1.1)
    ('norm', True, True)

    Reference: Zhu et al. 2021 (arXiv:2102.08098), equation 1 and algorithm 1; the authors' code,
    zhuchen03/gradinit, for Adam on the scales: one first moment for each of the two objectives,
    the second moment shared.

    Differences: the published loss step descends `L' / eta`, and so does this one; `objective` in
    the report is L' itself.
    """
    optax = import_optax("gradinit")
    check_choice("optimizer", optimizer, tuple(FIRST_STEPS))
    eta, gamma = _bounds(optimizer, eta, gamma)
    check_integer("steps", steps)
    if not callable(learning_rate):
        check_positive("learning_rate", learning_rate)
    check_non_negative("min_scale", min_scale)
    check_positive("clip", clip)
    if not 0 <= overlap <= 1:
        raise ValueError(f"`overlap` (={overlap!r}) must lie in [0, 1]")
    weights = open_weights(params, only=only, stacked=stacked, usage=usage)
    learner = _Learner(optax, learning_rate, clip, _least(weights, min_scale))
    return learn(
        weights,
        _make_step(loss, weights, learner, optimizer, eta, gamma, overlap),
        learner.init(weights),
        _checked(loss, weights, _pairs(batches, steps + 1, overlap)),
        method="GradInit",
        kinds=_KINDS,
        steps=steps,
        gamma=gamma,
        progress=progress,
    )


def _bounds(optimizer: str, eta: float | None, gamma: float | None) -> tuple[float, float]:
    usual_eta, usual_gamma = _DEFAULTS[optimizer]
    eta = usual_eta if eta is None else check_positive("eta", eta)
    if gamma is None or gamma == np.inf:
        return eta, usual_gamma if gamma is None else gamma
    return eta, check_positive("gamma", gamma)


def _least(weights: Weights, min_scale: float) -> list[float]:
    return [0.0 if leaf.role in _BIASES else min_scale for leaf in weights.scaled_leaves]


def _pairs(batches: Batches, count: int, overlap: float) -> Iterator[tuple[Any, Any]]:
    """The batches of each step: its own, and the next, which the second half is from."""
    if overlap == 1:
        return ((batch, None) for batch in take_batches(batches, count))
    return itertools.pairwise(take_batches(batches, count + 1))


def _checked(
    loss: Callable[..., Any], weights: Weights, pairs: Iterator[tuple[Any, Any]]
) -> Iterator[tuple[Any, Any]]:
    """The same, once the loss is known to be one number on the first."""
    first = next(pairs)
    check_loss(loss, weights, first[0])
    return itertools.chain([first], pairs)


def _make_step(
    loss: Callable[..., Any],
    weights: Weights,
    learner: "_Learner",
    optimizer: str,
    eta: float,
    gamma: float,
    overlap: float,
) -> Step:
    """The step of the scales, to be compiled."""
    value_of = scalar_loss(loss, weights)
    slope_of, first_step = jax.grad(value_of), FIRST_STEPS[optimizer]

    def step(values: Any, scales: Any, state: Any, count: Any, batch: Any, following: Any) -> Any:
        current = weights.rescale(values, scales)
        value, gradient = jax.value_and_grad(value_of)(current, batch)
        norm, direction = first_step(gradient, weights.dtype)

        def shrink() -> Any:
            product = jax.jvp(lambda at: slope_of(at, batch), (current,), (direction,))[1]
            return norm, weights.slopes(values, product)

        def descend() -> Any:
            moved = [w - (eta * d).astype(w.dtype) for w, d in zip(current, direction, strict=True)]
            second = mix_batches(batch, following, overlap)
            after, cotangents = jax.value_and_grad(value_of)(moved, second)
            return after, [slope / eta for slope in weights.slopes(values, cotangents)]

        over = norm > gamma
        objective, slopes = jax.lax.cond(over, shrink, descend)
        scales, state = learner.update(scales, slopes, state, over, count)
        saw = see(weights, objective, over.astype("int32"), value, norm, gradient, slopes)
        return scales, state, saw

    return step


class _Learner:
    """Adam on scales: derivatives clipped, a first moment for each of two objectives."""

    def __init__(self, optax: Any, learning_rate: Any, clip: float, least: list[float]) -> None:
        self.first, self.second = optax.ema(_BETA_1), optax.ema(_BETA_2)
        self.clip, self.least, self.learning_rate = optax.clip(clip), least, learning_rate

    def init(self, weights: Weights) -> Any:
        """The state: the first moments of loss and of norm, and the second moment of both."""
        zeros = [np.zeros_like(norm) for norm in weights.norms]
        return self.first.init(zeros), self.first.init(zeros), self.second.init(zeros)

    def update(self, scales: Any, slopes: Any, state: Any, over: Any, count: Any) -> Any:
        """New scales, and a new state."""
        of_loss, of_norm, square = state
        with jax.numpy_dtype_promotion("standard"):  # which optax needs
            clipped, _ = self.clip.update(slopes, self.clip.init(scales))
            mean, ours = self.first.update(clipped, _where(over, of_norm, of_loss))
            squares = [jnp.square(slope) for slope in clipped]
            scatter, square = self.second.update(squares, square)
        rate = self.learning_rate(count) if callable(self.learning_rate) else self.learning_rate
        moved = [
            jnp.maximum(scale - rate * m / (jnp.sqrt(s) + _EPS), least).astype(scale.dtype)
            for scale, m, s, least in zip(scales, mean, scatter, self.least, strict=True)
        ]
        state = _where(over, of_loss, ours), _where(over, ours, of_norm), square
        return moved, state


def _where(condition: Any, a: Any, b: Any) -> Any:
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), a, b)
