"""The network: a deep plain Flax MLP, without normalization and without skips.

May import: flax, jax.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
from jax import Array

__all__ = ["CLASSES", "MLP"]

CLASSES = 10


class MLP(nn.Module):
    """Hidden layers of equal width, one activation, and a linear head; all biases start at 0.

    Each pre-activation is sown, and perturbed by zero: the gradient with respect to the
    perturbation is the gradient with respect to the pre-activation.

    Attributes:
        depth: number of hidden layers.
        width: units of each.
        activation: elementwise function after each of them.
        kernel_inits: initializers of the first kernel, of the hidden ones, and of the head's.
    """

    depth: int
    width: int
    activation: Callable[[Array], Array]
    kernel_inits: tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]] = (
        nn.initializers.zeros,
    ) * 3

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Logits of a batch of images, one row each."""
        first, hidden, last = self.kernel_inits
        for layer in range(self.depth):
            z = nn.Dense(self.width, kernel_init=hidden if layer else first)(x)
            z = self.perturb(f"z{layer}", z)
            self.sow("intermediates", f"z{layer}", z)
            x = self.activation(z)
        return nn.Dense(CLASSES, kernel_init=last)(x)
