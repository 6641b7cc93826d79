"""Linear recurrent units (LRU): eigenvalues drawn from a ring in the unit disk.

May import: jax, numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.building`,
`jinit.schemes.vectors`.

The eigenvalues of a layer are lambda = exp(-exp(nu_log) + i exp(theta_log)), so that |lambda| < 1
whatever the two parameters become.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.checks import check_number, check_positive
from jinit.core.draw import sample
from jinit.core.laws import Uniform
from jinit.factory import Recipe, Structured, scheme
from jinit.schemes.building import working_dtype
from jinit.schemes.vectors import require_real

__all__ = ["lru_nu_log", "lru_theta_log"]


@scheme
def lru_nu_log(r_min: float = 0.0, r_max: float = 1.0, dtype: Any = None) -> Recipe:
    """LRU modulus: `W = log(-log |lambda|)`, `|lambda|^2 ~ U(r_min^2, r_max^2)`.

    With `jinit.lru_theta_log`, eigenvalues uniform in area on a ring (a sector of it, where the
    phase is bounded). Close to the unit circle they remember for about 1 / (1 - |lambda|) steps.

    Args:
        r_min: inner radius of the ring, at least 0.
        r_max: outer radius, at most 1; 0.999 for long sequences, with `r_min` = 0.9.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: the radii are not in order within [0, 1]; when drawing, the dtype is complex.

    >>> import jax, jax.numpy as jnp, jinit
    >>> nu_log = jinit.lru_nu_log(0.9, 0.99)(jax.random.key(0), (1000,))
    >>> modulus = jnp.exp(-jnp.exp(nu_log))
    >>> print(f"{modulus.min():.2f} {modulus.max():.2f}")
    0.90 0.99

    Reference: Orvieto et al. 2023 (arXiv:2303.06349).
    """
    check_number("r_min", r_min)
    check_number("r_max", r_max)
    if not 0 <= r_min < r_max <= 1:
        raise ValueError(
            f"`r_min` (={r_min}) and `r_max` (={r_max}) must be in order, 0 <= r_min < r_max <= 1"
        )
    # Of 1 - |lambda|^2, not of |lambda|^2: near the unit circle all digits are in the difference.
    edge, width = (1 - r_max) * (1 + r_max), (r_max - r_min) * (r_max + r_min)
    return _from_unit("lru_nu_log", lambda u: _log_rate(u, edge, width))


@scheme
def lru_theta_log(max_phase: float = 2 * math.pi, dtype: Any = None) -> Recipe:
    """LRU phase: `W = log theta`, `theta ~ U(0, max_phase)`, in radians a step.

    Args:
        max_phase: upper end of the phases; pi / 10 keeps long sequences from oscillating fast.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: `max_phase` is not positive; when drawing, the dtype is complex.

    >>> import jax, jax.numpy as jnp, jinit
    >>> theta = jnp.exp(jinit.lru_theta_log(0.314)(jax.random.key(0), (1000,)))
    >>> print(f"{theta.mean():.1f} {theta.max():.2f}")
    0.2 0.31

    Reference: Orvieto et al. 2023 (arXiv:2303.06349).
    """
    check_positive("max_phase", max_phase)
    return _from_unit("lru_theta_log", lambda u: _log_phase(u, math.log(max_phase)))


def _from_unit(name: str, transform: Callable[[Array], Array]) -> Recipe:
    """The recipe of `transform(u)`, u uniform on the open interval (0, 1)."""

    def build(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        require_real(name, dtype)
        working = working_dtype(dtype)
        # Draws are multiples of eps in [0, 1): half a step more, exactly, and neither end occurs.
        unit = sample(Uniform(), key, shape, working) + working.type(_half_step(working))
        return lax.convert_element_type(transform(unit), dtype)

    return Structured(build)


def _half_step(dtype: Any) -> float:
    return float(np.finfo(dtype).eps) / 2


@jax.jit
def _log_rate(u: Array, edge: Any, width: Any) -> Array:
    """log(-log |lambda|), where 1 - |lambda|^2 = edge + u * width."""
    below_one = 1 - _half_step(u.dtype)  # rounding must not make |lambda| zero
    lost = jnp.minimum(edge + u * width, below_one)
    rate: Array = jnp.log(-jnp.log1p(-lost) / 2)
    return rate


@jax.jit
def _log_phase(u: Array, log_max: Any) -> Array:
    phase: Array = jnp.log(u) + log_max
    return phase
