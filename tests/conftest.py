"""Strictness for the whole suite, and eight devices on one host for the tests of sharding."""

import os

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)

import jax  # after XLA_FLAGS is set

# No silent promotion of dtypes or ranks.
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
