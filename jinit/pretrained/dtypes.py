"""The dtypes of numbers that checkpoints hold, by their names; NumPy lacks some, JAX none.

May import: jax, numpy.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np

__all__ = ["DTYPES", "JAX_ONLY"]

_NUMPY = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
JAX_ONLY = frozenset(
    {
        *("bfloat16", "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz"),
        *("float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
    }
)
DTYPES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {name: np.dtype(name) for name in _NUMPY}
    | {name: np.dtype(getattr(jnp, name)) for name in sorted(JAX_ONLY)}
)
