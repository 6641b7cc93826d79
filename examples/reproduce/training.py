"""Training classifiers of digits: every learning rate of a grid, from several starts."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from digits import Digits
from numpy.typing import NDArray


class Runs(NamedTuple):
    """Training from several starts (axis 0), measured at `steps`."""

    rate: float
    steps: NDArray[np.int64]
    loss: NDArray[np.float32]
    accuracy: NDArray[np.float32]

    def final(self) -> NDArray[np.float32]:
        """The accuracy at the end, start by start."""
        return self.accuracy[:, -1]


def measured_every(steps: int, points: int) -> int:
    """The number of steps from one measurement to the next; the last step is always measured."""
    stride = max(1, steps // points)
    if steps % stride:
        raise ValueError(f"{steps} steps cannot be measured at every {stride}th; change `points`")
    return stride


def train_grid(
    apply: Callable[[Any, jax.Array], jax.Array],
    draw: Callable[[jax.Array], Any],
    data: Digits,
    make_optimizer: Callable[[jax.Array], optax.GradientTransformation],
    *,
    rates: Sequence[float],
    seeds: int,
    steps: int,
    batch: int = 128,
    points: int = 20,
) -> list[Runs]:
    """`Runs` of every learning rate.

    Seed i starts from `draw(key)` with a key of its own and sees batches of its own; these are the
    same for every rate and for every scheme. `draw` is called outside of any transformation, once
    for each seed. `loss` is that of the batch, `accuracy` that of the images held out.
    """
    stride = measured_every(steps, points)

    def loss(params: Any, rows: jax.Array) -> jax.Array:
        logits = apply(params, data.images[rows]).astype(jnp.float32)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, data.labels[rows])
        return losses.mean()

    def accuracy(params: Any) -> jax.Array:
        predicted = apply(params, data.held_out_images).argmax(-1)
        return jnp.mean(predicted == data.held_out_labels)

    def train(params: Any, rate: jax.Array, order: jax.Array) -> tuple[jax.Array, jax.Array]:
        optimizer = make_optimizer(rate)

        def step(carry: Any, key: jax.Array) -> tuple[Any, jax.Array]:
            params, state = carry
            rows = jax.random.choice(key, len(data.labels), (batch,), replace=False)
            value, gradients = jax.value_and_grad(loss)(params, rows)
            updates, state = optimizer.update(gradients, state, params)
            return (optax.apply_updates(params, updates), state), value

        def leg(carry: Any, keys: jax.Array) -> tuple[Any, Any]:
            carry, losses = jax.lax.scan(step, carry, keys)
            return carry, (losses.mean(), accuracy(carry[0]))

        keys = jax.random.split(order, (steps // stride, stride))
        _, seen = jax.lax.scan(leg, (params, optimizer.init(params)), keys)
        return seen

    @jax.jit
    def train_all(starts: Any, orders: jax.Array) -> tuple[jax.Array, jax.Array]:
        def run(each: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            rate, seed = each
            return train(jax.tree.map(lambda leaf: leaf[seed], starts), rate, orders[seed])

        # One run after another: two cores gain nothing from batched products of small matrices.
        grid = jnp.meshgrid(jnp.asarray(rates, jnp.float32), jnp.arange(seeds), indexing="ij")
        return jax.lax.map(run, tuple(axis.ravel() for axis in grid))

    keys = jax.vmap(jax.random.split)(jax.random.split(jax.random.key(0), seeds))
    starts = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(draw, keys[:, 0]))
    losses, accuracies = train_all(starts, keys[:, 1])
    shape = (len(rates), seeds, -1)
    seen = (np.asarray(values).reshape(shape) for values in (losses, accuracies))
    measured = zip(rates, *seen, strict=True)
    marks = stride * np.arange(1, steps // stride + 1)
    return [Runs(rate, marks, *values) for rate, *values in measured]


def decaying_sgd(steps: int) -> Callable[[jax.Array], optax.GradientTransformation]:
    """SGD with momentum 0.9 from a rate that falls to 0 within `steps`, along a cosine.

    The accuracy at the end then hardly depends on which step is the last.
    """
    return lambda rate: optax.sgd(optax.cosine_decay_schedule(rate, steps), momentum=0.9)


def best(grid: Sequence[Runs]) -> Runs:
    """The learning rate whose median accuracy at the end is best."""
    return max(grid, key=lambda runs: float(np.median(runs.final())))
