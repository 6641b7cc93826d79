"""Lux, of Julia: `WeightInitializers`, and what its layers start from."""

from jinit.frameworks.lux.initializers import (
    glorot_normal,
    glorot_uniform,
    identity_init,
    kaiming_normal,
    kaiming_uniform,
    ones32,
    orthogonal,
    rand32,
    randn32,
    sparse_init,
    truncated_normal,
    zeros32,
)
from jinit.frameworks.lux.layers import (
    calculate_gain,
    conv,
    dense,
    embedding,
    layer_norm,
    recurrent,
)

__all__ = [
    "calculate_gain",
    "conv",
    "dense",
    "embedding",
    "glorot_normal",
    "glorot_uniform",
    "identity_init",
    "kaiming_normal",
    "kaiming_uniform",
    "layer_norm",
    "ones32",
    "orthogonal",
    "rand32",
    "randn32",
    "recurrent",
    "sparse_init",
    "truncated_normal",
    "zeros32",
]
