"""Caffe's fillers, with the fields and defaults of `FillerParameter`.

May import: jax, numpy, `jinit.core`, `jinit.checks`, `jinit.fans`, `jinit.initializer`,
`jinit.schemes`, and of `jinit.frameworks` arguments, borrowing, fan_rules, shapes.

Fans are those of a blob `(out, in, *taps)`, with groups as they are stored: fan_in is its size by
its first axis, fan_out by its second. Kernels are `(*taps, in, out)` here; `layout="OI..."` is
Caffe's own order.

Reference: Caffe 1.0, `include/caffe/filler.hpp`.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.checks import check_choice, check_integer, check_non_negative, check_number
from jinit.core.bits import split_key
from jinit.core.draw import sample
from jinit.core.laws import Normal, Uniform
from jinit.fans import Fans
from jinit.frameworks.arguments import check_ends
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.fan_rules import axes_fans, with_vectors
from jinit.frameworks.shapes import in_layout, of_rank, with_equal_taps
from jinit.initializer import Recipe, Structured
from jinit.schemes import constants, distributions, sparsity, upsampling
from jinit.schemes.building import working_dtype
from jinit.schemes.variance import Axis, variance_recipe

__all__ = ["bilinear", "constant", "gaussian", "msra", "positive_unitball", "uniform", "xavier"]

_NORMS = {"AVERAGE": "fan_avg", "FAN_IN": "fan_in", "FAN_OUT": "fan_out"}


@borrow("caffe", keyless=True)
def constant(value: float = 0.0, *, dtype: Any = None) -> Recipe:
    """Everywhere `value`: `W = value`; 0 by default, as for every filler that a net leaves out.

    Args:
        value: a number.
        dtype: dtype of the weights, unless the call gives one.
    """
    return constants.constant(value).recipe


@borrow("caffe")
def uniform(min: float = 0.0, max: float = 1.0, *, dtype: Any = None) -> Recipe:
    """Uniform: `W ~ U[min, max)`, by default from 0 to 1.

    Args:
        min: lower end.
        max: upper end.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: `min` is not below `max`.
    """
    check_ends(min=min, max=max)
    return distributions.uniform(low=min, high=max).recipe


@borrow("caffe")
def gaussian(
    mean: float = 0.0,
    std: float = 1.0,
    sparse: int = -1,
    *,
    dtype: Any = None,
    layout: str | None = None,
) -> Recipe:
    """Normal: `W ~ N(mean, std^2)`; with `sparse`, 0 but with probability `sparse / out`.

    Args:
        mean: mean.
        std: standard deviation.
        sparse: how many weights out of one input stay, on average; -1 for all.
        dtype: floating dtype of the weights, unless the call gives one.
        layout: the axes by letter, "OI..." in Caffe; None is `(*taps, in, out)`. It matters to
            `sparse` alone.

    Raises:
        ValueError: `std` is negative, or `sparse` below -1; when drawing, `sparse` exceeds the
            outputs.

    >>> print(f"{gaussian(std=0.1, sparse=25).std((10, 100)):.4f}")
    0.0500

    Differences: Caffe calls `sparse` the weights into an output, and divides by the outputs;
    `jinit.sparse(nonzeros=...)` keeps exactly so many into each output.
    """
    check_number("mean", mean)
    check_non_negative("std", std)
    if check_integer("sparse", sparse, least=-1) == -1:
        return distributions.normal(std, mean=mean).recipe
    return in_layout(_masked(mean, std, sparse), layout)


def _masked(mean: float, std: float, sparse: int) -> Structured:
    def build(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        kept, working = _probability(sparse, shape), working_dtype(dtype)
        key_values, key_places = split_key(key)
        values = sample(Normal(mean, std), key_values, shape, working)
        places = sample(Uniform(), key_places, shape, np.dtype(np.float32)) < np.float32(kept)
        weights = jnp.where(places, values, jnp.zeros((), working))
        return lax.convert_element_type(weights, dtype)

    return Structured(build, lambda s: math.sqrt(_probability(sparse, s) * (std**2 + mean**2)))


def _probability(sparse: int, shape: tuple[int, ...]) -> float:
    outputs = shape[-1] if shape else 1
    if sparse > outputs and 0 not in shape:
        raise ValueError(
            f"`sparse` (={sparse}) exceeds the outputs (={outputs}) of weights {shape}, and Caffe "
            "takes their quotient for a probability"
        )
    return sparse / max(outputs, 1)


@borrow("caffe")
def positive_unitball(*, dtype: Any = None, layout: str | None = None) -> Recipe:
    """Positive unit ball: `W = U / sum(U)` over the inputs and taps of each output, U uniform.

    Args:
        dtype: floating dtype of the weights, unless the call gives one.
        layout: the axes by letter, "OI..." in Caffe; None is `(*taps, in, out)`.

    Raises:
        ValueError: when drawing, the shape has fewer than two axes.

    >>> import jax
    >>> positive_unitball()(jax.random.key(0), (20, 2)).sum(0).round(5).tolist()
    [1.0, 1.0]
    """
    return in_layout(sparsity.positive_unitball().recipe, layout)


def _by_fan(
    scale: float, norm: str, law: str, axes: tuple[Axis, Axis, Axis], layout: str | None
) -> Recipe:
    mode = _NORMS[check_choice("variance_norm", norm, tuple(_NORMS))]
    rule = axes_fans(*axes, layout)
    if layout is None:
        # A vector of n is a blob of n outputs with one input each.
        rule = with_vectors(rule, axes, lambda n: Fans(1, n))
    return variance_recipe(scale, mode, law, rule)


@borrow("caffe")
def xavier(
    variance_norm: str = "FAN_IN",
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Xavier as Caffe has it: `W ~ U[-b, b)`, `b = sqrt(3 / fan)`, by default of fan_in alone.

    Args:
        variance_norm: the fan: "FAN_IN", "FAN_OUT" or "AVERAGE", which is Glorot's.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is Caffe's order.

    Raises:
        ValueError: `variance_norm` is unknown.

    >>> print(f"{xavier().law((300, 100)).scale:.4f} {xavier('AVERAGE').law((300, 300)).scale:.4f}")
    0.1000 0.1000

    Differences: by default the law of `jinit.lecun_uniform`; `jinit.glorot_uniform` is "AVERAGE".
    """
    return _by_fan(1.0, variance_norm, "uniform", (in_axis, out_axis, batch_axis), layout)


@borrow("caffe")
def msra(
    variance_norm: str = "FAN_IN",
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """He's normal law, not truncated: `W ~ N(0, 2 / fan)`, by default of fan_in.

    Args:
        variance_norm: the fan: "FAN_IN", "FAN_OUT" or "AVERAGE".
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is Caffe's order.

    Raises:
        ValueError: `variance_norm` is unknown.

    >>> print(f"{msra().std((200, 100)):.4f}")
    0.1000
    """
    return _by_fan(2.0, variance_norm, "normal", (in_axis, out_axis, batch_axis), layout)


@borrow("caffe", keyless=True)
def bilinear(*, dtype: Any = None, layout: str | None = None) -> Recipe:
    """Bilinear upsampling in every pair of channels: taps `1 - |t - (k - 1) / 2| / ceil(k / 2)`.

    Args:
        dtype: floating dtype of the weights, unless the call gives one.
        layout: "OIHW" is Caffe's order; None is `(height, width, in, out)`.

    Raises:
        ValueError: when drawing, the shape does not have four axes with as many taps along both.

    >>> bilinear()(None, (3, 3, 1, 1))[1].ravel().tolist()
    [0.5, 1.0, 0.5]

    Differences: meant for depthwise kernels; elsewhere it sums the channels up, where
    `jinit.bilinear` keeps them apart.
    """
    square = with_equal_taps(upsampling.bilinear(channels="all").recipe, "Caffe's bilinear")
    return of_rank(in_layout(square, layout), "Caffe's bilinear", 4)
