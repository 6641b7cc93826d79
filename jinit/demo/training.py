"""Training: the same short run for every initialization, compiled once.

May import: jax, numpy, optax, `jinit.demo.data`, `jinit.demo.network`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jinit.demo.data import Digits
from jinit.demo.network import MLP

__all__ = ["BATCH", "LEARNING_RATES", "MARKS", "Run", "Trainer", "best_run"]

BATCH = 64
LEARNING_RATES = (3e-4, 1e-3, 3e-3)
MARKS = 20  # points of the training curve after the first


class Run(NamedTuple):
    """One training run, looked at before the first step and after each stretch of steps.

    Attributes:
        learning_rate: of Adam.
        steps: how many steps had been taken at each look.
        losses: mean cross-entropy over all images to learn from.
        accuracies: share of the held-out images that are recognized.
    """

    learning_rate: float
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]


class Trainer:
    """Trains one network from any parameters, at any learning rate, on the same batches.

    Both are arguments of the compiled program, and so is the number of steps it takes.
    """

    def __init__(self, network: MLP, digits: Digits, steps: int, seed: int) -> None:
        self._data: Any = jax.tree.map(jnp.asarray, digits)
        rng = np.random.default_rng(seed)
        self._batches = jnp.asarray(rng.integers(len(digits.labels), size=(steps, BATCH)))
        self._looks = sorted({round(i * steps / MARKS) for i in range(MARKS + 1)})
        self._advance = jax.jit(partial(_advance, network))

    def train(self, params: Any, learning_rate: float, tick: Callable[[], None]) -> Run:
        """Take all steps from `params`; `tick` is called after each stretch."""
        rate = jnp.float32(learning_rate)
        carry = (params, optax.adam(rate).init(params))
        seen, done = [], 0
        for look in self._looks:
            window = (jnp.int32(done), jnp.int32(look))
            carry, scores = self._advance(carry, rate, self._data, self._batches, window)
            seen.append((look, *map(float, scores)))
            done = look
            tick()
        return Run(learning_rate, *zip(*seen, strict=True))

    @property
    def ticks(self) -> int:
        """How often a run calls `tick`."""
        return len(self._looks)


def best_run(runs: list[Run]) -> Run:
    """The run with the lowest final loss on the images to learn from; NaN counts as infinite."""
    return min(runs, key=lambda run: np.nan_to_num(run.losses[-1], nan=np.inf))


def _advance(
    network: MLP, carry: Any, rate: Array, data: Any, batches: Array, window: tuple[Array, Array]
) -> tuple[Any, tuple[Array, Array]]:
    """Take the steps in `window`; return the new state, the training loss, the accuracy."""
    optimizer = optax.adam(rate)

    def mean_loss(params: Any, images: Array, labels: Array) -> Any:
        logits = network.apply({"params": params}, images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    def step(index: Array, carry: Any) -> Any:
        params, state = carry
        batch = batches[index]
        gradient = jax.grad(mean_loss)(params, data.images[batch], data.labels[batch])
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    params, state = jax.lax.fori_loop(*window, step, carry)
    logits: Any = network.apply({"params": params}, data.held_out_images)
    accuracy = jnp.mean(logits.argmax(axis=-1) == data.held_out_labels)
    return (params, state), (mean_loss(params, data.images, data.labels), accuracy)
