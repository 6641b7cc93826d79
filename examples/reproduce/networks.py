"""The deep plain network of several reproductions: no normalization, no skip connections."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from digits import CLASSES

import jinit


class DeepMLP(nn.Module):
    """`depth` hidden layers of equal width, scanned, and a linear head.

    Attributes:
        depth: hidden layers, of which the first reads the images.
        width: units of each.
        activation: elementwise function after each hidden layer.
        use_bias: whether hidden layers have biases.
        dtype: of weights and computation.
    """

    depth: int
    width: int
    activation: Callable[[jax.Array], jax.Array]
    use_bias: bool = True
    dtype: str = "float32"

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits; the outcome of every hidden layer, before the activation, is sown."""
        options = {"use_bias": self.use_bias, "dtype": self.dtype, "param_dtype": self.dtype}

        def hidden(dense: nn.Module, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            x = dense(x)
            return self.activation(x), x

        x = nn.Dense(self.width, name="first", **options)(images)
        first, x = x, self.activation(x)
        stack = nn.scan(
            hidden,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            length=self.depth - 1,
        )
        x, outcomes = stack(nn.Dense(self.width, name="hidden", **options), x)
        self.sow("intermediates", "outcomes", jnp.concatenate([first[None], outcomes]))
        return nn.Dense(CLASSES, name="head", dtype=self.dtype, param_dtype=self.dtype)(x)


def make_start(model: nn.Module, rules: Any) -> Callable[[jax.Array], Any]:
    """From a key the model's variables, by jinit's rules."""
    target = jinit.with_inputs(model, jax.ShapeDtypeStruct((1, 64), jnp.float32))
    return jinit.plan(target, rules).initialize
