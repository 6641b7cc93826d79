"""The loop: one compiled step, taken again and again, watched for what is not finite.

May import: the standard library, jax, numpy, `jinit.model.checks`, and of `jinit.learned` report,
weights; `jinit.display.progress` where progress is shown.

Scales and the learner's state are a few numbers a leaf. They live in host memory between steps, so
that every step has arguments of one kind, wherever the weights lie, and is compiled once.
"""

import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jinit.learned.report import LearnedReport
from jinit.learned.weights import Arrays, Weights
from jinit.model.checks import InitializationError

__all__ = ["Seen", "Step", "check_loss", "import_optax", "learn", "scalar_loss", "see"]


class Seen(NamedTuple):
    """What a step saw, before it changed the scales.

    Attributes:
        objective: what it lowers.
        kind: a place among the method's kinds of objective.
        loss: on its batch.
        gradient_norm: of that loss.
        sound: for each leaf, whether its gradient is finite.
        sloped: for each scale, whether the objective's derivative is a number.
    """

    objective: Any
    kind: Any
    loss: Any
    gradient_norm: Any
    sound: Any
    sloped: Any


Step: TypeAlias = Callable[..., tuple[Arrays, Any, Seen]]
ScalarLoss: TypeAlias = Callable[[Arrays, Any], Any]

_TOLD = {
    "loss": "the loss after one step of the optimizer",
    "norm": "the norm of the gradient",
    "quotient": "the gradient quotient",
}


def import_optax(caller: str) -> ModuleType:
    """Optax, which nothing else here needs.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import optax
    except ImportError:
        raise ImportError(
            f"jinit.{caller} learns scales with optax, which is not installed; "
            "python -m pip install 'jinit[learned]'"
        ) from None
    return optax  # type: ignore[no-any-return]


def scalar_loss(loss: Callable[..., Any], weights: Weights) -> ScalarLoss:
    """The loss as a function of the leaves' values and a batch, in the dtype of the scales."""

    def of_values(values: Arrays, batch: Any) -> Any:
        return jnp.asarray(loss(weights.rebuild(values), batch)).astype(weights.dtype)

    return of_values


def check_loss(loss: Callable[..., Any], weights: Weights, batch: Any) -> None:
    """Raise unless the loss is one floating number."""
    outcome = jax.eval_shape(lambda v, b: loss(weights.rebuild(v), b), weights.values, batch)
    if isinstance(outcome, jax.ShapeDtypeStruct):
        if outcome.shape == () and jnp.issubdtype(outcome.dtype, jnp.floating):
            return
        got = f"{outcome.dtype.name}[{','.join(map(str, outcome.shape))}]"
    else:
        got = f"a {type(outcome).__name__}"
    raise ValueError(
        f"`loss` must return one floating number, and returned {got}; take the mean over the "
        "batch, and return nothing beside it"
    )


def see(
    weights: Weights, objective: Any, kind: Any, loss: Any, norm: Any, gradient: Arrays, slopes: Any
) -> Seen:
    """What is to be known of a step, as scalars and flags."""
    return Seen(
        objective,
        kind,
        loss,
        norm.astype(weights.dtype),
        jnp.stack([jnp.isfinite(g).all() for g in gradient]),
        jnp.stack([~jnp.isnan(slope).any() for slope in slopes]),
    )


def learn(
    weights: Weights,
    step: Step,
    state: Any,
    feed: Iterable[tuple[Any, ...]],
    *,
    method: str,
    kinds: tuple[str, ...],
    steps: int,
    gamma: float = np.inf,
    progress: bool | None = None,
) -> tuple[Any, LearnedReport]:
    """Take the steps; what the last of the evaluations would change is left out.

    Args:
        weights: the model.
        step: from values, scales, state, the step's number and its batches to new scales, new
            state and `Seen`; what is compiled.
        state: of the learner, before the first step.
        feed: for each step, and once more, its batches.
        method: its name.
        kinds: what `Seen.kind` counts.
        steps: how many to take.
        gamma: the bound on the gradient's norm, to be reported.
        progress: whether to show a bar; None where stderr is a terminal.

    Returns:
        The rescaled model, and the report.

    Raises:
        jinit.InitializationError: loss, gradient or objective is not finite, or the gradient zero.
    """
    compiled = jax.jit(step)
    scales: Any = [np.ones_like(norm) for norm in weights.norms]
    state = jax.device_get(state)
    seen: list[Seen] = []
    with _watched(progress, method, steps + 1) as tick:
        for number, batches in enumerate(feed):
            made = compiled(weights.values, scales, state, np.int32(number), *batches)
            moved, state, saw = jax.device_get(made)
            _check(weights, saw, kinds[saw.kind], number)
            seen.append(saw)
            tick(f"loss {saw.loss:.3g}")
            scales = moved if number < steps else scales
    report = _report(weights, scales, seen, method, kinds, gamma)
    return weights.finish(scales), report


def _report(
    weights: Weights,
    scales: Arrays,
    seen: list[Seen],
    method: str,
    kinds: tuple[str, ...],
    gamma: float,
) -> LearnedReport:
    return LearnedReport(
        method=method,
        scales=weights.told(scales),
        norms=weights.told(weights.norms),
        objective=_series([one.objective for one in seen]),
        kinds=tuple(kinds[int(one.kind)] for one in seen),
        loss=_series([one.loss for one in seen]),
        gradient_norm=_series([one.gradient_norm for one in seen]),
        gamma=gamma,
        skipped=weights.skipped,
    )


def _series(values: Any) -> Any:
    array = np.array(values)
    array.flags.writeable = False
    return array


def _check(weights: Weights, seen: Seen, kind: str, number: int) -> None:
    """Raise if a step saw anything that is no number, or nothing at all."""
    when = f"at step {number}" if number else "at the start, before any scale has changed"
    advice = "start from smaller weights" if number == 0 else "lower `learning_rate`"
    if not np.isfinite(seen.loss):
        raise InitializationError(f"the loss is {seen.loss} {when}; {advice}, or look at the batch")
    for leaf, sound in zip(weights.leaves, seen.sound, strict=True):
        if not sound:
            raise InitializationError(f"the gradient of {leaf} is not finite {when}; {advice}")
    if seen.gradient_norm == 0:
        raise InitializationError(
            f"the gradient is zero {when}: the loss does not depend on the parameters, or no unit "
            "is alive; there is nothing to learn from"
        )
    if not np.isfinite(seen.objective):
        raise InitializationError(
            f"{_TOLD[kind]} is {seen.objective} {when}; {advice}, or look at the batch"
        )
    for leaf, sloped in zip(weights.scaled_leaves, seen.sloped, strict=True):
        if not sloped:
            raise InitializationError(
                f"the derivative of the objective with respect to the scale of {leaf} is nan "
                f"{when}; leave the leaf out with `only`, or {advice}"
            )


@contextmanager
def _watched(progress: bool | None, verb: str, total: int) -> Iterator[Callable[[str], None]]:
    """A function to call after each step, which shows how far it is where anyone watches."""
    if progress is None:
        progress = sys.stderr.isatty() and importlib.util.find_spec("rich") is not None
    if not progress:
        yield lambda note: None
        return
    from jinit.display.progress import stderr_bar

    with stderr_bar(verb, total) as tick:
        yield tick
