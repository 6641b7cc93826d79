"""The signal at initialization: how large it is at each layer, forward and backward.

May import: flax, jax, numpy, optax, `jinit.demo.network`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jinit.demo.network import MLP

__all__ = ["Signal", "signal_meter"]


class Signal(NamedTuple):
    """Root mean squares over a batch and the units of a layer, first hidden layer first.

    Attributes:
        forward: of the pre-activations.
        backward: of the gradient of each image's own loss with respect to its pre-activations.
    """

    forward: tuple[float, ...]
    backward: tuple[float, ...]


def signal_meter(network: MLP, images: Array, labels: Array) -> Callable[[Any], Signal]:
    """A function from parameters to the signal that they let through; compiled once for all."""
    like = jax.eval_shape(network.init, jax.random.key(0), images)["perturbations"]
    zeros = jax.tree.map(lambda z: jnp.zeros(z.shape, z.dtype), like)

    def loss(perturbations: Any, params: Any) -> tuple[Array, Any]:
        variables = {"params": params, "perturbations": perturbations}
        logits, sown = network.apply(variables, images, mutable="intermediates")
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses.sum(), sown["intermediates"]

    @jax.jit
    def root_mean_squares(params: Any) -> tuple[Array, Array]:
        gradients, sown = jax.grad(loss, has_aux=True)(zeros, params)
        names = [f"z{layer}" for layer in range(network.depth)]
        forward = jnp.stack([_rms(sown[name][0]) for name in names])
        backward = jnp.stack([_rms(gradients[name]) for name in names])
        return forward, backward

    def measure(params: Any) -> Signal:
        forward, backward = map(np.asarray, root_mean_squares(params))
        return Signal(tuple(forward.tolist()), tuple(backward.tolist()))

    return measure


def _rms(values: Array) -> Array:
    """Of values divided by the largest: in float32 the squares of those below 1e-23 are 0."""
    largest = jnp.max(jnp.abs(values))
    usable = (largest > 0) & jnp.isfinite(largest)
    unit = jnp.where(usable, largest, jnp.ones_like(largest))
    return jnp.where(usable, largest * jnp.sqrt(jnp.mean(jnp.square(values / unit))), largest)
