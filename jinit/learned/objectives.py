"""What is minimized: the gradient quotient, and the first step of an optimizer with its norm.

May import: jax.

Functions of lists of gradients, one array for each leaf; sums are taken in `dtype`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp

__all__ = ["FIRST_STEPS", "FirstStep", "euclidean", "gradient_quotient"]

Arrays: TypeAlias = Sequence[Any]


class FirstStep(NamedTuple):
    """The norm of a gradient, and the direction against which an optimizer's first step goes.

    The direction is the derivative of the norm with respect to the gradient, so that the norm's
    own gradient is the Hessian times the direction.
    """

    norm: Any
    direction: list[Any]


def euclidean(gradient: Arrays, dtype: Any) -> FirstStep:
    """SGD: the norm `|g|_2`, the direction `g / |g|_2`, zero where the gradient is.

    Entries are divided by the largest before they are squared: gradients at a bad start reach
    1e30.
    """
    wide = [g.astype(dtype) for g in gradient]
    peak = jnp.stack([jnp.abs(g).max() for g in wide]).max()
    unit = jnp.where(peak > 0, peak, 1)
    small = [g / unit for g in wide]
    length = jnp.sqrt(_total([jnp.square(g).sum() for g in small]))
    divisor = jnp.where(length > 0, length, 1)
    direction = [(s / divisor).astype(g.dtype) for s, g in zip(small, gradient, strict=True)]
    return FirstStep(length * unit, direction)


def _adam(gradient: Arrays, dtype: Any) -> FirstStep:
    """Adam: the norm `|g|_1`, the direction `sign(g)`."""
    norm = _total([jnp.abs(g.astype(dtype)).sum() for g in gradient])
    return FirstStep(norm, [jnp.sign(g) for g in gradient])


FIRST_STEPS: Mapping[str, Callable[[Arrays, Any], FirstStep]] = {"adam": _adam, "sgd": euclidean}


def gradient_quotient(gradient: Arrays, product: Arrays, eps: float, dtype: Any) -> Any:
    """GQ: the mean over all weights of `|(g - Hg) / (g + eps sign(g)) - 1|`, with sign(0) = 1.

    Args:
        gradient: g.
        product: Hg, the gradient of `|g|_2^2 / 2`.
        eps: keeps the denominator from zero.
        dtype: what is computed in.
    """
    count = sum(g.size for g in gradient)
    terms = []
    for narrow, narrow_product in zip(gradient, product, strict=True):
        g, change = narrow.astype(dtype), narrow_product.astype(dtype)
        below = g + eps * jnp.where(g >= 0, 1, -1).astype(dtype)
        terms.append(jnp.abs((g - change) / below - 1).sum())
    return _total(terms) / count


def _total(terms: Arrays) -> Any:
    return jnp.stack(terms).sum()
