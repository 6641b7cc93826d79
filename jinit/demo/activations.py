"""Activations by name, under the names whose gains jinit knows.

May import: jax only.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["ACTIVATIONS"]

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "celu": jax.nn.celu,
        "elu": jax.nn.elu,
        "gelu": partial(jax.nn.gelu, approximate=False),
        "gelu_tanh": partial(jax.nn.gelu, approximate=True),
        "hard_silu": jax.nn.hard_silu,
        "hard_tanh": jax.nn.hard_tanh,
        "identity": jax.nn.identity,
        "leaky_relu": jax.nn.leaky_relu,
        "log_sigmoid": jax.nn.log_sigmoid,
        "mish": jax.nn.mish,
        "relu": jax.nn.relu,
        "relu6": jax.nn.relu6,
        "selu": jax.nn.selu,
        "sigmoid": jax.nn.sigmoid,
        "silu": jax.nn.silu,
        "sin": jnp.sin,
        "softplus": jax.nn.softplus,
        "softsign": jax.nn.soft_sign,
        "swish": jax.nn.swish,
        "tanh": jnp.tanh,
    }
)
