"""Lux: `WeightInitializers`.

May import: jax, numpy, `jinit.checks`, `jinit.fans`, `jinit.initializer`, `jinit.schemes`, and of
`jinit.frameworks` arguments, borrowing, fan_rules, shapes.

Julia stores a dense kernel as (out, in); kernels are `(*taps, in, out)` here. Fans are read of the
shape alone, and of a vector of n they are 1 and n. Types come as `dtype`, in place of the suffixes
16, 32, 64, C32 and so on.

Reference: WeightInitializers 1.3, `src/initializers.jl`.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.checks import check_non_negative, check_number, check_positive
from jinit.fans import Fans
from jinit.frameworks.arguments import check_ends
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.fan_rules import axes_fans, with_vectors
from jinit.frameworks.shapes import in_layout, of_rank
from jinit.initializer import Recipe, Structured
from jinit.schemes import distributions, orthogonality
from jinit.schemes.building import working_dtype
from jinit.schemes.constants import ones, zeros
from jinit.schemes.convolutions import at_centre
from jinit.schemes.sparsity import sparse
from jinit.schemes.variance import Axis, variance_recipe

__all__ = [
    "glorot_normal",
    "glorot_uniform",
    "identity_init",
    "kaiming_normal",
    "kaiming_uniform",
    "ones32",
    "orthogonal",
    "rand32",
    "randn32",
    "sparse_init",
    "truncated_normal",
    "zeros32",
]


def _by_fan(
    gain: float, mode: str, law: str, axes: tuple[Axis, Axis, Axis], layout: str | None
) -> Recipe:
    rule = axes_fans(*axes, layout)
    if layout is None:
        rule = with_vectors(rule, axes, lambda n: Fans(1, n))
    return variance_recipe(check_non_negative("gain", gain) ** 2, mode, law, rule)


@borrow("lux")
def glorot_uniform(
    *,
    gain: float = 1,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Glorot uniform: `W ~ U[-b, b)`, `b = gain * sqrt(6 / (fan_in + fan_out))`.

    Args:
        gain: factor of the bound.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead.
    """
    return _by_fan(gain, "fan_avg", "uniform", (in_axis, out_axis, batch_axis), layout)


@borrow("lux")
def glorot_normal(
    *,
    gain: float = 1,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Glorot normal, not truncated: `W ~ N(0, gain^2 * 2 / (fan_in + fan_out))`.

    Args:
        gain: factor of the standard deviation.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead.

    Differences: JAX's is truncated.
    """
    return _by_fan(gain, "fan_avg", "normal", (in_axis, out_axis, batch_axis), layout)


@borrow("lux")
def kaiming_uniform(
    *,
    gain: float = math.sqrt(2),
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Kaiming uniform: `W ~ U[-b, b)`, `b = gain * sqrt(3 / fan_in)`.

    Args:
        gain: factor of the bound.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead.
    """
    return _by_fan(gain, "fan_in", "uniform", (in_axis, out_axis, batch_axis), layout)


@borrow("lux")
def kaiming_normal(
    *,
    gain: float = math.sqrt(2),
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Kaiming normal, not truncated: `W ~ N(0, gain^2 / fan_in)`.

    Args:
        gain: factor of the standard deviation.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead.

    Differences: JAX's is truncated.
    """
    return _by_fan(gain, "fan_in", "normal", (in_axis, out_axis, batch_axis), layout)


@borrow("lux")
def truncated_normal(
    *, mean: float = 0, std: float = 1, lo: float = -2, hi: float = 2, dtype: Any = None
) -> Recipe:
    """Truncated normal: `W ~ N(mean, std^2)` given `lo < W < hi`, not widened again.

    Args:
        mean: mean before truncation.
        std: standard deviation before truncation.
        lo: lower bound on the weights.
        hi: upper bound on the weights.
        dtype: floating dtype of the weights, unless the call gives one.

    >>> print(f"{truncated_normal(std=0.02).std((8, 8)):.4f}")
    0.0200

    Differences: JAX's bounds are in standard deviations; Lux' are absolute, as torch's.
    """
    check_positive("std", std)
    check_ends(lo=lo, hi=hi)
    return distributions.truncated_normal(std, mean=mean, bounds=(lo, hi)).recipe


@borrow("lux")
def orthogonal(*, gain: float = 1, dtype: Any = None) -> Recipe:
    """Orthogonal: `W = gain * Q`, the last axis against all others, Q Haar.

    Args:
        gain: factor of the matrix.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape has fewer than two axes.

    Differences: Lux forgets the shape of a kernel with taps that has more columns than rows.
    """
    return orthogonality.orthogonal(check_non_negative("gain", gain)).recipe


@borrow("lux")
def sparse_init(
    *, sparsity: float, std: float = 0.01, dtype: Any = None, layout: str | None = None
) -> Recipe:
    """Sparse: of the weights *out of* one input `ceil(sparsity * out)` are 0, others `N(0, std^2)`.

    Args:
        sparsity: fraction of zeros; above 1 it counts as 1.
        std: standard deviation of the weights that are not zero.
        dtype: floating dtype of the weights, unless the call gives one.
        layout: "OI" is Lux' order; None is `(in, out)`.

    Raises:
        ValueError: when drawing, the shape does not have two axes.
    """
    check_non_negative("std", std)
    fraction = min(1.0, check_non_negative("sparsity", sparsity))
    recipe = sparse(fraction, std, in_axis=-1, out_axis=-2).recipe
    return of_rank(in_layout(recipe, layout), "Lux' sparse_init", 2)


@borrow("lux", keyless=True)
def identity_init(
    *, gain: float = 1, shift: int = 0, dtype: Any = None, layout: str | None = None
) -> Recipe:
    """Identity: vectors 0, matrices `W[i, i] = gain`, kernels the same at their centre tap.

    Args:
        gain: value on the diagonal.
        shift: by how many places the diagonal is turned: a matrix' outputs, and both the inputs
            and the outputs of a kernel with taps.
        dtype: floating dtype of the weights, unless the call gives one.
        layout: the axes by letter, "OI" of a matrix in Lux' order; None is `(*taps, in, out)`.

    >>> identity_init(shift=1)(None, (2, 2)).tolist()
    [[0.0, 1.0], [1.0, 0.0]]

    Differences: of k taps the centre is (k - 1) // 2; `jinit.dirac` has k // 2.
    """
    check_number("gain", gain)

    def build(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        if len(shape) < 2:
            return jnp.zeros(shape, dtype)
        turned = np.roll(gain * np.eye(shape[-2], shape[-1]), shift, axis=1)
        if len(shape) > 2:
            turned = np.roll(turned, shift, axis=0)
        matrix = jnp.asarray(turned, working_dtype(dtype))
        return lax.convert_element_type(at_centre(matrix, shape[:-2]), dtype)

    return in_layout(Structured(build), layout)


@borrow("lux", keyless=True)
def zeros32(*, dtype: Any = None) -> Recipe:
    """All zeros: `W = 0`.

    Args:
        dtype: dtype of the weights, unless the call gives one.
    """
    return zeros().recipe


@borrow("lux", keyless=True)
def ones32(*, dtype: Any = None) -> Recipe:
    """All ones: `W = 1`.

    Args:
        dtype: dtype of the weights, unless the call gives one.
    """
    return ones().recipe


@borrow("lux")
def rand32(*, dtype: Any = None) -> Recipe:
    """Uniform: `W ~ U[0, 1)`.

    Args:
        dtype: floating dtype of the weights, unless the call gives one.
    """
    return distributions.uniform(1.0).recipe


@borrow("lux")
def randn32(*, dtype: Any = None) -> Recipe:
    """Normal: `W ~ N(0, 1)`.

    Args:
        dtype: floating dtype of the weights, unless the call gives one.
    """
    return distributions.normal(1.0).recipe
