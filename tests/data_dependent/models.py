"""Models to initialize from data, with what their linear layers give out, told by other means."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

LINEAR = (nn.Dense, nn.DenseGeneral, nn.Conv, nn.ConvTranspose)


def data(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


class TanhStack(nn.Module):
    """Dense layers that `scan` stacks, or one after another."""

    depth: int
    width: int = 16
    scanned: bool = True

    @nn.compact
    def __call__(self, x):
        if not self.scanned:
            for n in range(self.depth):
                x = nn.tanh(nn.Dense(self.width, name=f"layer_{n}")(x))
            return x
        axes = {"params": 0, "intermediates": 0}
        stack = nn.scan(
            TanhLayer, variable_axes=axes, split_rngs={"params": True}, length=self.depth
        )
        return stack(self.width, name="layers")(x, None)[0]


class TanhLayer(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, _):
        return nn.tanh(nn.Dense(self.width, name="dense")(x)), None


def outcomes(module, variables, *inputs):
    """What each linear layer of a Linen module gives out, as Flax captures it."""

    def linear(module, method):
        return isinstance(module, LINEAR) and method == "__call__"

    options = {"capture_intermediates": linear, "mutable": ["intermediates", "batch_stats"]}
    _, found = jax.jit(partial(module.apply, **options))(variables, *inputs)
    flat = jax.tree_util.tree_flatten_with_path(found["intermediates"])[0]
    return {
        jax.tree_util.keystr(p[:-2], simple=True, separator="/"): np.asarray(y) for p, y in flat
    }


def deviations(y, stacked=0):
    """The standard deviation of each layer's outcome, in float64."""
    return y.astype(np.float64).std(axis=tuple(range(stacked, y.ndim)))


def init(module, *inputs, seed=0):
    return jax.jit(module.init)(jax.random.key(seed), *map(jnp.asarray, inputs))
