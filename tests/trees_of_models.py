"""Parameter trees that the tests of whole models share."""

from typing import Any

import jax
import jax.numpy as jnp


def shape(*dims: int, dtype: Any = "float32") -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(dims, jnp.dtype(dtype))


def dense(inputs: int, outputs: int, dtype: Any = "float32") -> dict[str, Any]:
    return {"kernel": shape(inputs, outputs, dtype=dtype), "bias": shape(outputs, dtype=dtype)}


def gpt2(layers: int = 3, width: int = 32) -> dict[str, Any]:
    """A GPT-2's parameters, under the names of its first code base."""
    block = {
        "ln_1": {"scale": shape(width), "bias": shape(width)},
        "attn": {"c_attn": dense(width, 3 * width), "c_proj": dense(width, width)},
        "mlp": {"c_fc": dense(width, 4 * width), "c_proj": dense(4 * width, width)},
    }
    blocks = {f"h_{layer}": block for layer in range(layers)}
    return {"wte": {"embedding": shape(96, width)}, **blocks}
