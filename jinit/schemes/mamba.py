"""Selective state spaces (Mamba): step sizes and decay rates, in the form the layers keep them.

May import: jax, numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.building`,
`jinit.schemes.vectors`.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.checks import check_positive
from jinit.core.draw import sample
from jinit.core.laws import Uniform
from jinit.factory import Recipe, Structured, scheme
from jinit.schemes.building import working_dtype
from jinit.schemes.vectors import along_last, require_real

__all__ = ["mamba2_a_log", "mamba_a_log", "mamba_dt_bias"]


@scheme
def mamba_dt_bias(
    dt_min: float = 1e-3, dt_max: float = 0.1, floor: float = 1e-4, dtype: Any = None
) -> Recipe:
    """Mamba step sizes: `softplus(b) = max(dt, floor)`, `log dt ~ U[log dt_min, log dt_max)`.

    For the bias of the projection that gives the step sizes, one for each channel or head.

    Args:
        dt_min: shortest step.
        dt_max: longest step.
        floor: steps drawn shorter than this are raised to it.
        dtype: floating dtype of the bias, unless the call gives one.

    Raises:
        ValueError: a step is not positive, or the two are not in order; when drawing, the dtype is
            complex.

    >>> import jax, jinit
    >>> dt = jax.nn.softplus(jinit.mamba_dt_bias()(jax.random.key(0), (1000,)))
    >>> print(f"{dt.min():.3f} {dt.max():.2f}")
    0.001 0.10

    Reference: Gu and Dao 2023 (arXiv:2312.00752); the floor is that of the authors' code.
    """
    _check_range("dt_min", dt_min, "dt_max", dt_max)
    check_positive("floor", floor)
    law = Uniform(math.log(dt_min), math.log(dt_max))

    def build(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        require_real("mamba_dt_bias", dtype)
        log_dt = sample(law, key, shape, working_dtype(dtype))
        return lax.convert_element_type(_inverse_softplus(log_dt, floor), dtype)

    return Structured(build)


@jax.jit
def _inverse_softplus(log_dt: Array, floor: Any) -> Array:
    """The b for which log(1 + exp(b)) is the step; log(expm1(dt)) would cancel for short steps."""
    dt = jnp.maximum(jnp.exp(log_dt), jnp.asarray(floor, log_dt.dtype))
    return dt + jnp.log(-jnp.expm1(-dt))


@scheme(keyless=True)
def mamba_a_log(dtype: Any = None) -> Recipe:
    """Mamba decay rates: `W[..., n] = log(n + 1)`, so that `A = -exp(W)` is -1, -2, ..., -N.

    For the parameter of shape (channels, N) of the first Mamba; every channel has the same row.

    Args:
        dtype: floating or complex dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape has no axis.

    >>> import jax.numpy as jnp, jinit
    >>> (-jnp.exp(jinit.mamba_a_log()(None, (2, 3)))).round(4).tolist()
    [[-1.0, -2.0, -3.0], [-1.0, -2.0, -3.0]]

    Reference: Gu and Dao 2023 (arXiv:2312.00752); the values are those of `jinit.s4d_real`.
    """
    return along_last(lambda n: np.log(np.arange(n) + 1.0))


@scheme
def mamba2_a_log(low: float = 1.0, high: float = 16.0, dtype: Any = None) -> Recipe:
    """Mamba-2 decay rates: `W = log a`, `a ~ U[low, high)`, so that `A = -exp(W)` is -a.

    For the parameter of shape (heads,) of Mamba-2 and of layers made after it.

    Args:
        low: lower end of the rates.
        high: upper end of the rates.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: a rate is not positive, or the two are not in order; when drawing, the dtype is
            complex.

    >>> import jax, jax.numpy as jnp, jinit
    >>> rates = jnp.exp(jinit.mamba2_a_log()(jax.random.key(0), (10_000,)))
    >>> print(f"{rates.min():.0f} {rates.max():.0f}")
    1 16

    Reference: Dao and Gu 2024 (arXiv:2405.21060); the range is that of the authors' code.
    """
    _check_range("low", low, "high", high)
    law = Uniform(low, high)

    def build(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        require_real("mamba2_a_log", dtype)
        rates = sample(law, key, shape, working_dtype(dtype))
        return lax.convert_element_type(jnp.log(rates), dtype)

    return Structured(build)


def _check_range(first: str, low: float, second: str, high: float) -> None:
    check_positive(first, low)
    check_positive(second, high)
    if not low < high:
        raise ValueError(f"`{first}` (={low}) must be below `{second}` (={high})")
