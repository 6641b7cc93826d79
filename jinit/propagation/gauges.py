"""Gauges: what is measured of a signal, of its cotangent, and of a parameter with its gradient.

May import: the standard library, jax, `jinit.axes`, and of `jinit.propagation` saturation.

All is computed in float32 at least, on values divided by the largest: squares of what a deep
network makes of a signal would overflow, or be lost.
"""

import math
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from jinit.axes import Shape
from jinit.propagation.saturation import Limits

__all__ = [
    "BACKWARD",
    "FORWARD",
    "LEAF",
    "SAMPLE",
    "accurate",
    "gauge_backward",
    "gauge_forward",
    "gauge_leaf",
    "tap",
]

# What the entries of the vectors are that the gauges return.
FORWARD = (
    "passed",
    "peak",
    "mean",
    "std",
    "rms",
    "mean_share",
    "correlation",
    "rank",
    "zero",
    "dead",
    "saturated",
)
BACKWARD = ("peak", "mean", "std", "rms")
LEAF = ("weight_peak", "weight_rms", "gradient_peak", "gradient_std", "gradient_rms")

SAMPLE = 512  # values that are kept of each outcome, for histograms
_INPUTS = 32  # of a batch that are compared with each other


class Spot(Protocol):
    """What has to be known of an outcome."""

    @property
    def kind(self) -> str: ...
    @property
    def batch(self) -> int | None: ...
    @property
    def channels(self) -> Shape: ...
    @property
    def limits(self) -> Limits | None: ...


def accurate(dtype: Any) -> Any:
    """The dtype in which to measure: float32 or better."""
    dtype = jnp.dtype(dtype)
    return dtype if dtype.itemsize > 4 else jnp.dtype(jnp.float32)


class _Spread(NamedTuple):
    peak: Array
    mean: Array
    std: Array
    rms: Array


def gauge_forward(y: Array, spot: Spot) -> tuple[Array, Array]:
    """The vector of `FORWARD`, NaN where there is nothing to measure, and values from all over."""
    x = jax.lax.stop_gradient(y).astype(accurate(y.dtype))
    unit = _unit(_peak(x))
    z = x / unit
    others = tuple(axis for axis in range(x.ndim) if axis not in spot.channels)
    means = jnp.mean(z, axis=others)
    spread = _spread(z, unit, jnp.mean(means), _peak(x))
    squared = jnp.square(spread.rms / unit)
    share = jnp.where(squared > 0, jnp.mean(jnp.square(means)) / squared, jnp.nan)
    entries = [jnp.ones_like(share), *spread, share, *_likeness(z, spot), *_silence(x, spot)]
    return jnp.stack(entries), _sample(x)


def gauge_backward(g: Array) -> Array:
    """The vector of `BACKWARD` of a cotangent."""
    x = g.astype(accurate(g.dtype))
    unit = _unit(_peak(x))
    z = x / unit
    return jnp.stack(_spread(z, unit, jnp.mean(z), _peak(x)))


def gauge_leaf(weight: Array, gradient: Array | None, stack: Shape) -> Array:
    """The vectors of `LEAF`, one for each entry along the axes of a stack of layers."""
    axes = tuple(axis for axis in range(weight.ndim) if axis not in stack)
    w = weight.astype(accurate(weight.dtype))
    own = _rms(w, axes)
    if gradient is None:
        nothing = jnp.full_like(own[0], jnp.nan)
        return jnp.stack([*own, nothing, nothing, nothing], axis=-1)
    g = gradient.astype(accurate(gradient.dtype))
    mean = jnp.mean(g, axis=axes, keepdims=True)
    peak, rms = _rms(g, axes)
    return jnp.stack([*own, peak, _rms(g - mean, axes)[1], rms], axis=-1)


@jax.custom_vjp
def tap(x: Array, slot: Array) -> Array:
    """The value itself; the gradient with respect to the slot is the gauge of its cotangent."""
    return x


def _tap_forward(x: Array, slot: Array) -> tuple[Array, None]:
    return x, None


def _tap_backward(_: None, g: Array) -> tuple[Array, Array]:
    return g, gauge_backward(g)


tap.defvjp(_tap_forward, _tap_backward)


# --- parts ------------------------------------------------------------------------------------


def _peak(x: Array) -> Array:
    return jnp.max(jnp.abs(x), initial=0.0)


def _unit(peak: Array) -> Array:
    """What to divide by: the largest magnitude, where there is one."""
    return jnp.where((peak > 0) & jnp.isfinite(peak), peak, jnp.ones_like(peak))


def _spread(z: Array, unit: Array, mean: Array, peak: Array) -> _Spread:
    """Of `z * unit`, whose mean is that of z times the unit."""
    variance = jnp.mean(jnp.square(z - mean))
    rms = jnp.sqrt(variance + jnp.square(mean))
    return _Spread(_with_nan(peak, rms), mean * unit, jnp.sqrt(variance) * unit, rms * unit)


def _rms(x: Array, axes: Shape) -> tuple[Array, Array]:
    """Peak and root mean square along some axes."""
    peak = jnp.max(jnp.abs(x), axis=axes, keepdims=True, initial=0.0)
    unit = _unit(peak)
    rms = unit * jnp.sqrt(jnp.mean(jnp.square(x / unit), axis=axes, keepdims=True))
    return jnp.squeeze(_with_nan(peak, rms), axes), jnp.squeeze(rms, axes)


def _with_nan(peak: Array, rms: Array) -> Array:
    """The peak, or NaN where there is one: vectorized maxima on CPU may pass it over."""
    return jnp.where(jnp.isnan(rms) & jnp.isfinite(peak), rms, peak)


def _likeness(z: Array, spot: Spot) -> tuple[Array, Array]:
    """Mean cosine of the angle between two inputs, and how many directions they take up.

    The latter is n^2 / sum of squared cosines: 1 if all n inputs are alike, n if orthogonal.
    """
    nothing = jnp.asarray(jnp.nan, z.dtype)
    if spot.batch is None or z.shape[spot.batch] < 2:
        return nothing, nothing
    rows = jnp.moveaxis(z, spot.batch, 0)[:_INPUTS]
    rows = rows.reshape(rows.shape[0], -1)
    products = jnp.matmul(rows, rows.T, precision="highest")
    norms = jnp.sqrt(jnp.diagonal(products))
    scale = jnp.where(norms > 0, 1 / norms, jnp.zeros_like(norms))  # what is 0 is like nothing
    cosines = products * scale[:, None] * scale[None, :]
    n = jnp.sum(norms > 0).astype(z.dtype)
    n = jnp.where(n > 1, n, jnp.nan)
    correlation = (jnp.sum(cosines) - n) / (n * (n - 1))
    return correlation, jnp.square(n) / jnp.sum(jnp.square(cosines))


def _silence(x: Array, spot: Spot) -> tuple[Array, Array, Array]:
    """Shares: entries that are zero, units that are zero throughout, entries that saturate."""
    nothing = jnp.asarray(jnp.nan, x.dtype)
    if spot.kind != "activation":
        return nothing, nothing, nothing
    others = tuple(axis for axis in range(x.ndim) if axis not in spot.channels)
    counts = jnp.sum(x == 0, axis=others, dtype=jnp.int32)
    each = math.prod(x.shape[axis] for axis in others)
    zero = jnp.mean(counts.astype(x.dtype)) / max(each, 1)
    dead = jnp.mean(counts == each, dtype=x.dtype)
    if spot.limits is None:
        return zero, dead, nothing
    flat = (x <= spot.limits.low) | (x >= spot.limits.high)
    return zero, dead, jnp.mean(flat, dtype=x.dtype)


def _sample(x: Array) -> Array:
    """Values from all over an array: each so many further on, by a number prime to its size."""
    step = max(1, x.size // SAMPLE)
    while math.gcd(step, x.size) > 1:
        step -= 1
    return x.reshape(-1)[::step][:SAMPLE]
