"""What was drawn against what was asked: the spread of every leaf, and how surprising it is.

May import: jax, numpy, `jinit.core.laws`, and of `jinit.model` rows.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinit.core.laws import Constant, Law, Normal, TruncatedNormal, Uniform, truncated_moments
from jinit.factory import Initializer
from jinit.model.rows import Row

__all__ = ["kurtosis", "measured_rows"]


def measured_rows(rows: Sequence[Row], values: Sequence[Any]) -> list[Row]:
    """The rows, each with the spread of its weights and the z-score of it, where a law is known."""
    return [_measured(row, value) for row, value in zip(rows, values, strict=True)]


def _measured(row: Row, value: Any) -> Row:
    if not row.leaf.size or not jnp.issubdtype(row.leaf.dtype, jnp.inexact):
        return row
    if not isinstance(row.init, Initializer) or np.ndim(row.std):
        return replace(row, measured=float(_spread(value, 0.0)))
    law = row.init.law(row.leaf.shape, row.leaf.dtype)
    mean = 0.0 if law is None else law.mean()
    if np.ndim(mean):
        return replace(row, measured=float(_spread(value, 0.0)))
    spread = float(_spread(value, mean))
    return replace(row, measured=spread, z=_surprise(spread, row.std, law, row.leaf))


def _surprise(spread: float, std: Any, law: Law | None, leaf: Any) -> float | None:
    """How many standard errors the spread of n weights is off: (s/std - 1) / sqrt((k - 1) / 4n)."""
    tail = None if law is None else kurtosis(law)
    if tail is None or not std:
        return None
    return float((spread / std - 1) / math.sqrt((tail - 1) / (4 * leaf.size)))


@jax.jit
def _spread(value: Any, mean: Any) -> Any:
    wide = jnp.abs(value.astype(jnp.promote_types(value.dtype, jnp.float32)) - mean)
    return jnp.sqrt(jnp.mean(jnp.square(wide)))


def kurtosis(law: Law) -> float | None:
    """E(w - mean)^4 / std^4 of a law; None where there is no randomness.

    >>> kurtosis(Uniform(-1.0, 1.0)), kurtosis(Normal())
    (1.8, 3.0)
    """
    match law:
        case Constant():
            return None
        case Uniform():
            return 1.8
        case Normal():
            return 3.0
        case TruncatedNormal(lower=lower, upper=upper):
            return _truncated_kurtosis(lower, upper)


def _truncated_kurtosis(lower: float, upper: float) -> float:
    """By quadrature over the window's 4000 narrow slices."""
    mean, std = truncated_moments(lower, upper)
    edges = np.linspace(max(lower, mean - 12 * std), min(upper, mean + 12 * std), 4001)
    x = (edges[1:] + edges[:-1]) / 2
    density = np.exp((mean - x) * (mean + x) / 2)
    return float(((x - mean) ** 4 * density).sum() / density.sum() / std**4)
