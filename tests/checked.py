"""Parameters to check: sound ones, their copies, and what a check says of them in short."""

import jax
import jax.numpy as jnp
import numpy as np


def drawn(shape=(64, 128), seed=0, dtype=np.float32, std=0.1):
    """Normal values that owe nothing to jinit."""
    return jnp.asarray(np.random.default_rng(seed).normal(0, std, shape).astype(dtype))


def healthy(layers=3) -> dict[str, dict[str, jax.Array]]:
    """A few dense layers."""
    return {f"Dense_{i}": {"kernel": drawn(seed=i), "bias": jnp.zeros(128)} for i in range(layers)}


def kinds(result):
    """What was found where."""
    return [(finding.kind, finding.path) for finding in result.findings]


def copied(x):
    """Another array of the same values."""
    return x + np.zeros((), x.dtype)
