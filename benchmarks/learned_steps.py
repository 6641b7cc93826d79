"""What a step of GradInit and of MetaInit costs, in gradients of the same loss.

python benchmarks/learned_steps.py [--rounds 15] [--json learned_steps.json]

A figure of 0.3 says that a step takes as long as 3.3 gradients. Each round is a step and, before
it, a gradient; the first rounds, which compile, are left out.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measure import Ratio, main, ratios

import jinit

WIDTH, DEPTH, BATCH, WARMUP = 512, 6, 256, 3
METHODS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "GradInit, steps on the loss": (jinit.gradinit, {"gamma": np.inf}),
    "GradInit, steps on the norm": (jinit.gradinit, {"gamma": 1e-9}),
    "MetaInit": (jinit.metainit, {}),
}


def loss(params: dict[str, jax.Array], batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    """The mean square error of a perceptron of equal layers."""
    x, y = batch
    for name in sorted(params):
        x = jnp.tanh(x @ params[name])
    return jnp.mean((x - y) ** 2)


def start() -> dict[str, jax.Array]:
    """Weights at LeCun's scale."""
    keys = jax.random.split(jax.random.key(0), DEPTH)
    return {f"layer_{i}": jinit.lecun_normal(key, (WIDTH, WIDTH)) for i, key in enumerate(keys)}


def step_times(learn: Callable[..., Any], settings: dict[str, Any], rounds: int) -> Any:
    """Seconds of each step, and of a gradient just before it: a batch is asked for once a step."""
    params, marks = start(), []
    gradient = jax.jit(jax.grad(loss))
    batch = jax.block_until_ready(tuple(jax.random.normal(jax.random.key(1), (2, BATCH, WIDTH))))

    def batches(step: int) -> Any:
        asked = time.perf_counter()
        jax.block_until_ready(gradient(params, batch))
        marks.append((asked, time.perf_counter()))
        return batch

    learn(loss, params, batches, steps=WARMUP + rounds, learning_rate=1e-4, **settings)
    spans = list(itertools.pairwise(marks))[WARMUP:]
    return {
        "a step": [after[0] - now[1] for now, after in spans],
        "a gradient": [now[1] - now[0] for now, _ in spans],
    }


def measure(rounds: int) -> list[Ratio]:
    """Every kind of step."""
    return [
        ratio
        for name, (learn, settings) in METHODS.items()
        for ratio in ratios(name, step_times(learn, settings, rounds))
    ]


if __name__ == "__main__":
    main("Learned scales: a step, in gradients", measure)
