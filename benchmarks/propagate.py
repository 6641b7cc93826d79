"""`jinit.propagate` against one jitted forward and backward pass of the same model.

python benchmarks/propagate.py [--rounds 15] [--json propagate.json]

The column "times as fast" is the time of a plain pass over that of the report: a third or more is
asked. Values are those of a warm call, from the arguments to the finished report.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from measure import Ratio, interleave, main, ratios

import jinit

LEAST = 1 / 3


class Perceptron(nn.Module):
    """Eight wide layers."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """The outcome."""
        for _ in range(8):
            x = nn.relu(nn.Dense(1024)(x))
        return nn.Dense(10)(x)


class ConvNet(nn.Module):
    """Six convolutions, three times strided."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """The outcome."""
        for features in (64, 64, 128, 128, 256, 256):
            stride = 1 if features == x.shape[-1] else 2
            x = nn.relu(nn.Conv(features, (3, 3), stride)(x))
        return nn.Dense(10)(jnp.mean(x, axis=(1, 2)))


class Block(nn.Module):
    """A pre-norm transformer block."""

    @nn.compact
    def __call__(self, x: Any, _: Any) -> Any:
        """The outcome."""
        x = x + nn.MultiHeadDotProductAttention(8)(nn.LayerNorm()(x))
        y = nn.gelu(nn.Dense(2048)(nn.LayerNorm()(x)))
        return x + nn.Dense(512)(y), None


class Transformer(nn.Module):
    """Six blocks in a scan, and a head."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """The outcome."""
        stack = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=6)
        x, _ = stack()(x, None)
        return nn.Dense(1000)(nn.LayerNorm()(x))


MODELS = {
    "MLP, 8 x 1024, batch 256": (Perceptron(), (256, 1024)),
    "conv net, 32 x 32 x 64, batch 32": (ConvNet(), (32, 32, 32, 3)),
    "transformer, 6 x 512, 4 x 64 tokens": (Transformer(), (4, 64, 512)),
}


def contenders(model: nn.Module, shape: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
    x = jax.random.normal(jax.random.key(1), shape)
    params = model.init(jax.random.key(0), x)
    cotangent = jax.random.normal(jax.random.key(2), model.apply(params, x).shape)

    @jax.jit
    def plain(params: Any, x: Any) -> Any:
        outcome, pull = jax.vjp(model.apply, params, x)
        return outcome, pull(cotangent)

    def report() -> Any:
        return jinit.propagate(model.apply, params, x).rows[-1].forward.rms

    return {"jinit": report, "plain": lambda: plain(params, x)}


def measure(rounds: int) -> list[Ratio]:
    rows = []
    for case, (model, shape) in MODELS.items():
        times = interleave(contenders(model, shape), rounds=rounds)
        rows += ratios(case, times, {"plain": LEAST})
    return rows


if __name__ == "__main__":
    main("A report against a plain forward and backward pass", measure)
